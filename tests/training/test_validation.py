"""The mean area under the ROC curve on the validation part, against scikit-learn's."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cxrbench.training.validation import mean_auc


def test_mean_auc_is_that_of_the_findings_with_both_classes_over_stated_labels():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(60, 4)).round(1).astype(np.float32)  # with ties
    targets = (rng.random((60, 4)) < 0.3).astype(np.float32)
    targets[rng.random(targets.shape) < 0.2] = np.nan
    targets[:, 2] = np.where(np.isnan(targets[:, 2]), np.nan, 0)
    expected = []
    for column in (0, 1, 3):
        stated = ~np.isnan(targets[:, column])
        expected.append(roc_auc_score(targets[stated, column], scores[stated, column]))
    assert mean_auc(scores, targets) == pytest.approx(np.mean(expected), rel=1e-12)


def test_there_is_none_without_both_classes_or_with_scores_that_are_not_finite():
    scores = np.zeros((3, 2), np.float32)
    assert mean_auc(scores, np.array([[1, np.nan]] * 3, np.float32)) is None
    scores[0, 0] = np.nan
    assert mean_auc(scores, np.array([[1, 0], [0, 1], [0, 1]], np.float32)) is None
