"""Command export, and predict with what it wrote, as a user calls them."""

import shutil
from importlib.util import find_spec

import polars as pl
import pytest

NEEDED = ("onnx", "onnxscript", "onnxruntime")


@pytest.mark.skipif(not all(map(find_spec, NEEDED)), reason="needs ONNX: pip install 'cxrbench[export]'")
def test_from_a_bundle_to_answers_of_its_export(cxrbench, small_bundle, small_study, tmp_path):
    folder = shutil.copytree(small_bundle, tmp_path / "bundle")
    code, out, _ = cxrbench("export", folder, "--to", "onnx", "--study", small_study)
    assert code == 0
    assert "model.onnx: 8 films within" in out
    assert "AUC of" in out
    assert "film: float32 (batch, 1, 64, 64): centre 64 x 64 of the film's square" in out
    assert "note: Research use only; not a medical device." in out
    films = next((small_study.parent / "films" / "images").iterdir())
    answers = tmp_path / "answers.csv"
    code, _, _ = cxrbench("predict", folder, films, "--out", answers, "--workers", "0", "--backend", "onnx")
    assert code == 0
    assert pl.read_csv(answers)["Effusion"].null_count() == 0


def test_what_cannot_be_exported_is_one_line(cxrbench, small_bundle, tmp_path):
    for arguments, said in (
        (("export", small_bundle, "--to", "tflite"), "unknown form 'tflite'; valid names: onnx, openvino"),
        (("export", tmp_path, "--to", "onnx"), "is not a bundle"),
        (("export", small_bundle, "--to", "onnx", "--out", tmp_path), "exists already; choose another --out"),
    ):
        code, _, err = cxrbench(*arguments)
        assert code == 2
        lines = [line for line in err.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1
        assert said in lines[0]
