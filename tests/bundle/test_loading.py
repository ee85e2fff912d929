"""What was altered since a bundle was made is refused, by name."""

import json
import shutil

import pytest

from cxrbench.bundle import load_bundle
from cxrbench.config import Augmentation
from cxrbench.errors import BundleError
from cxrbench.files import digest_file, digest_json


@pytest.fixture
def copy(small_bundle, tmp_path):
    return shutil.copytree(small_bundle, tmp_path / "bundle")


def rewritten(folder, **changes):
    """Exchange fields of bundle.json, with a digest that fits."""
    path = folder / "bundle.json"
    raw = {key: value for key, value in (json.loads(path.read_text()) | changes).items() if key != "digest"}
    path.write_text(json.dumps(raw | {"digest": digest_json(raw)}))


def test_a_bundle_may_be_moved(small_bundle, copy):
    assert load_bundle(copy).digest == load_bundle(small_bundle).digest
    assert load_bundle(copy).digest == json.loads((copy / "bundle.json").read_text())["digest"]


def test_the_name_outlives_settings_that_a_newer_version_adds(copy):
    """What is written lacks a setting that has a default here: read, it is in the record, but not in the digest."""
    raw = json.loads((copy / "bundle.json").read_text())
    del raw["digest"], raw["members"][0]["approach"]["augmentation"]
    named = digest_json(raw)
    (copy / "bundle.json").write_text(json.dumps(raw | {"digest": named}))
    bundle = load_bundle(copy)
    assert bundle.digest == named
    assert bundle.record.members[0].approach.augmentation == Augmentation()


def test_one_flipped_bit_of_the_weights(copy):
    content = bytearray((copy / "model.safetensors").read_bytes())
    content[len(content) // 2] ^= 1
    (copy / "model.safetensors").write_bytes(content)
    with pytest.raises(BundleError, match=r"model\.safetensors: altered since it was written \(its SHA-256 differs\)"):
        load_bundle(copy)


def test_weights_that_are_cut(copy):
    path = copy / "model.safetensors"
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(BundleError, match=rf"{size - 9:,} bytes, expected {size:,}: truncated or exchanged"):
        load_bundle(copy)


def test_weights_that_are_gone(copy):
    (copy / "model.safetensors").unlink()
    with pytest.raises(BundleError, match=r"bundle lacks model\.safetensors"):
        load_bundle(copy)


@pytest.mark.parametrize("name", ["bundle.json", "reference.json"])
def test_a_description_that_is_cut_anywhere(copy, name):
    whole = (copy / name).read_text()
    for end in range(0, len(whole) - 2, max(1, len(whole) // 20)):
        (copy / name).write_text(whole[:end])
        with pytest.raises(BundleError, match=rf"{name}: (absent, truncated or damaged|altered)"):
            load_bundle(copy)


def test_a_threshold_that_was_changed(copy):
    path = copy / "bundle.json"
    raw = json.loads(path.read_text())
    raw["decisions"]["Effusion"]["threshold"] = 0.5
    path.write_text(json.dumps(raw))
    with pytest.raises(BundleError, match=r"bundle\.json: altered since it was written"):
        load_bundle(copy)


def test_a_reference_that_was_changed(copy):
    path = copy / "reference.json"
    path.write_text(path.read_text().replace("version 1", "version 2"))
    with pytest.raises(BundleError, match=r"reference\.json: altered since it was written"):
        load_bundle(copy)


def test_a_newer_format_is_refused(copy):
    rewritten(copy, format_version=4)
    with pytest.raises(
        BundleError, match=r"has format version 4, this cxrbench reads 2 and 3; use .*make it again: cxrbench bundle"
    ):
        load_bundle(copy)


def test_a_bundle_that_does_not_know_the_grey_of_its_training_films_is_refused(copy):
    raw = json.loads((copy / "bundle.json").read_text())
    del raw["pixel_statistics"]["grey"]
    rewritten(copy, pixel_statistics=raw["pixel_statistics"])
    with pytest.raises(BundleError, match=r"key 'pixel_statistics\.grey' is missing.*get the bundle anew"):
        load_bundle(copy)


def test_another_geometry_is_refused(copy):
    rewritten(copy, geometry="stretched")
    with pytest.raises(BundleError, match="made square in another way \\('stretched'\\)"):
        load_bundle(copy)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"spell": 1}, "unknown key 'spell'"),
        ({"members": []}, "members"),
        ({"format": "other"}, "says format 'other'"),
    ],
    ids=["unknown key", "no member", "foreign"],
)
def test_a_description_that_is_not_ours(copy, changes, said):
    rewritten(copy, **changes)
    with pytest.raises(BundleError, match=said):
        load_bundle(copy)


def test_a_path_out_of_the_bundle_is_refused(copy):
    raw = json.loads((copy / "bundle.json").read_text())
    raw["members"][0]["weights"]["file"] = "../model.safetensors"
    shutil.copy(copy / "model.safetensors", copy.parent)
    rewritten(copy, members=raw["members"])
    with pytest.raises(BundleError, match=r"members\.0\.weights\.file: .* got '\.\./model\.safetensors'"):
        load_bundle(copy)
    raw["members"][0]["weights"]["file"] = str(copy / "model.safetensors")
    rewritten(copy, members=raw["members"])
    with pytest.raises(BundleError, match=r"members\.0\.weights\.file: .* got '/"):
        load_bundle(copy)


def test_a_card_that_says_something_else(copy):
    """What a person reads, and the server shows."""
    card = copy / "README.md"
    assert load_bundle(copy).card == card.read_text()
    card.write_text(card.read_text() + "\nApproved for clinical use.\n")
    with pytest.raises(BundleError, match=r"README\.md: altered since it was written"):
        load_bundle(copy)
    card.unlink()
    with pytest.raises(BundleError, match=r"bundle lacks README\.md; get the bundle anew"):
        load_bundle(copy)


def test_weights_of_another_network(copy, small_study):
    """Digests that fit do not make them the right ones."""
    other = small_study / "runs" / "1channel" / "resample-1" / "seed-0" / "checkpoint.safetensors"
    shutil.copy(other, copy / "model.safetensors")
    raw = json.loads((copy / "bundle.json").read_text())
    raw["members"][0]["weights"] |= {"bytes": other.stat().st_size, "sha256": digest_file(other)}
    rewritten(copy, members=raw["members"])
    bundle = load_bundle(copy)
    with pytest.raises(BundleError, match=r"not the weights of approach 1channel-meta .*head\.weight"):
        bundle.classifier(bundle.members[0])


def test_a_folder_that_is_no_bundle(tmp_path, small_study):
    for folder in (tmp_path, small_study, tmp_path / "absent"):
        with pytest.raises(BundleError, match=r"is not a bundle: it has no bundle\.json; cxrbench bundle makes one"):
            load_bundle(folder)


@pytest.mark.parametrize("text", ["[]", "7", "[" * 100_000], ids=["list", "number", "deep"])
def test_json_that_is_no_description(copy, text):
    (copy / "bundle.json").write_text(text)
    with pytest.raises(BundleError, match=r"bundle\.json: (expected keys and values|absent, truncated or damaged)"):
        load_bundle(copy)
