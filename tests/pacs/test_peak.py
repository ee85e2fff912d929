"""The box around a heat map's peak."""

import numpy as np
import pytest

from cxrbench.pacs.peak import peak_box


def test_it_is_around_what_is_hot_and_touches_the_peak():
    heat = np.zeros((40, 60))
    heat[10:14, 20:30] = 0.6
    heat[12, 25] = 1.0
    heat[30:35, 5:9] = 0.9  # as hot, but apart
    heat[14, 20:40] = 0.4  # not hot enough
    assert peak_box(heat) == (20, 10, 10, 4)


def test_nothing_has_no_peak():
    with pytest.raises(ValueError, match="zero everywhere"):
        peak_box(np.zeros((3, 3)))
