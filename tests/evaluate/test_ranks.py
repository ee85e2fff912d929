"""Mean ranks over findings and splits, as a description."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import spearmanr

from cxrbench.evaluate.ranks import standing_table
from cxrbench.runs import RunName
from cxrbench.stats.critical_difference import alike
from fake_study import result, run_images


def auc(values: dict[tuple[str, str, str, int], float | None]) -> pl.DataFrame:
    """(approach, split, finding, seed) -> AUC."""
    rows = [(*key, value) for key, value in values.items()]
    names = ("approach", "split", "finding", "seed", "auc")
    frame = pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)
    return frame.with_columns(kind=pl.lit("resample"), group=pl.lit("all"))


def standing(table: pl.DataFrame) -> pl.DataFrame:
    return standing_table(table, ("Hernia", "Mass"))


def test_ranks_are_averaged_over_blocks_ties_shared():
    table = standing(
        auc(
            {
                ("a", "r1", "Mass", 0): 0.9, ("b", "r1", "Mass", 0): 0.8, ("c", "r1", "Mass", 0): 0.7,
                ("a", "r2", "Mass", 0): 0.6, ("b", "r2", "Mass", 0): 0.8, ("c", "r2", "Mass", 0): 0.6,
            }
        )
    )  # fmt: skip
    assert dict(table.select("approach", "mean_rank").iter_rows()) == {"a": 1.75, "b": 1.5, "c": 2.75}
    assert table["blocks"].to_list() == [2, 2, 2]


def test_only_blocks_that_all_have_count_and_the_mean_is_no_block():
    table = standing(
        auc(
            {
                ("a", "r1", "Mass", 0): 0.9, ("b", "r1", "Mass", 0): 0.8,
                ("a", "r1", "Hernia", 0): None, ("b", "r1", "Hernia", 0): 0.8,
                ("a", "r1", "mean", 0): 0.1, ("b", "r1", "mean", 0): 0.8,
                ("a", "r1", "No Finding", 0): 0.1, ("b", "r1", "No Finding", 0): 0.8,
            }
        )
    )  # fmt: skip
    assert table.select("approach", "mean_rank", "blocks").rows() == [("a", 1.0, 1), ("b", 2.0, 1)]


def test_seeds_are_averaged_first():
    values = {("a", "r1", "Mass", 0): 0.9, ("a", "r1", "Mass", 1): 0.5, ("b", "r1", "Mass", 0): 0.8}
    assert standing(auc(values))["mean_rank"].to_list() == [2.0, 1.0]


def test_one_approach_has_no_standing():
    assert standing(auc({("a", "r1", "Mass", 0): 0.9})).height == 0


@pytest.mark.parametrize(
    ("ranks", "gap", "expected"),
    [
        ([1.0, 2.0, 3.0], 0.5, []),
        ([1.0, 1.4, 3.0], 0.5, [(0, 1)]),
        ([1.0, 1.4, 1.8, 3.0], 0.5, [(0, 1), (1, 2)]),
        ([1.0, 1.1, 1.2], 0.5, [(0, 2)]),
    ],
)
def test_bars_join_what_is_less_than_a_critical_difference_apart(ranks, gap, expected):
    assert alike(ranks, gap) == expected


def test_rank_correlation_is_averaged_over_splits_and_seeds(study):
    def spearman(split: str, a: tuple[str, int], b: tuple[str, int]) -> float:
        one, other = (run_images(study, RunName(approach, split, seed))[0] for approach, seed in (a, b))
        return spearmanr(one["Mass"], other["Mass"]).statistic

    pairs = [(("ft", i), ("ft-meta", j)) for i in (0, 1) for j in (0, 1)]
    expected = np.mean([np.mean([spearman(f"resample-{k}", *pair) for pair in pairs]) for k in (1, 2, 3)])
    ranks = result(study, "rank_correlation.csv").filter(pl.col("kind") == "resample", pl.col("finding") == "Mass")
    row = ranks.filter(pl.col("approach_a") == "ft", pl.col("approach_b") == "ft-meta").row(0, named=True)
    assert row["spearman"] == pytest.approx(expected)
    ceiling = ranks.filter(pl.col("approach_a") == "ft", pl.col("approach_b") == "ft")
    assert ceiling["spearman"][0] == pytest.approx(
        np.mean([spearman(f"resample-{k}", ("ft", 0), ("ft", 1)) for k in (1, 2, 3)])
    )
