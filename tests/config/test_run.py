"""The identity of a run, and the reader of what earlier versions recorded."""

import json
from pathlib import Path

import pytest

from cxrbench.config import RunConfig, WeightsRecord, load_approach, load_profile, read_run, schema1, with_changes
from cxrbench.errors import StudyError

FIXTURE = Path(__file__).parents[1] / "fixtures/study-0.1/study/runs"
OLDER = sorted(FIXTURE.rglob("config.json"))
SCHEMA_2 = sorted((Path(__file__).parents[1] / "fixtures/schema-2").glob("*.json"))
PATH = Path("config.json")


def config(**changes):
    fields = {
        "approach": load_profile("small").apply(load_approach("ft")),
        "profile": "small",
        "weights": WeightsRecord(source="hub", digest="a" * 64),
        "split": "resample-1",
        "split_digest": "b" * 64,
        "store_digest": "c" * 64,
        "table_digest": "d" * 64,
        "seed": 0,
        "findings": ("Mass", "Nodule"),
    }
    return RunConfig(**(fields | changes))


@pytest.mark.parametrize("path", OLDER, ids=lambda path: "-".join(path.parts[-4:-2]))
def test_a_run_of_version_0_1_is_verified_by_its_own_hash_and_mapped(path):
    raw = json.loads(path.read_text(encoding="utf-8"))
    stored = read_run(raw, where=path)
    assert (stored.schema, stored.hash) == (1, raw["hash"])
    network, old = stored.config.approach.network, raw["approach"]["backbone"]
    assert network.backbone.settings.stages == tuple(old["blocks"])
    assert network.has_weights == (old["start"] == "imagenet")
    assert stored.config.approach.has_frozen_backbone == (old["trained"] == "head")
    assert list(network.features) == raw["approach"]["features"]
    assert stored.feature_scaling == raw["feature_scaling"]


@pytest.mark.parametrize("path", SCHEMA_2, ids=lambda path: path.stem)
def test_a_run_of_schema_2_made_before_recipes_had_phases_keeps_its_hash(path):
    raw = json.loads(path.read_text(encoding="utf-8"))
    stored = read_run(raw, where=path)
    assert (stored.schema, stored.hash, stored.config.hash) == (2, raw["hash"], raw["hash"])


def test_a_narrow_crop_of_version_0_1_is_written_out():
    raw = json.loads(OLDER[0].read_text(encoding="utf-8"))
    raw["approach"]["input"] |= {"image_size": 64, "store_size": 128}
    stored = read_run(raw | {"hash": schema1.hash_of(raw)}, where=PATH)
    assert stored.config.approach.input.evaluation_crop == 0.5


def test_the_fixtures_have_runs():
    assert (len(OLDER), len(SCHEMA_2)) == (4, 2)


@pytest.mark.parametrize("key", ["seed", "split_digest", "store_digest"])
def test_an_edited_run_of_version_0_1_is_noticed(key):
    raw = json.loads(OLDER[0].read_text(encoding="utf-8"))
    raw[key] = 7 if key == "seed" else "0" * 64
    with pytest.raises(StudyError, match=r"config\.json: its values do not match its recorded hash"):
        read_run(raw, where=PATH)


def test_a_run_is_read_back_as_it_was():
    written = json.loads(json.dumps(config().record()))
    assert written["schema"] == 2
    assert read_run(written, where=PATH).config == config()


@pytest.mark.parametrize(
    "other",
    [
        config(seed=1),
        config(findings=("Mass",)),
        config(norm_batch=4),
        config(weights=WeightsRecord(source="hub", digest="e" * 64)),
        config(approach=with_changes(config().approach, {"recipe.betas": [0.9, 0.99]})),
        config(approach=with_changes(config().approach, {"network.head": "csra"})),
        config(approach=with_changes(config().approach, {"input.evaluation_crop": 1.0})),
    ],
)
def test_whatever_changes_what_is_learnt_changes_the_hash(other):
    assert other.hash != config().hash


@pytest.mark.parametrize(
    "same",
    [
        config(weights=WeightsRecord(source="file", digest="a" * 64, licence="MIT", tensors=3)),
        config(approach=with_changes(config().approach, {"summary": "in other words"})),
        config(approach=with_changes(config().approach, {"network.weights": {"file": "elsewhere.pth"}})),
    ],
)
def test_what_changes_nothing_that_is_learnt_leaves_the_hash(same):
    assert same.hash == config().hash


@pytest.mark.parametrize("schema", [3, 0, "two"])
def test_a_later_schema_is_one_clear_line(schema):
    with pytest.raises(StudyError, match=r"config\.json: schema .* is of a later version of cxrbench"):
        read_run(config().record() | {"schema": schema}, where=PATH)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 5}, "its values do not match its recorded hash"),
        ({"hash": "0"}, "its values do not match its recorded hash"),
        ({"nonsense": 1}, "unknown key 'nonsense'.*; the file has changed. Delete the run"),
        ({"approach": None}, "approach.*; the file has changed. Delete the run"),
    ],
)
def test_a_damaged_record_is_refused(change, message):
    with pytest.raises(StudyError, match=message):
        read_run(config().record() | change, where=PATH)


GONE = {"gone": {"width": 4}}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("network.backbone", "backbone"),
        ("network.head", "head"),
        ("recipe.loss", "loss"),
        ("recipe.sampler", "sampler"),
    ],
)
def test_a_run_whose_package_is_not_installed_is_not_to_be_deleted(path, name):
    raw = config().record()
    section, key = path.split(".")
    raw["approach"][section][key] = GONE
    with pytest.raises(StudyError, match=f"unknown {name} 'gone'.*; is the package that brings it installed") as caught:
        read_run(raw, where=PATH)
    assert "elete" not in str(caught.value)
    with pytest.raises(StudyError, match=r"the file has changed\. Delete the run and train it again"):
        read_run(raw | {"nonsense": 1}, where=PATH)


def test_no_record_at_all_is_refused():
    with pytest.raises(StudyError, match=r"config\.json: expected keys and values, got list"):
        read_run([], where=PATH)
    with pytest.raises(StudyError, match=r"config\.json: damaged"):
        read_run({"approach": {}}, where=PATH)
