"""What age, sex and view are worth: alone, beside the image, and how far the film shows them itself."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, get_args

import numpy as np
import polars as pl

from cxrbench.config import Feature
from cxrbench.data.features import FeatureScaling
from cxrbench.evaluate.columns import MEAN, known
from cxrbench.evaluate.explanations import ALONE, BOTH, IMAGE, NONIMAGE_FILE, PROBES_FILE, write_origin
from cxrbench.evaluate.held_out import HeldOut, SplitRuns, labels_of
from cxrbench.evaluate.reading import read_split_runs, read_splits, read_table
from cxrbench.evaluate.seen_films import seen_films
from cxrbench.explain.curves import nonimage_figure
from cxrbench.explain.models_without_image import READERS, score_without_image
from cxrbench.explain.probes import PROBE_SCHEMA, probe_rows
from cxrbench.explain.trained import OpenStudy, load_trained, open_study
from cxrbench.files import replaced_folder, write_text
from cxrbench.progress import Track, silent
from cxrbench.runs import RunName
from cxrbench.splits import Split
from cxrbench.stats.clustered import auc_difference, auc_estimate
from cxrbench.stats.joint import JointAucs, joint_aucs

FIGURE = "nonimage.svg"
META = "-meta"
FEATURES: tuple[Feature, ...] = get_args(Feature)
SCHEMA = {
    "split": pl.String,
    "kind": pl.String,
    "given": pl.String,
    "model": pl.String,
    "seed": pl.Int64,
    "finding": pl.String,
    "images": pl.Int64,
    "positives": pl.Int64,
    "auc": pl.Float64,
    "std_error": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "over_image": pl.Float64,
    "over_image_lower": pl.Float64,
    "over_image_upper": pl.Float64,
    "reason": pl.String,
}


@dataclass(frozen=True)
class Asking:
    """What is asked.

    Attributes:
        probe_films: Training films at most that the probes learn from; 0: no probes.
        seed: Of the models without image, and of the choice of films.
    """

    probe_films: int = 5000
    seed: int = 0


@dataclass(frozen=True)
class NonImage:
    """What came of it; see docs/explain.md for the columns."""

    table: pl.DataFrame
    probes: pl.DataFrame

    @property
    def means(self) -> pl.DataFrame:
        """The mean AUCs over the pathologies."""
        wanted = ("split", "given", "model", "seed", "auc", "lower", "upper", "over_image")
        return self.table.filter(pl.col("finding") == MEAN).select(wanted)


@dataclass(frozen=True)
class Model:
    """One column of scores per finding, and what it was given."""

    given: str
    name: str
    seed: int
    scores: np.ndarray
    """(N, L) of the test films."""


def nonimage_study(
    study: Path, out: Path, *, names: Sequence[RunName], asking: Asking, track: Track = silent
) -> NonImage:
    """Measure what age, sex and view are worth on each split; an earlier ``out`` is replaced as a whole.

    Args:
        study: Folder of the study.
        out: Folder of ``nonimage.csv``, ``probes.csv`` and ``nonimage.svg``.
        names: Finished runs; those of -meta approaches are compared with their twins.
        asking: Size and seed.
        track: Shows progress, split by split, then run by run.

    Raises:
        StudyError: Predictions or a run are damaged or not of this study.
    """
    table = read_table(study)
    by_split = {name: list(of) for name, of in groupby(sorted(names, key=attrgetter("split")), attrgetter("split"))}
    splits = read_splits(study, by_split)
    probed = [name for name in names if not name.approach.endswith(META)] or list(names)
    with replaced_folder(out) as scratch:
        tracked = track(by_split.items(), total=len(by_split), label="without the image")
        rows = [row for name, of in tracked for row in _split_rows(study, table, splits[name], of, asking.seed)]
        seen = seen_films(study, names, splits.values())
        measured = seen.mark_runs(pl.DataFrame(rows, schema=SCHEMA), approach="model")
        result = NonImage(measured, seen.mark_runs(_probes(study, probed, asking, track)))
        result.table.write_csv(scratch / NONIMAGE_FILE)
        result.probes.write_csv(scratch / PROBES_FILE)
        write_text(scratch / FIGURE, nonimage_figure(result.table).document)
        write_origin(scratch, study, names, asdict(asking))
    return result


def _probes(study: Path, names: Sequence[RunName], asking: Asking, track: Track) -> pl.DataFrame:
    """How well each run's features show age, sex and view."""
    if not asking.probe_films:
        return pl.DataFrame(schema=PROBE_SCHEMA)
    opened = open_study(study)
    tracked = track(names, total=len(names), label="reading age, sex and view from films")
    rows = [row for name in tracked for row in _run_probes(opened, name, asking)]
    return pl.DataFrame(rows, schema=PROBE_SCHEMA)


def _run_probes(study: OpenStudy, name: RunName, asking: Asking) -> Iterator[dict[str, Any]]:
    yield from probe_rows(study, load_trained(study, name), films=asking.probe_films, seed=asking.seed)


def _split_rows(
    study: Path, table: pl.DataFrame, split: Split, names: Sequence[RunName], seed: int
) -> Iterator[dict[str, Any]]:
    """AUCs of all models on one split's test films, as in ``SCHEMA``."""
    own = read_split_runs(study, table, split, names)
    models = [*_without_image(own.test, table, split, seed), *_with_image(own)]
    joint = joint_aucs(np.concatenate([model.scores for model in models], axis=1), own.test.labels, own.test.codes)
    for place, model in enumerate(models):
        twin = _twin(models, model)
        for finding in (*own.test.findings, MEAN):
            head = {"split": split.name, "kind": split.kind, "given": model.given, "model": model.name}
            ours = _columns(own.test, finding, place)
            more = {} if twin is None else _gain(joint, ours, _columns(own.test, finding, twin))
            yield head | {
                "seed": model.seed,
                "finding": finding,
                **_counts(own.test, finding),
                **_auc(joint, ours),
                **more,
            }


def _without_image(test: HeldOut, table: pl.DataFrame, split: Split, seed: int) -> Iterator[Model]:
    """Models that learn from age, sex and view of the training part."""
    training = table[split.rows(table, "train")]
    scaling = FeatureScaling.fit(FEATURES, training)
    labels = labels_of(training, test.findings)
    features, asked = (scaling.encode(rows).astype(np.float64) for rows in (training, test.images))
    for reader in READERS:
        yield Model(ALONE, reader, seed, score_without_image(reader, features, labels, asked, seed=seed))


def _with_image(own: SplitRuns) -> Iterator[Model]:
    """The study's runs."""
    for scores in own.scores:
        given = BOTH if scores.run.approach.endswith(META) else IMAGE
        yield Model(given, scores.run.approach, scores.run.seed, scores.logits.astype(np.float64))


def _twin(models: Sequence[Model], model: Model) -> int | None:
    """Place of the same approach from the same seed without non-image features."""
    wanted = (model.name.removesuffix(META), model.seed) if model.given == BOTH else None
    return next((place for place, other in enumerate(models) if (other.name, other.seed) == wanted), None)


def _columns(test: HeldOut, finding: str, model: int) -> list[int]:
    """Columns of the joint AUCs that are a model's AUC, or are averaged."""
    return [model * len(test.findings) + column for column in test.columns(finding)]


def _auc(joint: JointAucs, columns: list[int]) -> dict[str, Any]:
    found = auc_estimate(joint, columns)
    values = {"auc": found.estimate, "std_error": found.std_error, "lower": found.lower, "upper": found.upper}
    return {name: known(value) for name, value in values.items()} | {"reason": found.reason}


def _gain(joint: JointAucs, ours: list[int], theirs: list[int]) -> dict[str, Any]:
    found = auc_difference(joint, ours, theirs)
    values = {"over_image": found.estimate, "over_image_lower": found.lower, "over_image_upper": found.upper}
    return {name: known(value) for name, value in values.items()}


def _counts(test: HeldOut, finding: str) -> Mapping[str, int]:
    """Images whose label is stated, and those with the finding."""
    return {name: value for name, value in test.counts(finding).items() if name in SCHEMA}
