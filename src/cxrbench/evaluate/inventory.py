"""What went into a study's results: archive, splits, runs, their histories and weights, as tables."""

import json
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from cxrbench import runs
from cxrbench.evaluate.columns import APPROACH, KIND, SEED, SPLIT, count, names_of, number, text
from cxrbench.evaluate.held_out import findings_of
from cxrbench.evaluate.reading import read_config, read_record, readable, weights_of
from cxrbench.results import ResultTable
from cxrbench.runs import RunName
from cxrbench.splits import ALL_IMAGES, Split, describe_split

ANY, UNKNOWN = "any", "unknown"

FINDING_OR_ALL = text("finding", "Finding, or `all images`.")
RUN = (APPROACH, SPLIT, SEED)

ARCHIVE_TABLE = ResultTable(
    "archive.csv",
    "One row per finding, sex and view; margins are rows of their own.",
    (
        FINDING_OR_ALL,
        text("sex", "`F`, `M`, `unknown`, or `any` in a margin."),
        text("view", "`PA`, `AP`, ..., `unknown`, or `any` in a margin."),
        count("images", "Images with the finding."),
        count("patients", "Patients with such an image; one may be in several rows."),
    ),
)
AGES_TABLE = ResultTable(
    "ages.csv",
    "One row per year of age and sex.",
    (
        count("age_years", "Age, whole years; empty where unknown."),
        text("sex", "`F` or `M`; empty where unknown."),
        count("images", "Images."),
    ),
)
SPLITS_TABLE = ResultTable(
    "splits.csv",
    "One row per split, part and finding.",
    (
        SPLIT,
        KIND,
        text("part", "`train`, `val` or `test`."),
        FINDING_OR_ALL,
        count("patients", "Patients with an image that shows the finding."),
        count("images", "Images that show the finding."),
        count("stated", "Images whose label of the finding is stated."),
        text("note", "Why the finding cannot be scored on that part; else empty."),
    ),
)
RUNS_TABLE = ResultTable(
    "runs.csv",
    "One row per finished run.",
    (
        *RUN,
        count("epochs", "Epochs that were trained."),
        count("best_epoch", "Epoch whose network was kept, from 0."),
        number("best_val_loss", "Its validation loss."),
        number("seconds", "Duration of all epochs, seconds."),
        text("hash", "Hash of the settings."),
        text("weights", "Pre-trained weights that it started from; empty where there are none."),
        text("weights_digest", "Their SHA-256; empty where there are none."),
    ),
)
HISTORY_TABLE = ResultTable("history.csv", "One row per run and epoch.", (*RUN, *runs.RUN_HISTORY.columns))
FAILURES_TABLE = ResultTable(
    "failures.csv",
    "One row per run that was begun and failed.",
    (*RUN, text("reason", "Why it failed, in a line.")),
)
LEFT_OUT_TABLE = ResultTable(
    "left_out.csv",
    "One row per finding that no network answers and split that lacks a class of it.",
    (
        text("finding", "Finding of the study's vocabulary."),
        SPLIT,
        text("reason", "What its training part lacks."),
    ),
    is_optional=True,
)


def archive_table(table: pl.DataFrame) -> pl.DataFrame:
    """Count images and patients per finding, sex and view, with margins.

    Margins are rows of their own (``any``), since a patient may have images of both views.
    """
    known = table.with_columns(pl.col("sex", "view").fill_null(UNKNOWN))
    margins = [
        known.with_columns(pl.lit(ANY).alias(name) for name in together)
        for together in (("sex", "view"), ("view",), ("sex",), ())
    ]
    return ARCHIVE_TABLE.frame(pl.concat([_positives(margin) for margin in margins]))


def _positives(table: pl.DataFrame) -> pl.DataFrame:
    """Count images and patients of each finding, per sex and view."""
    counts = (pl.len().alias("images"), pl.col("patient_id").n_unique().alias("patients"))
    named = [(ALL_IMAGES, table), *((finding, table.filter(pl.col(finding) == 1)) for finding in findings_of(table))]
    return pl.concat(
        rows.group_by("sex", "view").agg(*counts).sort("sex", "view").select(pl.lit(name).alias("finding"), pl.all())
        for name, rows in named
    )


def age_table(table: pl.DataFrame) -> pl.DataFrame:
    """Count images per whole year of age and sex; unknown is null."""
    years = pl.col("age_years").floor().cast(pl.Int64)
    counted = table.group_by(years, "sex").agg(pl.len().alias("images")).sort("age_years", "sex")
    return AGES_TABLE.frame(counted)


def split_table(table: pl.DataFrame, parts: Sequence[Split]) -> pl.DataFrame:
    """Count patients and images per split, part and finding; see ``splits.describe_split``."""
    described = [
        describe_split(split, table).with_columns(split=pl.lit(split.name), kind=pl.lit(split.kind)) for split in parts
    ]
    return SPLITS_TABLE.frame(pl.concat(described))


def history_table(study: Path, names: Sequence[RunName]) -> pl.DataFrame:
    """Return loss, learning rate and duration of every epoch of every finished run."""
    parts = [_history(study, run) for run in names]
    return HISTORY_TABLE.frame(pl.concat(parts)) if parts else HISTORY_TABLE.empty()


def _history(study: Path, run: RunName) -> pl.DataFrame:
    """Return the history of one run, with its name."""
    named = (pl.lit(run.approach).alias("approach"), pl.lit(run.split).alias("split"), pl.lit(run.seed).alias("seed"))
    history = runs.run_file(study, run, runs.HISTORY_FILE)
    return runs.RUN_HISTORY.read(history.parent).with_columns(named)


def run_table(study: Path, names: Sequence[RunName], histories: pl.DataFrame) -> pl.DataFrame:
    """Return epochs, the epoch that was kept, duration, settings and pre-trained weights of every finished run."""
    keys, is_kept = list(names_of(RUN)), pl.col("is_kept").fill_null(value=False)
    # Runs of version 0.1 do not say which epoch was kept: it was that of the lowest loss.
    best = pl.when(is_kept.any()).then(is_kept.cast(pl.Int8).arg_max()).otherwise(pl.col("val_loss").arg_min())
    measured = histories.group_by(keys, maintain_order=True).agg(
        pl.len().alias("epochs"),
        pl.col("epoch").get(best).alias("best_epoch"),
        pl.col("val_loss").get(best).alias("best_val_loss"),
        pl.col("seconds").sum(),
    )
    origins = RUNS_TABLE.frame(_origin(study, run) for run in names).drop(measured.columns[len(keys) :])
    return RUNS_TABLE.frame(origins.join(measured, on=keys, how="left", maintain_order="left"))


def _origin(study: Path, run: RunName) -> dict[str, str | int | None]:
    """Return the hash of a run's settings, and what its pre-trained weights are and their digest."""
    config = read_config(study, run)
    weights = weights_of(config, where=str(run))
    told = {} if weights is None else {"weights": weights.title, "weights_digest": weights.digest}
    return {"approach": run.approach, "split": run.split, "seed": run.seed, "hash": config["hash"], **told}


def left_out_table(study: Path) -> pl.DataFrame:
    """Return the findings that no network answers, with each split that lacks a class of one."""
    left_out = read_record(study).get("left_out") or {}
    return LEFT_OUT_TABLE.frame(
        {"finding": finding, "split": split, "reason": reason}
        for finding, by_split in left_out.items()
        for split, reason in by_split.items()
    )


def failure_table(study: Path) -> pl.DataFrame:
    """Return the runs that were begun and failed, with the reason."""
    files = sorted((study / runs.RUNS_FOLDER).glob(f"*/*/seed-*/{runs.FAILURE_FILE}"))
    return FAILURES_TABLE.frame(map(_failure, files))


def _failure(file: Path) -> dict[str, str | int]:
    """Return the row of one failure; its path names the run."""
    approach, split, seed = file.parts[-4:-1]
    with readable(file):
        reason = json.loads(file.read_text(encoding="utf-8"))["reason"]
    number_of = int(seed.removeprefix("seed-").removesuffix(".partial"))
    return {"approach": approach, "split": split, "seed": number_of, "reason": reason}
