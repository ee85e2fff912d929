"""Squares and sizes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrbench.data.geometry import pad_to_square, resize_square


@given(height=st.integers(1, 30), width=st.integers(1, 30))
def test_padding_keeps_every_pixel_centred_in_a_square_of_zeros(height, width):
    image = np.full((height, width), 7, np.uint8)
    square = pad_to_square(image)
    side = max(height, width)
    assert square.shape == (side, side)
    assert square.sum() == image.sum()
    rows, columns = np.nonzero(square)
    for found, length in ((rows, height), (columns, width)):
        before, after = found.min(), side - 1 - found.max()
        assert found.max() - found.min() + 1 == length
        assert after - before in {0, 1}


def test_shrinking_averages_areas():
    image = np.random.default_rng(0).integers(0, 256, (96, 96), dtype=np.uint8)
    mean = image.reshape(24, 4, 24, 4).mean(axis=(1, 3))
    assert np.abs(resize_square(image, 24).astype(float) - mean).max() <= 0.5


def test_shrinking_by_a_broken_factor_averages_areas_too():
    image = np.random.default_rng(0).integers(0, 256, (60, 60), dtype=np.uint8)
    exact = np.kron(image, np.ones((2, 2))).reshape(40, 3, 40, 3).mean(axis=(1, 3))  # 60 -> 120 -> 40
    assert np.abs(resize_square(image, 40).astype(float) - exact).max() <= 1


def test_the_same_size_changes_nothing():
    image = np.random.default_rng(0).integers(0, 256, (33, 33), dtype=np.uint8)
    assert np.array_equal(resize_square(image, 33), image)


def test_enlarging_is_linear_between_pixel_centres():
    ramp = np.tile(np.arange(0, 160, 10, dtype=np.uint8), (16, 1))
    enlarged = resize_square(ramp, 32)
    centres = np.clip((np.arange(32) + 0.5) / 2 - 0.5, 0, 15)
    assert enlarged[5].astype(float) == pytest.approx(10 * centres, abs=0.51)
