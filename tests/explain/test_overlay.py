"""Pictures: what is hot, what stays plain, where the box is."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from cxrbench.explain.overlay import (
    BOX_COLOUR,
    EDGE_COLOUR,
    Captioned,
    contact_sheet,
    normalised,
    overlay,
    said,
    write_picture,
)

NO_BOX = np.empty((0, 4))


def test_the_maps_own_maximum_is_one_and_what_speaks_against_is_nothing():
    shown = normalised(np.array([[np.nan, -3.0], [2.0, 4.0]]))
    assert shown.tolist() == [[0.0, 0.0], [0.5, 1.0]]
    assert not normalised(np.array([[np.nan, -3.0]])).any()


def test_a_film_stays_plain_where_the_map_is_cold_and_turns_where_it_is_hot():
    film = np.full((100, 100), 90, np.uint8)
    heat = np.zeros((100, 100), np.float32)
    heat[60:, 60:] = 5
    picture = overlay(film, heat, Captioned("", NO_BOX))[-100:]
    assert (picture[:50, :50] == 90).all()
    red, green, blue = picture[80, 80].astype(int)
    assert min(red, green) > 150 > blue


@pytest.mark.parametrize("width", [100, 50])
def test_the_box_lies_on_its_place_under_the_caption(width):
    film = np.zeros((80, 100), np.uint8)
    picture = overlay(
        film, np.zeros((80, 100)), Captioned("Mass 0.50", np.array([[20.0, 30.0, 40.0, 20.0]])), width=width
    )
    bar = len(picture) - 80 * width // 100
    assert picture[:bar].max() == 255
    rows, columns = np.nonzero((picture == BOX_COLOUR).all(axis=2))
    scale = width / 100
    assert (rows.min() - bar, rows.max() - bar) == (30 * scale, 50 * scale)
    assert (columns.min(), columns.max()) == (20 * scale, 60 * scale)


def test_a_sheet_holds_every_picture():
    pictures = [np.full((20, 30, 3), value, np.uint8) for value in (10, 20, 30)]
    sheet = contact_sheet(pictures, columns=2)
    assert [int((sheet == value).all(axis=2).sum()) for value in (10, 20, 30)] == [600] * 3
    with pytest.raises(ValueError, match="needs a picture"):
        contact_sheet([], columns=2)


def test_a_picture_comes_back_from_its_file(tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (10, 12, 3)).astype(np.uint8)
    write_picture(tmp_path / "a.png", picture)
    assert (np.asarray(Image.open(tmp_path / "a.png")) == picture).all()


def test_no_probability_is_rounded_to_certainty():
    assert [said("Mass", p, is_calibrated=True) for p in (0.0004, 0.5, 0.999)] == [
        "Mass <0.01",
        "Mass 0.50",
        "Mass >0.99",
    ]


def test_an_output_that_is_no_probability_says_so():
    assert said("Mass", 0.25, is_calibrated=False) == "Mass 0.25 (not calibrated)"


def test_the_edge_of_what_was_seen_is_dashed_inside_the_film_only():
    film = np.zeros((200, 400), np.uint8)
    plain = Captioned("", NO_BOX)
    heat = np.zeros(film.shape, np.float32)
    assert (overlay(film, heat, replace(plain, seen=(0, 0, 400, 200))) == overlay(film, heat, plain)).all()
    picture = overlay(film, heat, replace(plain, seen=(50, 0, 300, 200)))[-200:]
    lit = (picture == EDGE_COLOUR).all(axis=2).mean(axis=0)  # share of each column
    assert 0.4 < lit[50] < 0.6
    assert 0.4 < lit[349] < 0.6
    assert not picture[:, :50].any()
    assert not picture[0, 60:340].any()


@pytest.mark.parametrize("width", [100, 300, 1024])
def test_a_caption_is_never_cut(width):
    film = np.zeros((50, width), np.uint8)
    caption = Captioned("Pleural Thickening 0.25 (not calibrated)   Research use only", NO_BOX)
    picture = overlay(film, np.zeros((50, width), np.float32), caption)
    assert picture[:-50].max() == 255
    assert not picture[:-50, -2:].any()
