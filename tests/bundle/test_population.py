"""What is said about a patient from outside the training population."""

import polars as pl
import pytest

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


@pytest.mark.parametrize(
    ("age", "said"),
    [(16.9, "a child, younger than those"), (71, "a patient, older than those of the training films (17 to 70 years)")],
)
def test_an_age_outside_is_told(population, age, said):
    assert population.age_warnings(age)[0].startswith(said)


@pytest.mark.parametrize("age", [17, 70, 42.5, None])
def test_an_age_inside_is_not(population, age):
    assert population.age_warnings(age) == ()


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
