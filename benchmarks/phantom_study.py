"""Do non-image features and resolution help where the truth says that they must?

    uv run python benchmarks/phantom_study.py WORK_FOLDER [--workers 2]

Generates films whose truth is known (benchmarks/phantom_study.yaml has the study), trains three approaches in
profile `small` on five re-samples, and writes what the corrected intervals say to benchmarks/results/.
Started again with the same folder, it goes on where it stopped.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import polars as pl

from cxrbench.data.phantom import PhantomSettings, generate_release
from cxrbench.environment import describe_environment, usable_cores
from cxrbench.runs import RunName

HERE = Path(__file__).parent
FILMS = PhantomSettings(
    patients=1200, seed=20, size_px=256, detail_px=128, prevalence_scale=2.0, context=1.5, invisible=0.1
)
QUESTIONS = (
    ("1channel-meta", "1channel", "mean"),
    ("large", "1channel", "Nodule"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=usable_cores())
    arguments = parser.parse_args()
    films, study = arguments.folder / "films", arguments.folder / "study"
    if not films.exists():
        generate_release(films, FILMS, workers=arguments.workers)
    command = ["run", HERE / "phantom_study.yaml", "--data", films, "--out", study, "--workers", arguments.workers]
    subprocess.run([sys.executable, "-m", "cxrbench", *map(str, command)], check=True)
    (HERE / "results").mkdir(exist_ok=True)
    answers = summarise(study)
    answers.write_csv(HERE / "results" / "phantom_study.csv", float_precision=4)
    record = {
        "films": FILMS.model_dump(),
        "study": json.loads((study / "study.json").read_text())["archive"],
        "environment": describe_environment(device="cpu", threads=usable_cores() // arguments.workers),
        "training_seconds": training_seconds(study),
    }
    (HERE / "results" / "phantom_study.json").write_text(json.dumps(record, indent=1) + "\n")
    print(answers)


def summarise(study: Path) -> pl.DataFrame:
    """One row per question: AUCs, their difference and its corrected interval over the re-samples."""
    results = study / "results"
    means = pl.read_csv(results / "auc_summary.csv").filter(pl.col("group") == "all")
    auc = {(row["approach"], row["finding"]): row["mean"] for row in means.iter_rows(named=True)}
    compared = {
        (row["approach_a"], row["approach_b"], row["finding"]): row
        for row in pl.read_csv(results / "comparison.csv", infer_schema_length=None).iter_rows(named=True)
        if row["question"] == "this recipe on new training sets"
    }
    return pl.DataFrame([answer(question, auc, compared) for question in QUESTIONS])


def answer(question: tuple[str, str, str], auc: dict, compared: dict) -> dict[str, object]:
    better, other, finding = question
    sign = 1 if question in compared else -1
    row = compared[question] if sign == 1 else compared[other, better, finding]
    low, high = sorted((sign * row["lower"], sign * row["upper"]))
    return {
        "approach": better,
        "against": other,
        "finding": finding,
        "auc": auc[better, finding],
        "auc_against": auc[other, finding],
        "difference": sign * row["difference"],
        "lower": low,
        "upper": high,
        "p_value": row["p_value"],
        "splits": row["splits"],
        "excludes_zero": low > 0,
    }


def training_seconds(study: Path) -> dict[str, float]:
    """Mean training time of each approach's runs."""
    spent: dict[str, list[float]] = {}
    for path in sorted((study / "runs").glob("*/*/seed-*/environment.json")):
        name = RunName(path.parts[-4], path.parts[-3], 0)
        spent.setdefault(name.approach, []).append(json.loads(path.read_text())["training_seconds"])
    return {approach: round(sum(seconds) / len(seconds), 1) for approach, seconds in spent.items()}


if __name__ == "__main__":
    main()
