"""Do the intervals of measures of probabilities and of operating points hold the truth on small hospitals?

    python benchmarks/statistics_coverage.py --work FOLDER                    # 2,000 replicates of 24 designs
    python benchmarks/statistics_coverage.py --work FOLDER --replicates 200   # what is done is kept; go on later
    python benchmarks/statistics_coverage.py --quick                          # seconds; as the tests do

Draws test sets from patients like those of ChestX-ray14 and two equally good models of known value, and counts how
often each interval holds the truth, and how often two equal models are told apart. Percentile intervals of the patient
bootstrap run beside them on a tenth of the sets, as controls. Writes ``statistics-coverage.csv`` and ``.md`` to
``benchmarks/results``. Started again with the same ``--work`` folder, it goes on where it stopped.
"""

import argparse
import csv
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from cxrbench.stats.bootstrap import percentile_interval, resample_patients
from cxrbench.stats.calibration import brier_skill_replicates
from cxrbench.stats.decision import net_benefit_replicates
from cxrbench.stats.influence import Sample, spearman
from cxrbench.stats.intervals import MeasureEstimate, Scale
from cxrbench.stats.measures import MEASURES, Measure, difference, estimate, named, support
from cxrbench.stats.operating_points import likelihood_ratios, operating_differences, operating_point
from validation.designs import REGION, THRESHOLDS, Design, designs
from validation.provenance import describe_machine

RESULTS = Path(__file__).parent / "results"
BATCH = 50
"""Test sets that are kept together; an interrupted batch is drawn again."""
REPLICATES, DRAWS, CONTROL_EVERY = 2000, 200, 10
COMMON, LEVEL = 20, 0.05
TARGETS = {"common": (0.935, 0.975), "rare": (0.92, 1.0), "difference": (0.0, 0.065)}
Outcome = tuple[str, float, float]
"""What was asked; 1 for an interval that holds the truth or a test that rejects, NaN for none; the least count."""


def measures() -> dict[str, Measure]:
    """Measures of one model by name."""
    at = {
        f"{name} at {cut}": named(name, cut)
        for cut in THRESHOLDS
        for name in ("net_benefit", "standardised_net_benefit")
    }
    return {
        **{name: one for name, one in MEASURES.items() if name != "brier"},
        "partial_auc": named("partial_auc", REGION),
        **at,
    }


def outcomes(design: Design, rng: np.random.Generator, *, has_controls: bool) -> Iterator[Outcome]:
    """All questions on one test set."""
    samples = design.draw(rng)
    if not 0 < samples[0].present.sum() < len(samples[0].present):
        return
    truth, counts = design.truth, support(samples[0])
    fewest = float(min(counts.positive, counts.negative))
    for name, measure in measures().items():
        cut = float(name.partition(" at ")[2] or "nan")
        least = fewest if np.isnan(cut) else least_count(samples[0], cut)
        built = [measure.build(sample) for sample in samples]
        yield name, holds(estimate(built[0], scale=measure.scale), truth[name]), least
        both = difference(*built)
        yield f"difference of {name}", np.nan if both.reason else float(both.p_value < LEVEL), least
    correlation = spearman(samples[0].scores, samples[1].scores, samples[0])
    yield "spearman", holds(estimate(correlation, scale=Scale.FISHER), truth["spearman"]), fewest
    for cut in THRESHOLDS:
        yield from operating(samples, cut, truth)
    if has_controls:
        yield from controls(samples[0], truth, rng)


def operating(samples: tuple[Sample, Sample], cut: float, truth: dict[str, float]) -> Iterator[Outcome]:
    """Shares and likelihood ratios at a threshold, and their differences."""
    first, least = samples[0], least_count(samples[0], cut)
    point = operating_point(first.scores, first.present, first.code, threshold=cut)
    shares = {
        "sensitivity": point.sensitivity, "specificity": point.specificity,
        "ppv": point.positive_predictive_value, "npv": point.negative_predictive_value,
    }  # fmt: skip
    for name, found in shares.items():
        key = f"{name} at {cut}"
        yield key, np.nan if found.reason else float(found.lower <= truth[key] <= found.upper), least
    for name, ratio in zip(("lr_positive", "lr_negative"), likelihood_ratios(first, threshold=cut), strict=True):
        yield f"{name} at {cut}", holds(ratio, truth[f"{name} at {cut}"]), least
    for name, both in operating_differences(*samples, thresholds=(cut, cut)).items():
        yield f"difference of {name} at {cut}", np.nan if both.reason else float(both.p_value < LEVEL), least


def controls(sample: Sample, truth: dict[str, float], rng: np.random.Generator) -> Iterator[Outcome]:
    """Percentile intervals of the patient bootstrap."""
    draws = resample_patients(sample.code, replicates=DRAWS, seed=int(rng.integers(2**31)))
    skill = brier_skill_replicates(sample.scores, sample.present, draws)
    benefit = net_benefit_replicates(sample.scores, sample.present, draws, thresholds=THRESHOLDS)
    drawn = {"brier_skill": skill, **{f"net_benefit at {cut}": benefit[:, k] for k, cut in enumerate(THRESHOLDS)}}
    for name, values in drawn.items():
        lower, upper = percentile_interval(values)
        yield f"bootstrap {name}", float(lower <= truth[name] <= upper), np.nan


def holds(found: MeasureEstimate, truth: float) -> float:
    """1 if the interval holds the truth, NaN if there is none."""
    return np.nan if found.reason else float(found.lower <= truth <= found.upper)


def least_count(sample: Sample, cut: float) -> float:
    """The smallest number of patients that a measure at a threshold rests on."""
    counts = support(sample, threshold=cut)
    return float(min(counts.positive, counts.negative, counts.flagged or 0, counts.unflagged or 0))


def run(design: Design, folder: Path, *, replicates: int, seed: int) -> None:
    """All batches of a design that are not there yet."""
    sources = np.random.SeedSequence(seed).spawn(replicates)
    for at in range(0, replicates, BATCH):
        file = folder / f"{design.name.replace(', ', '-').replace(' ', '_')}-{seed}-{at:05}.json"
        if file.exists():
            continue
        start = time.process_time()
        with threadpool_limits(1):
            found = [
                list(outcomes(design, np.random.default_rng(source), has_controls=number % CONTROL_EVERY == 0))
                for number, source in enumerate(sources[at : at + BATCH])
            ]
        done = {"seconds": time.process_time() - start, "replicates": len(found), "outcomes": found}
        file.with_suffix(".partial").write_text(json.dumps(done))
        file.with_suffix(".partial").replace(file)


def cells(design: Design, folder: Path, *, seed: int) -> tuple[list[dict[str, object]], float, int]:
    """One row per question, the seconds, and the test sets drawn."""
    files = sorted(folder.glob(f"{design.name.replace(', ', '-').replace(' ', '_')}-{seed}-*.json"))
    done = [json.loads(file.read_text()) for file in files]
    by_question: dict[str, list[tuple[float, float]]] = {}
    for name, outcome, least in (one for batch in done for of_set in batch["outcomes"] for one in of_set):
        by_question.setdefault(name, []).append((outcome, least))
    rows = [row(design, name, np.array(found, dtype=float)) for name, found in by_question.items()]
    return rows, sum(batch["seconds"] for batch in done), sum(batch["replicates"] for batch in done)


def row(design: Design, name: str, found: np.ndarray) -> dict[str, object]:
    """Coverage or rejections of one question in one design."""
    offered = found[~np.isnan(found[:, 0])]
    least = float(np.nanmean(found[:, 1])) if not np.isnan(found[:, 1]).all() else np.nan
    kind = "difference" if name.startswith("difference") else "common" if least >= COMMON or np.isnan(least) else "rare"
    rate = float(offered[:, 0].mean()) if len(offered) else np.nan
    likely = (offered[:, 0].sum() + 1) / (len(offered) + 2)  # all of a few say nothing about the error otherwise
    error = float(np.sqrt(likely * (1 - likely) / len(offered))) if len(offered) else np.nan
    low, high = TARGETS[kind]
    return {
        "design": design.name, "question": name, "least_patients": round(least, 1), "replicates": len(offered),
        "withheld": round(1 - len(offered) / len(found), 4), "rate": round(rate, 4), "mc_error": round(error, 4),
        "target_low": low, "target_high": high, "is_control": name.startswith("bootstrap"),
        "is_met": bool(low - 2 * error <= rate <= high + 2 * error),
    }  # fmt: skip


def write(rows: list[dict[str, object]], facts: dict[str, str], out: Path) -> None:
    """The cells as CSV, and a summary by question for readers."""
    with (out / "statistics-coverage.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    lines = ["# Coverage on small hospitals", "", "Made by `python benchmarks/statistics_coverage.py`.", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += [
        "", "Rates are coverage of nominal 95 % intervals, and for differences the share of tests at 5 % that tell two",
        "equally good models apart. The target is 93.5 to 97.5 % where each count that a measure rests on is 20 or",
        "more on average, at least 92 % below; at most 6.5 % for differences. A miss is beyond two Monte-Carlo errors.",
        "", "| question | cells met | mean | lowest | highest | withheld |", "|---|--:|--:|--:|--:|--:|",
    ]  # fmt: skip
    for question in dict.fromkeys(str(one["question"]) for one in rows):
        own = [one for one in rows if one["question"] == question and one["replicates"]]
        if not own:
            continue
        rates, shares = [float(str(one["rate"])) for one in own], [float(str(one["withheld"])) for one in own]
        lines.append(
            f"| {question} | {sum(bool(one['is_met']) for one in own)} of {len(own)} | {np.mean(rates):.1%} "
            f"| {min(rates):.1%} | {max(rates):.1%} | {np.mean(shares):.1%} |"
        )
    (out / "statistics-coverage.md").write_text("\n".join([*lines, ""]), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--replicates", type=int, help=f"per design ({REPLICATES:,}; quick: 60)")
    parser.add_argument("--patients", type=int, help="only designs of so many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, help="folder that keeps what is done (default: a new one)")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--write-only", action="store_true", help="summarise what is done")
    arguments = parser.parse_args()
    folder = arguments.work or Path(tempfile.mkdtemp())
    for path in (folder, arguments.out):
        path.mkdir(parents=True, exist_ok=True)
    chosen, rows, seconds, drawn = designs(quick=arguments.quick), [], 0.0, []
    for design in chosen:
        if not arguments.write_only and arguments.patients in {None, design.patients}:
            run(
                design,
                folder,
                replicates=arguments.replicates or (60 if arguments.quick else REPLICATES),
                seed=arguments.seed,
            )
            print(design.name, flush=True)
        found, spent, number = cells(design, folder, seed=arguments.seed)
        if not number:
            continue
        rows, seconds, drawn = rows + found, seconds + spent, [*drawn, number]
    if not rows:
        raise SystemExit(f"nothing is done yet in {folder}")
    facts = {
        **describe_machine(),
        "replicates": f"{min(drawn):,} to {max(drawn):,} test sets per design, seed {arguments.seed}",
        "processor time": f"{seconds / 3600:.2f} hours",
    }  # fmt: skip
    write(rows, facts, arguments.out)


if __name__ == "__main__":
    main()
