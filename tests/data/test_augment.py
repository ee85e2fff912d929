"""Augmentation as one affine map."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms.functional import ten_crop

from cxrbench.config import Augmentation, Views
from cxrbench.data.augment import draw_affines, view_affines, warp
from cxrbench.data.geometry import centre_affine

PAPER = Augmentation()


def corners(affine, size):
    """Where the output's outer corners lie in the source; pixels reach half a pixel beyond their centres."""
    low, high = -0.5, size - 0.5
    square = np.array([[low, low, 1], [high, low, 1], [high, high, 1], [low, high, 1]])
    return square @ affine.T + 0.5


def draw(augmentation, *, count=500, source=256, size=224, seed=0):
    rng = np.random.default_rng(seed)
    return draw_affines(rng, augmentation, count=count, source=source, size=size)


def test_area_and_aspect_stay_in_their_ranges():
    affines = draw(PAPER)
    linear = affines[:, :, :2] * 224
    area = np.abs(np.linalg.det(linear)) / 256**2
    aspect = np.hypot(linear[:, 0, 0], linear[:, 1, 0]) / np.hypot(linear[:, 0, 1], linear[:, 1, 1])
    assert area.min() >= 0.08 - 1e-9
    assert area.max() <= 1 + 1e-9
    assert 0.08 <= np.quantile(area, 0.1) < 0.3
    assert aspect.min() >= 3 / 4 - 1e-9
    assert aspect.max() <= 4 / 3 + 1e-9


def test_rotation_stays_within_seven_degrees_and_half_are_flipped():
    affines = draw(PAPER.model_copy(update={"area": (1.0, 1.0), "aspect": (1.0, 1.0)}))
    is_flipped = np.linalg.det(affines[:, :, :2]) < 0
    assert 0.4 < is_flipped.mean() < 0.6
    angle = np.rad2deg(np.arctan2(-affines[:, 0, 1], affines[:, 1, 1]))
    assert np.abs(angle).max() <= 7
    assert np.abs(angle).max() > 6


@given(low=st.floats(0.05, 1), aspect=st.floats(1, 2), source=st.integers(32, 300), seed=st.integers(0, 2**32 - 1))
def test_unrotated_crops_lie_inside_the_image(low, aspect, source, seed):
    augmentation = Augmentation(area=(low, 1.0), aspect=(1 / aspect, aspect), rotation_degrees=0)
    for affine in draw(augmentation, count=20, source=source, size=64, seed=seed):
        found = corners(affine, 64)
        assert found.min() >= -1e-6
        assert found.max() <= source + 1e-6


def test_no_change_is_the_identity():
    still = Augmentation(area=(1, 1), aspect=(1, 1), rotation_degrees=0, flip=False)
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32), dtype=np.uint8)
    affines = draw(still, count=3, source=32, size=32)
    np.testing.assert_allclose(warp(images, affines, size=32)[:, 0], images / 255, atol=1e-6)


def test_a_flip_mirrors_left_and_right():
    mirror = np.array([[[-1.0, 0, 31], [0, 1, 0]]])
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32), dtype=np.uint8)
    np.testing.assert_allclose(warp(images, mirror, size=32)[:, 0], images[:, :, ::-1] / 255, atol=1e-6)


def test_the_centre_crop_is_the_middle_of_the_image():
    images = np.random.default_rng(0).integers(0, 256, (2, 72, 72), dtype=np.uint8)
    cropped = warp(images, centre_affine(source=72, size=64), size=64)
    np.testing.assert_allclose(cropped[:, 0], images[:, 4:68, 4:68] / 255, atol=1e-6)


def test_shrinking_agrees_with_bilinear_sampling_by_definition():
    rng = np.random.default_rng(3)
    image = rng.integers(0, 256, (40, 40)).astype(np.uint8)
    affine = draw(PAPER.model_copy(update={"rotation_degrees": 0.0}), count=1, source=40, size=24)[0]
    ours = warp(image[None], affine[None], size=24)[0, 0] * 255

    def sample(row, column):
        x, y = affine @ [column, row, 1]
        x0, y0 = int(np.floor(x)), int(np.floor(y))
        total = 0.0
        for yy, wy in ((y0, 1 - (y - y0)), (y0 + 1, y - y0)):
            for xx, wx in ((x0, 1 - (x - x0)), (x0 + 1, x - x0)):
                inside = 0 <= yy < 40 and 0 <= xx < 40
                total += wy * wx * (float(image[yy, xx]) if inside else 0.0)
        return total

    expected = np.array([[sample(row, column) for column in range(24)] for row in range(24)])
    # OpenCV weighs neighbours in steps of 1/32 pixel.
    assert np.abs(ours - expected).mean() < 2
    assert np.abs(ours - expected).max() <= 255 / 32 * 2 + 1


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_seed_draws_the_same_maps(seed):
    assert np.array_equal(draw(PAPER, seed=seed), draw(PAPER, seed=seed))
    assert not np.array_equal(draw(PAPER, seed=seed), draw(PAPER, seed=seed + 1))


@pytest.mark.parametrize("crop", [None, 64 / 72])
def test_five_crops_and_their_mirror_images_are_torchvisions_ten(crop):
    image = np.random.default_rng(0).integers(0, 256, (72, 72), dtype=np.uint8)
    affines = view_affines(Views(flip=True, crops=5), source=72, size=64, crop=crop)
    ours = warp(image[None], affines, size=64, rows=np.zeros(10, int))[:, 0]
    top_left, top_right, bottom_left, bottom_right, centre, *mirrored = ten_crop(
        torch.from_numpy(image / np.float32(255)), [64, 64]
    )
    corners = [centre, top_left, top_right, bottom_left, bottom_right]
    expected = np.stack([*corners, *(crop.flip(-1) for crop in corners)])
    np.testing.assert_allclose(ours, expected, atol=1e-6)
    assert len(mirrored) == 5


def test_one_view_is_the_centre_crop():
    np.testing.assert_array_equal(view_affines(Views(), source=72, size=64), centre_affine(source=72, size=64))
