"""What the export does before the network is what a bundle does, and a difference is found."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cxrbench.bundle.inputs import network_input
from cxrbench.config import Input
from cxrbench.data.features import FeatureScaling
from cxrbench.errors import BundleError
from cxrbench.export.graph import CentreCrop, FeatureCoding, facts_as_numbers
from cxrbench.export.parity import checked_difference, parity_samples

YEARS = st.integers(0, 120 * 365).map(lambda days: days / 365)
PATIENTS = st.lists(
    st.tuples(
        st.none() | YEARS,
        st.sampled_from([None, "F", "M"]),
        st.sampled_from([None, "PA", "AP", "LL"]),
    ),
    min_size=1,
    max_size=9,
)


def input_of(*, store, image, crop=None):
    return Input(image_size=image, store_size=store, evaluation_crop=crop, channels=1)


def table_of(patients):
    return pl.DataFrame(patients, schema={"age_years": pl.Float32, "sex": pl.String, "view": pl.String}, orient="row")


@given(PATIENTS, PATIENTS)
def test_features_are_coded_as_a_bundle_codes_them(trained_on, asked):
    scaling = FeatureScaling.fit(("view", "age", "sex"), table_of(trained_on))
    coded = FeatureCoding(scaling)(torch.from_numpy(facts_as_numbers(scaling, table_of(asked))))
    expected = scaling.encode(table_of(asked))
    assert coded.numpy() == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_without_features_there_are_no_columns():
    scaling = FeatureScaling(features=(), age_range=(0, 1), means={})
    assert facts_as_numbers(scaling, table_of([(1.0, "F", "PA")] * 3)).shape == (3, 0)


@pytest.mark.parametrize(
    ("store", "image", "crop"),
    [(64, 64, None), (72, 64, None), (98, 96, None), (73, 64, None), (96, 64, 1.0), (72, 64, 64 / 72)],
)
def test_the_centre_is_the_one_that_a_bundle_cuts_out(store, image, crop):
    seen = input_of(store=store, image=image, crop=crop)
    squares = parity_samples(store).squares
    found = CentreCrop(seen)(torch.from_numpy(squares)).numpy()
    expected = network_input(squares, SimpleNamespace(approach=SimpleNamespace(input=seen)))
    assert np.abs(found - expected).max() < 1e-6


@pytest.mark.parametrize(("store", "image", "crop"), [(72, 64, 0.93), (96, 64, 0.5), (128, 112, 1.0), (80, 64, 0.9)])
def test_a_crop_between_pixels_differs_where_rounding_does(store, image, crop):
    """OpenCV and the graph may round a value to either side that lies in the middle but for the last bit."""
    seen = input_of(store=store, image=image, crop=crop)
    squares = parity_samples(store).squares
    found = CentreCrop(seen)(torch.from_numpy(squares)).numpy()
    expected = network_input(squares, SimpleNamespace(approach=SimpleNamespace(input=seen)))
    steps = np.abs(found - expected) * 255
    assert steps.max() < 1.001
    assert (steps > 0.5).mean() < 0.02


def test_differences_are_relative_above_one():
    expected = np.array([[0.5, 200.0]], np.float32)
    found = expected + np.array([[5e-5, 0.01]], np.float32)
    assert checked_difference(found, expected, ("Mass", "Hernia")) == pytest.approx(5e-5, rel=0.01)


@pytest.mark.parametrize("wrong", [0.5002, float("nan")], ids=str)
def test_a_logit_that_differs_is_named(wrong):
    expected = np.full((3, 2), 0.5, np.float32)
    found = expected.copy()
    found[2, 1] = wrong
    with pytest.raises(BundleError, match=rf"Hernia of film 3 has logit {wrong:.6f}, expected 0\.500000"):
        checked_difference(found, expected, ("Mass", "Hernia"))


def test_logits_of_another_shape():
    with pytest.raises(BundleError, match=r"gives logits \(2, 2\), torch \(3, 2\)"):
        checked_difference(np.zeros((2, 2), np.float32), np.zeros((3, 2), np.float32), ("Mass", "Hernia"))
