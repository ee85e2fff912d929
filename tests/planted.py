"""Films with one planted pattern, a network fitted to it, and how often its heat maps peak where the pattern is."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch.nn.functional import binary_cross_entropy_with_logits

from cxrbench.config import Approach, load_approach, with_changes
from cxrbench.data.augment import warp
from cxrbench.data.geometry import Frame, centre_affine, input_frame
from cxrbench.explain.activations import Asked
from cxrbench.explain.maps import Method, heat_maps
from cxrbench.explain.sanity import cascade
from cxrbench.models.classifier import Classifier

TINY_VIT = {"embed_dim": 64, "depth": 4, "num_heads": 2}
FAMILIES: dict[str, dict[str, Any]] = {
    "resnet": {"resnet": {"blocks": [1, 1, 1, 1], "width": 16}},
    "densenet": {"timm": {"model": "densenet121", "options": {"growth_rate": 8}}},
    "efficientnet": {"timm": {"model": "test_efficientnet"}},
    "convnext": {"timm": {"model": "test_convnext"}},
    "convnextv2": {"timm": {"model": "test_convnext3"}},
    "swin": {"timm": {"model": "swin_tiny_patch4_window7_224", "options": {"embed_dim": 24}}},
    "vit": {"timm": {"model": "test_vit"}},
    "dinov2": {"timm": {"model": "vit_small_patch14_dinov2", "options": {**TINY_VIT, "init_values": 1.0}}},
    "eva02": {"timm": {"model": "eva02_tiny_patch14_224", "options": TINY_VIT}},
    "maxvit": {"timm": {"model": "test_maxvit"}},
}
"""Tiny networks. The layer scale of dinov2 is 1: at its own 0.00001 a network that has not learnt sees nothing."""
HEIGHT, WIDTH = 300, 240
SPREAD_PX = 15.0
"""Standard deviation of the spot: as wide as one or two cells."""
DARK = 20
PLACES = 20
BATCH = 16
FEW_FILMS, FEW_STEPS = 80, 40
"""Enough for some networks, in a moment."""
FILMS, STEPS = 480, 160
"""Enough for every family to be sure of the spot, whatever else of the film is changed."""


def approach_of(family: str) -> Approach:
    """An approach with a family's network, which sees nine tenths of a film's side."""
    image_size = 196 if family in {"dinov2", "eva02"} else 192
    changes = {
        "network.backbone": FAMILIES[family],
        "input.image_size": image_size,
        "input.store_size": image_size * 8 // 7,
        "input.evaluation_crop": 0.9,
        "input.mean": (DARK / 255,),
        "input.std": (0.25,),
    }
    return with_changes(load_approach("1channel"), changes)


@dataclass(frozen=True)
class Planted:
    """Films (N, H, W), and where each has its spot: (N, 2) of y and x in pixels, NaN for none."""

    films: NDArray[np.uint8]
    places: NDArray[np.float64]

    @property
    def has_spot(self) -> NDArray[np.bool_]:
        """(N,)."""
        return ~np.isnan(self.places[:, 0])


def planted_films(count: int, *, with_spot: float, seed: int) -> Planted:
    """Dark films of soft noise, a share of them with a bright spot at a random place."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((HEIGHT, WIDTH))
    films, places = np.empty((count, HEIGHT, WIDTH), np.uint8), np.full((count, 2), np.nan)
    for number in range(count):
        film = DARK + 20 * gaussian_filter(rng.normal(size=(HEIGHT, WIDTH)), 3)
        if rng.random() < with_spot:
            top, left = (rng.uniform(0.14 * HEIGHT, side - 0.14 * HEIGHT) for side in (HEIGHT, WIDTH))
            film += 220 * np.exp(-((y - top) ** 2 + (x - left) ** 2) / (2 * SPREAD_PX**2))
            places[number] = top, left
        films[number] = film.clip(0, 255)
    return Planted(films, places)


def seen(films: NDArray[np.uint8], approach: Approach) -> torch.Tensor:
    """Films (N, 1, S, S) as the network sees them."""
    given = approach.input
    frame = input_frame(given, HEIGHT, WIDTH)
    affine = centre_affine(source=given.store_size, size=given.image_size, crop=given.evaluation_crop)
    return torch.from_numpy(warp(np.stack([frame.shrink(film) for film in films]), affine, size=given.image_size))


def drawn_network(approach: Approach, *, seed: int) -> Classifier:
    """A network with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Classifier(approach, findings=1).eval()


def fitted_network(approach: Approach, train: Planted, *, seed: int, steps: int = STEPS) -> Classifier:
    """A network with random weights whose head, and then the backbone's last block too, is fitted to the spot."""
    classifier, films = drawn_network(approach, seed=seed), seen(train.films, approach)
    _solve_head(classifier, films, train.has_spot)
    parts = cascade(classifier)
    last = f"backbone.{classifier.backbone.layers[-1].module}."
    trained = parts[: 1 + next(place for place, part in enumerate(parts) if last.startswith(f"{part}."))]
    for name, weight in classifier.named_parameters():
        weight.requires_grad_(any(f"{name}.".startswith(f"{part}.") for part in trained))
    _train(classifier, films, torch.from_numpy(train.has_spot).float(), steps=steps)
    return classifier


@torch.no_grad()
def _solve_head(classifier: Classifier, films: torch.Tensor, has_spot: NDArray[np.bool_]) -> None:
    """Ridge regression of the spot on what the head takes."""
    features = torch.cat([classifier.image_features(part) for part in films.split(BATCH)]).double()
    mean, spread = features.mean(dim=0), features.std(dim=0)
    spread = spread.clamp(min=1e-3 * float(spread.max()))
    scaled = (features - mean) / spread
    target = torch.from_numpy(has_spot - has_spot.mean())
    penalty = len(films) * torch.eye(scaled.shape[1], dtype=torch.float64)
    weight = torch.linalg.solve(scaled.T @ scaled + penalty, scaled.T @ target)
    weight *= 3 / (scaled @ weight).std()  # logits of about three
    classifier.head.weight[:] = (weight / spread).float()
    classifier.head.bias[:] = -((weight / spread) @ mean).float()


def _train(classifier: Classifier, films: torch.Tensor, target: torch.Tensor, *, steps: int) -> None:
    """A few steps of what asks for a gradient; norms keep their statistics."""
    learning = [weight for weight in classifier.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(learning, lr=1e-3)
    order = torch.Generator().manual_seed(0)
    for _ in range(steps):
        chosen = torch.randint(len(films), (BATCH,), generator=order)
        logits = classifier(films[chosen], torch.zeros(BATCH, 0))[:, 0]
        optimiser.zero_grad()
        binary_cross_entropy_with_logits(logits, target[chosen]).backward()
        optimiser.step()


def hits(classifier: Classifier, approach: Approach, test: Planted, method: Method, *, stage: int | None = None) -> int:
    """On how many films the map has its maximum in the cell that holds the place, or in one beside it."""
    frame = input_frame(approach.input, HEIGHT, WIDTH)
    asked = Asked(seen(test.films, approach), torch.zeros(len(test.films), 0), 0)
    cells = heat_maps(classifier, asked, method, stage=stage)
    peaks = [np.unravel_index(np.nanargmax(heat), heat.shape) for heat in map(frame.to_film, cells)]
    return within_one_cell(np.array(peaks) + 0.5, test.places, frame, cells.shape[1])


def centre_hits(approach: Approach, test: Planted, *, cells: int) -> int:
    """The same of the middle of the film, on a grid of so many cells along a side."""
    middle = np.tile([HEIGHT / 2, WIDTH / 2], (len(test.places), 1))
    return within_one_cell(middle, test.places, input_frame(approach.input, HEIGHT, WIDTH), cells)


def within_one_cell(peaks: NDArray[np.float64], places: NDArray[np.float64], frame: Frame, cells: int) -> int:
    """How many of the peaks (N, 2) lie in their place's cell, or in one beside it."""
    side = frame.side * _share(frame) / cells  # of a cell, in the film's pixels
    corner = np.array([HEIGHT, WIDTH]) / 2 - frame.side * _share(frame) / 2  # of what the network sees
    apart = np.abs(np.floor((peaks - corner) / side) - np.floor((places - corner) / side))
    return int((apart.max(axis=1) <= 1).sum())


def _share(frame: Frame) -> float:
    """Side of what the network sees as a share of the padded film's."""
    return frame.evaluation_crop or frame.image_size / frame.store_size
