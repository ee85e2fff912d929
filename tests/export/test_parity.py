"""What the export does before the network is what a bundle does, and a difference is found."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cxrbench.bundle.inputs import network_input
from cxrbench.data.features import FeatureScaling
from cxrbench.errors import BundleError, ConfigError
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


def member_of(*, store, image):
    return SimpleNamespace(approach=SimpleNamespace(input=SimpleNamespace(store_size=store, image_size=image)))


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


@pytest.mark.parametrize(("store", "image"), [(64, 64), (72, 64), (98, 96)])
def test_the_centre_is_the_one_that_a_bundle_cuts_out(store, image):
    member = member_of(store=store, image=image)
    squares = parity_samples(store).squares
    found = CentreCrop(member)(torch.from_numpy(squares)).numpy()
    assert np.array_equal(found, network_input(squares, member))


def test_a_centre_between_pixels_is_refused():
    with pytest.raises(ConfigError, match="the 64 pixels in the centre of 73 lie between pixels"):
        CentreCrop(member_of(store=73, image=64))


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
