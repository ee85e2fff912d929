"""Weights are kept once per source and network, and the input of an approach is the one they learnt with."""

import pytest
import torch

from cxrbench.config import WeightsRecord, load_profile
from cxrbench.errors import WeightsError
from cxrbench.files import digest_file
from cxrbench.study.pretraining import prepare_weights, resolve_input, resolve_inputs
from pretrained import VIT, approach_from, state_of, timm_state

SMALL = load_profile("small")


@pytest.fixture
def file(tmp_path):
    torch.save(state_of(), tmp_path / "w.pth")
    return tmp_path / "w.pth"


def record(**facts):
    return WeightsRecord(source="file", digest="", name="w.pth", **facts)


def test_weights_are_kept_with_their_record(file, tmp_path):
    approach = approach_from({"file": {"path": str(file), "dataset": "our films"}})
    kept = prepare_weights(tmp_path / "study", [approach], SMALL)
    path, found = kept["own"]
    assert path.parent == tmp_path / "study" / "weights"
    assert found.digest == digest_file(path)
    assert found.dataset == "our films"


def test_an_approach_without_weights_has_none(tmp_path):
    own = approach_from("none", mean=[0.5] * 3, std=[0.2] * 3)
    assert prepare_weights(tmp_path, [own], SMALL) == {}
    assert resolve_inputs([own], {}) == (own,)


def test_transformers_at_two_sizes_have_two_files(tmp_path):
    torch.save(timm_state("vit_tiny_patch16_224", **VIT["timm"]["options"]), tmp_path / "vit.pth")
    weights = {"file": str(tmp_path / "vit.pth")}
    paths = {
        prepare_weights(tmp_path / "study", [approach_from(weights, VIT, size=size)], SMALL)["own"][0]
        for size in (64, 96)
    }
    assert len(paths) == 2


def test_an_exchanged_file_is_read_anew(file, tmp_path):
    approach = approach_from({"file": str(file)})
    before = prepare_weights(tmp_path / "study", [approach], SMALL)["own"][1].digest
    torch.save(state_of(seed=1), file)
    assert prepare_weights(tmp_path / "study", [approach], SMALL)["own"][1].digest != before


@pytest.mark.parametrize(
    ("channels", "facts", "mean"),
    [
        (3, {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.2, 0.2)}, (0.4, 0.5, 0.6)),
        (1, {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.2, 0.2)}, (0.5,)),
        (3, {"mean": (0.5,), "std": (0.25,)}, (0.5, 0.5, 0.5)),
    ],
)
def test_the_weights_say_which_input_they_learnt_with(channels, facts, mean):
    resolved = resolve_input(approach_from("hub", channels=channels), record(**facts))
    assert resolved.input.mean == pytest.approx(mean)
    assert len(resolved.input.std) == channels


def test_a_stand_in_needs_no_statement():
    own = approach_from("stand-in")
    resolved = resolve_input(own, WeightsRecord(source="stand-in", digest="", is_stand_in=True))
    assert resolved.input.mean == (0.485, 0.456, 0.406)
    other = approach_from("stand-in", mean=[0.5] * 3, std=[0.5] * 3)
    assert resolve_input(other, WeightsRecord(source="stand-in", digest="", is_stand_in=True)) == other


def test_where_neither_says_it_the_error_says_what_to_write():
    with pytest.raises(
        WeightsError, match=r"approach own: nothing says .* weights w\.pth .*write input\.mean and input\.std"
    ):
        resolve_input(approach_from("hub"), record())


def test_the_approach_may_say_it_alone():
    own = approach_from("hub", mean=[0.3] * 3, std=[0.2] * 3)
    assert resolve_input(own, record()) == own


@pytest.mark.parametrize(
    ("mean", "std"),
    [([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]), ([0.0] * 3, [1.0] * 3)],
    ids=["ImageNet's", "0 to 1"],
)
def test_another_range_is_refused_with_both(mean, std):
    own = approach_from("hub", mean=mean, std=std)
    with pytest.raises(
        WeightsError,
        match=rf"input\.mean {mean[0]:g}, .* contradict the weights w\.pth, .* mean 0\.5, .* std 0\.0004883",
    ):
        resolve_input(own, record(mean=(0.5,), std=(1 / 2048,)))


def test_statements_that_differ_by_rounding_agree():
    own = approach_from("hub", mean=[127 / 255] * 3, std=[128 / 255] * 3)
    assert resolve_input(own, record(mean=(0.5,) * 3, std=(0.5,) * 3)) == own
    grey = approach_from("hub", channels=1, mean=[0.449], std=[0.226])
    assert resolve_input(grey, record(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))) == grey


@pytest.mark.parametrize("channels", [1, 3])
def test_a_number_of_values_that_no_film_has_is_refused(channels):
    own = approach_from({"file": "w.pth"}, channels=channels)
    with pytest.raises(WeightsError, match=r"weights w\.pth: mean has 2 values, 0\.4, 0\.6; give 1 .*or 3"):
        resolve_input(own, record(mean=(0.4, 0.6), std=(0.2, 0.2)))
