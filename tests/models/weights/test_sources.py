"""Every source of weights fills the network and says what is known of them."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from cxrbench.config import RunConfig, parse_settings
from cxrbench.errors import WeightsError
from cxrbench.files import digest_file
from cxrbench.models.classifier import build_classifier
from cxrbench.models.weights.sources import obtain_weights
from pretrained import TINY, approach_from, state_of


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "w.pth"
    torch.save({"state_dict": state_of()}, path)
    return path


def obtained(weights, backbone=None, **film):
    return obtain_weights(approach_from(weights, backbone, **film), stand_in_steps=0)


def test_a_file_is_recorded_with_what_was_said_of_it(file):
    made = obtained(
        {
            "file": {
                "path": str(file),
                "mean": [0.5, 0.5, 0.5],
                "std": [0.2, 0.2, 0.2],
                "dataset": "our films",
                "licence": "cc-by-nc-4.0",
                "licence_seen": "2026-01-02",
                "archives": ["nih"],
                "with_labels": True,
            }
        }
    )
    record = made.record
    assert (record.source, record.name, record.origin_digest) == ("file", "w.pth", digest_file(file))
    assert (record.dataset, record.licence, record.licence_seen) == ("our films", "cc-by-nc-4.0", "2026-01-02")
    assert (record.mean, record.std) == ((0.5,) * 3, (0.2,) * 3)
    assert [(seen.archive, seen.with_labels) for seen in record.saw] == [("nih", True)]
    assert record.tensors == len(made.tensors)
    assert record.parameters == sum(value.numel() for value in made.tensors.values())
    assert record.notes == ("the file's state_dict was taken",)


def test_of_an_untold_file_nothing_is_claimed(file):
    record = obtained({"file": str(file)}).record
    assert (record.dataset, record.licence, record.mean, record.saw) == ("unknown", "unknown", None, ())
    assert record.title == "w.pth, trained on unknown data"


def test_a_file_may_be_known_by_its_name_or_by_a_named_record(file, tmp_path):
    by_name = file.rename(tmp_path / "eva_x_small_patch16_merged520k_mim.pt")
    known = obtained({"file": str(by_name)}).record
    assert "nih" in {seen.archive for seen in known.saw}
    assert known.notes[0] == "known by the file's name as MapleF/eva_x"
    named = obtained({"file": {"path": str(by_name), "known": "torchxrayvision/densenet121-res224-all"}}).record
    assert named.input_range == (-1024, 1024)
    assert named.mean == (0.5,)
    stated = {"path": str(by_name), "known": "torchxrayvision/densenet121-res224-all", "mean": [0.1], "std": [1.0]}
    assert obtained({"file": stated}).record.mean == (0.1,)
    assert obtained({"file": stated}).record.input_range is None


def test_stand_ins_say_that_they_are():
    record = obtained("stand-in").record
    assert record.is_stand_in
    assert record.title == "stand-in, trained on generated pictures"


# --- a run of ours ---


def trained_run(folder, approach, **archive):
    """A finished run's folder, as training leaves it, its weights drawn."""
    run = folder / "runs" / approach.name / "resample-1" / "seed-0"
    run.mkdir(parents=True)
    raw = {
        "approach": approach.model_dump(mode="json"),
        "profile": "small",
        "weights": None,
        "split": "resample-1",
        "split_digest": "ab" * 32,
        "store_digest": "cd" * 32,
        "table_digest": "ef" * 32,
        "seed": 0,
        "findings": ["Mass"],
    }
    config = parse_settings(raw, RunConfig, where="run")
    (run / "config.json").write_text(json.dumps(config.record() | {"feature_scaling": {}}))
    network = build_classifier(approach, findings=1, seed=3, weights=None)
    save_file(
        {name: value.contiguous() for name, value in network.state_dict().items()}, run / "checkpoint.safetensors"
    )
    archive = {"form": "NIH ChestX-ray14", "is_phantom": False} | archive
    (folder / "study.json").write_text(json.dumps({"archive": archive}))
    return run, network


def test_a_run_gives_its_backbone_and_says_where_it_learnt(tmp_path):
    theirs = approach_from("none", mean=[0.4, 0.4, 0.4], std=[0.2, 0.2, 0.2])
    run, network = trained_run(tmp_path, theirs)
    made = obtained({"run": str(run)})
    for name, value in made.tensors.items():
        assert torch.equal(value, network.backbone.state_dict()[name]), name
    record = made.record
    assert (record.source, record.name) == ("run", "own / resample-1 / seed 0")
    assert (record.mean, record.std) == ((0.4,) * 3, (0.2,) * 3)
    assert (record.split, record.split_digest) == ("resample-1", "ab" * 32)
    assert [(seen.archive, seen.with_labels) for seen in record.saw] == [("nih", True)]
    assert record.notes == ("trained from random weights",)


@pytest.mark.parametrize(
    "archive", [{}, {"archive": "nih"}, {"form": "our own reading", "archive": "nih"}, {"archive": None}]
)
def test_a_run_is_of_the_archive_whose_films_its_format_reads(tmp_path, archive):
    run, _ = trained_run(
        tmp_path,
        approach_from("none", mean=[0.4] * 3, std=[0.2] * 3),
        **({"form": "RSNA pneumonia challenge"} | archive),
    )
    assert [(seen.archive, seen.with_labels) for seen in obtained({"run": str(run)}).record.saw] == [("nih", True)]


def test_a_run_on_one_channel_gives_three_the_same_answer(tmp_path):
    run, network = trained_run(tmp_path, approach_from("none", channels=1, mean=[0.4], std=[0.2]))
    made = obtained({"run": str(run)})
    torch.testing.assert_close(made.tensors["conv1.weight"].sum(dim=1, keepdim=True), network.backbone.conv1.weight)


def test_a_run_of_another_backbone_is_refused(tmp_path):
    run, _ = trained_run(tmp_path, approach_from("none", mean=[0.4] * 3, std=[0.2] * 3))
    with pytest.raises(WeightsError, match=r"approach own: run .*'width': 4.*the approach's .*'width': 8"):
        obtained({"run": str(run)}, {"resnet": {**TINY["resnet"], "width": 8}})


def test_a_folder_without_a_finished_run_is_named(tmp_path):
    with pytest.raises(WeightsError, match=rf"{tmp_path}: no finished run to take a backbone from"):
        obtained({"run": str(tmp_path)})


def test_a_run_that_was_altered_is_refused(tmp_path):
    run, _ = trained_run(tmp_path, approach_from("none", mean=[0.4] * 3, std=[0.2] * 3))
    text = (run / "config.json").read_text()
    (run / "config.json").write_text(text.replace('"seed": 0', '"seed": 1'))
    with pytest.raises(WeightsError, match=r"its backbone cannot be taken \(.*do not match its recorded hash"):
        obtained({"run": str(run)})
