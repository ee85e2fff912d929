"""One film: anatomy, signs, exposure."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cxrbench.data.phantom.population import Film
from cxrbench.data.phantom.settings import PhantomSettings


@dataclass(frozen=True)
class Lesion:
    """Where one sign is: a box and a diameter in fractions of the image's side, and its contrast."""

    finding: str
    x: float
    y: float
    width: float
    height: float
    diameter: float
    contrast: float
    """Largest change of the optical depth."""


@dataclass(frozen=True)
class Picture:
    """A film as stored, and what it shows where."""

    pixels: NDArray[np.uint8]  # (H, W)
    lesions: tuple[Lesion, ...]


def expose(film: Film, settings: PhantomSettings) -> Picture:
    """Draw one film."""
    side = settings.size_px
    rng = np.random.default_rng([settings.seed, film.patient, film.follow_up, 1])
    image = np.full((side, side), 200, np.uint8)
    for lung in (0.3, 0.7):
        cv2.ellipse(image, (int(lung * side), int(0.5 * side)), (int(0.15 * side), int(0.32 * side)), 0, 0, 360, 80, -1)
    lesions = []
    for sign in film.signs:
        if sign.visibility > 0:
            x, y = rng.uniform(0.25, 0.75), rng.uniform(0.3, 0.7)
            diameter = 2.2 / settings.detail_px if sign.finding == "Nodule" else 0.1
            centre = (round(x * side), round(y * side))
            cv2.circle(
                image, centre, max(1, round(diameter / 2 * side)), int(100 + 60 * sign.visibility), -1, cv2.LINE_AA
            )
            lesions.append(Lesion(sign.finding, x - diameter / 2, y - diameter / 2, diameter, diameter, diameter, 0.3))
    noisy = image + rng.normal(0, 3, image.shape)
    return Picture(np.clip(noisy, 0, 255).astype(np.uint8), tuple(lesions))
