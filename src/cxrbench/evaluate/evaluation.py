"""Results of files of predictions: how the files were understood, their folder, and what a terminal shows."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cxrbench import files
from cxrbench.config import Vocabulary
from cxrbench.errors import DataError
from cxrbench.evaluate.columns import ALL

NOTHING = ""
RECORD_FILE = "evaluation.json"
"""How files were understood; its presence marks a folder of results that may be replaced."""


@dataclass(frozen=True)
class Evaluation:
    """Results of files of predictions, and how the files were understood."""

    folder: Path
    matched: dict[str, dict[str, str]]
    """Model -> column of its file -> what it was taken for."""
    ignored: dict[str, tuple[str, ...]]
    """Model -> columns that were not used."""
    dropped: dict[str, int]
    """Model -> images left out because another model has no prediction of them."""
    images: int
    patients: int
    vocabulary: Vocabulary
    """Findings that were measured."""
    tables: dict[str, pl.DataFrame]
    """By name, as written."""
    adjustment: str
    """Way in which p-values allow for their number."""
    ensemble: str | None = None
    """Way in which all models were averaged, where that was asked for."""

    @property
    def findings(self) -> tuple[str, ...]:
        """Names of the findings."""
        return self.vocabulary.names


def require_ours(out: Path) -> None:
    """Refuse to replace a folder that holds anything but earlier results.

    Raises:
        DataError: It holds other files.
    """
    if out.exists() and not out.is_dir():
        raise DataError(f"{out} is a file; choose a folder for --out")
    if out.is_dir() and any(out.iterdir()) and not (out / RECORD_FILE).is_file():
        raise DataError(f"{out} holds other files than results; choose a new folder for --out")


@contextmanager
def _writing(out: Path) -> Iterator[Path]:
    """Replace the folder; what the system refuses is one line."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with files.replaced_folder(out) as scratch:
            yield scratch
    except OSError as error:
        raise DataError(f"cannot write {out}: {error.strerror or error}") from None


def write_evaluation(result: Evaluation, labels: Path) -> None:
    """Write the tables and how the files were understood; earlier results are replaced."""
    record = {
        "labels": {"file": labels.name, "digest": files.digest_file(labels)},
        "images": result.images,
        "patients": result.patients,
        "findings": list(result.findings),
        "vocabulary": result.vocabulary.model_dump(mode="json"),
        "adjustment": result.adjustment,
        "ensemble": result.ensemble,
        "models": {
            name: {"matched": matched, "ignored": list(result.ignored[name]), "images_dropped": result.dropped[name]}
            for name, matched in result.matched.items()
        },
    }
    with _writing(result.folder) as scratch:
        for name, table in result.tables.items():
            table.write_csv(scratch / f"{name}.csv")
        files.write_json(scratch / RECORD_FILE, record)


@dataclass(frozen=True)
class ShownTable:
    """A table as text, with notes about rows that have no interval."""

    title: str
    rows: pl.DataFrame
    notes: tuple[str, ...]


def shown_tables(result: Evaluation) -> list[ShownTable]:
    """Return the AUCs and comparisons to print."""
    aucs = result.tables["auc"].filter(pl.col("group") == ALL)
    shown = [ShownTable("AUC on all images, 95 % interval for new patients", _aucs(aucs), _notes(aucs))]
    if (comparison := result.tables.get("comparison")) is not None:
        rows, title = (
            _comparisons(comparison, result.adjustment),
            "Differences of AUC for new patients, paired by patient",
        )
        shown.append(ShownTable(title, rows, _notes(comparison)))
    return shown


def _aucs(auc: pl.DataFrame) -> pl.DataFrame:
    return auc.select(
        pl.col("approach").alias("model"),
        "finding",
        pl.col("positives", "positive_patients").cast(pl.String).fill_null(NOTHING),
        _number("auc").alias("AUC"),
        _interval().alias("95 % interval"),
        _number("inflation", digits=2),
    )


def _comparisons(comparison: pl.DataFrame, adjustment: str) -> pl.DataFrame:
    return comparison.select(
        pl.format("{} - {}", "approach_a", "approach_b").alias("models"),
        "finding",
        pl.col("positives", "positive_patients").cast(pl.String).fill_null(NOTHING),
        _number("difference"),
        _interval().alias("95 % interval"),
        _p("p_value").alias("p"),
        _p("p_adjusted").alias(f"p, {adjustment}"),
        _number("inflation", digits=2),
        _number("smallest_detectable").alias("detectable"),
    )


def _number(column: str, *, digits: int = 3) -> pl.Expr:
    """Return a number with fixed digits; nothing where unknown."""
    return pl.col(column).map_elements(lambda value: f"{value:.{digits}f}", return_dtype=pl.String).fill_null(NOTHING)


def _p(column: str) -> pl.Expr:
    """Return a p-value; very small ones have no digits."""
    return pl.when(pl.col(column) < 0.001).then(pl.lit("< 0.001")).otherwise(_number(column))


def _interval() -> pl.Expr:
    """Return lower to upper end; nothing where unknown."""
    said = pl.format("{} to {}", _number("lower"), _number("upper"))
    return pl.when(pl.col("lower").is_null()).then(pl.lit(NOTHING)).otherwise(said)


def _notes(table: pl.DataFrame) -> tuple[str, ...]:
    """Return each reason for which rows have no interval, with their findings."""
    without = table.filter(pl.col("reason").is_not_null())
    found = without.group_by("reason", maintain_order=True).agg(pl.col("finding").unique(maintain_order=True))
    return tuple(f"no interval for {', '.join(findings)}: {reason}" for reason, findings in found.iter_rows())
