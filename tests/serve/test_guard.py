"""Who may ask, and what leaves the server beside the answer."""

import logging

import pytest
from starlette.testclient import TestClient

from cxrbench.bundle import load_bundle
from cxrbench.serve import ServeSettings, create_app

TOKEN = "5f0c2a"  # noqa: S105


@pytest.fixture(scope="module")
def guarded(small_bundle):
    app = create_app({"meta": load_bundle(small_bundle)}, ServeSettings(token=TOKEN, workers=1))
    return TestClient(app, base_url="http://localhost:8000")  # not started: nothing is decoded


@pytest.mark.parametrize("path", ["/v1/bundles", "/v1/bundles/meta/card", "/metrics"])
def test_the_token_is_asked_for(guarded, path):
    for headers in ({}, {"Authorization": "Bearer 5f0c2b"}, {"Authorization": "Bearer ä".encode("latin-1")}):
        answer = guarded.get(path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "Authorization: Bearer" in answer.json()["error"]["remedy"]
    assert guarded.get(path, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_page_and_health_need_none(guarded):
    for path in ("/", "/page/main.js", "/healthz", "/openapi.json"):
        assert guarded.get(path).status_code == 200
    assert guarded.get("/readyz").status_code == 503


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8000", "[::1", ""])
def test_another_hosts_name_is_refused(client, host):
    """A foreign page whose name was made to lead here would ask under that name."""
    answer = client.get("/v1/bundles", headers={"Host": host})
    assert answer.status_code == 421
    assert client.get("/healthz", headers={"Host": "[::1]:8000"}).status_code == 200


def test_another_sites_page_is_refused(client, film):
    foreign = client.post("/v1/predict", files={"film": film}, headers={"Origin": "http://evil.example"})
    assert foreign.status_code == 403
    said = client.post("/v1/predict", files={"film": film}, headers={"Sec-Fetch-Site": "cross-site"})
    assert said.status_code == 403
    own = client.post("/v1/film", files={"film": film}, headers={"Origin": "http://127.0.0.1:8000"})
    assert own.status_code == 200
    assert "access-control-allow-origin" not in own.headers


@pytest.mark.parametrize("path", ["/", "/page/style.css", "/v1/bundles", "/nothing", "/metrics"])
def test_headers_on_every_answer(client, path):
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    policy = headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_the_log_has_nothing_of_a_patient(client, dicom, caplog):
    caplog.set_level(logging.DEBUG)
    client.post("/v1/predict?patient=Doe", files={"film": ("Doe^Jane-K4711.dcm", dicom)}, data={"age": "83"})
    client.post("/v1/predict", files={"film": ("Doe^Jane-K4711.dcm", dicom[:2000])})
    client.get("/Doe")
    own = [record.getMessage() for record in caplog.records if record.name.startswith(("cxrbench", "uvicorn"))]
    assert [line.rsplit(" ", 2)[0] for line in own] == [
        "POST /v1/predict 200", "POST /v1/predict 422", "GET none 404",
    ]  # fmt: skip
    counted = client.get("/metrics").text
    assert 'cxrbench_refusals_total{reason="film"}' in counted
    assert not any(word in line for word in ("Doe", "Jane", "K4711") for line in [*own, counted])


def test_a_failure_says_nothing_of_its_cause(app, client, film, monkeypatch, caplog):
    def fail(*_):
        raise KeyError("Doe^Jane")

    monkeypatch.setattr(type(app.state.service), "picture", fail)
    answer = client.post("/v1/film", files={"film": film})
    assert answer.status_code == 500
    assert answer.json() == {"error": {"what": "the server failed", "remedy": "see its log; if it lasts, report it"}}
    assert "KeyError" in caplog.text
    assert "Doe" not in caplog.text
