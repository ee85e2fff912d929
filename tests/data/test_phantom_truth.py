"""Truth tables, and the score of a perfect reader."""

import numpy as np
import polars as pl
import pytest

from cxrbench.data.phantom.epidemiology import NO_FINDING, PATHOLOGIES
from cxrbench.data.phantom.lesions import Lesion, measure
from cxrbench.data.phantom.population import Film, Sign, draw_population
from cxrbench.data.phantom.settings import PhantomSettings
from cxrbench.data.phantom.truth import ideal_auc, lesion_table, truth_table


def lesion(finding):
    return Lesion(finding, 0.1, 0.2, 0.3, 0.4, 0.35, 0.5)


def truth_of(**settings):
    """Truth of a release whose films all show what they are to show."""
    films = list(draw_population(PhantomSettings(patients=1200, seed=2, prevalence_scale=2.0, **settings)))
    shown = [[lesion(sign.finding) for sign in film.signs if sign.visibility] for film in films]
    return truth_table(films, shown)


def pairwise_auc(scores, present):
    difference = scores[present][:, None] - scores[~present][None, :]
    return (difference > 0).mean() + 0.5 * (difference == 0).mean()


@pytest.fixture(scope="module")
def usual():
    return truth_of()


@pytest.fixture(scope="module")
def scores(usual):
    return ideal_auc(usual)


def test_truth_has_a_row_per_film_and_pathology():
    film = Film(
        3, 1, 50, "M", "PA", (Sign("Mass", 0.7), Sign("Edema", 0.9)), ("Mass", "Hernia"), tuple(np.arange(14) / 20)
    )
    truth = truth_table([film], [[lesion("Mass")]])
    assert truth["finding"].to_list() == list(PATHOLOGIES)
    assert set(truth["image_id"]) == {"00000003_001.png"}
    assert truth.filter("is_present")["finding"].to_list() == ["Mass", "Edema"]
    assert truth.filter("is_labelled")["finding"].to_list() == ["Mass", "Hernia"]
    assert truth["prior"].to_list() == pytest.approx(np.arange(14) / 20)
    visible = dict(truth.select("finding", "visibility").iter_rows())
    assert visible["Mass"] == pytest.approx(0.7)
    assert visible["Edema"] == 0  # drawn in vain: nothing of it is on the film


def test_lesions_are_listed_with_their_film():
    film = Film(3, 1, 50, "M", "PA", (), (), ())
    (row,) = lesion_table([film], [[lesion("Mass")]]).rows(named=True)
    assert row["image_id"] == "00000003_001.png"
    assert row["finding"] == "Mass"
    assert (row["x"], row["width"]) == pytest.approx((0.1, 0.3))


def test_a_release_without_lesions_has_an_empty_list():
    assert lesion_table([], []).columns == ["image_id", "finding", "x", "y", "width", "height", "diameter", "contrast"]


def test_the_perfect_reader_of_films_misses_what_leaves_no_sign(usual, scores):
    """Its AUC is 1 less half of the share that leaves no sign."""
    for finding in ("Effusion", "Mass", "Nodule"):
        present = usual.filter(pl.col("is_present") & (pl.col("finding") == finding))
        unseen = (present["visibility"] == 0).mean()
        assert scores.filter(pl.col("finding") == finding)["auc_image"].item() == pytest.approx(
            1 - unseen / 2, abs=1e-6
        )


def test_age_sex_and_view_help_even_the_perfect_reader(scores):
    gain = scores.filter(pl.col("labelled") > 50).select(pl.col("auc_context") - pl.col("auc_image")).to_series()
    assert gain.min() > 0
    assert (
        scores.filter(pl.col("finding") != NO_FINDING)
        .select((pl.col("auc_context") - pl.col("auc_image")).mean())
        .item()
        > 0.04
    )


def test_without_context_they_do_not():
    scores = ideal_auc(truth_of(context=0.0)).filter(pl.col("finding") != NO_FINDING)
    assert scores["auc_context"].to_list() == pytest.approx(scores["auc_image"].to_list())


def test_all_is_seen_when_nothing_is_invisible():
    scores = ideal_auc(truth_of(invisible=0.0))
    assert scores["auc_image"].to_list() == [1.0] * 15


def test_label_noise_lowers_the_ceiling(scores):
    noisy = ideal_auc(truth_of(label_noise=0.2))
    for name in ("Effusion", "Infiltration"):
        clean_auc, noisy_auc = (
            table.filter(pl.col("finding") == name)["auc_image"].item() for table in (scores, noisy)
        )
        assert noisy_auc < clean_auc - 0.05


def test_agrees_with_the_definition_of_the_auc(usual, scores):
    rows = usual.filter(pl.col("finding") == "Edema")
    # Where nothing is seen the order of the priors is the order of the probabilities.
    score = np.where(rows["visibility"] > 0, 2.0, rows["prior"])
    expected = pairwise_auc(score, rows["is_labelled"].to_numpy())
    assert scores.filter(pl.col("finding") == "Edema")["auc_context"].item() == pytest.approx(expected, abs=1e-6)


def test_a_finding_that_nobody_has_gets_no_score(usual):
    none = usual.with_columns(
        pl.when(pl.col("finding") == "Hernia").then(statement).otherwise(pl.col(name)).alias(name)
        for name, statement in (("is_present", False), ("is_labelled", False), ("visibility", 0.0))
    )
    row = ideal_auc(none).row(by_predicate=pl.col("finding") == "Hernia", named=True)
    assert row == {"finding": "Hernia", "labelled": 0, "auc_image": None, "auc_context": None}


def test_a_lesion_is_measured_from_what_it_changes():
    change = np.zeros((100, 200), np.float32)
    change = change[:, :100]
    change[20:30, 40:60] = -0.5
    change[19, 40] = 0.1  # below the level of the box
    (found,) = measure("Mass", change)
    assert (found.x, found.y, found.width, found.height) == pytest.approx((0.4, 0.2, 0.2, 0.1))
    assert found.contrast == pytest.approx(0.5)
    assert found.diameter == pytest.approx(2 * np.sqrt(0.02 / np.pi))


def test_what_changes_nothing_is_no_lesion():
    assert measure("Mass", np.full((10, 10), 0.001)) == []
