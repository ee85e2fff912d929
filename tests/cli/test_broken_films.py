"""A folder with films and ten kinds of broken files, as a user predicts it."""

import polars as pl
import pytest

from broken_films import REFUSALS, write_broken_films
from mutated_films import radiograph, sources, written


@pytest.mark.parametrize("workers", [0, 1])
def test_films_are_answered_and_broken_files_are_rows_with_their_reasons(cxrbench, small_bundle, tmp_path, workers):
    films = tmp_path / "films"
    films.mkdir()
    write_broken_films(films)
    (films / "film.dcm").write_bytes(written(radiograph()))
    (films / "film.png").write_bytes(sources()[0].content)
    (films / "scan.bmp").write_bytes(b"BM")
    out = tmp_path / "answers.csv"
    code, told, err = cxrbench("predict", small_bundle, films, "--out", out, "--workers", workers)
    assert code == 0, err
    assert "2 answered" in told
    assert "10 not read" in told
    assert "left out of folders: 1 file (1 .bmp), as no PNG, JPEG, TIFF or DICOM" in err
    table = pl.read_csv(out, infer_schema_length=None)
    answers = {path.rpartition("/")[2]: (error, effusion) for path, error, effusion in
               table.select("path", "error", "Effusion").iter_rows()}  # fmt: skip
    assert answers.keys() == {*REFUSALS, "film.dcm", "film.png"}
    for name, refusal in REFUSALS.items():
        error, effusion = answers[name]
        assert error.startswith(refusal), error
        assert effusion is None
        assert f"{name}: {refusal}" in err
    for name in ("film.dcm", "film.png"):
        (films / name).unlink()
    out.unlink()
    code, told, err = cxrbench("predict", small_bundle, films, "--out", out, "--workers", workers)
    assert code == 2, "no film answered is no success"
    assert err.splitlines()[-1] == f"error: no film could be answered; {out} has the reason of each"
    assert pl.read_csv(out, infer_schema_length=None)["error"].null_count() == 0
    assert all(answers[name][0] is None and 0 < answers[name][1] < 1 for name in ("film.dcm", "film.png"))
