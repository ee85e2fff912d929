"""What is printed of a comparison of files fits a terminal."""

from pathlib import Path

import polars as pl

from cxrbench.evaluate.evaluation import Evaluation
from cxrbench.evaluate.shown import shown_tables


def evaluation(**tables: pl.DataFrame) -> Evaluation:
    return Evaluation(
        folder=Path("out"),
        matched={},
        ignored={},
        dropped={},
        images=9,
        patients=5,
        findings=("Mass",),
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
    (shown,) = shown_tables(evaluation(auc=AUC)).values()
    assert shown.rows() == [
        ("a", "Mass", "12", "7", "0.812", "0.700 to 0.900", "1.23", ""),
        ("a", "mean", "", "", "", "", "", "no pathology"),
    ]


def test_comparisons():
    names = ("difference", "lower", "upper", "p_value", "p_adjusted", "smallest_detectable")
    comparison = pl.DataFrame(
        {
            "approach_a": ["a"],
            "approach_b": ["b"],
            "finding": ["Mass"],
            "reason": [None],
            **{name: [0.0123] for name in names},
        }
    )
    shown = shown_tables(evaluation(auc=AUC, comparison=comparison))[
        "Differences of AUC for new patients, paired by patient"
    ]
    assert "p, max-t" in shown.columns
    assert shown.rows() == [("a - b", "Mass", "0.012", "0.012 to 0.012", "0.012", "0.012", "0.012", "")]
