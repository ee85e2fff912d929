"""``predict --parts``, as a user calls it."""

import polars as pl
import pytest


def test_parts_say_what_the_file_says(cxrbench, small_study, small_bundle, tmp_path):
    films = small_study.parent / "films" / "images"
    call = ("predict", small_bundle, films, "--workers", "0", "--batch-size", "10", "--backend", "torch")
    assert cxrbench(*call, "--out", tmp_path / "one.parquet")[0] == 0
    code, out, err = cxrbench(*call, "--parts", tmp_path / "parts", "--part-size", "40")
    assert code == 0, err
    assert f"predictions: {tmp_path / 'parts'}: " in out
    one, parts = pl.read_parquet(tmp_path / "one.parquet"), pl.read_parquet(tmp_path / "parts/predictions/*.parquet")
    assert parts.equals(one)
    assert cxrbench(*call, "--parts", tmp_path / "parts", "--part-size", "40")[0] == 0
    code, _, err = cxrbench(*call, "--parts", tmp_path / "parts", "--part-size", "41")
    assert code == 2
    assert "begun otherwise: part_size 40, now 41" in err


def test_parts_without_any_answer_are_no_success(cxrbench, small_bundle, tmp_path):
    (tmp_path / "broken.dcm").write_bytes(b"")
    parts = tmp_path / "parts"
    code, out, err = cxrbench("predict", small_bundle, tmp_path / "broken.dcm", "--parts", parts, "--workers", "0")
    assert code == 2
    assert "0 answered, 0 of them with warnings; 1 not read" in out
    assert err.splitlines()[-1] == f"error: no film could be answered; {parts} has the reason of each"
    assert pl.read_parquet(parts / "predictions" / "*.parquet").height == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "say where predictions go: --out FILE, or --parts FOLDER"),
        (("--out", "a.csv", "--parts", "b"), "say where predictions go"),
        (("--out", "."), "--out .: unknown format ''; valid: .parquet, .csv, .json"),
        (("--parts", "b", "--on", "ray", "--gpus", "1.5"), "command line: gpus"),
        (("--out", "a.csv", "--on", "ray"), "--on makes parts on a cluster: it needs --parts FOLDER"),
    ],
)
def test_contradictions_are_refused(cxrbench, tmp_path, options, said):
    code, _, err = cxrbench("predict", tmp_path, tmp_path, *options)
    assert code == 2
    assert said in err
