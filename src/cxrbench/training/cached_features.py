"""Image features of a frozen backbone, computed once for the whole store and kept beside it.

They are pooled features or feature maps, as the head takes them. They depend on the store, the weights, the backbone
and what of each film is seen. All splits, approaches and seeds that agree in these share a file. It is always in full
single precision, as predictions are made of it.
"""

import hashlib
from pathlib import Path

import numpy as np
import torch

from cxrbench.config import Approach, RunConfig, code_of
from cxrbench.data.augment import draw_affines, warp
from cxrbench.data.geometry import centre_affine
from cxrbench.data.store import Store
from cxrbench.errors import TrainingError
from cxrbench.files import atomic_file, digest_json, in_turn
from cxrbench.models.classifier import Classifier
from cxrbench.training.inference import EVALUATION_BATCH, full_precision

FOLDER = "features"
"""In the store's folder: who deletes the store, deletes what was made of it."""


def cached_features(
    config: RunConfig, *, store: Store, classifier: Classifier, device: torch.device
) -> list[np.ndarray]:
    """Return features of all rows of the store, memory-mapped: of the centre crop, then of each augmented view.

    What is not there yet is made. One view means the centre crop alone.

    Returns:
        Arrays (N, pooled) or (N, C, h, w), float32.

    Raises:
        TrainingError: They cannot be written.
    """
    views = config.approach.cached_views or 1
    wanted = [None, *(range(views) if views > 1 else [])]
    network = _network_digest(config, classifier)
    return [_kept(config, view, network, store=store, classifier=classifier, device=device) for view in wanted]


def _network_digest(config: RunConfig, classifier: Classifier) -> str:
    """Return the digest of the backbone, its weights, and which of its features the head takes."""
    network, weights = config.approach.network, hashlib.sha256()
    if config.weights is not None:
        weights.update(config.weights.digest.encode())
    else:  # a network of the user's own brought them
        for name, value in sorted(classifier.backbone.state_dict().items()):
            weights.update(name.encode() + value.detach().cpu().flatten().view(torch.uint8).numpy().tobytes())
    own = code_of(network)
    code = [] if own is None else [{top: (config.code or {}).get(top) for top in own}]
    return digest_json([network.backbone.identity(), classifier.head.takes, weights.hexdigest(), *code])


def _kept(
    config: RunConfig, view: int | None, network: str, *, store: Store, classifier: Classifier, device: torch.device
) -> np.ndarray:
    """One view, read or made: by the first run that needs it, while others wait."""
    path = store.folder / FOLDER / f"{_digest(config, view, network)}.npy"
    if not path.exists():
        pixels = store.pixels(config.approach.input.store_size)
        affines = _affines(config.approach, view, seed=config.seed, count=len(pixels))
        size = config.approach.input.image_size
        try:
            with in_turn(path):
                if not path.exists():
                    _make(path, pixels, affines, size=size, classifier=classifier, device=device)
        except OSError as error:
            raise TrainingError(
                f"{path.parent}: features of {config.approach.name} cannot be kept ({error.strerror}); "
                "make room, or let the approach have no cached_views"
            ) from error
    features: np.ndarray = np.load(path, mmap_mode="r")
    return features


def _digest(config: RunConfig, view: int | None, network: str) -> str:
    """Return the name of what the features depend on."""
    approach = config.approach
    seen = None if view is None else [approach.augmentation.identity(), config.seed, view]
    return digest_json([config.store_digest, network, approach.input.identity(), seen])


def _affines(approach: Approach, view: int | None, *, seed: int, count: int) -> np.ndarray:
    """(N, 2, 3) maps of an augmented view, or (1, 2, 3) of the centre crop."""
    source, size = approach.input.store_size, approach.input.image_size
    if view is None:
        return centre_affine(source=source, size=size, crop=approach.input.evaluation_crop)
    return draw_affines(
        np.random.default_rng([seed, view]), approach.augmentation, count=count, source=source, size=size
    )


@torch.inference_mode()
def _make(
    path: Path, pixels: np.ndarray, affines: np.ndarray, *, size: int, classifier: Classifier, device: torch.device
) -> None:
    """Run the backbone over all images, a batch at a time."""
    classifier = classifier.to(device).eval()
    with atomic_file(path) as scratch, full_precision():
        features = None
        for start in range(0, len(pixels), EVALUATION_BATCH):
            rows = np.arange(start, min(start + EVALUATION_BATCH, len(pixels)))
            maps = affines if len(affines) == 1 else affines[rows]
            film = torch.from_numpy(warp(pixels, maps, size=size, rows=rows)).to(device)
            found = classifier.image_features(film).cpu().numpy()
            if features is None:
                shape = (len(pixels), *found.shape[1:])
                features = np.lib.format.open_memmap(scratch, mode="w+", dtype=np.float32, shape=shape)
            features[rows] = found
        if features is None:
            raise TrainingError(f"{path.parent}: the store holds no image")
        features.flush()
