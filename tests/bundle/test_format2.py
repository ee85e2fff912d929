"""A bundle that version 0.1 made is read, and answers what it answered then, but for what its network never saw."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from cxrbench.bundle import load_bundle
from cxrbench.bundle.reference import check_reference, reference_film
from cxrbench.data.images import Facts, Film
from cxrbench.errors import BundleError
from cxrbench.files import digest_json
from cxrbench.predict import Prediction, Predictor
from cxrbench.predict.writing import as_document, as_table

FIXTURE = Path(__file__).parents[1] / "fixtures/study-0.1/bundle"
ANSWERED_BY_0_1 = {
    "Atelectasis": (0.178212790, True, 100.0),
    "Cardiomegaly": (0.233186593, None, 81.3796),
    "Effusion": (0.748387981, True, 99.0323),
    "Infiltration": (0.512423265, False, 8.9701),
    "Mass": (0.256151544, True, 91.9019),
    "Nodule": (0.269097488, True, 93.8147),
    "Pneumonia": (0.222135480, True, 75.2990),
    "Pneumothorax": (0.267474868, True, 34.4419),
    "Consolidation": (0.254271009, None, 100.0),
    "Edema": (0.182826797, None, 90.0323),
    "Emphysema": (0.226603746, None, 35.3337),
    "Fibrosis": (0.212395586, None, 74.7814),
    "Pleural_Thickening": (0.212517555, None, 40.8938),
    "Hernia": (0.224472340, None, 100.0),
    "No Finding": (0.251621258, True, 79.3099),
}
"""Probability, decision and percentile that the code tagged v0.1.0 gives on ``film``."""


@pytest.fixture(scope="module")
def bundle():
    return load_bundle(FIXTURE)


@pytest.fixture(scope="module")
def predictor(bundle):
    return Predictor(bundle, backend="torch")


@pytest.fixture(scope="module")
def film():
    """A part of the reference film, mirrored, of another patient."""
    pixels = reference_film()[::2, ::-1][:, :400].copy()
    return Film(pixels=pixels, facts=Facts(age_years=71.0, sex="M", view="AP"))


def rewritten(folder, **changes):
    """A copy of the fixture with some fields exchanged, under a digest that fits."""
    shutil.copytree(FIXTURE, folder)
    raw = json.loads((folder / "bundle.json").read_text()) | changes
    raw.pop("digest")
    (folder / "bundle.json").write_text(json.dumps(raw | {"digest": digest_json(raw)}))
    return folder


def test_it_keeps_its_name_and_gives_its_reference_output(bundle, predictor):
    assert bundle.digest == json.loads((FIXTURE / "bundle.json").read_text())["digest"]
    assert predictor.largest_difference < 1e-5
    networks = predictor._backends
    assert check_reference(bundle.reference, bundle.members, networks, bundle.findings) < 1e-5


def test_it_answers_as_version_0_1_did(bundle, predictor, film):
    (answer,) = predictor.predict_films([film])
    assert bundle.answered == tuple(name for name in ANSWERED_BY_0_1 if name != "Hernia")
    expected = [ANSWERED_BY_0_1[name] for name in bundle.answered]
    assert np.abs(answer.probabilities - [one[0] for one in expected]).max() < 1e-5
    assert list(answer.is_present) == [one[1] for one in expected]
    assert np.abs(answer.percentiles - [one[2] for one in expected]).max() < 0.1
    assert answer.logits.shape == (1, 14)


def test_what_it_never_saw_is_withheld_and_named(bundle, predictor, film):
    assert bundle.record.withheld == {"Hernia": "no training image shows it"}
    assert bundle.record.notices[-1] == "Not answered. Hernia: no training image shows it."
    predictions = [Prediction(path="film.png", answer=predictor.predict_films([film])[0])]
    assert not [name for name in as_table(bundle, predictions).columns if "Hernia" in name]
    document = as_document(bundle, predictions)
    assert document["not_answered"] == {"Hernia": "no training image shows it"}
    assert "Hernia" not in {**document["findings"], **document["predictions"][0]["findings"]}


def test_its_card_is_written_anew(bundle):
    assert "| Hernia | no training image shows it |" in bundle.card
    assert "| Hernia | 0 |" in (FIXTURE / "README.md").read_text()
    assert "| Hernia | 0 |" not in bundle.card
    assert "| 1 | resnet (depth 50, blocks 1-1-1-1, width 4) | linear | all |" in bundle.card


def test_an_outcome_without_negatives_is_withheld_too(tmp_path):
    population = json.loads((FIXTURE / "bundle.json").read_text())["population"]
    population["positives"]["Mass"] = population["stated"]["Mass"]
    loaded = load_bundle(rewritten(tmp_path / "bundle", population=population))
    assert loaded.record.withheld["Mass"] == "no training image is stated to be without it"
    assert "Mass" not in loaded.answered


def test_a_narrow_crop_is_written_out(tmp_path):
    """Version 0.1 took any; today one below 0.8 is refused unless a configuration says so."""
    members = json.loads((FIXTURE / "bundle.json").read_text())["members"]
    members[0]["approach"]["input"] |= {"store_size": 128}
    (member,) = load_bundle(rewritten(tmp_path / "bundle", members=members)).members
    assert member.approach.input.evaluation_crop == 0.5


def test_an_alteration_is_found_first(tmp_path):
    folder = shutil.copytree(FIXTURE, tmp_path / "bundle")
    raw = json.loads((folder / "bundle.json").read_text())
    raw["population"]["positives"]["Hernia"] = 9
    (folder / "bundle.json").write_text(json.dumps(raw))
    with pytest.raises(BundleError, match=r"bundle\.json: altered since it was written"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"findings": ["Stent"]}, "damaged .*Stent"),
        ({"members": [{}]}, "damaged .*run"),
        ({"population": 7}, "damaged"),
        ({"findings": 7}, "damaged"),
    ],
    ids=str,
)
def test_what_is_no_such_bundle_is_one_line(tmp_path, changes, said):
    with pytest.raises(BundleError, match=said) as caught:
        load_bundle(rewritten(tmp_path / "bundle", **changes))
    assert "\n" not in str(caught.value)
