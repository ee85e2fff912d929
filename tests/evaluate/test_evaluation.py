"""What is printed of a comparison of files fits a terminal."""

from pathlib import Path

import polars as pl
import pytest

from cxrbench.config import Vocabulary
from cxrbench.errors import DataError
from cxrbench.evaluate.evaluation import Evaluation, shown_tables
from cxrbench.evaluate.predictions import compare_files, evaluate_files


def evaluation(**tables: pl.DataFrame) -> Evaluation:
    return Evaluation(
        folder=Path("out"),
        matched={},
        ignored={},
        dropped={},
        images=9,
        patients=5,
        vocabulary=Vocabulary.of(["Mass"]),
        tables=tables,
        adjustment="max-t",
    )


AUC = pl.DataFrame(
    {
        "approach": ["a", "a", "a"],
        "group": ["all", "view=PA", "all"],
        "finding": ["Mass", "Mass", "mean"],
        "positives": [12, 4, None],
        "positive_patients": [7, 3, None],
        "auc": [0.81234, 0.7, None],
        "lower": [0.7, None, None],
        "upper": [0.9, None, None],
        "inflation": [1.234, None, None],
        "reason": [None, None, "no pathology"],
    }
)


def test_aucs_of_all_images():
    (shown,) = shown_tables(evaluation(auc=AUC))
    assert shown.rows.rows() == [
        ("a", "Mass", "12", "7", "0.812", "0.700 to 0.900", "1.23"),
        ("a", "mean", "", "", "", "", ""),
    ]
    assert shown.notes == ("no interval for mean: no pathology",)


def test_comparisons():
    names = ("difference", "lower", "upper", "p_value", "p_adjusted", "smallest_detectable")
    comparison = pl.DataFrame(
        {
            "approach_a": ["a"],
            "approach_b": ["b"],
            "finding": ["Mass"],
            "reason": pl.Series([None], dtype=pl.String),
            "positives": [12],
            "positive_patients": [7],
            "inflation": [1.234],
            **{name: [0.0123] for name in names},
        }
    )
    _, shown = shown_tables(evaluation(auc=AUC, comparison=comparison))
    assert "p, max-t" in shown.rows.columns
    numbers = ("0.012", "0.012 to 0.012", "0.012", "0.012", "1.23", "0.012")
    assert shown.rows.rows() == [("a - b", "Mass", "12", "7", *numbers)]
    assert shown.notes == ()


def test_a_folder_of_other_files_is_never_replaced(labels, good, tmp_path):
    out = tmp_path / "mine"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match="holds other files than results"):
        evaluate_files(good, labels, out)
    assert (out / "thesis.txt").read_text() == "years of work"


def test_earlier_results_are_replaced(labels, good, poor, tmp_path):
    compare_files([good, poor], labels, tmp_path / "results")
    evaluate_files(good, labels, tmp_path / "results")
    assert not (tmp_path / "results" / "comparison.csv").exists()
