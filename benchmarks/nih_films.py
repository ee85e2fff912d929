"""The paper's question on real films with real ImageNet weights: what to start from, and what age, sex and view add.

    uv run python benchmarks/nih_films.py WORK_FOLDER --films FILMS --labels Data_Entry_2017_v2020.csv \
        --weights efficientnet_lite0.pth [--split resample-1]

Approaches, epochs and the primary comparison are those of benchmarks/nih_films/, fixed before the first run. Each
finished re-sample's configuration, history and test predictions are kept in benchmarks/results/nih_films/runs; the
tables there are made from these alone, so the script can also be run without films, on what is kept
(`--from-kept`). Started again with the same folder, it goes on where it stopped.
"""

import argparse
import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
from sklearn.metrics import roc_auc_score

from cxrbench.files import digest_file
from cxrbench.runs import CONFIG_FILE, ENVIRONMENT_FILE, HISTORY_FILE, RunName, finished_runs, predictions_file
from cxrbench.stats.comparison import corrected_resampled

HERE = Path(__file__).parent
SETTINGS, KEPT = HERE / "nih_films", HERE / "results" / "nih_films"
ENOUGH = 100
"""Positive films that a finding needs to be compared."""
PRIMARY = ("lite0-ft", "lite0-scratch")
APPROACHES = ("lite0-ots", "lite0-ots-meta", "lite0-ft", "lite0-ft-meta", "lite0-scratch", "lite0-scratch-meta")
MEAN = "mean"
FILES = (CONFIG_FILE, ENVIRONMENT_FILE, HISTORY_FILE)


def main() -> None:
    """Train what is asked for, keep it, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--films", type=Path)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--split", action="append", default=[])
    parser.add_argument("--from-kept", action="store_true")
    asked = parser.parse_args()
    if not asked.from_kept:
        train(asked)
        keep(asked.folder / "study")
    write_tables()


def train(asked: argparse.Namespace) -> None:
    """Make the runs, beside a copy of the settings and the weights."""
    copy = shutil.copytree(SETTINGS, asked.folder / "settings", dirs_exist_ok=True)
    shutil.copy(asked.weights, copy / "efficientnet_lite0.pth")
    command = ["run", copy / "study.yaml", "--data", asked.films, "--labels", asked.labels]
    command += ["--out", asked.folder / "study"]
    command += itertools.chain.from_iterable(("--split", split) for split in asked.split)
    subprocess.run([sys.executable, "-m", "cxrbench", *map(str, command)], check=True)


def keep(study: Path) -> None:
    """Keep what the tables are made from: records, predictions and labels of test parts, sizes of the splits."""
    table, runs = pl.read_parquet(study / "table.parquet"), finished_runs(study)
    for run in runs:
        source, target = run.folder(study), run.folder(KEPT)
        target.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            shutil.copy(source / name, target / name)
        shutil.copy(source / predictions_file("test"), target / predictions_file("test"))
    findings = json.loads((runs[0].folder(study) / CONFIG_FILE).read_text())["findings"]
    sizes = []
    for path in sorted((study / "splits").glob("*.json")):
        patients = json.loads(path.read_text())["patients"]
        parts = {part: table.filter(pl.col("patient_id").is_in(patients[part])) for part in ("train", "val", "test")}
        sizes.append({"split": path.stem} | {part: rows.height for part, rows in parts.items()})
        parts["test"].select("image_id", *findings).write_parquet(KEPT / f"labels-{path.stem}.parquet")
    pl.DataFrame(sizes).write_csv(KEPT / "splits.csv")
    table.select(pl.col(findings).sum()).unpivot(variable_name="finding", value_name="films").write_csv(
        KEPT / "films.csv"
    )


def write_tables() -> None:
    """AUCs and differences, from what is kept."""
    aucs = auc_table()
    sizes = pl.read_csv(KEPT / "splits.csv")
    ratio = float((sizes["test"] / sizes["train"]).mean())
    aucs.write_csv(KEPT / "auc.csv", float_precision=4)
    differences = pl.DataFrame(list(difference_rows(aucs, ratio)), infer_schema_length=None)
    differences.write_csv(KEPT / "differences.csv", float_precision=4)
    (KEPT / "README.md").write_text(readme(aucs, differences), encoding="utf-8")


def compared_findings() -> list[str]:
    """Findings with enough positive films, in the order of the labels."""
    return pl.read_csv(KEPT / "films.csv").filter(pl.col("films") >= ENOUGH)["finding"].to_list()


def auc_table() -> pl.DataFrame:
    """AUC of every run and compared finding on its test part, and the mean over the pathologies among them."""
    findings = compared_findings()
    rows = []
    for run in finished_runs(KEPT):
        scores = pl.read_parquet(run.folder(KEPT) / predictions_file("test"))
        labels = pl.read_parquet(KEPT / f"labels-{run.split}.parquet")
        both = scores.join(labels, on="image_id", suffix="-present", validate="1:1")
        found = {name: float(roc_auc_score(both[f"{name}-present"], both[name])) for name in findings}
        own = [value for name, value in found.items() if name != "No Finding"]
        for name, value in {**found, MEAN: sum(own) / len(own)}.items():
            rows.append({"approach": run.approach, "split": run.split, "finding": name, "auc": value})
    return pl.DataFrame(rows)


def difference_rows(aucs: pl.DataFrame, ratio: float) -> Iterator[dict[str, Any]]:
    """Yield every pair of approaches and finding: difference with its corrected interval over the re-samples."""
    found = {(row["approach"], row["finding"], row["split"]): row["auc"] for row in aucs.iter_rows(named=True)}
    splits = complete_splits(aucs)
    for first, second in itertools.combinations(APPROACHES, 2):
        for finding in [MEAN, *compared_findings()]:
            values = [found[first, finding, split] - found[second, finding, split] for split in splits]
            row = {"approach": first, "against": second, "finding": finding, "splits": len(splits)}
            if len(splits) < 2:
                yield row | {"difference": sum(values) / max(len(values), 1)}
                continue
            told = corrected_resampled(values, test_to_train=ratio)
            yield row | {
                "difference": told.difference,
                "lower": told.lower,
                "upper": told.upper,
                "p_value": told.p_value,
                "is_primary": (first, second) == PRIMARY and finding == MEAN,
            }


def complete_splits(aucs: pl.DataFrame) -> list[str]:
    """Re-samples on which every approach was trained."""
    counts = aucs.group_by("split").agg(pl.col("approach").n_unique()).sort("split")
    return counts.filter(pl.col("approach") == len(APPROACHES))["split"].to_list()


def readme(aucs: pl.DataFrame, differences: pl.DataFrame) -> str:
    """The results as a page."""
    splits, findings = complete_splits(aucs), [MEAN, *compared_findings()]
    table = aucs.filter(pl.col("split").is_in(splits)).group_by("approach", "finding").agg(pl.col("auc").mean())
    means = {(row["approach"], row["finding"]): row["auc"] for row in table.iter_rows(named=True)}
    run = RunName(APPROACHES[2], splits[0], 0).folder(KEPT)
    machine = json.loads((run / ENVIRONMENT_FILE).read_text())
    about = ", ".join(f"{name} {machine['versions'][name]}" for name in ("torch", "timm", "numpy"))
    head = ("Approach", *(name if name != MEAN else "Mean of the pathologies" for name in findings), "Seconds a run")
    body = [
        (name, *(f"{means[name, finding]:.3f}" for finding in findings), f"{seconds(name, splits):.0f}")
        for name in APPROACHES
    ]
    return PAGE.format(
        splits="all five" if len(splits) == 5 else f"{len(splits)} of five",
        machine=f"{machine['processor']}, {machine['threads']} threads, {about}",
        alone=alone(),
        aucs=markdown(head, body),
        primary=primary(differences),
        differences=markdown(
            ("Approach", "Against", "Finding", "Difference", "95 % interval"),
            [
                (r["approach"], r["against"], r["finding"], f"{r['difference']:+.3f}", interval(r))
                for r in differences.filter(pl.col("finding") == MEAN).iter_rows(named=True)
            ],
        ),
    )


def alone() -> str:
    """Say how long a run took that was made again with priority, and whether it predicts the same."""
    folder, run = KEPT / "alone", RunName(PRIMARY[0], "resample-1", 0)
    if not folder.exists():
        return ""
    spent = json.loads((folder / ENVIRONMENT_FILE).read_text())["training_seconds"]
    expected = (folder / "predictions.sha256").read_text().split()[0]
    is_same = digest_file(run.folder(KEPT) / predictions_file("test")) == expected
    trained = sum(not name.startswith("lite0-ots") for name in APPROACHES)
    return (
        f"Made again with priority over other work ([alone](alone)), {run} took {spent:.0f} s and predicted "
        f"{'the same, byte for byte' if is_same else 'something else'}: about {trained * spent / 60:.0f} minutes "
        f"for the {trained} trained approaches of a re-sample, of the 45 that were allowed."
    )


PAGE = """# The paper's question on real films

1,485 films of ChestX-ray14 at 480 px, ImageNet weights of EfficientNet-Lite0, {splits} re-samples by patient.
Approaches, epochs and the primary comparison in [`benchmarks/nih_films`](../../nih_films/study.yaml) were fixed before
the first run. About half of the films were once chosen because they show pneumonia: these numbers are no claim about
ChestX-ray14. Made by `benchmarks/nih_films.py`; {machine}.
Seconds were taken beside other work on the same two cores.
{alone}

{primary}

## AUC, mean over the re-samples

{aucs}

## Differences of the mean AUC

Corrected re-sampled interval (Nadeau and Bengio). All findings: [differences.csv](differences.csv), [auc.csv](auc.csv).

{differences}
"""


def primary(differences: pl.DataFrame) -> str:
    """The answer to the primary comparison in a sentence."""
    [row] = differences.filter(pl.col("is_primary")).to_dicts() if "is_primary" in differences.columns else [{}]
    if not row:
        return "The primary comparison has no interval yet: it needs two re-samples or more."
    sure = "excludes zero" if row["lower"] > 0 or row["upper"] < 0 else "includes zero"
    return (
        f"**Primary comparison: {row['approach']} less {row['against']}, mean AUC over the pathologies with {ENOUGH} "
        f"positive films or more: {row['difference']:+.3f} (95 % interval {interval(row)}, which {sure}).**"
    )


def interval(row: dict) -> str:
    """An interval in words."""
    return "" if row.get("lower") is None else f"{row['lower']:+.3f} to {row['upper']:+.3f}"


def seconds(approach: str, splits: list[str]) -> float:
    """Mean training time of an approach's runs."""
    files = [RunName(approach, split, 0).folder(KEPT) / ENVIRONMENT_FILE for split in splits]
    return sum(json.loads(path.read_text())["training_seconds"] for path in files) / len(files)


def markdown(head: tuple, rows: list[tuple]) -> str:
    """A table."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


if __name__ == "__main__":
    main()
