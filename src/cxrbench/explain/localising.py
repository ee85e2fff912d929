"""Heat maps against known boxes: a run's own test films only, beside two maps that know nothing."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
import torch

from cxrbench.data.delivery import EvaluationBatches
from cxrbench.data.geometry import Frame
from cxrbench.evaluate.explanations import CENTRE, RANDOM
from cxrbench.explain import maps
from cxrbench.explain.activations import Asked
from cxrbench.explain.maps import Method
from cxrbench.explain.trained import OpenStudy, Trained
from cxrbench.stats.localisation import PEAK_LEVELS, MapScores, score_map

BATCH = 16
SCORED_SIDE = 512
"""Maps are scored on films shrunk to this longer side, pixels: finer than any cell, and four times as fast."""


def iou_column(level: float) -> str:
    """Column of the intersection over union at a level of the map."""
    return f"iou_at_{level:g}"


SCORES_SCHEMA = {
    "approach": pl.String,
    "split": pl.String,
    "seed": pl.Int64,
    "image_id": pl.String,
    "patient_id": pl.String,
    "finding": pl.String,
    "boxes": pl.Int64,
    "logit": pl.Float32,
    "method": pl.String,
    "is_hit": pl.Boolean,
    **{iou_column(level): pl.Float64 for level in PEAK_LEVELS},
    "energy": pl.Float64,
}


@dataclass(frozen=True)
class Boxed:
    """One finding on one film, with its boxes, and the film's map where it was made."""

    image_id: str
    patient_id: str
    finding: str
    boxes: np.ndarray
    """(K, 4) in pixels of the film."""
    frame: Frame


def boxed_findings(study: OpenStudy, run: Trained, boxes: pl.DataFrame) -> list[Boxed]:
    """The boxed findings on the run's test films, by finding, then image; empty where none has a box."""
    test = set(run.test_rows(study.table)["image_id"])
    known = boxes.filter(pl.col("image_id").is_in(list(test)), pl.col("finding").is_in(list(run.findings)))
    return [
        Boxed(
            image_id=image_id,
            patient_id=own["patient_id"][0],
            finding=finding,
            boxes=own.select("x", "y", "width", "height").to_numpy(),
            frame=run.frame(*study.frames[image_id]),
        )
        for (finding, image_id), own in known.sort("finding", "image_id")
        .partition_by("finding", "image_id", as_dict=True, maintain_order=True)
        .items()
    ]


@dataclass(frozen=True)
class Mapped:
    """A boxed finding with the network's answer and its raw maps by method, on the network's own grids."""

    boxed: Boxed
    logit: float
    cells: dict[Method, np.ndarray]


def mapped(
    study: OpenStudy, run: Trained, asked: Sequence[Boxed], methods: Iterable[Method], *, stage: int | None = None
) -> Iterator[Mapped]:
    """Maps of boxed findings, those of one finding in batches together; in the order asked."""
    chosen = tuple(methods)
    for finding in dict.fromkeys(one.finding for one in asked):
        together = [one for one in asked if one.finding == finding]
        part = run.part(study, study.rows([one.image_id for one in together]))
        for number, (film, features, _) in enumerate(EvaluationBatches(part=part, batch_size=BATCH)):
            question = Asked(film, features, run.findings.index(finding))
            with torch.inference_mode():
                logits = run.classifier(film, features)[:, question.finding].tolist()
            cells = {method: maps.heat_maps(run.classifier, question, method, stage=stage) for method in chosen}
            for place, one in enumerate(together[number * BATCH : number * BATCH + len(film)]):
                yield Mapped(one, logits[place], {method: own[place] for method, own in cells.items()})


def score_rows(run: Trained, answers: Iterable[Mapped], *, seed: int = 0) -> Iterator[dict[str, Any]]:
    """One row per boxed finding and method or baseline, as in ``SCORES_SCHEMA``.

    Args:
        run: Whose maps they are.
        answers: As ``mapped`` gives them.
        seed: Of the random maps.
    """
    rng = np.random.default_rng(seed)
    for answer in answers:
        boxed = answer.boxed
        frame = boxed.frame.shrunk(SCORED_SIDE)
        boxes = boxed.boxes * np.tile([frame.width / boxed.frame.width, frame.height / boxed.frame.height], 2)
        heats: dict[str, np.ndarray] = {name: frame.to_film(cells) for name, cells in answer.cells.items()}
        heats[CENTRE] = centre_map(frame)
        heats[RANDOM] = frame.to_film(rng.random(next(iter(answer.cells.values())).shape))
        head = {
            **asdict(run.name),
            "image_id": boxed.image_id,
            "patient_id": boxed.patient_id,
            "finding": boxed.finding,
            "boxes": len(boxed.boxes),
            "logit": answer.logit,
        }
        for name, heat in heats.items():
            yield head | {"method": name} | _columns(score_map(heat, boxes))


def _columns(scores: MapScores) -> dict[str, Any]:
    """The scores of one map as columns."""
    ious = zip(map(iou_column, PEAK_LEVELS), scores.ious, strict=True)
    return {"is_hit": scores.is_hit, **dict(ious), "energy": scores.energy}


def centre_map(frame: Frame) -> np.ndarray:
    """A cone (H, W) over the middle of the film; it reaches half its height a quarter of the longer side away."""
    y, x = (np.arange(side) + 0.5 - side / 2 for side in (frame.height, frame.width))
    distance = np.hypot(y[:, None], x[None, :])
    return np.asarray(np.maximum(0, 1 - 2 * distance / frame.side))
