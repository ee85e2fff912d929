"""Scores that do not fit the labels are refused in one line that names the model and the place."""

import polars as pl
import pytest

import cxrbench as cxr

LABELS = pl.DataFrame({"image_id": ["a.png", "b.png", "c.png"], "Mass": [1, 0, 0]})


def mass(images, values):
    return pl.DataFrame({"image_id": images, "Mass": values})


def test_folders_and_endings_of_image_names_do_not_matter():
    found = cxr.evaluate(mass(["x/a", "x/b", "x/c"], [0.9, 0.1, 0.2]), labels=LABELS)
    assert found.auc["auc"].to_list() == [1]


def test_columns_by_name_are_a_frame():
    assert cxr.evaluate({"Mass": [0.9, 0.1, 0.2]}, labels={"Mass": [1, 0, 0]}).auc["auc"].to_list() == [1]


def test_images_that_another_model_lacks_are_left_out():
    models = {"a": mass(["a.png", "b.png"], [0.9, 0.1]), "b": mass(["b.png", "a.png", "c.png"], [0.9, 0.1, 0.5])}
    assert cxr.compare(models, labels=LABELS).images == 2


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ([0.1, 0.2], "model 'net' has 2 rows, the labels have 3"),
        ([0.1, float("nan"), 0.3], "model 'net', column 'Mass', row 2: nan is not a number"),
        ([[0.1, 0.2]] * 3, r"shape \(3, 2\) has no column for each of Mass"),
        ([[[0.1]]], r"expected an array \(N,\) or \(N, L\), got \(1, 1, 1\)"),
        (mass(["a.png", "b.png", "c.png"], ["1", "x", "0"]), "model 'net', column 'Mass', row 2: 'x' is not a number"),
    ],
)
def test_scores_that_do_not_fit_are_refused(scores, said):
    with pytest.raises(ValueError, match=said):
        cxr.evaluate(scores, labels=LABELS, name="net")


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        (mass(["a.png", "d.png"], [0.1, 0.2]), r"1 images of net have no label in labels \(first: d.png\)"),
        (pl.DataFrame({"image_id": ["a.png"], "Hernia": [0.1]}), "net has no column of a finding"),
    ],
)
def test_frames_without_what_the_labels_have_are_refused(scores, said):
    with pytest.raises(cxr.CxrbenchError, match=said):
        cxr.evaluate(scores, labels=LABELS, name="net")


def test_models_without_a_common_image_are_refused():
    with pytest.raises(cxr.CxrbenchError, match="labels and a, b have no image in common"):
        cxr.compare({"a": mass(["a.png"], [0.1]), "b": mass(["b.png"], [0.1])}, labels=LABELS)
