"""Time of the results stage of a paper-size study: 16 approaches x 5 re-samples, 22,000 test images, 15 findings.

    OMP_NUM_THREADS=2 python benchmarks/results_stage.py

Predictions are drawn, not trained; everything from reading them to the last table is timed: once without, once with the
patient bootstraps of the measures that have no formula for their variance, whose time is the difference. Written to
benchmarks/results/results_stage.csv with the hardware and versions it was measured on.
"""

import os
import platform
import resource
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

import numpy as np
import polars as pl

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from cxrbench import runs, splits  # noqa: E402
from cxrbench.config import approach_names  # noqa: E402
from cxrbench.evaluate import evaluate_study  # noqa: E402
from cxrbench.evaluate.ranks import REPLICATES as RANK_REPLICATES  # noqa: E402
from cxrbench.evaluate.study import REPLICATES  # noqa: E402
from cxrbench.report import write_report  # noqa: E402
from cxrbench.runs import RunName  # noqa: E402
from fake_study import fake_table, write_run, write_study_file  # noqa: E402

PATIENTS = 39_000
"""Of the drawn archive: a fifth of them have about 22,000 images."""


def write_paper_size_study(folder: Path) -> int:
    """Write the study; return its mean number of test images."""
    rng = np.random.default_rng(0)
    table = fake_table(rng, patients=PATIENTS)
    folder.mkdir()
    table.write_parquet(folder / runs.TABLE_FILE)
    drawn = splits.resample_splits(table, count=5)
    for split in drawn:
        splits.write_split(split, folder / runs.SPLITS_FOLDER)
        for approach in approach_names():
            write_run(folder, RunName(approach, split.name, 0), table=table, split=split, rng=rng)
    weights = {"source": "stand-in", "digest": "0" * 64, "is_stand_in": True}
    write_study_file(folder, table, approach_names(), seeds=(0,), profile="small", weights=weights, is_phantom=True)
    return round(float(np.mean([len(split.rows(table, "test")) for split in drawn])))


def processor() -> str:
    """The processor's own name."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def main() -> None:
    """Measure and write the row."""
    with tempfile.TemporaryDirectory() as scratch:
        study = Path(scratch) / "study"
        images = write_paper_size_study(study)
        peak_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        started, started_cpu = time.perf_counter(), time.process_time()
        evaluate_study(study, replicates=0)
        evaluated, evaluated_cpu = time.perf_counter(), time.process_time()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        evaluate_study(study)
        drawn, drawn_cpu = time.perf_counter(), time.process_time()
        page = write_report(study)
        reported = time.perf_counter()
        row = {
            "approaches": len(approach_names()),
            "splits": 5,
            "test_images": images,
            "findings": 15,
            "evaluate_seconds": round(evaluated - started, 1),
            "evaluate_cpu_seconds": round(evaluated_cpu - started_cpu, 1),
            "report_seconds": round(reported - drawn, 1),
            "bootstrap_seconds": round(drawn - evaluated - (evaluated - started), 1),
            "bootstrap_cpu_seconds": round(drawn_cpu - evaluated_cpu - (evaluated_cpu - started_cpu), 1),
            "replicates": REPLICATES,
            "rank_replicates": RANK_REPLICATES,
            "report_megabytes": round(page.stat().st_size / 2**20, 1),
            "peak_memory_gib": round(peak, 2),
            "bootstrap_peak_memory_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
            "peak_memory_before_gib": round(peak_before, 2),
            "processor": processor(),
            "cores": os.cpu_count(),
            "threads": os.environ.get("OMP_NUM_THREADS", ""),
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in ("numpy", "scipy", "polars", "matplotlib")},
        }
    pl.DataFrame([row]).write_csv(HERE / "results" / "results_stage.csv")
    print(row)


if __name__ == "__main__":
    main()
