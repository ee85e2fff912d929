"""Small multiples: a panel for each curve, drawn where its numbers say."""

import re

import numpy as np

from cxrbench.report.drawing import INK, Look, themed
from cxrbench.report.panels import ABOVE, BELOW, BOTTOM, GAP, LEFT, RIGHT, SIDE, Panel, panels_figure


def panel(title: str, **changes) -> Panel:
    line = np.array([0.0, 0.5])
    return Panel(title, "AUC 0.8", title, Look("#0072b2", is_dashed=False), line, line, **changes)


def draw(*panels: Panel) -> str:
    return panels_figure(panels, "roc", alt="Two curves", x_label="across", y_label="up").svg


def test_there_are_four_in_a_row():
    svg = draw(*(panel(f"approach {number}") for number in range(6)))
    width, height = 4 * SIDE + 3 * GAP + LEFT + RIGHT, 2 * (ABOVE + SIDE + BELOW) + BOTTOM
    assert f'width="{width:g}" height="{height:g}"' in svg
    assert svg.count('class="mark"') == 6
    assert all(f">approach {number}<" in svg for number in range(6))


def test_a_curve_ends_where_it_should():
    for top, x, y in ((1.0, LEFT + SIDE / 2, ABOVE + SIDE / 2), (0.5, LEFT + SIDE, ABOVE)):
        svg = draw(panel("a", top=top))
        path = re.search(r'class="mark".*?d="([^"]*)"', svg)[1]
        ends = [float(number) for number in re.findall(r"-?[\d.]+", path)]
        assert np.allclose(ends, [LEFT, ABOVE + SIDE, x, y], atol=0.02)


def test_the_page_sets_the_colours_and_files_keep_theirs():
    svg = draw(panel("a"))
    assert "#0072b2" in svg
    assert "var(--family-0)" in themed(svg)
    assert INK not in themed(svg)
