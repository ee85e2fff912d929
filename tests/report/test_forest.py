"""Intervals of differences stay within -1 and 1, on the axis and in print."""

import re

import pytest

from cxrbench.report.forest import Difference, forest_figure

WIDE = Difference(label="ft", of=("large", "ft"), value=0.02, lower=-2.3, upper=2.359)
NARROW = Difference(label="ots", of=("large", "ots"), value=0.05, lower=0.01, upper=0.09)


def test_an_interval_beyond_what_a_difference_can_be_is_cut_in_print():
    assert str(WIDE) == "+0.020 (←\u202f−1 to 1\u202f→)"
    assert str(NARROW) == "+0.050 (0.010 to 0.090)"


def points(svg: str) -> list[float]:
    """Horizontal ends of every drawn line, pixels."""
    return [float(x) for path in re.findall(r' d="(M [^"]*)"', svg) for x in re.findall(r"[ML] (-?[\d.]+)", path)]


def test_a_wide_interval_neither_leaves_the_figure_nor_dwarfs_the_others():
    wide, narrow = (forest_figure(rows, "f", axis="Difference").svg for rows in ([WIDE, NARROW], [NARROW]))
    assert -10 <= min(points(wide)) <= max(points(wide)) <= 950
    ticks = [float(tick) for tick in re.findall(r">(−?\d\.\d+)<", wide.replace("−", "-")) if abs(float(tick)) < 1]
    assert max(map(abs, ticks)) <= 0.2
    assert wide.count("<use") > narrow.count("<use")  # two arrows


@pytest.mark.parametrize(("seen", "marks"), [((), 0), (("ots",), 1), (("large",), 2)])
def test_numbers_of_weights_that_saw_test_films_are_marked(seen, marks):
    assert forest_figure([WIDE, NARROW], "f", axis="Difference", seen=seen).svg.count("†</text>") == marks
