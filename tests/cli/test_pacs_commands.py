"""Commands dicom and listen, as a user calls them."""

from pathlib import Path

import cv2
import pytest

from cxrbench.errors import ConfigError
from cxrbench.pacs.writing import folders_of
from dicom_film import write_film


def test_a_film_and_what_is_none(cxrbench, small_study, small_bundle, tmp_path):
    picture = next(iter(sorted((small_study.parent / "films" / "images").glob("*.png"))))
    film = write_film(tmp_path / "film.dcm", cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE))
    code, out, err = cxrbench("dicom", small_bundle, film, picture, "--out", tmp_path / "out")
    assert code == 0
    assert f"{tmp_path / 'out' / 'film'}: report, " in out
    assert f"not answered: {picture}: not a DICOM file; results need a DICOM film to refer to" in err
    assert (tmp_path / "out" / "film" / "report.dcm").exists()
    code, _, err = cxrbench("dicom", small_bundle, picture, "--out", tmp_path / "out")
    assert code == 2
    assert "error: no film could be answered" in err


def test_what_cannot_be_listened_to_is_one_line(cxrbench, small_bundle, tmp_path):
    for arguments, said in (
        ((), "name one destination of the results"),
        (("--send-to", "PACS"), "--send-to PACS: expected AE@host:port"),
        (("--dicomweb", "ftp://here"), "expected a URL"),
        (("--out", tmp_path, "--method", "magic"), "unknown method 'magic'"),
    ):
        code, _, err = cxrbench("listen", small_bundle, "--spool", tmp_path / "spool", *arguments)
        assert code == 2
        assert said in err
        assert "Traceback" not in err


def test_each_film_has_a_folder_of_its_own(cxrbench, small_bundle, tmp_path):
    """Films that are named by their UIDs, whose last part is no suffix; equal names are refused before any work."""
    films = [Path(name) for name in ("1.2.3.4", "1.2.3.5", "a.dcm", "b.DICOM")]
    assert [folder.name for folder in folders_of(films, tmp_path).values()] == ["1.2.3.4", "1.2.3.5", "a", "b"]
    with pytest.raises(ConfigError, match=r"would replace those of a/film\.dcm"):
        folders_of([Path("a/film.dcm"), Path("b/film.dcm")], tmp_path)
    code, _, err = cxrbench("dicom", small_bundle, "a/film.dcm", "b/film", "--out", tmp_path / "out")
    assert code == 2
    assert "b/film: its results would replace those of a/film.dcm" in err
    assert not (tmp_path / "out").exists()
