"""Figures are small, explain their marks, and can stand on one page."""

from xml.etree import ElementTree

import pytest

from cxrbench.report.drawing import Margins, Mark, drawing, sheet

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
