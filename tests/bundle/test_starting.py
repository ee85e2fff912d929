"""A bundle as pre-trained weights, and what a bundle says of those that it started from."""

import shutil

import pytest
import torch
from safetensors.torch import load_file

from cxrbench.bundle import load_bundle
from cxrbench.bundle.card import card
from cxrbench.bundle.provenance import banners_of
from cxrbench.config import ArchiveSeen, WeightsRecord, with_changes
from cxrbench.errors import WeightsError
from cxrbench.models.weights.sources import obtain_weights


@pytest.fixture(scope="module")
def bundle(small_bundle):
    return load_bundle(small_bundle)


def starting_from(folder, bundle, **how):
    weights = {"bundle": {"path": str(folder), **how}}
    own = with_changes(bundle.members[0].approach, {"network.weights": weights, "name": "own"})
    return obtain_weights(own, stand_in_steps=0)


def test_its_backbone_is_the_bundles(small_bundle, bundle):
    made = starting_from(small_bundle, bundle)
    kept = load_file(small_bundle / bundle.members[0].weights.file)
    summed = made.tensors["conv1.weight"].sum(dim=1, keepdim=True)
    torch.testing.assert_close(summed, kept["backbone.conv1.weight"])
    assert torch.equal(made.tensors["layer1.0.conv2.weight"], kept["backbone.layer1.0.conv2.weight"])
    record, run = made.record, bundle.members[0].run
    assert (record.source, record.origin_digest) == ("bundle", bundle.digest)
    assert (record.split, record.split_digest) == (run.split, run.split_digest)
    assert [(seen.archive, seen.with_labels) for seen in record.saw] == [("generated radiographs", True)]
    assert (record.mean, record.std) == bundle.members[0].approach.input.normalisation


def test_a_member_that_it_does_not_have_is_refused(small_bundle, bundle):
    with pytest.raises(WeightsError, match=r"has 1 networks, no member 2"):
        starting_from(small_bundle, bundle, member=2)


def test_an_altered_bundle_is_refused(small_bundle, bundle, tmp_path):
    folder = shutil.copytree(small_bundle, tmp_path / "bundle")
    (folder / "README.md").write_text("changed")
    with pytest.raises(WeightsError, match=r"approach own: .*README\.md"):
        starting_from(folder, bundle)


def members_from(bundle, **facts):
    """The bundle's members, as if they had started from weights of which this is known."""
    weights = WeightsRecord(**{"source": "hub", "digest": "ab" * 32, "name": "known", **facts})
    member = bundle.members[0]
    return (member.model_copy(update={"run": member.run.model_copy(update={"pretraining": weights})}),)


def test_a_licence_that_forbids_commerce_is_a_banner(bundle):
    members = members_from(bundle, licence="cc-by-nc-4.0")
    banners = banners_of(bundle.record.archive, members, {})
    assert "Not for commercial use: its pre-trained weights known have the licence cc-by-nc-4.0." in banners
    assert not any("commercial" in banner for banner in bundle.record.banners)


def test_test_films_that_the_weights_saw_are_a_banner(bundle):
    run = bundle.members[0].run
    seen = {"approach": run.approach, "split": run.split, "test_seen": 3}
    assert any(
        "saw test films" in each for each in banners_of(bundle.record.archive, bundle.members, {"pretraining": [seen]})
    )
    [banner] = [
        each
        for each in banners_of(bundle.record.archive, bundle.members, {"pretraining": [{**seen, "basis": "archive"}]})
        if "test films" in each
    ]
    assert "may have seen test films before" in banner
    elsewhere = {"pretraining": [{**seen, "split": "another"}, {**seen, "test_seen": 0}]}
    assert not any("saw test films" in each for each in banners_of(bundle.record.archive, bundle.members, elsewhere))


def test_the_card_says_what_each_member_started_from(bundle):
    assert "| 1 | random weights |" in card(bundle.record)
    saw = (ArchiveSeen(archive="nih", with_labels=True),)
    members = members_from(bundle, licence="mit", licence_seen="2026-11-30", saw=saw, dataset="ChestX-ray14")
    text = card(bundle.record.model_copy(update={"members": members}))
    row = "| 1 | known, trained on ChestX-ray14 (hub) | mit, seen 2026-11-30 | nih (with labels) | abababababab |"
    assert row in text
