"""What the API answers is what the bundle says."""

import asyncio
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from cxrbench.bundle import load_bundle
from cxrbench.data.images import decode_film
from cxrbench.errors import ConfigError
from cxrbench.explain.bundled import Explainer
from cxrbench.predict import Given, Predictor
from cxrbench.serve import ServeSettings, create_app
from cxrbench.serve.refusals import Refusal
from cxrbench.serve.uploads import Upload
from cxrbench.serve.writing import facts_document, meaning

NOTICE = "Research use only. Not for diagnosis."


@pytest.fixture(scope="module")
def predictor(small_bundle):
    return Predictor(load_bundle(small_bundle))


def test_an_answer_is_the_predictors(client, predictor, dicom):
    answer = client.post("/v1/predict", files={"film": dicom}).json()
    own = predictor.predict_films([decode_film(dicom)])[0]
    assert [one["finding"] for one in answer["findings"]] == list(predictor.bundle.answered)
    assert [one["probability"] for one in answer["findings"]] == pytest.approx(own.probabilities, abs=1e-6)
    assert [one["percentile"] for one in answer["findings"]] == pytest.approx(own.percentiles, abs=0.01)
    words = {True: "present", False: "absent", None: None}
    assert [one["decision"] for one in answer["findings"]] == [words[one] for one in own.is_present]
    assert answer["warnings"] == list(own.warnings)
    assert answer["research_use_only"] == NOTICE
    assert answer["bundle"]["name"] == "meta"
    assert answer["bundle"]["digest"] == predictor.bundle.digest
    assert answer["facts"] == {
        "age": {"value": 71.0, "source": "header"},
        "sex": {"value": "F", "source": "header"},
        "view": {"value": "AP", "source": "header"},
    }


def test_what_is_given_counts_more_than_the_header(client, predictor, dicom):
    given = client.post("/v1/predict", files={"film": dicom}, data={"age": "24", "view": "pa"}).json()
    assert given["facts"]["age"] == {"value": 24.0, "source": "given"}
    assert given["facts"]["view"] == {"value": "PA", "source": "given"}
    assert given["facts"]["sex"] == {"value": "F", "source": "header"}
    film = decode_film(dicom)
    facts = Given(age_years=24, view="PA").over(film.facts)
    own = predictor.predict_films([type(film)(pixels=film.pixels, facts=facts)])[0]
    assert [one["probability"] for one in given["findings"]] == pytest.approx(own.probabilities, abs=1e-6)
    assert set(given["findings"][0]["moved_by"]) == {"age", "sex", "view"}


def test_what_is_given_as_unknown_is_unknown_whatever_the_header_says(client, predictor, dicom):
    fields = dict.fromkeys(("age", "sex", "view"), "unknown")
    answer = client.post("/v1/predict", files={"film": dicom}, data=fields).json()
    assert answer["facts"] == {name: {"value": None, "source": "given"} for name in fields}
    film = decode_film(dicom)
    facts = replace(film.facts, age_years=None, sex=None, view=None)
    own = predictor.predict_films([replace(film, facts=facts)])[0]
    assert [one["probability"] for one in answer["findings"]] == pytest.approx(own.probabilities, abs=1e-6)
    assert any("unknown age" in warning for warning in answer["warnings"])


def test_what_the_network_saw_is_the_centre_of_the_film(client, film):
    answer = client.post("/v1/predict", files={"film": film}).json()
    seen = answer["seen"]
    assert 0 < seen["width"] < answer["width"]
    assert 2 * seen["x"] + seen["width"] == pytest.approx(answer["width"])
    assert 2 * seen["y"] + seen["height"] == pytest.approx(answer["height"])


def test_a_plain_picture_has_unknown_facts_and_a_warning(client, film):
    answer = client.post("/v1/predict", files={"film": film}).json()
    assert {one["source"] for one in answer["facts"].values()} == {"unknown"}
    assert any("unknown age" in warning for warning in answer["warnings"])
    assert all(one["moved_by"] == {} for one in answer["findings"])


def test_another_bundle_by_its_name(client, film):
    answers = [
        client.post("/v1/predict", files={"film": film}, data={"bundle": name}).json() for name in ("meta", "large")
    ]
    assert [answer["bundle"]["approaches"] for answer in answers] == [["1channel-meta"], ["large-meta"]]
    unknown = client.post("/v1/predict", files={"film": film}, data={"bundle": "best"})
    assert unknown.status_code == 422
    assert unknown.json()["error"]["remedy"] == "send one of meta, large"


def test_a_heat_map_is_the_explainers(client, small_bundle, film):
    bundle = load_bundle(small_bundle)
    explainer = Explainer(bundle)
    own = {name: explainer.heat(decode_film(film), name, method="layer-cam") for name in bundle.answered}
    finding = max(own, key=lambda name: own[name].max())
    answer = client.post("/v1/explain", files={"film": film}, data={"finding": finding, "method": "layer-cam"})
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cxrbench-evidence"] == "some"
    picture = np.array(Image.open(io.BytesIO(answer.content)))
    assert picture.shape == (*own[finding].shape, 4)
    assert picture[..., 3] / 255 == pytest.approx(own[finding], abs=0.01)
    usual = client.post("/v1/explain", files={"film": film}, data={"finding": finding})
    has_evidence = explainer.heat(decode_film(film), finding).any()
    assert usual.headers["cxrbench-evidence"] == ("some" if has_evidence else "none")


def test_a_heat_map_needs_a_finding_and_a_known_method(client, film):
    for fields, said in (({}, "finding is missing"), ({"finding": "Mass", "method": "occlusion"}, "'occlusion'")):
        answer = client.post("/v1/explain", files={"film": film}, data=fields)
        assert answer.status_code == 422
        assert said in answer.json()["error"]["what"]


def test_the_film_to_look_at_is_the_film(client, dicom):
    answer = client.post("/v1/film", files={"film": dicom})
    assert np.array_equal(np.array(Image.open(io.BytesIO(answer.content))), decode_film(dicom).pixels)
    assert answer.headers["cxrbench-film-size"] == "96 x 96"


def test_a_large_film_is_shown_smaller(client):
    out = io.BytesIO()
    Image.fromarray(np.tile(np.arange(2000, dtype=np.uint8), (40, 1))).save(out, "PNG")
    answer = client.post("/v1/film", files={"film": out.getvalue()})
    assert Image.open(io.BytesIO(answer.content)).size == (1536, 31)
    assert answer.headers["cxrbench-film-size"] == "2000 x 40"


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/film"])
def test_what_is_no_film_is_refused_with_a_remedy(client, film, path):
    for content, said in ((b"hello", "not a PNG"), (film[:-40], "truncated PNG"), (large_png(), "too many")):
        answer = client.post(path, files={"film": content})
        assert answer.status_code == 422
        assert said in answer.json()["error"]["what"]
        assert "send a whole PNG" in answer.json()["error"]["remedy"]


def large_png():
    out = io.BytesIO()
    Image.fromarray(np.zeros((400, 400), np.uint8)).save(out, "PNG")
    return out.getvalue()


def test_what_is_served(client, small_bundle):
    listed = client.get("/v1/bundles").json()
    assert [one["name"] for one in listed["bundles"]] == ["meta", "large"]
    assert listed["max_upload_mb"] == 1
    assert listed["bundles"][0]["features"] == ["age", "sex", "view"]
    card = client.get("/v1/bundles/meta/card")
    assert card.text == (small_bundle / "README.md").read_text()
    assert card.headers["content-type"].startswith("text/markdown")
    assert client.get("/v1/bundles/none/card").status_code == 404


def test_health_readiness_and_metrics(client, film):
    assert client.get("/healthz").json() == {"status": "ok"}
    client.post("/v1/predict", files={"film": film})
    assert client.get("/readyz").json() == {"status": "ok"}
    text = client.get("/metrics").text
    assert 'cxrbench_requests_total{route="/v1/predict",status="200"}' in text
    assert 'cxrbench_request_seconds_bucket{le="0.01",route="/v1/predict"}' in text
    assert "cxrbench_batch_films_count" in text
    assert "cxrbench_queue_films 0.0" in text


def test_paths_and_methods_that_are_not(client):
    for answer, status in (
        (client.get("/v2"), 404),
        (client.get("/page/app.py"), 404),
        (client.get("/v1/predict"), 405),
    ):
        assert answer.status_code == status
        assert set(answer.json()["error"]) == {"what", "remedy"}


def test_a_full_queue_asks_to_come_back(small_bundle, film):
    app = create_app({"meta": load_bundle(small_bundle)}, ServeSettings(workers=1, queue=2))
    service = app.state.service
    upload = Upload(film, {})

    async def scenario():
        service.start()
        try:
            asked = [asyncio.ensure_future(service.predict(upload)) for _ in range(5)]
            return await asyncio.gather(*asked, return_exceptions=True)
        finally:
            service.stop()

    answers = asyncio.run(scenario())
    refused = [answer for answer in answers if isinstance(answer, Refusal)]
    assert len(refused) == 3
    assert refused[0].what == "2 films wait already"
    assert refused[0].response().status_code == 503
    assert int(refused[0].response().headers["retry-after"]) > 0


def test_a_server_needs_a_bundle():
    with pytest.raises(ValueError, match="needs a bundle"):
        create_app({})


def test_probabilities_in_words(predictor):
    bundle = predictor.bundle
    fitted = next(name for name in bundle.answered if bundle.is_calibrated(name))
    for probability, said in ((0.004, "fewer than 1 show"), (0.317, "about 32 show"), (0.997, "more than 99 show")):
        assert said in meaning(bundle, fitted, probability)
    raw = [name for name in bundle.answered if not bundle.is_calibrated(name)]
    for name in raw[:1]:
        assert meaning(bundle, name, 0.3).startswith("Not calibrated")
    assert raw, "the small bundle has a finding without both labels"


def test_where_facts_come_from(dicom):
    facts = facts_document(decode_film(dicom).facts, Given(sex="M"))
    assert (facts.age.source, facts.sex.source, facts.sex.value) == ("header", "given", "M")


def test_a_method_that_is_refused_on_a_film_is_replaced_there(client, film, monkeypatch):
    def refuse(classifier, asked):
        raise ConfigError("its mean is not what the image adds")

    finding = client.get("/v1/bundles").json()["bundles"][0]["findings"][0]
    monkeypatch.setattr("cxrbench.explain.maps.cam", refuse)
    answers = [
        client.post("/v1/explain", files={"film": film}, data={"finding": finding, "method": method})
        for method in ("cam", "grad-cam", "layer-cam")
    ]
    assert [answer.headers["cxrbench-method"] for answer in answers] == ["grad-cam", "grad-cam", "layer-cam"]
    assert answers[0].content == answers[1].content
