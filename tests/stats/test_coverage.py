"""The benchmark that measures the coverage of measures on small hospitals, in its short version."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "statistics_coverage.py"


def run(folder, *arguments):
    """Rows of one run, kept in ``folder``."""
    command = [sys.executable, SCRIPT, "--quick", "--work", folder / "work", "--out", folder, *arguments]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL)
    with (folder / "statistics-coverage.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_intervals_hold_and_a_second_run_goes_on_from_the_first(tmp_path):
    rows = run(tmp_path, "--replicates", "50")
    coverage = [float(row["rate"]) for row in rows if not row["question"].startswith(("difference", "bootstrap"))]
    rejected = [float(row["rate"]) for row in rows if row["question"].startswith("difference")]
    assert len(coverage) > 25
    assert 0.92 < np.mean(coverage) < 0.99
    assert np.mean(rejected) < 0.08
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "work").iterdir()}
    again = run(tmp_path, "--replicates", "50")
    assert again == rows
    assert before == {file: file.stat().st_mtime_ns for file in (tmp_path / "work").iterdir()}
