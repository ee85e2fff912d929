"""A bundle explained: its maps are the run's own, and what a feature moved is what the network says without it."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from cxrbench.bundle import choose_runs, load_bundle
from cxrbench.bundle.making import make_bundle
from cxrbench.data.delivery import EvaluationBatches
from cxrbench.data.images import Facts, Film, read_film
from cxrbench.errors import ConfigError
from cxrbench.explain.bundled import Explainer, _stored_feature_weights
from cxrbench.explain.effects import distribution
from cxrbench.explain.films import Patient, find_film
from cxrbench.explain.maps import Asked, heat_maps
from cxrbench.explain.overlay import normalised
from cxrbench.explain.trained import load_trained, open_study
from cxrbench.predict import Predictor, prepare_film
from cxrbench.runs import RunName

FACTS = Facts(age_years=71, sex="F", view="AP")


@pytest.fixture(scope="module")
def explainer(small_bundle):
    return Explainer(load_bundle(small_bundle))


@pytest.fixture(scope="module")
def film(small_study):
    path = min((small_study.parent / "films" / "images").iterdir())
    pixels = read_film(path).pixels
    return Film(pixels=pixels[:, : pixels.shape[1] * 3 // 4], facts=FACTS)


@pytest.fixture(scope="module")
def ensemble(small_study, tmp_path_factory):
    runs = [RunName("1channel", "resample-1", 0), RunName("large-meta", "resample-1", 0)]
    return make_bundle(small_study, runs, tmp_path_factory.mktemp("ensemble") / "bundle")


@pytest.mark.parametrize("method", ["cam", "layer-cam"])
def test_the_map_is_the_runs_own(small_study, explainer, film, method, tmp_path):
    cv2.imwrite(str(tmp_path / "film.png"), film.pixels)
    study = open_study(small_study)
    run = load_trained(study, RunName("1channel-meta", "resample-1", 0))
    found = find_film(str(tmp_path / "film.png"), study, run, Patient(71, "F", "AP"))
    finding = next(name for name in run.findings if explainer.bundle.members[0].calibrations[name].slope > 0)
    image, features, _ = next(iter(EvaluationBatches(part=found.part, batch_size=1)))
    raw = heat_maps(run.classifier, Asked(image, features, run.findings.index(finding)), method)[0]
    heat = explainer.heat(film, finding, method=method)
    assert heat.dtype == np.float32
    assert heat.shape == film.pixels.shape
    assert heat == pytest.approx(normalised(found.frame.to_film(raw)), abs=1e-5)


def test_an_ensembles_map_is_the_mean_of_its_members_in_calibrated_units(ensemble, film):
    explainer = Explainer(ensemble)
    prepared = prepare_film(film, ensemble.store_sizes)
    finding = ensemble.findings[0]
    raw = []
    for number, member in enumerate(ensemble.members):
        ((one, slope, cells),) = explainer._cells(prepared, finding, "cam", [number])
        raw.append(slope * np.nan_to_num(explainer._frame(prepared, one, None).to_film(cells)))
        assert slope == member.calibrations[finding].slope
        own = explainer.heat(film, finding, member=number)
        assert own == pytest.approx(normalised(raw[-1]), abs=1e-6)
    assert explainer.heat(film, finding) == pytest.approx(normalised(np.mean(raw, axis=0)), abs=1e-6)


def test_a_smaller_map_is_the_same_map(explainer, film):
    prepared = prepare_film(film, explainer.bundle.store_sizes)
    small = explainer.heat_prepared(prepared, explainer.bundle.findings[0], longest_side=24)
    assert small.shape == (24, 18)
    assert 0 <= small.min() <= small.max() <= 1


def test_an_effect_is_the_answer_less_its_mean_over_the_population(ensemble, film):
    prepared = prepare_film(film, ensemble.store_sizes)
    predictor = Predictor(ensemble, is_checked=False)
    answer = predictor.predict_prepared([prepared])[0]
    effects = Explainer(ensemble).feature_effects(prepared, answer.logits)
    assert effects["feature"].unique(maintain_order=True).to_list() == ["age", "sex", "view"]
    for feature, column in (("age", "age_years"), ("sex", "sex"), ("view", "view")):
        values, shares = distribution(ensemble.record.population, feature)
        assert shares.sum() == pytest.approx(1)
        others = [replace(prepared, facts=replace(FACTS, **{column: value})) for value in values]
        varied = np.stack([one.probabilities for one in predictor.predict_prepared(others)])
        own = effects.filter(feature=feature)
        assert own["probability"].to_numpy() == pytest.approx(answer.probabilities, abs=1e-6)
        assert own["probability_change"].to_numpy() == pytest.approx(answer.probabilities - shares @ varied, abs=1e-6)
    assert effects["probability_change"].abs().max() > 0


def test_the_distribution_of_ages_is_the_training_parts(explainer):
    population = explainer.bundle.record.population
    ages, shares = distribution(population, "age")
    known = np.array([age for age in ages if age is not None])
    assert np.median(known) == pytest.approx(population.age_quantiles[50], abs=2)
    assert population.age_quantiles[0] <= known.min() < known.max() <= population.age_quantiles[100]
    assert shares[-1] == pytest.approx(population.unknown_ages / population.images)
    sexes, counts = distribution(population, "sex")
    assert dict(zip(sexes, counts, strict=True))["F"] == pytest.approx(population.sexes["F"] / population.images)


def test_networks_without_features_have_no_effects(small_study, film, tmp_path):
    bundle = make_bundle(small_study, choose_runs(small_study, approaches=["1channel"]), tmp_path / "bundle")
    prepared = prepare_film(film, bundle.store_sizes)
    logits = Predictor(bundle).predict_prepared([prepared])[0].logits
    effects = Explainer(bundle).feature_effects(prepared, logits)
    assert effects.is_empty()
    assert effects.columns == ["feature", "value", "finding", "probability", "probability_change"]


def test_what_is_not_there_is_named(explainer, film):
    with pytest.raises(ValueError, match="unknown finding 'Scoliosis'; this bundle has: Atelectasis"):
        explainer.heat(film, "Scoliosis")
    with pytest.raises(ValueError, match="members 0 to 0, not 3"):
        explainer.heat(film, "Mass", member=3)


def test_where_a_network_has_no_cam_another_method_is_usual(small_bundle, film, monkeypatch):
    monkeypatch.setattr("cxrbench.explain.bundled.cam_problem", lambda classifier, image_size: "it has a class token")
    explainer = Explainer(load_bundle(small_bundle))
    assert explainer.methods() == ("grad-cam", "layer-cam")
    finding = explainer.bundle.findings[0]
    assert (explainer.heat(film, finding) == explainer.heat(film, finding, method="grad-cam")).all()
    with pytest.raises(ConfigError, match=r"\(cam\): it has a class token; methods that work: grad-cam"):
        explainer.methods(["cam"])


def test_a_refused_method_is_replaced_by_the_usual_one(small_bundle, film, monkeypatch):
    monkeypatch.setattr("cxrbench.explain.bundled.cam_problem", lambda classifier, image_size: "it has a class token")
    explainer = Explainer(load_bundle(small_bundle))
    method, said = explainer.method_for("cam")
    assert method == "grad-cam"
    assert "(cam): it has a class token" in said
    assert said.endswith("; grad-cam is used instead")
    assert explainer.method_for("occlusion") == ("occlusion", None)
    assert explainer.method_for(None) == ("grad-cam", None)


def test_a_method_that_is_refused_on_one_film_is_replaced_there(explainer):
    def make(method):
        if method == "cam":
            raise ConfigError("its mean is not what the image adds")
        return method.upper()

    assert explainer.by_working_method("cam", make) == ("grad-cam", "GRAD-CAM")
    assert explainer.by_working_method("hires-cam", make) == ("hires-cam", "HIRES-CAM")


def test_stored_weights_of_features_are_those_of_the_network(small_bundle):
    bundle = load_bundle(small_bundle)
    (member,) = bundle.members
    stored = _stored_feature_weights(bundle, member)
    assert stored.shape == (len(bundle.findings), 3)
    assert (stored == bundle.classifier(member).head.feature_weights.detach().numpy()).all()
