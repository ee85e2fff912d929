"""A study's finished runs, read back and checked: nothing is evaluated on patients that were trained on."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cxrbench import runs
from cxrbench.config import Vocabulary, WeightsRecord, check_hash, parse_settings, recorded_vocabulary
from cxrbench.errors import StudyError
from cxrbench.evaluate.held_out import HeldOut, Scores, SplitRuns, findings_of, labels_of
from cxrbench.runs import RunName
from cxrbench.splits import Split, read_split

KEYS = ("image_id", "patient_id")


def read_table(study: Path) -> pl.DataFrame:
    """Return the study's table, sorted by ``image_id``.

    Raises:
        StudyError: The study has no table.
    """
    path = study / runs.TABLE_FILE
    if not path.is_file():
        raise StudyError(f"{path} does not exist; is {study} the folder that `cxrbench run --out` wrote?")
    with readable(path):
        return pl.read_parquet(path).sort("image_id")


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what goes wrong in reading a file of a study into one line.

    Raises:
        StudyError: The file is absent, cut short or of another kind.
    """
    try:
        yield
    except (OSError, ValueError, KeyError, pl.exceptions.PolarsError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise StudyError(f"{path} cannot be read ({said}); delete its run and run the study again") from None


def read_record(study: Path) -> dict[str, Any]:
    """Return what ``study.json`` says; nothing where a study has none.

    Raises:
        StudyError: It is damaged or of a later version.
    """
    return runs.read_study_record(study) if (study / runs.STUDY_FILE).exists() else {}


def study_vocabulary(study: Path, table: pl.DataFrame) -> Vocabulary:
    """Return all findings of a study's table, with what is known of each.

    Raises:
        StudyError: The study's record is damaged or of a later version.
    """
    record, findings = read_record(study), findings_of(table)
    if not record:
        return Vocabulary.of(findings)
    return recorded_vocabulary(record, findings, where=study / runs.STUDY_FILE)


def left_out_reasons(record: Mapping[str, Any]) -> dict[str, str]:
    """Return why each finding of the study's vocabulary that is no output is none, with the splits that lack it.

    Args:
        record: Content of ``study.json``.
    """
    return {finding: _joined(by_split) for finding, by_split in (record.get("left_out") or {}).items()}


def _joined(by_split: Mapping[str, str]) -> str:
    """Return what the training parts lack, each lack once, with the splits that have it."""
    splits: dict[str, list[str]] = {}
    for split, reason in by_split.items():
        splits.setdefault(reason, []).append(split)
    return "; ".join(f"{reason} in the training part of {', '.join(names)}" for reason, names in splits.items())


def _answered(study: Path, table: pl.DataFrame, run: RunName) -> Vocabulary:
    """Return the findings that a run answers."""
    vocabulary, answered = study_vocabulary(study, table), read_config(study, run)["findings"]
    if strangers := [name for name in answered if name not in vocabulary.names or name not in table.columns]:
        raise StudyError(
            f"{run} answers {strangers[0]!r}, which the study's table does not state; delete the run and run the study "
            "again"
        )
    return vocabulary.subset(answered)


def read_splits(study: Path, names: Iterable[str]) -> dict[str, Split]:
    """Return splits by name; reading makes sure that no patient is in two parts.

    Raises:
        DataError: A split file is absent, was changed, or has a patient in two parts.
    """
    return {name: read_split(study / runs.SPLITS_FOLDER / f"{name}.json") for name in names}


def read_config(study: Path, run: RunName) -> dict[str, Any]:
    """Return the resolved settings of a finished run.

    Raises:
        IntegrityError: The run's folder is no longer what it was.
        StudyError: The file cannot be read, or is another run's.
    """
    path = runs.run_file(study, run, runs.CONFIG_FILE)
    with readable(path):
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        written = RunName(config["approach"]["name"], config["split"], config["seed"])
    if written != run:
        raise StudyError(f"{path} belongs to {written}, not to {run}; was a folder renamed? Put it back")
    check_hash(config, where=path)
    return config


SHARED = {
    "profile": "profile",
    "table_digest": "table",
    "store_digest": "store",
    "findings": "list of findings",
}
"""Values that all runs of a study have in common -> how messages call them."""


def require_one_study(study: Path, names: Sequence[RunName]) -> None:
    """Refuse to compare runs that differ in more than their approach, split and seed.

    Raises:
        StudyError: Two runs were made at another size, from other images or labels, or two of one approach from
            other pre-trained weights.
    """
    first: dict[tuple[str, str], tuple[RunName, Any]] = {}
    for run in names:
        config = read_config(study, run)
        shared = {(name, ""): config[key] for key, name in SHARED.items() if config.get(key) is not None}
        weights = weights_of(config, where=str(run))
        own = {("set of pre-trained weights", run.approach): weights.digest if weights else None}
        for key, value in {**shared, **own}.items():
            earlier, before = first.setdefault(key, (run, value))
            if before != value:
                raise StudyError(
                    f"{study}: {earlier} and {run} were made with another {key[0]}; "
                    f"runs of one {'approach' if key[1] else 'study'} share it: move one of them to a study of its own"
                )


def weights_of(config: Mapping[str, Any], *, where: str) -> WeightsRecord | None:
    """Return the record of a run's pre-trained weights; None where it started at random.

    Args:
        config: The content of its ``config.json``.
        where: Name of the run, for messages.
    """
    record = config.get("weights")
    return None if record is None else parse_settings(record, WeightsRecord, where=f"weights of {where}")


def read_split_runs(study: Path, table: pl.DataFrame, split: Split, names: Sequence[RunName]) -> SplitRuns:
    """Return the predictions of all runs of one split, and the truth they are measured against.

    Raises:
        StudyError: A run was made with another split, predicts other findings, predicts images outside its
            part or unknown to the table, or predicts other images than the split's first run.
    """
    if not names:
        raise ValueError(f"no runs given for split {split.name}")
    vocabulary = _answered(study, table, names[0])
    for run in names:
        _check_identity(read_config(study, run), run, split)
    (test, test_logits), (validation, validation_logits) = (
        _read_part(study, table, split, names, part, vocabulary) for part in ("test", "val")
    )
    scores = (Scores(*one) for one in zip(names, test_logits, validation_logits, strict=True))
    return SplitRuns(test, validation, tuple(scores))


def _read_part(
    study: Path, table: pl.DataFrame, split: Split, names: Sequence[RunName], part: str, vocabulary: Vocabulary
) -> tuple[HeldOut, list[np.ndarray]]:
    """Return one part's truth, and every run's logits of it."""
    first: pl.Series | None = None
    logits = []
    for run in names:
        path = runs.run_file(study, run, runs.predictions_file(part))
        with readable(path):
            predictions = pl.read_parquet(path).sort("image_id")
        predicted = predictions["image_id"]
        _check_images(path, predicted, table, split, part)
        first = predicted if first is None else first
        if not predicted.equals(first):
            raise StudyError(_other_images(run, predicted, first, part))
        logits.append(_logits(path, predictions, vocabulary.names))
    images = table.filter(pl.col("image_id").is_in(predicted.implode()))
    labels = labels_of(images, vocabulary.names)
    return HeldOut(split.name, split.kind, images, vocabulary, labels), logits


def _check_identity(config: dict[str, Any], run: RunName, split: Split) -> None:
    """Refuse a run that was trained on another split of the same name."""
    if config["split_digest"] != split.digest:
        raise StudyError(
            f"{run} was trained on another split named {split.name} (its digest is {config['split_digest'][:12]}, "
            f"the file's {split.digest[:12]}); put the split file back, or delete the run and run the study again"
        )


def _check_images(path: Path, predicted: pl.Series, table: pl.DataFrame, split: Split, part: str) -> None:
    """Refuse predictions of images that are not in their part."""
    if (duplicated := predicted.filter(predicted.is_duplicated())).len():
        raise StudyError(f"{path}: image {duplicated[0]} is predicted more than once")
    listed = table.filter(pl.col("image_id").is_in(predicted.implode()))
    if listed.height < predicted.len():
        stranger = predicted.filter(~predicted.is_in(listed["image_id"].implode()))
        raise StudyError(f"{path}: {stranger.len()} images are not in the study's table (first: {stranger[0]})")
    elsewhere = listed.filter(~pl.col("patient_id").is_in(list(split.patients[part])))
    if elsewhere.height:
        image, patient = elsewhere.select("image_id", "patient_id").row(0)
        raise StudyError(
            f"{path}: {elsewhere.height} images are not in the {part} part of split {split.name} "
            f"(first: {image} of patient {patient}); delete the run and run the study again"
        )


def _logits(path: Path, predictions: pl.DataFrame, findings: tuple[str, ...]) -> np.ndarray:
    """Return logits (N, L), in the predictions' order."""
    columns = tuple(name for name in predictions.columns if name not in KEYS)
    if set(columns) != set(findings):
        raise StudyError(f"{path} predicts {sorted(columns)}, but its study answers {sorted(findings)}")
    logits: np.ndarray = predictions.select(pl.col(findings).cast(pl.Float32)).to_numpy()
    if not np.isfinite(logits).all():
        row, column = np.argwhere(~np.isfinite(logits))[0]
        image = predictions["image_id"][int(row)]
        raise StudyError(
            f"{path}: the logit of {findings[column]} for {image} is {logits[row, column]}; "
            "delete the run and run the study again"
        )
    return logits


def _other_images(run: RunName, predicted: pl.Series, first: pl.Series, part: str) -> str:
    ours, theirs = set(predicted), set(first)
    image = min(ours ^ theirs)
    return (
        f"{run} predicts {len(ours)} images of its {part} part, the split's other runs {len(theirs)} "
        f"(they differ in {len(ours ^ theirs)}, first: {image}); runs are compared on the same images only"
    )
