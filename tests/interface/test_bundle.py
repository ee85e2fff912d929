"""A bundle answers about a film in a frame."""

from pathlib import Path

import cv2
import numpy as np
import pytest

import cxrbench as cxr
from cxrbench.bundle import load_bundle
from cxrbench.predict import Predictor, gather

BUNDLE = Path(__file__).parents[1] / "fixtures/study-0.1/bundle"


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "film.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (120, 100), dtype=np.uint8))
    return path


@pytest.fixture(scope="module")
def bundle():
    return cxr.load_bundle(BUNDLE)


def test_the_answer_is_that_of_the_predictor(bundle, film):
    found = bundle.predict(film, age_years=60, sex="F", view="PA")
    (expected,) = Predictor(load_bundle(BUNDLE)).predict_files(gather([str(film)], age_years=60, sex="F", view="PA"))
    assert found.findings["finding"].to_list() == list(bundle.findings)
    assert found.findings["probability"].to_list() == pytest.approx(expected.answer.probabilities.tolist())
    assert found.findings["is_present"].to_list() == list(expected.answer.is_present)
    assert found.warnings == expected.answer.warnings


def test_a_notebook_shows_bundle_and_answer(bundle, film):
    assert bundle.findings[0] in bundle._repr_html_()
    answer = bundle.predict(film)
    assert all(word in answer._repr_html_() for word in ("film.png", "probability", "threshold"))
    assert answer._repr_html_().count("<li>") == len(answer.warnings)


def test_a_file_that_is_no_film_is_one_line(bundle, tmp_path):
    (tmp_path / "notes.png").write_text("no film", encoding="utf-8")
    with pytest.raises(cxr.CxrbenchError, match=r"notes\.png: "):
        bundle.predict(tmp_path / "notes.png")


def test_an_absent_film_is_one_line(bundle):
    with pytest.raises(cxr.CxrbenchError, match=r"nowhere\.png"):
        bundle.predict("nowhere.png")


def test_an_unknown_sex_is_refused(bundle, film):
    with pytest.raises(ValueError, match="F or M, got 'female'"):
        bundle.predict(film, sex="female")


def test_a_folder_that_is_no_bundle_is_one_line(tmp_path):
    with pytest.raises(cxr.CxrbenchError, match="is not a bundle"):
        cxr.load_bundle(tmp_path)
