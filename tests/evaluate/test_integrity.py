"""Results are never made from runs that were swapped, renamed, edited or damaged since they were finished."""

import json
import shutil

import numpy as np
import pytest

from cxrbench.errors import CxrbenchError
from cxrbench.evaluate import evaluate_study
from cxrbench.manifest import MANIFEST_FILE
from cxrbench.runs import CONFIG_FILE, HISTORY_FILE, RunName, predictions_file

ONE, OTHER = RunName("1channel", "resample-1", 0), RunName("1channel-meta", "resample-1", 0)
TEST = predictions_file("test")


@pytest.fixture
def study(small_study, tmp_path):
    copy = tmp_path / "study"
    shutil.copytree(small_study, copy, ignore=shutil.ignore_patterns("store", "results", "report"))
    return copy


def swap_files(one, other):
    for path in (one, other):
        path.rename(path.with_name(f"{path.name}.moved"))
    one.with_name(f"{one.name}.moved").rename(other)
    other.with_name(f"{other.name}.moved").rename(one)


def swap_runs(one, other):
    one.rename(one.with_name("aside"))
    other.rename(one)
    one.with_name("aside").rename(other)


def edit_config(run, _):
    path = run / CONFIG_FILE
    config = json.loads(path.read_text())
    config["approach"]["recipe"]["batch_size"] = 64
    path.write_text(json.dumps(config))


FAULTS = {
    "predictions swapped": (lambda one, other: swap_files(one / TEST, other / TEST), "was changed|bytes instead"),
    "configurations swapped": (
        lambda one, other: swap_files(one / CONFIG_FILE, other / CONFIG_FILE),
        "was changed|bytes instead",
    ),
    "runs renamed into each other": (swap_runs, "holds run 1channel-meta / resample-1 / seed 0, not run 1channel"),
    "configuration edited": (edit_config, "was changed|bytes instead"),
    "history cut short": (
        lambda one, _: (one / HISTORY_FILE).write_bytes((one / HISTORY_FILE).read_bytes()[:-5]),
        "history.csv has .* bytes instead",
    ),
    "manifest deleted": (lambda one, _: (one / MANIFEST_FILE).unlink(), "has no manifest.json"),
    "predictions deleted": (lambda one, _: (one / TEST).unlink(), "predictions-test.parquet is missing"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_ends_the_evaluation_in_one_line(study, fault):
    damage, said = FAULTS[fault]
    damage(ONE.folder(study), OTHER.folder(study))
    with pytest.raises(CxrbenchError, match=said) as caught:
        evaluate_study(study, replicates=0)
    assert "\n" not in str(caught.value)
    assert not (study / "results").exists()


def test_no_flipped_bit_of_predictions_passes(study):
    rng, path = np.random.default_rng(0), ONE.folder(study) / TEST
    whole = path.read_bytes()
    for place in rng.integers(8 * len(whole), size=10):
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        with pytest.raises(CxrbenchError, match=rf"{TEST} was changed after it was written"):
            evaluate_study(study, replicates=0)
