"""One film explained: overlays and arrays per finding, and what age, sex and view moved."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit

from cxrbench.config import Vocabulary, recorded_vocabulary
from cxrbench.data.delivery import EvaluationBatches
from cxrbench.errors import StudyError
from cxrbench.explain import maps
from cxrbench.explain.activations import Asked
from cxrbench.explain.contributions import age_response, answer_of, feature_effects
from cxrbench.explain.curves import age_figure
from cxrbench.explain.films import Film
from cxrbench.explain.maps import Method
from cxrbench.explain.overlay import Captioned, overlay, said, write_picture
from cxrbench.explain.trained import OpenStudy, Trained
from cxrbench.files import atomic_file, replaced_folder, write_text
from cxrbench.runs import STUDY_FILE, read_study_record

LIKELIEST = 3
"""Pathologies that are explained where none is asked for."""
EXPLANATIONS_FOLDER = "explanations"
ANSWERS_FILE, FEATURES_FILE, AGES_FILE, AGES_FIGURE = "answers.csv", "features.csv", "ages.csv", "ages.svg"


@dataclass(frozen=True)
class Explaining:
    """What is asked of a film.

    Attributes:
        findings: To explain; empty: the likeliest pathologies.
        methods: Of heat maps; empty: the usual ones that the network answers.
        stage: Of the backbone, for methods that read one; None: each method's own.
    """

    findings: tuple[str, ...] = ()
    methods: tuple[Method, ...] = ()
    stage: int | None = None


def explain_film(
    study: OpenStudy, run: Trained, film: Film, out: Path, *, how: Explaining, boxes: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Write a film's maps, and for -meta approaches what each feature moved, into ``out``; an earlier one is replaced.

    Args:
        study: Whose run is asked.
        run: Which is asked.
        film: Of the study or not.
        out: Gets ``<finding>-<method>.png`` and ``.npy`` (float32, raw, in the film's pixels, NaN where the network saw
            nothing), ``answers.csv`` and, for -meta approaches, ``features.csv``, ``ages.csv`` and ``ages.svg``.
        how: What is asked.
        boxes: Known boxes, as ``film_boxes`` gives them.

    Returns:
        The answers: one row per finding, ``finding, logit, probability, is_calibrated``; none is calibrated.

    Raises:
        StudyError: An unknown finding.
        ConfigError: A method or stage that the network does not have.
    """
    how = replace(how, methods=run.methods(how.methods))
    answer = answer_of(run, film.part)
    logits = answer(film.part.features)[0]  # (L,)
    answers = pl.DataFrame({"finding": run.findings, "logit": logits, "probability": expit(logits)})
    answers = answers.with_columns(is_calibrated=False)
    asked = asked_findings(how.findings, answers, _vocabulary(study, run))
    with replaced_folder(out) as scratch:
        answers.write_csv(scratch / ANSWERS_FILE)
        for row in answers.filter(pl.col("finding").is_in(asked)).iter_rows(named=True):
            text = said(row["finding"], row["probability"], is_calibrated=False)
            caption = Captioned(text, _boxes_of(boxes, film, row["finding"]), film.frame.seen)
            _write_maps(run, film, row["finding"], caption, scratch, how=how)
        if run.scaling.features:
            population = study.table[run.split.rows(study.table, "train")]
            feature_effects(run, answer, film.row, population).write_csv(scratch / FEATURES_FILE)
        if "age" in run.scaling.features:
            ages = age_response(run, answer, film.row)
            ages.write_csv(scratch / AGES_FILE)
            figure = age_figure(ages, asked, age_years=film.row["age_years"][0])
            write_text(scratch / AGES_FIGURE, figure.document)
    return answers


def _vocabulary(study: OpenStudy, run: Trained) -> Vocabulary:
    """The run's findings as the study has them."""
    record = read_study_record(study.folder)
    return recorded_vocabulary(record, run.findings, where=study.folder / STUDY_FILE)


def asked_findings(findings: Sequence[str], answers: pl.DataFrame, vocabulary: Vocabulary) -> list[str]:
    """The findings in the vocabulary's spelling; where none is asked for, the likeliest pathologies.

    Args:
        findings: As they were asked for.
        answers: One row per ``finding``, with its ``probability``.
        vocabulary: The findings' vocabulary, with those that have no answer.

    Raises:
        StudyError: An unknown finding.
    """
    known = tuple(answers["finding"])
    if not findings:
        pathologies = answers.filter(pl.col("finding").is_in(vocabulary.pathologies))
        return list(pathologies.sort("probability", descending=True)["finding"].head(LIKELIEST))
    asked = {name: vocabulary.canonical(name) for name in findings}
    if unanswered := [own for own in asked.values() if own is not None and own not in known]:
        raise StudyError(
            f"{unanswered[0]} is not answered, as no network was trained on it; valid names: {', '.join(known)}"
        )
    if unknown := [name for name, own in asked.items() if own is None]:
        raise StudyError(f"unknown finding {unknown[0]!r}; valid names: {', '.join(known)}")
    return [own for own in asked.values() if own]


def _boxes_of(boxes: pl.DataFrame | None, film: Film, finding: str) -> NDArray[np.float64]:
    """Known boxes (K, 4) of a finding on a film."""
    if boxes is None:
        return np.empty((0, 4))
    own = boxes.filter(pl.col("image_id") == film.row["image_id"][0], pl.col("finding") == finding)
    return own.select("x", "y", "width", "height").to_numpy()


def _write_maps(run: Trained, film: Film, finding: str, caption: Captioned, folder: Path, *, how: Explaining) -> None:
    """Write one finding's maps as arrays and pictures."""
    image, features, _ = next(iter(EvaluationBatches(part=film.part, batch_size=1)))
    asked = Asked(image, features, run.findings.index(finding))
    for method in how.methods:
        heat = film.frame.to_film(maps.heat_maps(run.classifier, asked, method, stage=how.stage)[0])
        write_map(folder / file_stem(finding), film.pixels, heat, caption, method=method)


def file_stem(finding: str) -> str:
    """Return a finding's name as files bear it: without what leads into another folder."""
    return finding.replace("/", "-").replace("\\", "-")


def write_map(
    stem: Path, film: NDArray[np.uint8], heat: NDArray[np.float32], caption: Captioned, *, method: Method
) -> None:
    """Write one map as an array and as a picture of the film under it: ``<stem>-<method>.npy`` and ``.png``.

    Args:
        stem: Folder and finding.
        film: (H, W) grey values.
        heat: (H, W) in the film's pixels.
        caption: What is written above, followed by the method.
        method: Whose map it is.
    """
    with (
        atomic_file(stem.with_name(f"{stem.name}-{method}.npy"), is_durable=False) as scratch,
        scratch.open("wb") as stream,
    ):
        np.save(stream, heat)
    picture = overlay(film, heat, replace(caption, text=f"{caption.text}  {method}"))
    write_picture(stem.with_name(f"{stem.name}-{method}.png"), picture)
