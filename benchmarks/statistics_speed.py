"""How fast are the statistics, against the obvious loop over scikit-learn?

    OMP_NUM_THREADS=1 python benchmarks/statistics_speed.py

Processor time on one core, so that other work on the machine does not count; methods take turns, and medians over the
rounds are reported. Writes ``statistics-speed.csv`` and ``.md`` to ``benchmarks/results``.
"""

import argparse
import csv
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import median

import numpy as np
import sklearn
from sklearn.metrics import roc_auc_score

from cxrbench.stats.bootstrap import Resamples, resample_patients
from cxrbench.stats.clustered import auc_difference, auc_estimate
from cxrbench.stats.influence import Sample
from cxrbench.stats.joint import joint_aucs
from cxrbench.stats.measures import MEASURES, estimate, named
from cxrbench.stats.resampled_auc import auc_replicates
from cxrbench.stats.roc import auc, aucs
from validation.population import Population
from validation.provenance import describe_machine
from validation.scores import AUCS, SETTINGS, draw_scores, separation

RESULTS = Path(__file__).parent / "results"
ROWS, MODELS, FINDINGS, REPLICATES = 25_000, 8, 15, 2_000
WITH_VALUE = ("net_benefit", "standardised_net_benefit", "partial_auc")
NAIVE = 3
"""Replicates that the loop over scikit-learn really computes; the rest is extrapolated."""


@dataclass(frozen=True)
class Data:
    """Test set of 25,000 images: scores (N, K) float32, labels (N, L) int8, patients (N,)."""

    scores: np.ndarray
    labels: np.ndarray
    patients: np.ndarray


@dataclass(frozen=True)
class Measurement:
    """One comparison: seconds of ours, of the loop and their ratio (or none), and what is asked for."""

    task: str
    seconds: float
    loop_seconds: float | None
    ratio: float | None
    target: str
    is_met: bool
    remark: str


def simulate(seed: int) -> Data:
    """Patients of NIH's official test part until there are images enough."""
    rng, population = np.random.default_rng(seed), Population.read("official test")
    patients = population.draw(rng, 3500)
    code, labels = patients.rows(rng)
    scores = draw_scores(
        rng,
        code,
        labels,
        size=population.standard_size(patients.images),
        effects=SETTINGS[0],
        distance=separation(np.array(AUCS)),
        models=MODELS,
    )
    return Data(scores[:ROWS], labels[:ROWS].astype(np.int8), code[:ROWS])


def seconds(work: Callable[[], object]) -> float:
    """Processor time of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def medians(rounds: list[tuple[float, float]]) -> tuple[float, float, float]:
    """Median seconds of ours and of the loop, and median of their ratio in one round."""
    own, naive = zip(*rounds, strict=True)
    return median(own), median(naive), median(loop / ours for ours, loop in rounds)


def measure_aucs(data: Data) -> Measurement:
    """15 AUCs of one model, from its own predictions (N, 15)."""
    scores = np.ascontiguousarray(data.scores[:, :FINDINGS])

    def loop() -> list[float]:
        return [roc_auc_score(data.labels[:, k], scores[:, k]) for k in range(FINDINGS)]

    def ours() -> list[float]:
        return [auc(scores[:, k], data.labels[:, k]) for k in range(FINDINGS)]

    own, naive, ratio = medians([(seconds(ours), seconds(loop)) for _ in range(61)])
    error = np.abs(np.subtract(ours(), loop())).max()
    return Measurement(
        "15 AUCs of 25,000 images, float32",
        own,
        naive,
        ratio,
        "14 times",
        ratio >= 14,
        f"largest difference {error:.0e}",
    )


def measure_row_major(data: Data) -> Measurement:
    """15 AUCs from a table with an image a row, as users hold it, against the same loop."""
    scores, labels = np.ascontiguousarray(data.scores[:, :FINDINGS]), data.labels

    def loop() -> list[float]:
        return [roc_auc_score(labels[:, k], scores[:, k]) for k in range(FINDINGS)]

    own, naive, ratio = medians([(seconds(lambda: aucs(scores, labels)), seconds(loop)) for _ in range(61)])
    error = np.abs(aucs(scores, labels) - loop()).max()
    return Measurement(
        "15 AUCs of 25,000 images from one row-major table",
        own,
        naive,
        ratio,
        "12 times",
        ratio >= 12,
        f"largest difference {error:.0e}",
    )


def measure_measures(data: Data) -> Measurement:
    """Clustered intervals of all measures of probabilities of 8 models."""
    probabilities = 1 / (1 + np.exp(3 - data.scores.astype(np.float64)))

    def ours() -> None:
        for k in range(MODELS * FINDINGS):
            sample = Sample.of(probabilities[:, k], data.labels[:, k % FINDINGS], data.patients)
            for measure in (*MEASURES.values(), *(named(name, 0.1) for name in WITH_VALUE)):
                estimate(measure.build(sample), scale=measure.scale)

    own = median(seconds(ours) for _ in range(3))
    return Measurement(
        "intervals of 9 measures of 8 models x 15 findings", own, None, None, "under 30 s", own < 30,
        "average precision, Brier skill, calibration, net benefit, partial AUC",
    )  # fmt: skip


def measure_bootstrap(data: Data) -> Measurement:
    """2,000 patient-bootstrap replicates of 8 models and 15 findings."""
    found: dict[str, np.ndarray] = {}

    def ours() -> None:
        found["resamples"] = resample_patients(data.patients, replicates=REPLICATES, seed=1)
        found["aucs"] = auc_replicates(data.scores, data.labels, found["resamples"])

    def loop() -> None:
        found["naive"] = naive_replicates(data, found["resamples"])

    own, naive, ratio = medians([(seconds(ours), seconds(loop) / NAIVE * REPLICATES) for _ in range(5)])
    error = np.abs(found["aucs"][:NAIVE] - found["naive"]).max()
    return Measurement(
        "2,000 patient-bootstrap replicates x 8 models x 15 findings",
        own,
        naive,
        ratio,
        "800 times",
        ratio >= 800 and error < 1e-12,
        f"loop extrapolated from {NAIVE} replicates; largest difference {error:.0e}",
    )


def naive_replicates(data: Data, resamples: Resamples) -> np.ndarray:
    """The first replicates, image by image, and scikit-learn for every column."""
    rows_of = np.split(np.argsort(resamples.code, kind="stable"), np.cumsum(np.bincount(resamples.code))[:-1])
    found = np.empty((NAIVE, data.scores.shape[1]))
    for b in range(NAIVE):
        drawn = np.repeat(np.arange(len(rows_of)), resamples.multiplicities[:, b])
        rows = np.concatenate([rows_of[patient] for patient in drawn])
        for k in range(data.scores.shape[1]):
            found[b, k] = roc_auc_score(data.labels[rows, k % FINDINGS], data.scores[rows, k])
    return found


def measure_intervals(data: Data) -> Measurement:
    """Every interval, and every paired test, of 8 models: per finding and of the mean."""

    def ours() -> None:
        joint = joint_aucs(data.scores, data.labels, data.patients)
        columns = [[k] for k in range(FINDINGS)] + [list(range(14))]
        for model in range(MODELS):
            for of_model in columns:
                auc_estimate(joint, [model * FINDINGS + k for k in of_model])
        for first, second in combinations(range(MODELS), 2):
            for both in columns:
                auc_difference(joint, [first * FINDINGS + k for k in both], [second * FINDINGS + k for k in both])

    own = median(seconds(ours) for _ in range(5))
    return Measurement(
        "all intervals and paired tests of 8 models x 15 findings", own, None, None, "under 2 s", own < 2,
        "128 intervals and 448 tests, clustered by patient",
    )  # fmt: skip


def write(measurements: list[Measurement], out: Path) -> None:
    """The table as CSV, and for readers with the machine."""
    facts = {**describe_machine(), "scikit-learn": sklearn.__version__, "clock": "processor time, one core"}
    with (out / "statistics-speed.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["task", "seconds", "loop_seconds", "ratio", "target", "is_met", "remark", *facts])
        for m in measurements:
            loop = ["", ""] if m.loop_seconds is None else [f"{m.loop_seconds:.4f}", f"{m.ratio:.1f}"]
            writer.writerow([m.task, f"{m.seconds:.4f}", *loop, m.target, m.is_met, m.remark, *facts.values()])
    lines = ["# Speed of the statistics", "", "Made by `python benchmarks/statistics_speed.py`.", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += ["", "| task | seconds | scikit-learn loop | ratio | asked for | met | |", "|---|--:|--:|--:|---|---|---|"]
    for m in measurements:
        loop = "| |" if m.loop_seconds is None else f"| {m.loop_seconds:,.3f} | {m.ratio:,.1f}"
        lines.append(f"| {m.task} | {m.seconds:.4f} {loop} | {m.target} | {'yes' if m.is_met else 'no'} | {m.remark} |")
    (out / "statistics-speed.md").write_text("\n".join([*lines, ""]), encoding="utf-8")


MEASURED = (measure_aucs, measure_row_major, measure_bootstrap, measure_intervals, measure_measures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=RESULTS)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    data = simulate(seed=0)
    measurements = [measure(data) for measure in MEASURED]
    write(measurements, out)
    print((out / "statistics-speed.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
