"""From a study and a list of boxes to tables and pictures: how well its runs' heat maps localise."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl

from cxrbench.errors import ConfigError, DataError
from cxrbench.evaluate.explanations import FIGURES_FOLDER, LOCALISATION_FILE, SANITY_FILE, sheet_file, write_origin
from cxrbench.evaluate.seen_films import seen_films
from cxrbench.explain.boxes import film_boxes
from cxrbench.explain.localisations import localisation_table
from cxrbench.explain.localising import SCORES_SCHEMA, Boxed, boxed_findings, mapped, score_rows
from cxrbench.explain.maps import METHODS, Method
from cxrbench.explain.overlay import write_picture
from cxrbench.explain.sanity import SANITY_SCHEMA, sanity_rows
from cxrbench.explain.sheets import localisation_sheet
from cxrbench.explain.trained import OpenStudy, load_trained, open_study
from cxrbench.files import digest_file, replaced_folder
from cxrbench.progress import Track, silent
from cxrbench.runs import RunName

IMAGES_FILE = "images.csv"


@dataclass(frozen=True)
class Localising:
    """How maps are made and scored.

    Attributes:
        methods: Of heat maps; empty: of each run the usual ones that its network answers.
        stage: Of the backbone, for methods that read one; None: each method's own.
        sanity_films: Boxed findings at most, per run, for the sanity check; 0: no check.
        seed: Of random maps, random networks and the choice of films for the check.
    """

    methods: tuple[Method, ...] = ()
    stage: int | None = None
    sanity_films: int = 100
    seed: int = 0


@dataclass(frozen=True)
class Localised:
    """What came of it.

    Attributes:
        table: What is in ``localisation.csv``; see ``localisation_table``, and the test films that weights saw.
        left_out: Runs without a box on their test films.
    """

    table: pl.DataFrame
    left_out: tuple[RunName, ...]


def localise_study(
    study: Path, boxes: Path, out: Path, *, names: Sequence[RunName], how: Localising, track: Track = silent
) -> Localised:
    """Score heat maps of finished runs against boxes, each run on its own test films only.

    Args:
        study: Folder of the study.
        boxes: The release's BBox_List_2017.csv, or a generated archive's lesions.parquet.
        out: Folder of the tables and contact sheets; an earlier one is replaced as a whole.
        names: The runs.
        how: Methods and seeds.
        track: Shows progress, run by run.

    Raises:
        StudyError: A run is damaged or not of this study.
        ConfigError: A run's network does not have the method or stage that is asked for.
        DataError: No box is on a test film of any of the runs.
    """
    opened = open_study(study)
    known = film_boxes(boxes, opened)
    with replaced_folder(out) as scratch:
        tracked = track(names, total=len(names), label="localising")
        tables = {name: _localise_run(opened, name, known, scratch, how) for name in tracked}
        scores = pl.concat(own.scores for own in tables.values())
        if scores.is_empty():
            raise DataError(f"{boxes}: none of its boxes is on a test film of a run; nothing can be scored")
        seen = seen_films(study, names, ())
        table = seen.mark_runs(localisation_table(scores))
        table.write_csv(scratch / LOCALISATION_FILE)
        scores.write_csv(scratch / IMAGES_FILE)
        seen.mark_runs(pl.concat(own.sanity for own in tables.values())).write_csv(scratch / SANITY_FILE)
        used = [method for method in METHODS if (scores["method"] == method).any()]
        asked = asdict(how) | {"methods": used, "boxes": boxes.name, "boxes_sha256": digest_file(boxes)}
        write_origin(scratch, study, names, asked)
    return Localised(table, tuple(name for name, own in tables.items() if own.scores.is_empty()))


@dataclass(frozen=True)
class _Tables:
    """What one run gives."""

    scores: pl.DataFrame
    sanity: pl.DataFrame


def _localise_run(study: OpenStudy, name: RunName, boxes: pl.DataFrame, folder: Path, how: Localising) -> _Tables:
    """One run's scores per film and its sanity check; its contact sheets go into ``folder``."""
    run = load_trained(study, name)
    try:
        methods = run.methods(how.methods)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from None
    asked = boxed_findings(study, run, boxes)
    answers = list(mapped(study, run, asked, methods, stage=how.stage))
    for method in methods if answers else ():
        picture = localisation_sheet(study, run, answers, method)
        write_picture(folder / FIGURES_FOLDER / sheet_file(name, method), picture)
    scores = list(score_rows(run, answers, seed=how.seed))
    checked = _some(asked, how.sanity_films, how.seed)
    sanity = list(sanity_rows(study, run, checked, methods, stage=how.stage, seed=how.seed + 1)) if checked else []
    return _Tables(pl.DataFrame(scores, schema=SCORES_SCHEMA), pl.DataFrame(sanity, schema=SANITY_SCHEMA))


def _some(asked: Sequence[Boxed], count: int, seed: int) -> list[Boxed]:
    """At most ``count``, drawn at random, in their order."""
    chosen = np.random.default_rng(seed).permutation(len(asked))[:count]
    return [asked[place] for place in sorted(chosen)]
