"""Who is filmed and with which findings."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import minimize

from cxrbench.data.phantom.epidemiology import EPIDEMIOLOGY, NO_FINDING, PATHOLOGIES, intercepts, prevalences
from cxrbench.data.phantom.population import MAX_FILMS, draw_patient, draw_population
from cxrbench.data.phantom.settings import PhantomSettings


@pytest.fixture(scope="module")
def films():
    return list(draw_population(PhantomSettings(patients=4000, seed=3, label_noise=0.2)))


@pytest.fixture(scope="module")
def present(films):
    return np.array([[name in {sign.finding for sign in film.signs} for name in PATHOLOGIES] for film in films])


@pytest.fixture(scope="module")
def labelled(films):
    return np.array([[name in film.labels for name in PATHOLOGIES] for film in films])


def column(name):
    return PATHOLOGIES.index(name)


def test_equal_settings_give_equal_films():
    settings = PhantomSettings(patients=20, seed=5)
    assert list(draw_population(settings)) == list(draw_population(settings))


def test_a_patient_does_not_depend_on_the_others():
    alone = draw_patient(7, PhantomSettings(patients=7))
    assert alone == [film for film in draw_population(PhantomSettings(patients=30)) if film.patient == 7]


def test_another_seed_gives_other_films():
    assert draw_patient(1, PhantomSettings(seed=0)) != draw_patient(1, PhantomSettings(seed=1))


def test_prevalences_are_the_releases(present):
    expected = prevalences(1.0)
    # Films of one patient are alike, so the error is larger than that of independent films.
    tolerance = 5 * np.sqrt(expected / len(present)) + 0.001
    assert (np.abs(present.mean(axis=0) - expected) < tolerance).all()


def test_prevalence_can_be_scaled():
    films = draw_population(PhantomSettings(patients=1500, prevalence_scale=3.0))
    nodules = [any(sign.finding == "Nodule" for sign in film.signs) for film in films]
    assert np.mean(nodules) == pytest.approx(3 * EPIDEMIOLOGY["Nodule"].prevalence, rel=0.15)


def test_intercepts_give_the_wanted_prevalences():
    shifts = np.random.default_rng(0).normal(0, 2, (5000, 2))
    wanted = np.array([0.01, 0.4])
    found = 1 / (1 + np.exp(-intercepts(wanted, shifts) - shifts))
    assert found.mean(axis=0) == pytest.approx(wanted, rel=1e-9)


def test_edema_is_a_finding_of_films_in_bed(films, present):
    is_ap = np.array([film.view == "AP" for film in films])
    edema = present[:, column("Edema")]
    # The release: 4.5 % of AP and 0.4 % of PA films.
    assert edema[is_ap].mean() == pytest.approx(0.045, abs=0.012)
    assert edema[~is_ap].mean() == pytest.approx(0.004, abs=0.003)


@pytest.mark.parametrize("finding", ["Effusion", "Infiltration", "Mass", "Pneumothorax"])
def test_odds_ratios_are_as_stated(films, present, finding):
    features = np.array([[(film.age_years - 46.5) / 10, film.sex == "M", film.view == "AP", 1] for film in films])
    y = present[:, column(finding)]

    def loss(weights):
        z = features @ weights
        return np.logaddexp(0, z).sum() - z[y].sum()

    fitted = minimize(loss, np.zeros(4)).x
    assert fitted[:3] == pytest.approx(EPIDEMIOLOGY[finding].log_odds_ratios, abs=0.3)
    assert fitted[0] == pytest.approx(EPIDEMIOLOGY[finding].log_odds_ratios[0], abs=0.1)


def test_priors_are_calibrated(films, present):
    priors = np.array([film.priors for film in films])[:, column("Effusion")]
    effusion = present[:, column("Effusion")]
    for low, high in ((0, 0.08), (0.08, 0.16), (0.16, 1)):
        group = (priors >= low) & (priors < high)
        assert effusion[group].mean() == pytest.approx(priors[group].mean(), rel=0.2)


def test_without_context_age_sex_and_view_say_nothing():
    films = list(draw_population(PhantomSettings(patients=200, context=0)))
    assert len({film.priors for film in films}) == 1


def test_findings_that_belong_together_occur_together(present):
    share = present.mean(axis=0)

    def lift(one, other):
        both = (present[:, column(one)] & present[:, column(other)]).mean()
        return both / (share[column(one)] * share[column(other)])

    assert lift("Edema", "Effusion") > 1.5
    assert lift("Mass", "Nodule") > 1.8
    assert lift("Pneumothorax", "Emphysema") > 1.5
    assert lift("Edema", "Pneumothorax") < 0.8


def test_findings_persist_from_film_to_film(films, present):
    effusion = present[:, column("Effusion")]
    is_same = np.array([a.patient == b.patient for a, b in pairwise(films)])
    before, after = effusion[:-1][is_same], effusion[1:][is_same]
    assert after[before].mean() > 3 * after[~before].mean()


def test_films_per_patient_are_skewed(films):
    counts = np.unique([film.patient for film in films], return_counts=True)[1]
    assert (counts == 1).mean() == pytest.approx(0.57, abs=0.04)
    assert counts.max() == MAX_FILMS
    assert counts.mean() == pytest.approx(2.7, abs=0.3)


def test_follow_ups_count_up_and_nobody_gets_younger(films):
    for before, after in pairwise(films):
        if before.patient == after.patient:
            assert after.follow_up == before.follow_up + 1
            assert after.age_years >= before.age_years
            assert after.sex == before.sex
        else:
            assert after.follow_up == 0


def test_views_are_mixed_as_in_the_release(films):
    assert np.mean([film.view == "AP" for film in films]) == pytest.approx(0.4, abs=0.05)


def test_no_finding_stands_alone(films):
    for film in films:
        assert (NO_FINDING in film.labels) == (len(film.labels) == 1 and film.labels[0] == NO_FINDING)
        assert film.labels


def test_label_noise_misses_and_invents_its_share(present, labelled):
    common = [column(name) for name in ("Infiltration", "Effusion", "Atelectasis")]
    missed = 1 - labelled[:, common][present[:, common]].mean()
    false = 1 - present[:, common][labelled[:, common]].mean()
    assert missed == pytest.approx(0.2, abs=0.02)
    assert false == pytest.approx(0.2, abs=0.03)


def test_labels_are_true_without_noise():
    for film in draw_population(PhantomSettings(patients=100)):
        assert {sign.finding for sign in film.signs} == set(film.labels) - {NO_FINDING}


def test_a_share_of_the_findings_leaves_no_sign(films):
    visibility = np.array([sign.visibility for film in films for sign in film.signs])
    assert (visibility == 0).mean() == pytest.approx(0.25, abs=0.02)
    assert visibility[visibility > 0].min() >= 0.4
    assert visibility.max() <= 1


def test_films_too_small_for_their_detail_are_refused():
    with pytest.raises(ValueError, match="size_px 256 is less than detail_px 448"):
        PhantomSettings(size_px=256)


def test_unknown_settings_are_refused():
    with pytest.raises(ValueError, match="prevalence"):
        PhantomSettings(prevalence=2.0)
