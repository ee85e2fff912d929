"""The harness that validates the statistics, in its short version."""

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "statistics_validation.py"


def run(out, *arguments):
    """Cells of one run of the short version."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, SCRIPT, "--quick", "--out", out, *arguments], check=True, env=environment)
    return pl.read_csv(out / "statistics-validation.csv")


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    return run(tmp_path_factory.mktemp("validation"))


def rates(cells, question, method):
    """Mean rate of one method's cells."""
    return cells.filter(pl.col("question") == question, pl.col("method") == method)["rate"].mean()


def test_methods_keep_their_promise(cells):
    methods = cells.filter(~pl.col("is_control"))
    assert methods.height > 40
    # By chance alone one cell in twenty or so misses at two Monte-Carlo errors.
    assert methods["is_met"].mean() > 0.85
    assert rates(cells, "AUC", "clustered by patient") == pytest.approx(0.95, abs=0.025)
    assert rates(cells, "difference of two models", "clustered by patient") == pytest.approx(0.05, abs=0.025)
    assert rates(cells, "gap between two views", "clustered by patient") > 0.93


@pytest.mark.parametrize(
    ("question", "method"),
    [
        ("AUC", "image-level DeLong"),
        ("AUC", "image bootstrap"),
        ("difference of two models", "image-level DeLong"),
        ("difference of two recipes", "plain t-test"),
    ],
)
def test_controls_fail(cells, question, method):
    control = cells.filter(pl.col("question") == question, pl.col("method") == method)
    assert control["is_control"].all()
    assert control["is_met"].mean() < 0.5
    if question == "AUC":
        assert control["rate"].mean() < 0.88
    else:
        assert control["rate"].mean() > 0.10


def test_same_seed_gives_the_same_cells(tmp_path):
    first, second = (run(tmp_path / name, "--replicates", "5", "--seed", "3") for name in ("first", "second"))
    assert first.equals(second)
