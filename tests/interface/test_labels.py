"""Labels of arrays and frames, and those of files, are read alike; what is no label is refused."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import cxrbench as cxr

TABLE = Path(__file__).parents[1] / "fixtures/study-0.1/study/table.parquet"
FRAME = pl.DataFrame({"image_id": ["a", "b"], "Mass": [1.0, np.nan], "note": ["x", "y"]})


def test_labels_of_a_file_are_read_once_and_used():
    labels = cxr.read_labels(TABLE)
    assert labels.table.height == pl.read_parquet(TABLE).height
    scores = labels.table.select("image_id", Effusion=pl.lit(0.5))
    assert cxr.evaluate(scores, labels=labels).auc["auc"].to_list() == [0.5]


def test_a_vocabulary_is_asked_for_by_name():
    assert "Pleural Effusion" in cxr.read_labels(TABLE, vocabulary="chexpert14").findings


def test_columns_of_words_are_no_findings():
    assert cxr.evaluate([0.1, 0.2], labels=FRAME).auc["images"].to_list() == [1]


@pytest.mark.parametrize(
    ("labels", "options", "said"),
    [
        ([0, 2], {}, "labels, column 'finding', row 2: 2.0 is neither 0, 1 nor NaN"),
        (FRAME.with_columns(image_id=pl.lit("a")), {}, "labels name image a twice"),
        (FRAME, {"patients": "who"}, "no column 'who' of patients; they have image_id, Mass, note"),
        (FRAME, {"patients": [1, 2, 3]}, r"one patient per image: got \(3,\) for 2 images"),
        (FRAME, {"findings": ["Hernia"]}, "labels have no column 'Hernia'"),
        (FRAME.drop("Mass"), {}, "no column of numbers for a finding"),
        (TABLE, {"patients": "who"}, "labels of a file name their own patients"),
    ],
)
def test_labels_that_cannot_be_used_are_refused(labels, options, said):
    with pytest.raises(ValueError, match=said):
        cxr.evaluate([0.1, 0.2], labels=labels, **options)


def test_power_has_a_row_per_finding_and_the_mean():
    found = cxr.power(str(TABLE), difference=0.2)
    assert found["finding"].to_list() == [*cxr.read_labels(TABLE).findings, "mean"]


def test_an_absent_label_file_is_one_line():
    with pytest.raises(cxr.CxrbenchError, match=r"nowhere\.csv"):
        cxr.read_labels("nowhere.csv")
