"""Logits of a part's images, in full single precision."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor

from cxrbench.config import Approach
from cxrbench.data.augment import view_affines
from cxrbench.data.delivery import EvaluationBatches, Part
from cxrbench.files import atomic_file
from cxrbench.models.classifier import Classifier

EVALUATION_BATCH = 64


def scorer(classifier: Classifier, approach: Approach) -> Callable[[Tensor, Tensor], Tensor]:
    """What gives logits: of films, or of their image features where the approach has these cached."""
    return classifier if approach.cached_views is None else classifier.classify


@torch.inference_mode()
def predict(
    classifier: Classifier, part: Part, *, approach: Approach, device: torch.device | None = None
) -> np.ndarray:
    """Return logits (n, L) float32 of a part's images in full single precision: the mean over the approach's views."""
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    score = scorer(classifier.to(device).eval(), approach)
    affines = view_affines(
        approach.test_time, source=part.pixels.shape[1], size=part.image_size, crop=part.evaluation_crop
    )
    with full_precision():
        views = [_view(score, part, affine[None], device) for affine in affines]
    return views[0] if len(views) == 1 else np.stack(views).mean(axis=0, dtype=np.float64).astype(np.float32)


def _view(
    score: Callable[[Tensor, Tensor], Tensor], part: Part, affine: np.ndarray, device: torch.device
) -> np.ndarray:
    """Logits (n, L) of one view of each image."""
    batches = [
        score(film.to(device), features.to(device)).float().cpu()
        for film, features, _ in EvaluationBatches(part=part, batch_size=EVALUATION_BATCH, affine=affine)
    ]
    return torch.cat(batches).numpy()


def full_precision() -> AbstractContextManager[None]:
    """No TF32, and the same sums every time."""
    flags: AbstractContextManager[None] = torch.backends.cudnn.flags(enabled=True, allow_tf32=False, deterministic=True)
    return flags


def write_predictions(path: Path, ids: pl.DataFrame, logits: np.ndarray, findings: tuple[str, ...]) -> None:
    """Write ``image_id, patient_id`` and one float32 logit per finding."""
    columns = {finding: logits[:, position] for position, finding in enumerate(findings)}
    with atomic_file(path) as scratch:
        ids.with_columns(
            **{name: pl.Series(values, dtype=pl.Float32) for name, values in columns.items()}
        ).write_parquet(scratch)
