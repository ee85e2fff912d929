"""Non-image features as numbers."""

import numpy as np
import polars as pl
import pytest

from cxrbench.data.features import FeatureScaling

ALL = ("age", "sex", "view")


def table(ages, sexes, views):
    schema = {"age_years": pl.Float32, "sex": pl.String, "view": pl.String}
    return pl.DataFrame({"age_years": ages, "sex": sexes, "view": views}, schema=schema)


TRAINING = table([20, 40, 60, None], ["F", "M", "M", None], ["PA", "AP", None, "LATERAL"])


def test_age_is_scaled_on_the_training_part_and_goes_beyond_outside_it():
    scaling = FeatureScaling.fit(ALL, TRAINING)
    encoded = scaling.encode(table([20, 60, 80, 10], ["F"] * 4, ["PA"] * 4))
    assert encoded[:, 0] == pytest.approx([0, 1, 1.5, -0.25])
    assert encoded.dtype == np.float32


def test_sex_and_view_have_their_codes():
    scaling = FeatureScaling.fit(ALL, TRAINING)
    encoded = scaling.encode(table([30, 30], ["F", "M"], ["PA", "AP"]))
    assert encoded[:, 1:].tolist() == [[0, 0], [1, 1]]


def test_what_is_unknown_takes_the_mean_of_the_training_part():
    scaling = FeatureScaling.fit(ALL, TRAINING)
    assert scaling.encode(table([None], [None], ["LATERAL"]))[0] == pytest.approx([0.5, 2 / 3, 0.5])
    assert scaling.encode(TRAINING)[3] == pytest.approx([0.5, 2 / 3, 0.5])


def test_a_feature_that_is_nowhere_known_takes_one_half():
    scaling = FeatureScaling.fit(ALL, table([None, None], [None, None], [None, None]))
    assert scaling.encode(table([30], ["F"], ["AP"]))[0] == pytest.approx([30, 0, 1])
    assert scaling.encode(table([None], [None], [None]))[0] == pytest.approx([0.5, 0.5, 0.5])


def test_no_spread_of_ages_does_not_divide_by_zero():
    scaling = FeatureScaling.fit(("age",), table([50, 50], ["F", "F"], ["PA", "PA"]))
    assert scaling.encode(table([50, 51], ["F", "F"], ["PA", "PA"]))[:, 0].tolist() == [0, 1]


def test_image_only_approaches_have_no_columns():
    assert FeatureScaling.fit((), TRAINING).encode(TRAINING).shape == (4, 0)


def test_scaling_survives_json():
    scaling = FeatureScaling.fit(ALL, TRAINING)
    again = FeatureScaling.model_validate_json(scaling.model_dump_json())
    assert np.array_equal(again.encode(TRAINING), scaling.encode(TRAINING))
