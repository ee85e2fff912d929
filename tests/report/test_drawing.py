"""Figures are small and explain their marks; approaches are told apart by contrast, hue and dashes."""

from itertools import combinations
from xml.etree import ElementTree

import numpy as np
import pytest

from cxrbench.config import approach_names
from cxrbench.report.drawing import FAINT, FAMILY_COLOURS, INK, Margins, Mark, drawing, looks, sheet

SVG = "{http://www.w3.org/2000/svg}"


def draw(name: str = "first", *, title: str = "ft: 0.8 < 0.9", gid: str = "ft"):
    with sheet(200, 100, Margins()) as figure:
        axes = figure.subplots()
        axes.plot([0.123456789, 1], [0, 1], gid="ft")
        axes.text(0.5, 0.5, "0.123456")
        return drawing(figure, name, alt='A line & "more"', marks={gid: Mark(title, "ft")})


def test_it_is_valid_xml_with_the_mark_explained():
    root = ElementTree.fromstring(draw().svg)  # noqa: S314 - our own text
    assert root.get("aria-label") == 'A line & "more"'
    assert (root.get("width"), root.get("height")) == ("200", "100")
    mark = next(group for group in root.iter(f"{SVG}g") if group.get("class") == "mark")
    assert mark.get("data-approach") == "ft"
    assert mark.find(f"{SVG}title").text == "ft: 0.8 < 0.9"


def test_text_is_text_and_keeps_its_digits_while_paths_lose_theirs():
    svg = draw().svg
    assert ">0.123456<" in svg
    path = next(part for part in svg.split("<path ") if 'd="M' in part and "stroke: #1f77b4" in part)
    assert not any(len(number.rpartition(".")[2].rstrip('"')) > 2 for number in path.split() if "." in number)


def test_two_figures_share_no_id():
    ids = [
        {element.get("id") for element in ElementTree.fromstring(draw(name).svg).iter() if element.get("id")}  # noqa: S314
        for name in ("first", "second")
    ]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_references_stay_inside_the_figure():
    root = ElementTree.fromstring(draw().svg)  # noqa: S314 - our own text
    ids = {element.get("id") for element in root.iter()}
    uses = [use.get("{http://www.w3.org/1999/xlink}href") for use in root.iter(f"{SVG}use")]
    clips = [element.get("clip-path") for element in root.iter() if element.get("clip-path")]
    assert uses
    assert all(use.removeprefix("#") in ids for use in uses)
    assert all(clip.removeprefix("url(#").removesuffix(")") in ids for clip in clips)


def test_it_is_the_same_again():
    assert draw().svg == draw().svg


def test_a_mark_that_was_not_drawn():
    with pytest.raises(ValueError, match="the id first-large"):
        draw(gid="large")


def channels(colour: str) -> np.ndarray:
    """Linear red, green, blue, 0 to 1."""
    values = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast_with_white(colour: str) -> float:
    """WCAG 2.2's contrast ratio."""
    return 1.05 / (float(channels(colour) @ [0.2126, 0.7152, 0.0722]) + 0.05)


@pytest.mark.parametrize("colour", FAMILY_COLOURS)
def test_curves_stand_out_from_paper(colour):
    assert contrast_with_white(colour) >= 4


@pytest.mark.parametrize("colour", [INK, FAINT])
def test_text_is_legible(colour):
    assert contrast_with_white(colour) >= 4.5


# Viénot, Brettel and Mollon 1999, doi:10.1002/(SICI)1520-6378(199908)24:4<243::AID-COL5>3.0.CO;2-3, as matrices on
# linear RGB for a reader without red-sensitive and without green-sensitive cones.
DICHROMATS = {
    "protanope": [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
    "deuteranope": [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
}


@pytest.mark.parametrize("reader", DICHROMATS)
def test_the_papers_four_families_differ_without_colour_vision(reader):
    seen = [np.array(DICHROMATS[reader]) @ channels(colour) for colour in FAMILY_COLOURS[:4]]
    lightness = [np.cbrt(np.clip(one, 0, 1)) for one in seen]
    assert min(float(np.abs(a - b).max()) for a, b in combinations(lightness, 2)) > 0.08


def test_every_packaged_approach_has_its_own_look():
    found = looks(approach_names())
    assert len({(look.colour, look.dashes) for look in found.values()}) == len(approach_names())


def test_a_twin_shares_the_colour():
    found = looks(["ft", "ft-meta", "large"])
    assert found["ft"].colour == found["ft-meta"].colour != found["large"].colour
    assert (found["ft"].is_dashed, found["ft-meta"].is_dashed) == (True, False)
    assert not found["large"].is_dashed
