"""What resolution is worth: an observer who knows where a nodule may be, at two sizes of the same films."""

import cv2
import numpy as np
import pytest

from cxrbench.data.phantom.film import draw_film
from cxrbench.data.phantom.population import Film, Sign
from cxrbench.data.phantom.settings import PhantomSettings

SETTINGS = PhantomSettings(size_px=256, detail_px=128, seed=11)
FULL_PX, HALF_PX = 128, 64
RADIUS = {FULL_PX: 4, HALF_PX: 2}  # of the region that the observer looks at: the same piece of film


def shrunk(picture, size):
    return cv2.resize(picture.pixels, (size, size), interpolation=cv2.INTER_AREA).astype(float)


def patch(image, x, y, size):
    column, row, radius = int(x * size), int(y * size), RADIUS[size]
    return image[row - radius : row + radius + 1, column - radius : column + radius + 1]


@pytest.fixture(scope="module")
def patches():
    """Per size: patches with nodules less the same without, and patches of lung without nodules."""
    rng = np.random.default_rng(0)
    signals, lungs = {size: [] for size in RADIUS}, {size: [] for size in RADIUS}
    for patient in range(1, 41):
        view, sex = ("AP", "PA")[patient % 2], ("M", "F")[patient // 2 % 2]
        shown, healthy = (
            draw_film(Film(patient, 0, 50, sex, view, signs, (), ()), SETTINGS)
            for signs in ((Sign("Nodule", 0.7),), ())
        )
        for size, radius in RADIUS.items():
            with_nodules, without = shrunk(shown, size), shrunk(healthy, size)
            for lesion in shown.lesions:
                x, y = lesion.x + lesion.width / 2, lesion.y + lesion.height / 2
                signals[size].append(patch(with_nodules - without, x, y, size).ravel())
                for dx, dy in rng.uniform(-0.07, 0.07, (40, 2)):
                    lung = patch(without, x + dx, y + dy, size)
                    if lung.size == (2 * radius + 1) ** 2:  # not over the film's edge
                        lungs[size].append(lung.ravel())
    return {size: (np.array(signals[size]), np.array(lungs[size])) for size in RADIUS}


def signal_to_noise(signals, lungs):
    """Median over nodules of the best linear observer's SNR (Hotelling): anatomy is the noise."""
    covariance = np.cov(lungs.T) + 0.1 * np.eye(lungs.shape[1])  # what 8 bits add
    return np.median(np.sqrt(np.einsum("ij,ji->i", signals, np.linalg.solve(covariance, signals.T))))


def test_nodules_lose_most_of_their_signal_at_half_the_size(patches):
    full, half = signal_to_noise(*patches[FULL_PX]), signal_to_noise(*patches[HALF_PX])
    # At one known place; among the thousand places of a lung chance alone reaches more than 3.
    assert full > 16
    assert half < 10
    assert full > 2.5 * half


def test_a_nodule_stands_out_by_its_grey_only_at_full_size(patches):
    def contrast(size):
        signals, lungs = patches[size]
        return np.median(signals.max(axis=1)) / np.median(lungs.std(axis=1))

    assert contrast(FULL_PX) > 1.5 * contrast(HALF_PX)
