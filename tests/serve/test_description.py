"""The OpenAPI description is complete, and whatever follows or breaks it meets no server error."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import booleans
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

EXAMPLES = 12
FORMS = [(f"/v1/{path}", "POST") for path in ("predict", "explain", "film")]
OPERATIONS = [
    *FORMS,
    *((path, "GET") for path in ("/v1/bundles", "/v1/bundles/{name}/card", "/healthz", "/readyz", "/metrics")),
]
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def described(client):
    return client.get("/openapi.json").json()


def test_everything_is_described(described):
    operations = [(path, one) for path, item in described["paths"].items() for one in item.values()]
    assert {path for path, _ in operations} == {path for path, _ in OPERATIONS}
    for path, operation in operations:
        assert operation["summary"]
        assert operation["description"]
        for status, response in operation["responses"].items():
            assert response["description"]
            if int(status) >= 400:
                schema = response["content"]["application/json"]["schema"]
                assert schema["$ref"].endswith("ErrorDocument"), (path, status)
    assert "research use only" in described["info"]["description"].lower()


def test_forms_name_their_fields(described):
    body = described["paths"]["/v1/explain"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert body["required"] == ["film", "finding"]
    assert set(body["properties"]) == {"film", "age", "sex", "view", "bundle", "finding", "method"}


@pytest.fixture(scope="module")
def schema(server):
    return schemathesis.openapi.from_url(f"{server[1]}/openapi.json")


def answers(schema, operation, mode, film):
    """Generated requests of one kind, checked; gives the status codes. Half of the forms have a real film."""
    path, method = operation
    statuses = set()

    @settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=HealthCheck)
    @given(case=schema[path][method].as_strategy(generation_mode=mode), is_real=booleans())
    def ask(case, is_real):
        if is_real and isinstance(case.body, dict):
            case.body |= {"film": film} | ({"finding": "Effusion"} if "finding" in case.body else {})
            case.body.pop("bundle", None)
        response = case.call(timeout=300)
        statuses.add(response.status_code)
        case.validate_response(response, checks=CHECKS)

    ask()
    return statuses


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_follows_the_description_gets_what_it_says(schema, film, operation):
    path, _ = operation
    expected = 404 if "{name}" in path else 200  # no bundle has a generated name
    assert expected in answers(schema, operation, GenerationMode.POSITIVE, film)


@pytest.mark.parametrize("operation", FORMS)
def test_what_breaks_the_description_is_refused_in_words(schema, film, operation):
    assert max(answers(schema, operation, GenerationMode.NEGATIVE, film)) >= 400
