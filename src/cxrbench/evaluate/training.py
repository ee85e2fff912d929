"""How the runs were trained, and those that were not: histories, durations and failures, as tables."""

import json
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from cxrbench import runs
from cxrbench.evaluate.reading import read_config, readable, weights_of
from cxrbench.runs import RunName

RUN_COLUMNS = ("approach", "split", "seed")
HISTORY_SCHEMA = {
    "epoch": pl.Int64,
    "train_loss": pl.Float64,
    "val_loss": pl.Float64,
    "learning_rate": pl.Float64,
    "seconds": pl.Float64,
}
RUN_SCHEMA = {
    "approach": pl.String,
    "split": pl.String,
    "seed": pl.Int64,
    "epochs": pl.Int64,
    "best_epoch": pl.Int64,
    "best_val_loss": pl.Float64,
    "seconds": pl.Float64,
    "hash": pl.String,
    "weights": pl.String,
    "weights_digest": pl.String,
}
PRETRAINING_SCHEMA = {
    "approach": pl.String,
    "split": pl.String,
    "archive": pl.String,
    "with_labels": pl.Boolean,
    "basis": pl.String,
    "test_images": pl.Int64,
    "test_seen": pl.Int64,
    "val_seen": pl.Int64,
}
"""How many held-out films the pre-trained weights of an approach saw before."""
FAILURE_SCHEMA = {"approach": pl.String, "split": pl.String, "seed": pl.Int64, "reason": pl.String}


def history_table(study: Path, names: Sequence[RunName]) -> pl.DataFrame:
    """Loss, learning rate and duration of every epoch of every finished run."""
    parts = [_named(_read_history(study, run), run) for run in names]
    return pl.concat(parts) if parts else _named(pl.DataFrame(schema=HISTORY_SCHEMA), RunName("", "", 0))


def run_table(study: Path, names: Sequence[RunName], histories: pl.DataFrame) -> pl.DataFrame:
    """One row per finished run: epochs, the epoch that was kept, duration, settings, pre-trained weights."""
    best = pl.col("val_loss").arg_min()
    measured = histories.group_by(RUN_COLUMNS, maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("epochs"),
        pl.col("epoch").get(best).alias("best_epoch"),
        pl.col("val_loss").get(best).alias("best_val_loss"),
        pl.col("seconds").sum(),
    )
    rows = [(run.approach, run.split, run.seed, *_origin(study, run)) for run in names]
    told = (*RUN_COLUMNS, "hash", "weights", "weights_digest")
    origins = pl.DataFrame(rows, schema={name: RUN_SCHEMA[name] for name in told}, orient="row")
    return origins.join(measured, on=RUN_COLUMNS, how="left", maintain_order="left").select(list(RUN_SCHEMA))


def _origin(study: Path, run: RunName) -> tuple[str, str | None, str | None]:
    """Return the hash of a run's settings, and what its pre-trained weights are and their digest."""
    config = read_config(study, run)
    weights = weights_of(config, where=str(run))
    return (config["hash"], None, None) if weights is None else (config["hash"], weights.title, weights.digest)


def pretraining_table(study: Path, names: Sequence[RunName]) -> pl.DataFrame:
    """One row per approach, split and archive that its pre-trained weights saw, of those that have finished runs."""
    path = study / runs.STUDY_FILE
    with readable(path):
        found = json.loads(path.read_text(encoding="utf-8")).get("pretraining") or []
    done = {(run.approach, run.split) for run in names}
    rows = [each for each in found if (each["approach"], each["split"]) in done]
    return pl.DataFrame(rows, schema=PRETRAINING_SCHEMA, orient="row")


def failure_table(study: Path) -> pl.DataFrame:
    """Runs that were begun and failed, with the reason."""
    files = sorted((study / runs.RUNS_FOLDER).glob(f"*/*/seed-*/{runs.FAILURE_FILE}"))
    rows = [
        (*file.parts[-4:-2], _seed(file.parts[-2]), json.loads(file.read_text(encoding="utf-8"))["reason"])
        for file in files
    ]
    return pl.DataFrame(rows, schema=FAILURE_SCHEMA, orient="row")


def _read_history(study: Path, run: RunName) -> pl.DataFrame:
    path = run.folder(study) / runs.HISTORY_FILE
    with readable(path):
        return pl.read_csv(path, schema_overrides=HISTORY_SCHEMA).select(list(HISTORY_SCHEMA))


def _named(history: pl.DataFrame, run: RunName) -> pl.DataFrame:
    names = {"approach": run.approach, "split": run.split, "seed": run.seed}
    return history.select(
        *(pl.lit(value).cast(RUN_SCHEMA[name]).alias(name) for name, value in names.items()), pl.all()
    )


def _seed(folder: str) -> int:
    return int(folder.removeprefix("seed-").removesuffix(".partial"))
