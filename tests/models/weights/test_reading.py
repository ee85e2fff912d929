"""Files of weights are opened without executing anything, and what they hold is found."""

import argparse
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from cxrbench.errors import WeightsError
from cxrbench.models.weights.reading import read_weights

TENSORS = {"conv1.weight": torch.rand(2, 3), "fc.bias": torch.rand(4)}


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin", ".safetensors"])
def test_a_plain_table_is_read(suffix, tmp_path):
    path = tmp_path / f"w{suffix}"
    if suffix == ".safetensors":
        save_file(TENSORS, path)
    else:
        torch.save(TENSORS, path)
    contents = read_weights(path)
    assert contents.has_order == (suffix != ".safetensors")
    assert contents.notes == ()
    for name, value in TENSORS.items():
        assert torch.equal(contents.tensors[name], value)


@pytest.mark.parametrize("key", ["state_dict", "model", "teacher", "student"])
def test_the_table_that_a_script_wrote_is_found(key, tmp_path):
    torch.save({key: TENSORS, "epoch": 3, "optimizer": {"state": {}}}, tmp_path / "w.pth")
    contents = read_weights(tmp_path / "w.pth")
    assert set(contents.tensors) == set(TENSORS)
    assert contents.notes == (f"the file's {key} was taken",)


def test_of_teacher_and_student_the_teacher_is_taken_unless_another_is_named(tmp_path):
    student = {name: value + 1 for name, value in TENSORS.items()}
    torch.save({"student": student, "teacher": TENSORS}, tmp_path / "w.pth")
    teacher = read_weights(tmp_path / "w.pth")
    assert torch.equal(teacher.tensors["fc.bias"], TENSORS["fc.bias"])
    assert teacher.notes[1] == "it also holds student; name one under table to take that"
    named = read_weights(tmp_path / "w.pth", table="student")
    assert torch.equal(named.tensors["fc.bias"], student["fc.bias"])


def test_what_scripts_keep_beside_the_tensors_does_not_hinder(tmp_path):
    beside = {"args": argparse.Namespace(lr=0.1, depth=50), "best": np.float64(0.8), "epoch": 7}
    torch.save({"model": TENSORS, **beside}, tmp_path / "w.pth")
    assert set(read_weights(tmp_path / "w.pth").tensors) == set(TENSORS)


class _Malicious:
    def __reduce__(self):
        return (open, ("harm-done", "w"))


def test_pickled_code_is_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": TENSORS, "hook": _Malicious()}, tmp_path / "w.pth")
    with pytest.raises(
        WeightsError, match=r"w\.pth: not a file of weights .*Python objects, \S*open; save the network"
    ):
        read_weights(tmp_path / "w.pth")
    (tmp_path / "old.pth").write_bytes(pickle.dumps(_Malicious(), protocol=2))
    with pytest.raises(WeightsError, match=r"old\.pth: not a file of weights"):
        read_weights(tmp_path / "old.pth")
    assert not (tmp_path / "harm-done").exists()


def test_a_pickled_network_is_refused_with_the_remedy(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "net.pt")
    with pytest.raises(WeightsError, match=r"net\.pt: .*Linear; save the network's state_dict\(\) alone"):
        read_weights(tmp_path / "net.pt")


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_a_broken_file_is_refused(name, tmp_path):
    (tmp_path / name).write_bytes(b"not weights")
    with pytest.raises(WeightsError, match=rf"{name}: not a file of weights"):
        read_weights(tmp_path / name)


def test_a_file_without_tensors_says_what_it_holds(tmp_path):
    torch.save({"epoch": 3, "history": [1, 2]}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"holds no table of named tensors; it holds epoch, history"):
        read_weights(tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"has no table 'ema'; it holds epoch, history"):
        read_weights(tmp_path / "w.pth", table="ema")


def test_no_such_file_names_the_ways_out():
    with pytest.raises(WeightsError, match=r"absent\.pth: no such weights file.*'hub' or 'stand-in'"):
        read_weights(Path("absent.pth"))
