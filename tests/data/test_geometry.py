"""How a film becomes a square, and how a map comes back to where the network saw it."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrbench.data.augment import warp
from cxrbench.data.geometry import Frame, centre_affine, pad_to_square, resize_square


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


def seen_by_network(film, frame):
    square = frame.shrink(film)
    affine = centre_affine(source=frame.store_size, size=frame.image_size, crop=frame.evaluation_crop)
    return warp(square[None], affine, size=frame.image_size)[0, 0]


@pytest.mark.parametrize("crop", [None, 1.0, 0.7], ids=["as many pixels", "all of it", "the middle"])
@pytest.mark.parametrize("shape", [(400, 400), (500, 380), (301, 440)], ids=["square", "tall", "wide and odd"])
def test_what_the_network_sees_comes_back_to_its_place(shape, crop):
    film = np.random.default_rng(0).integers(0, 255, (9, 9)).astype(np.uint8)
    film = cv2.resize(film, shape[::-1], interpolation=cv2.INTER_CUBIC)
    frame = Frame(*shape, store_size=256, image_size=224, evaluation_crop=crop)
    back = frame.to_film(seen_by_network(film, frame) * 255)
    known = ~np.isnan(back)
    assert np.abs(back[known] - film[known]).mean() < 1.5  # grey values; bilinear shrinking and enlarging
    shifted = np.abs(back[:, :-6][known[:, :-6]] - film[:, 6:][known[:, :-6]]).mean()
    assert shifted > 3  # a shift of six pixels would show


@given(height=st.integers(60, 400), width=st.integers(60, 400), cells=st.integers(1, 14))
def test_unseen_is_unknown_and_a_flat_map_stays_flat(height, width, cells):
    frame = Frame(height, width, store_size=72, image_size=64)
    heat = frame.to_film(np.full((cells, cells), 2.5))
    assert heat.shape == (height, width)
    known = ~np.isnan(heat)
    assert np.allclose(heat[known], 2.5)
    side = max(height, width)
    y, x = np.indices((height, width))
    square_y, square_x = y + (side - height) // 2 + 0.5, x + (side - width) // 2 + 0.5
    margin = 4 * side / 72
    inside = (square_y >= margin) & (square_y <= side - margin) & (square_x >= margin) & (square_x <= side - margin)
    assert np.mean(inside == known) > 0.99  # rounding at the rim


def test_a_cell_is_highest_at_its_centre():
    frame = Frame(256, 256, store_size=256, image_size=224)
    cells = np.zeros((7, 7))
    cells[2, 5] = 1
    row, column = np.unravel_index(np.nanargmax(frame.to_film(cells)), (256, 256))
    assert (row, column) == (16 + 2 * 32 + 16 - 1, 16 + 5 * 32 + 16 - 1)


def test_a_shrunk_frame_is_the_same_film():
    frame = Frame(1024, 800, store_size=72, image_size=64)
    assert (frame.shrunk(512).height, frame.shrunk(512).width) == (512, 400)
    assert frame.shrunk(2000) == frame


def test_the_stores_square_stands_in_for_the_film():
    film = np.zeros((200, 100), np.uint8)
    film[:100] = 200
    frame = Frame(200, 100, store_size=64, image_size=64)
    restored = frame.restore(frame.shrink(film))
    assert restored.shape == film.shape
    assert np.abs(restored[10:90, 5:-5].astype(int) - 200).max() < 3


@given(height=st.integers(60, 400), width=st.integers(60, 400), crop=st.floats(0.3, 1))
def test_a_written_crop_is_a_share_of_the_square(height, width, crop):
    frame = Frame(height, width, store_size=256, image_size=224, evaluation_crop=crop)
    x, y, across, down = frame.seen
    side = max(height, width)
    assert (across, down) == pytest.approx((min(width, crop * side), min(height, crop * side)), abs=0.51)
    assert (x + across / 2, y + down / 2) == pytest.approx((width / 2, height / 2), abs=0.51)
    as_pixels = Frame(height, width, store_size=256, image_size=224)
    assert as_pixels.seen == pytest.approx(Frame(height, width, 256, 224, evaluation_crop=224 / 256).seen)


@given(height=st.integers(60, 400), width=st.integers(60, 400))
def test_what_is_seen_is_where_a_map_is_known(height, width):
    frame = Frame(height, width, store_size=256, image_size=224)
    rows, columns = np.nonzero(~np.isnan(frame.to_film(np.ones((7, 7)))))
    x, y, across, down = frame.seen
    found = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert np.abs(np.subtract(found, (x, y, x + across, y + down))).max() <= 1
