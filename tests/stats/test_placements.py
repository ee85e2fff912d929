import numpy as np
import pytest

from cxrbench.stats.placements import placements
from cxrbench.stats.roc import auc


@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_agrees_with_the_definition(decimals):
    rng = np.random.default_rng(0)
    scores, present = rng.normal(size=200).round(decimals), rng.random(200) < 0.3
    beats = (scores[:, None] > scores) + 0.5 * (scores[:, None] == scores)
    expected = np.where(present, beats[:, ~present].mean(axis=1), 1 - beats[:, present].mean(axis=1))
    np.testing.assert_allclose(placements(scores, present), expected, atol=1e-12)


def test_each_class_averages_to_the_auc():
    rng = np.random.default_rng(1)
    scores, present = rng.normal(size=300).astype(np.float32), rng.random(300) < 0.1
    placed = placements(scores, present)
    assert placed[present].mean() == pytest.approx(auc(scores, present), abs=1e-12)
    assert placed[~present].mean() == pytest.approx(auc(scores, present), abs=1e-12)
