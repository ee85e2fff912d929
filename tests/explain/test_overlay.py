"""Pictures: what is hot, what stays plain, where the box is."""

import numpy as np
import pytest
from PIL import Image

from cxrbench.explain.overlay import BOX_COLOUR, Captioned, contact_sheet, normalised, overlay, said, write_picture

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
    assert [said("Mass", p) for p in (0.0004, 0.5, 0.999)] == ["Mass <0.01", "Mass 0.50", "Mass >0.99"]
