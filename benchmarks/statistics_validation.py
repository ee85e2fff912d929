"""Do the intervals and tests of ``cxrbench.stats`` hold what they promise?

    python benchmarks/statistics_validation.py --work FOLDER [--workers 2]   # 2,000 replicates per cell
    python benchmarks/statistics_validation.py --quick                       # a few cells, seconds; as the tests do

Simulates test sets with the cluster sizes and prevalences of ChestX-ray14 and models of known AUC, and archives on
which learners are retrained, and counts how often intervals hold the truth and tests reject a true null. Methods that
ignore patients or shared training sets run beside them as controls, and must fail. Writes ``statistics-validation.csv``
and ``.md`` to ``benchmarks/results``, and ends with 1 when a method misses a target or a control meets all of its own.
Started again with the same ``--work`` folder, it goes on where it stopped.
"""

import argparse
import csv
import json
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path

from threadpoolctl import threadpool_limits

from validation.bootstraps import bootstrap_cells
from validation.cells import Cell
from validation.provenance import describe_machine
from validation.retraining import ARCHIVES, resampled_cells
from validation.scores import SETTINGS
from validation.summary import write_summary
from validation.test_sets import Setting, gap_cells, model_cells

RESULTS = Path(__file__).parent / "results"
TEST_SETS = (("official test", 2797), ("archive", 6161), ("official test", 300), ("official test", 100))
"""NIH's official test part, a random 20 % of the archive, and smaller hospitals with patients of the same kind."""
Job = tuple[str, Callable[..., list[Cell]]]


def jobs(*, quick: bool) -> list[Job]:
    """What is simulated, by name."""
    if quick:
        setting, archive = Setting("official test", 300, SETTINGS[0]), ARCHIVES[0]
        return [
            ("models", partial(model_cells, setting)),
            ("gaps", partial(gap_cells, setting)),
            ("bootstrap", partial(bootstrap_cells, setting)),
            ("retraining", partial(resampled_cells, archive)),
        ]
    settings = [Setting(part, patients, effects) for part, patients in TEST_SETS for effects in SETTINGS]
    gaps = [Setting(part, patients, effects) for part, patients in TEST_SETS for effects in (SETTINGS[0], SETTINGS[3])]
    return [
        *((f"models, {s.patients} patients, {s.effects.name}", partial(model_cells, s)) for s in settings),
        *((f"gaps, {s.patients} patients, {s.effects.name}", partial(gap_cells, s)) for s in gaps),
        ("bootstrap", partial(bootstrap_cells, settings[0])),
        *((f"retraining, {archive.name}", partial(resampled_cells, archive)) for archive in ARCHIVES),
    ]


def run(work: list[Job], folder: Path, *, replicates: int, seed: int, workers: int) -> tuple[list[Cell], float]:
    """All cells and the processor time they took, seconds; a job's cells are kept in the folder once it is done."""
    files = [folder / f"{number:02}-of-{len(work)}-{replicates}-{seed}.json" for number in range(len(work))]
    todo = [number for number, file in enumerate(files) if not file.exists()]
    with ProcessPoolExecutor(workers) as pool:
        calls = [pool.submit(do, work[n][1], files[n], replicates=replicates, seed=seed + n) for n in todo]
        for number, call in zip(todo, calls, strict=True):
            print(f"{number + 1}/{len(work)} {work[number][0]}: {call.result():.0f} s", flush=True)
    done = [json.loads(file.read_text()) for file in files]
    cells = [Cell(**cell | {"target": tuple(cell["target"])}) for job in done for cell in job["cells"]]
    return cells, sum(job["seconds"] for job in done)


def do(simulate: Callable[..., list[Cell]], file: Path, *, replicates: int, seed: int) -> float:
    """One job; its processor time in seconds."""
    start = time.process_time()
    with threadpool_limits(1):
        cells = simulate(replicates=replicates, seed=seed)
    seconds = time.process_time() - start
    unfinished = file.with_suffix(".partial")
    unfinished.write_text(json.dumps({"seconds": seconds, "cells": [asdict(cell) for cell in cells]}))
    unfinished.replace(file)
    return seconds


def write_csv(cells: list[Cell], path: Path) -> None:
    """One row per cell."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([
            "setting", "patients", "question", "method", "is_control", "finding", "positive_patients", "replicates",
            "rate", "mc_error", "target_low", "target_high", "is_met",
        ])  # fmt: skip
        for c in cells:
            writer.writerow([
                c.setting, c.patients, c.question, c.method, c.is_control, c.finding, f"{c.positive_patients:.1f}",
                c.replicates, f"{c.rate:.4f}", f"{c.mc_error:.4f}", *c.target, c.is_met,
            ])  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--replicates", type=int, help="per cell (2,000; quick: 150)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--work", type=Path, help="folder that keeps what is done (default: a new one)")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    replicates = arguments.replicates or (150 if arguments.quick else 2000)
    folder = arguments.work or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    cells, seconds = run(
        jobs(quick=arguments.quick), folder, replicates=replicates, seed=arguments.seed, workers=arguments.workers
    )
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_csv(cells, arguments.out / "statistics-validation.csv")
    facts = {
        **describe_machine(),
        "replicates": f"{replicates:,} or more per cell, seed {arguments.seed}",
        "processor time": f"{seconds / 60:.0f} minutes",
    }
    write_summary(cells, facts, arguments.out / "statistics-validation.md")
    missed = [cell for cell in cells if not cell.is_control and not cell.is_met]
    harmless = controls_that_pass(cells)
    if not arguments.quick and (missed or harmless):  # with few replicates some miss by chance
        raise SystemExit(f"{len(missed)} cells miss their target; controls that do not fail: {harmless or 'none'}")


def controls_that_pass(cells: list[Cell]) -> list[str]:
    """Methods that must fail, and did not in any cell."""
    controls = [cell for cell in cells if cell.is_control]
    return sorted({cell.method for cell in controls} - {cell.method for cell in controls if not cell.is_met})


if __name__ == "__main__":
    main()
