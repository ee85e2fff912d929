"""What is said about a patient from outside the training population."""

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cxrbench.bundle.population import Population, unknown_features

TABLE = pl.DataFrame(
    {
        "patient_id": ["a", "a", "b", "c", "d"],
        "age_years": pl.Series([20.0, 21.0, 70.0, None, 17.0], dtype=pl.Float32),
        "sex": ["F", "F", "M", None, "M"],
        "view": ["PA", "AP", "PA", "PA", None],
        "Mass": pl.Series([1, 0, None, 1, 0], dtype=pl.Int8),
        "Hernia": pl.Series([None] * 5, dtype=pl.Int8),
    }
)


@pytest.fixture
def population():
    return Population.of(TABLE, ("Mass", "Hernia"))


def test_counts(population):
    assert (population.images, population.patients, population.unknown_ages, population.children) == (5, 4, 1, 1)
    assert population.sexes == {"F": 2, "M": 2, "unknown": 1}
    assert population.views == {"PA": 3, "AP": 1, "unknown": 1}
    assert population.prevalence("Mass") == 0.5
    assert population.prevalence("Hernia") is None
    assert (population.age_quantiles[0], population.age_quantiles[100]) == (17, 70)


def test_it_survives_its_file(population):
    assert Population.model_validate_json(population.model_dump_json()) == population


@pytest.fixture
def usual():
    """500 adults, one of them of 95, and three children, as archives of adults have them."""
    ages = [*np.linspace(22, 80, 499), 95, 3, 8, 17]
    table = pl.DataFrame({"patient_id": map(str, ages), "age_years": pl.Series(ages, dtype=pl.Float32)})
    return Population.of(table.with_columns(sex=pl.lit("F"), view=pl.lit("PA")), ())


@pytest.mark.parametrize("age", [0, 3, 8, 12, 17, 17.99])
def test_a_child_is_told_though_some_children_are_among_the_training_films(usual, age):
    assert usual.age_warnings(age) == ("a child: 3 of the 503 training films are of patients below 18",)


def test_an_age_beyond_99_percent_is_told_though_some_training_film_is_beyond_too(usual):
    low, high = usual.age_quantiles[1], usual.age_quantiles[99]
    assert usual.age_warnings(95) == (
        f"a patient, older than 99 % of those of the training films ({low:.0f} to {high:.0f} years)",
    )
    assert usual.age_warnings(18)[0].startswith("a patient, younger than 99 %")


@pytest.mark.parametrize("age", [25, 42.5, 79, None])
def test_an_age_inside_is_not(usual, age):
    assert usual.age_warnings(age) == ()


def test_where_many_children_are_among_the_training_films_they_are_as_others(population):
    assert population.children / population.images == 0.2
    assert population.age_warnings(17.5) == ()
    assert population.age_warnings(5)[0].startswith("a child, younger than 99 % of those")


@given(ages=st.lists(st.integers(0, 120), min_size=1, max_size=40), age=st.integers(0, 120))
def test_ages_are_told_by_their_definition(ages, age):
    table = pl.DataFrame({"patient_id": ["a"] * len(ages), "age_years": pl.Series(ages, dtype=pl.Float32)})
    said = Population.of(table.with_columns(sex=pl.lit("F"), view=pl.lit("PA")), ()).age_warnings(age)
    share = sum(one < 18 for one in ages) / len(ages)
    low, high = np.percentile(np.float32(ages), [1, 99])
    assume(min(abs(age - low), abs(age - high)) > 1e-3)  # where rounding decides
    is_beyond = not low <= age <= high
    assert bool(said) == (is_beyond or (age < 18 and share < 0.1))
    assert all("a child" in one for one in said if age < 18)


def test_views(population):
    assert population.view_warnings("PA") == population.view_warnings(None) == ()
    assert population.view_warnings("LL") == (
        "a lateral film, view position LL is not among the training films (PA, AP)",
    )
    assert population.view_warnings("LAO")[0].startswith("view position LAO is not")


def test_unknown_features_are_named_only_where_they_are_used():
    known = {"age": None, "sex": "F", "view": None}
    assert unknown_features(("age", "sex", "view"), known)[0].startswith("unknown age and view position: the mean")
    assert unknown_features(("sex",), known) == ()


def test_what_cannot_have_been_learnt_is_named_with_the_reason():
    labels = {"Both": [1, 0, None], "Absent": [0, 0, None], "Present": [1, 1, None], "Unstated": [None] * 3}
    table = pl.DataFrame(
        {"patient_id": ["a", "b", "c"], **labels}, schema_overrides=dict.fromkeys(labels, pl.Int8)
    ).with_columns(age_years=pl.lit(None, pl.Float32), sex=pl.lit(None, pl.String), view=pl.lit("PA"))
    assert Population.of(table, tuple(labels)).unlearnt() == {
        "Absent": "no training image shows it",
        "Present": "no training image is stated to be without it",
        "Unstated": "no training image shows it",
    }
