"""Approaches are told apart: by contrast on white, by hue for the colour-blind, by dashes in a family."""

from itertools import combinations

import numpy as np
import pytest

from cxrbench.config import approach_names
from cxrbench.report.palette import FAINT, FAMILY_COLOURS, INK, looks


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
    assert len({(look.colour, look.is_dashed) for look in found.values()}) == len(approach_names())


def test_a_twin_shares_the_colour():
    found = looks(["ft", "ft-meta", "large"])
    assert found["ft"].colour == found["ft-meta"].colour != found["large"].colour
    assert (found["ft"].is_dashed, found["ft-meta"].is_dashed) == (True, False)
    assert not found["large"].is_dashed
