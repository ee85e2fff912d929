"""Predictions of a part: the mean of the logits of each film's views."""

import numpy as np
import pytest
import torch

from cxrbench.config import with_changes
from cxrbench.data.delivery import Part
from cxrbench.models.classifier import Classifier
from cxrbench.training.inference import predict
from tiny_networks import shaken, tiny_approach

STORE, SIZE = 72, 64
APPROACH = tiny_approach("resnet", features=("age",), size=SIZE)


@pytest.fixture(scope="module")
def classifier():
    torch.manual_seed(0)
    return shaken(Classifier(APPROACH, findings=3)).eval()


@pytest.fixture(scope="module")
def part():
    rng = np.random.default_rng(0)
    return Part(
        pixels=rng.integers(0, 256, (7, STORE, STORE), dtype=np.uint8),
        rows=np.array([5, 0, 3]),
        targets=np.full((3, 3), np.nan, np.float32),
        features=rng.random((3, 1), dtype=np.float32),
        image_size=SIZE,
    )


@torch.inference_mode()
def logits(classifier, part, top, left, *, mirrored=False):
    """Of a crop at the store's own resolution, cut with NumPy."""
    films = part.pixels[part.rows, None, top : top + SIZE, left : left + SIZE].astype(np.float32) / 255
    films = films[..., ::-1].copy() if mirrored else films
    return classifier(torch.from_numpy(films), torch.from_numpy(part.features)).numpy()


def test_without_views_a_prediction_is_that_of_the_centre_crop(classifier, part):
    found = predict(classifier, part, approach=APPROACH, device=torch.device("cpu"))
    np.testing.assert_allclose(found, logits(classifier, part, 4, 4), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("flip", "crops"), [(True, 1), (False, 5), (True, 5)])
def test_a_prediction_is_the_mean_of_the_logits_of_the_views(classifier, part, flip, crops):
    approach = with_changes(APPROACH, {"input.store_size": STORE, "test_time": {"flip": flip, "crops": crops}})
    found = predict(classifier, part, approach=approach, device=torch.device("cpu"))
    places = [(4, 4), (0, 0), (0, 8), (8, 0), (8, 8)][:crops]
    views = [
        logits(classifier, part, *place, mirrored=mirrored)
        for place in places
        for mirrored in ((False, True) if flip else (False,))
    ]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.mean(views, axis=0), rtol=1e-5, atol=1e-5)
    assert np.abs(found - views[0]).max() > 1e-3
