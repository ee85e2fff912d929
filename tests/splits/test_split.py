"""A split as a value and as a file."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrbench.errors import DataError
from cxrbench.splits import Split, check_covers, check_disjoint, read_split, resample_splits, write_split

SPLIT = Split(
    "resample-1", "resample", 0, {"train": ("a", "b"), "val": ("c",), "test": ("d",)}, fractions=(0.5, 0.25, 0.25)
)
LISTS = Split("official", "official", 3, SPLIT.patients, source="train_val_list.txt, test_list.txt")


def test_rows_are_those_of_the_patients(table):
    images = table([2, 1, 3])
    split = Split("x", "resample", 0, {"train": ("p0",), "val": ("p1",), "test": ("p2",)})
    assert split.rows(images, "train").tolist() == [0, 1]
    assert split.rows(images[::-1], "train").tolist() == [4, 5]
    assert split.rows(images, "test").dtype == np.int64
    with pytest.raises(ValueError, match="no part 'validation' in split x; parts: train, val, test"):
        split.rows(images, "validation")


@pytest.mark.parametrize("split", [SPLIT, LISTS])
def test_a_split_survives_its_file(tmp_path, split):
    path = write_split(split, tmp_path / "splits")
    assert path == tmp_path / "splits" / f"{split.name}.json"
    assert read_split(path) == split
    assert json.loads(path.read_text())["digest"] == split.digest


@given(patients=st.sets(st.text(min_size=1), min_size=3, max_size=9))
def test_any_patient_id_survives(tmp_path_factory, patients):
    train, val, *test = sorted(patients)
    parts = {"train": (train,), "val": (val,), "test": tuple(test)}
    try:
        split = replace(SPLIT, patients=parts)
        path = write_split(split, tmp_path_factory.mktemp("splits"))
    except UnicodeEncodeError:  # a lone surrogate, which no table can hold
        return
    assert read_split(path) == split


@pytest.mark.parametrize(
    "change",
    [
        {"name": "resample-2"},
        {"seed": 1},
        {"fractions": (0.6, 0.2, 0.2)},
        {"patients": {"train": ("a",), "val": ("c", "b"), "test": ("d",)}},
    ],
)
def test_the_digest_depends_on_everything(change):
    assert replace(SPLIT, **change).digest != SPLIT.digest


def test_writing_the_same_split_again_is_fine_but_another_is_refused(tmp_path):
    path = write_split(SPLIT, tmp_path)
    write_split(SPLIT, tmp_path)
    with pytest.raises(DataError, match=re.escape(f"{path} holds another split")):
        write_split(replace(SPLIT, seed=1), tmp_path)


def tampered(tmp_path, change):
    path = write_split(SPLIT, tmp_path)
    raw = json.loads(path.read_text())
    change(raw)
    path.write_text(json.dumps(raw))
    return path


def move(raw):
    raw["patients"]["train"].append(raw["patients"]["test"].pop())
    raw["patients"]["test"].append("e")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: raw["patients"]["train"].append("d"), "split resample-1 has patient d in train and in test"),
        (lambda raw: raw["patients"]["train"].append("a"), "split resample-1 has patient a in train and in train"),
        (lambda raw: raw["patients"]["val"].clear(), "split resample-1 has no patient in val"),
        (move, r"resample-1\.json was changed after it was made \(its digest differs\); delete it"),
        (lambda raw: raw.update(seed=9), r"resample-1\.json was changed after it was made"),
        (lambda raw: raw["patients"].pop("val"), "has the parts train, test; expected train, val, test"),
        (lambda raw: raw.pop("patients"), r"resample-1\.json is not a split: KeyError\('patients'\)"),
        (lambda raw: raw.update(patients=[1]), r"resample-1\.json is not a split"),
        (lambda raw: raw["patients"].update(val=[["c"]]), r"resample-1\.json was changed after it was made"),
    ],
)
def test_a_file_that_was_tampered_with_is_refused(tmp_path, change, message):
    with pytest.raises(DataError, match=message):
        read_split(tampered(tmp_path, change))


def test_files_that_are_no_splits(tmp_path):
    (tmp_path / "x.json").write_text('{"name": ')
    with pytest.raises(DataError, match=r"x\.json is not a split"):
        read_split(tmp_path / "x.json")
    (tmp_path / "x.json").write_text("[]")
    with pytest.raises(DataError, match=r"x\.json is not a split"):
        read_split(tmp_path / "x.json")
    with pytest.raises(DataError, match=r"cannot read .*absent\.json: No such file"):
        read_split(tmp_path / "absent.json")


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"cannot write .*resample-1\.json: File exists"):
        write_split(SPLIT, tmp_path / "file")


def test_a_split_of_other_patients_is_refused(table):
    (split,) = resample_splits(table([1] * 20), count=1)
    with pytest.raises(DataError, match=r"split resample-1 lacks patient p20 \(2 such\) of the table"):
        check_covers(split, table([1] * 22))
    with pytest.raises(DataError, match=r"split resample-1 names patient p19 \(1 such\), whom the table lacks"):
        check_covers(split, table([1] * 19))


def test_a_sound_split_passes():
    check_disjoint(SPLIT)
