"""AUCs and differences of arrays, frames and files are those of the statistics, whatever they come in."""

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from sklearn.metrics import roc_auc_score

import cxrbench as cxr
from cxrbench.interface.assessment import turned
from cxrbench.stats.clustered import auc_difference, auc_estimate
from cxrbench.stats.joint import joint_aucs

IMAGES, FINDINGS = 120, ("Effusion", "Mass")
NAMES = [f"{number:03d}.png" for number in range(IMAGES)]


@pytest.fixture
def drawn():
    """Labels with some not stated, two models' scores, and patients of three images."""
    rng = np.random.default_rng(0)
    present = (rng.random((IMAGES, 2)) < 0.4).astype(float)
    scores = [present + noise * rng.standard_normal((IMAGES, 2)) for noise in (1, 3)]
    present[:9, 0] = np.nan
    return present, scores, np.arange(IMAGES) // 3


def framed(values, names=NAMES, **others):
    return pl.DataFrame({"image_id": names, **others, **dict(zip(FINDINGS, values.T, strict=True))})


def test_auc_of_one_finding_is_the_one_of_scikit_learn():
    rng = np.random.default_rng(1)
    present, scores = rng.random(80) < 0.3, rng.random(80).round(1)
    found = cxr.auc(present, scores)
    assert found["auc"].to_list() == pytest.approx([roc_auc_score(present, scores)])
    assert found["images"].to_list() == [80]


def test_intervals_are_those_of_the_clustered_statistics(drawn):
    present, (good, _), patients = drawn
    found, joint = cxr.auc(present, good, patients, findings=FINDINGS), joint_aucs(good, present, patients)
    assert found["finding"].to_list() == [*FINDINGS, "mean"]
    for row, columns in zip(found.iter_rows(named=True), (0, 1, [0, 1]), strict=True):
        expected = auc_estimate(joint, columns)
        assert (row["auc"], row["lower"], row["upper"]) == pytest.approx(
            (expected.estimate, expected.lower, expected.upper)
        )


def test_labels_that_are_not_stated_do_not_count(drawn):
    present, (good, _), patients = drawn
    assert cxr.auc(present, good, patients)["images"].to_list()[:2] == [IMAGES - 9, IMAGES]


def test_a_finding_with_one_class_has_a_reason():
    row = cxr.auc([1, 1, 1], [0.1, 0.2, 0.3]).row(0, named=True)
    assert row["auc"] is None
    assert row["reason"] == "no image without the finding"


def test_differences_are_in_the_order_given(drawn):
    """The statistics sort models by name; here the first given is the one that others are taken from."""
    present, (good, poor), patients = drawn
    found = cxr.compare({"z": good, "a": poor}, labels=present, patients=patients, findings=FINDINGS).differences
    expected = auc_difference(joint_aucs(np.hstack([good, poor]), present, patients), 1, 3)
    row = found.row(by_predicate=pl.col("finding") == "Mass", named=True)
    assert (row["model_a"], row["model_b"]) == ("z", "a")
    assert (row["difference"], row["lower"], row["upper"], row["p_value"]) == pytest.approx(
        (expected.estimate, expected.lower, expected.upper, expected.p_value)
    )


@pytest.mark.parametrize("library", ["polars", "pandas"])
def test_frames_in_any_order_give_what_arrays_give(drawn, library):
    if library == "pandas":
        pytest.importorskip("pandas")
    as_given = (lambda frame: frame.to_pandas()) if library == "pandas" else (lambda frame: frame)
    present, (good, poor), patients = drawn
    arrays = cxr.compare({"a": good, "b": poor}, labels=present, patients=patients, findings=FINDINGS)
    frames = cxr.compare(
        {"a": as_given(framed(good[::-1], NAMES[::-1])), "b": as_given(framed(poor))},
        labels=as_given(framed(present, who=patients)),
        patients="who",
        findings=FINDINGS,
    )
    assert_frame_equal(frames.auc, arrays.auc)
    assert_frame_equal(frames.differences, arrays.differences)
    assert (frames.images, frames.patients) == (IMAGES, IMAGES // 3)


def test_files_are_compared_with_labels_in_memory(drawn, tmp_path):
    present, (good, poor), patients = drawn
    paths = {}
    for name, scores in (("a", good), ("b", poor)):
        paths[name] = tmp_path / f"{name}.csv"
        framed(1 / (1 + np.exp(-scores))).write_csv(paths[name])
    found = cxr.compare(paths, labels=framed(present, patient_id=patients))
    expected = cxr.compare({"a": good, "b": poor}, labels=present, patients=patients, findings=FINDINGS)
    assert_frame_equal(found.differences, expected.differences)


def test_a_notebook_shows_tables_and_a_figure(drawn):
    present, (good, poor), patients = drawn
    result = cxr.compare({"a": good, "<b>": poor}, labels=present, patients=patients)
    shown = result._repr_html_()
    assert "120 images of 40 patients" in shown
    assert "&lt;b&gt;" in shown
    assert "<b>" not in shown
    assert "Difference of AUC, mean" in result.plot()._repr_svg_()


def test_a_figure_is_saved(drawn, tmp_path):
    present, (good, poor), patients = drawn
    result = cxr.compare({"a": good, "b": poor}, labels=present, patients=patients)
    assert result.plot().save(tmp_path / "figure.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_one_model_alone_is_not_compared():
    with pytest.raises(ValueError, match="two or more models, got 1"):
        cxr.compare({"a": [0.1, 0.2]}, labels=[0, 1])


def test_an_unknown_adjustment_lists_the_known_ones():
    with pytest.raises(ValueError, match="'bonferroni'; valid: holm, bh, max-t"):
        cxr.compare({"a": [0.1, 0.2], "b": [0.1, 0.2]}, labels=[0, 1], adjustment="bonferroni")


def test_a_single_model_has_no_differences_to_draw():
    with pytest.raises(ValueError, match="compare two"):
        cxr.evaluate([0.1, 0.2], labels=[0, 1]).plot()


def test_a_difference_that_is_turned_keeps_its_interval():
    row = {"approach_a": "a", "approach_b": "b", "difference": 0.1, "lower": -0.1, "upper": 0.3}
    (found,) = turned(pl.DataFrame([row]), ["b", "a"]).rows()
    assert found == ("b", "a", -0.1, -0.3, 0.1)
