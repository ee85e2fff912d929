"""What features moved, against putting each value into the network."""

import numpy as np
import polars as pl
import pytest
import torch

from cxrbench.explain.contributions import age_response, answer_of, feature_effects
from cxrbench.explain.films import Patient, find_film


@pytest.fixture(scope="module")
def film(opened, meta_run):
    return find_film(meta_run.test_rows(opened.table)["image_id"][0], opened, meta_run, Patient())


@pytest.fixture(scope="module")
def population(opened, meta_run):
    return opened.table[meta_run.split.rows(opened.table, "train")]


def asked_of_network(run, film, row):
    """Logits by a whole pass of the network."""
    image, _, _ = film.part.batch(np.zeros(1, int), np.array([[[1, 0, 4], [0, 1, 4.0]]]))
    with torch.inference_mode():
        return run.classifier(image, torch.from_numpy(run.scaling.encode(row)))[0].numpy()


def test_the_answer_is_the_networks(meta_run, film):
    answer = answer_of(meta_run, film.part)
    for values in ({"age_years": 30.0}, {"sex": "F"}, {"sex": None}, {"view": "AP", "age_years": 88.0}):
        types = {"age_years": pl.Float32, "sex": pl.String, "view": pl.String}
        row = film.row.with_columns(pl.lit(value, types[name]).alias(name) for name, value in values.items())
        assert answer(meta_run.scaling.encode(row))[0] == pytest.approx(asked_of_network(meta_run, film, row), abs=1e-5)


@pytest.mark.parametrize("feature", ["age", "sex", "view"])
def test_an_effect_is_the_answer_less_its_mean_over_the_population(meta_run, film, population, feature):
    column = "age_years" if feature == "age" else feature
    few = population.head(12)
    effects = feature_effects(meta_run, answer_of(meta_run, film.part), film.row, few).filter(feature=feature)
    ours = asked_of_network(meta_run, film, film.row)
    varied = np.array(
        [asked_of_network(meta_run, film, film.row.with_columns(few[column][[row]])) for row in range(12)]
    )
    assert effects["finding"].to_list() == list(meta_run.findings)
    assert effects["logit_change"].to_numpy() == pytest.approx(ours - varied.mean(axis=0), abs=1e-5)
    probability = 1 / (1 + np.exp(-np.vstack([ours, varied])))
    assert effects["probability_change"].to_numpy() == pytest.approx(
        probability[0] - probability[1:].mean(axis=0), abs=1e-5
    )
    assert effects["value"][0] == str(film.row[column][0])


def test_features_together_add_up_in_logits(meta_run, film, population):
    effects = feature_effects(meta_run, answer_of(meta_run, film.part), film.row, population)
    sums = effects.group_by("finding", maintain_order=True).agg(
        parts=pl.col("logit_change").filter(pl.col("feature") != "together").sum(),
        whole=pl.col("logit_change").filter(pl.col("feature") == "together").sum(),
    )
    assert sums["parts"].to_numpy() == pytest.approx(sums["whole"].to_numpy(), abs=1e-5)


def test_the_response_spans_the_ages_of_training(meta_run, film, population):
    response = age_response(meta_run, answer_of(meta_run, film.part), film.row)
    ages = response["age_years"].unique().to_list()
    assert (min(ages), max(ages)) == (population["age_years"].min(), population["age_years"].max())
    at_own = response.filter(pl.col("age_years") == film.row["age_years"][0])
    assert at_own["logit"].to_numpy() == pytest.approx(asked_of_network(meta_run, film, film.row), abs=1e-5)


def test_an_approach_without_features_has_no_response(opened, image_run):
    film = find_film(opened.table["image_id"][0], opened, image_run, Patient())
    answer = answer_of(image_run, film.part)
    assert age_response(image_run, answer, film.row).is_empty()
    assert answer.weights.shape == (len(image_run.findings), 0)
