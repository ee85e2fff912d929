"""Scores of a map against boxes, against their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrbench.stats.localisation import PEAK_LEVELS, box_ious, peak, peak_box, score_map

SIDES = st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(1, 12), st.integers(1, 12))


def pixels(box, side=40):
    x, y, width, height = box
    inside = np.zeros((side, side), bool)
    inside[y : y + height, x : x + width] = True
    return inside


def spot(row, column, shape=(30, 40)):
    y, x = np.indices(shape)
    return np.exp(-((y - row) ** 2 + (x - column) ** 2) / 18)


@given(one=SIDES, other=SIDES)
def test_iou_agrees_with_counted_pixels(one, other):
    a, b = pixels(one), pixels(other)
    assert box_ious(one, [other])[0] == pytest.approx((a & b).sum() / (a | b).sum())


def test_a_map_on_the_box_scores_well_and_one_beside_it_does_not():
    heat, box = spot(10, 30), [[25, 5, 11, 11]]
    on, beside = score_map(heat, box), score_map(heat, [[0, 20, 8, 8]])
    assert on.is_hit
    assert on.ious[1] > 0.4
    assert on.energy == pytest.approx(heat[5:16, 25:36].sum() / heat.sum())
    assert (beside.is_hit, beside.ious) == (False, (0.0, 0.0, 0.0))
    assert beside.energy < 0.01


def test_a_higher_level_marks_a_smaller_region():
    heat = spot(15, 20)
    areas = []
    for place, level in enumerate(PEAK_LEVELS):
        marked = np.argwhere(heat >= level)[:, ::-1]
        box = np.concatenate([marked.min(axis=0), np.ptp(marked, axis=0) + 1])
        assert score_map(heat, [box]).ious[place] == 1.0
        areas.append(box[2] * box[3])
    assert areas[0] > areas[1] > areas[2]


def test_several_boxes_count_once_where_they_overlap():
    heat = np.ones((10, 10))
    assert score_map(heat, [[0, 0, 5, 10], [0, 0, 5, 10]]).energy == pytest.approx(0.5)


def test_what_speaks_against_or_is_unknown_is_no_evidence():
    heat = np.full((10, 10), -1.0)
    heat[0] = np.nan
    heat[5, 5] = 0.1
    assert score_map(heat, [[5, 5, 1, 1]]).energy == 1.0
    assert score_map(np.minimum(heat, 0), [[0, 0, 10, 10]]) == score_map(np.full((10, 10), np.nan), [[0, 0, 10, 10]])
    assert score_map(np.zeros((10, 10)), [[0, 0, 10, 10]]).is_hit is False


def test_of_a_flat_top_the_pixel_nearest_to_the_middle_counts():
    heat = np.zeros((20, 20))
    heat[:6, :6] = 1
    assert peak(heat) == (5, 5)


def test_the_marked_region_holds_the_maximum_and_only_what_hangs_together():
    heat = np.maximum(spot(8, 8), 0.9 * spot(20, 32))
    x, y, width, height = peak_box(heat)
    marked = np.argwhere(spot(8, 8) >= 0.5)
    assert [y, x] == marked.min(axis=0).tolist()
    assert [height, width] == (np.ptp(marked, axis=0) + 1).tolist()


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"boxes \(K, 4\) with K of at least 1; got \(0, 4\)"):
        score_map(np.ones((4, 4)), np.empty((0, 4)))
    with pytest.raises(ValueError, match=r"map \(H, W\); got \(4,\)"):
        score_map(np.ones(4), [[0, 0, 1, 1]])
    with pytest.raises(ValueError, match="marks no region"):
        peak_box(np.zeros((4, 4)))
