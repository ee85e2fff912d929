"""Commands bundle, check and predict, as a user calls them."""

import subprocess
import sys

import polars as pl
import pytest

from cxrbench.predict import Predictor


def test_from_a_study_to_answers(cxrbench, small_study, tmp_path):
    folder = tmp_path / "bundle"
    code, out, _ = cxrbench("bundle", small_study, "--approach", "1channel", "--out", folder, "--no-export")
    assert code == 0
    assert "1channel / resample-1 / seed 0" in out
    assert "note: Research use only; not a medical device." in out
    code, out, _ = cxrbench("check", folder)
    assert code == 0
    assert "unaltered; 1 member," in out
    assert "reference film, torch: largest difference" in out
    assert "openvino is not used: the bundle has no export for it" in out
    films = small_study.parent / "films" / "images"
    (tmp_path / "broken.dcm").write_bytes(b"")
    answers = tmp_path / "answers.csv"
    code, out, err = cxrbench("predict", folder, films, tmp_path / "broken.dcm", "--out", answers, "--workers", "0")
    assert code == 0
    assert "broken.dcm: the file is empty" in err
    table = pl.read_csv(answers, infer_schema_length=None)
    assert table.height == len(list(films.iterdir())) + 1
    assert f"{table.height - 1} answered" in out
    assert "computed by torch" in out
    assert table["Effusion"].null_count() == 1


def test_what_cannot_be_used_is_one_line(cxrbench, small_study, small_bundle, tmp_path):
    for arguments, said in (
        (
            ("bundle", small_study, "--out", tmp_path / "b"),
            "choose with --approach: 1channel, 1channel-meta, large-meta",
        ),
        (("check", small_study), "is not a bundle"),
        (("predict", small_bundle, tmp_path / "none", "--out", tmp_path / "a.csv"), "no such file or folder"),
        (("predict", small_bundle, tmp_path, "--out", tmp_path / "a.xls"), "unknown format '.xls'"),
        (("predict", small_bundle, tmp_path, "--out", tmp_path / "a.csv", "--sex", "W"), "--sex W: valid are F and M"),
    ):
        code, _, err = cxrbench(*arguments)
        assert code == 2
        lines = [line for line in err.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1
        assert said in lines[0]
        assert "Traceback" not in err


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("--out", "nothing is written to {}; --parts FOLDER in its place keeps what is done"),
        ("--parts", "the parts that are done stay in {}.partial; the same command goes on"),
    ],
)
def test_ctrl_c_says_what_became_of_the_answers(
    cxrbench, small_study, small_bundle, tmp_path, monkeypatch, place, said
):
    def stopped(self, films):
        raise KeyboardInterrupt

    monkeypatch.setattr(Predictor, "predict_prepared", stopped)
    films, to = small_study.parent / "films" / "images", tmp_path / "answers.csv"
    code, _, err = cxrbench("predict", small_bundle, films, place, to, "--workers", "0")
    assert code == 130
    assert err.splitlines()[-1] == f"stopped; {said.format(to)}"
    assert not to.exists()


def test_a_place_that_cannot_hold_the_answers_is_refused_before_films_are_read(
    cxrbench, small_study, small_bundle, tmp_path, monkeypatch
):
    monkeypatch.delattr(Predictor, "predict_files")
    films = small_study.parent / "films" / "images"
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "list.csv").write_text("path\nfilm.png\n")
    for paths, out, said in (
        ([films], tmp_path / "folder.csv", "cannot be written (Is a directory)"),
        ([films], tmp_path / "list.csv" / "answers.csv", "cannot be written"),
        ([films, tmp_path / "list.csv"], tmp_path / "list.csv", "it is read, too, and would be lost"),
    ):
        code, _, err = cxrbench("predict", small_bundle, *paths, "--out", out)
        assert code == 2
        assert said in err
    assert (tmp_path / "list.csv").read_text() == "path\nfilm.png\n"


def test_reading_a_bundle_needs_no_torch(small_bundle):
    """Neither do the processes that decode."""
    script = (
        "import sys; from pathlib import Path; import cxrbench.predict; from cxrbench.bundle import load_bundle;"
        f"load_bundle(Path({str(small_bundle)!r})); print([m for m in ('torch', 'timm') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
