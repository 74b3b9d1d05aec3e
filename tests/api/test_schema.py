"""The OpenAPI document, the page of it, and requests made from it at random: none of them is a fault."""

import re

import pytest

from lineal.api.app import create_app
from lineal.api.schema import codes, page
from lineal.backend.declared import operations
from lineal.backend.local.backend import LocalBackend
from tests.api.conftest import Ask


@pytest.fixture
def document(ask: Ask) -> dict:
    return ask("GET", "/api/v1/openapi.json").json()


def test_the_document_is_valid(document: dict) -> None:
    import openapi_spec_validator as validator

    validator.validate(document)


def test_every_operation_says_what_it_takes_and_answers(document: dict) -> None:
    by_id = {one["operationId"]: one for path in document["paths"].values() for one in path.values()}
    for declared in operations():
        shown = by_id[f"{declared.noun}.{declared.name}"] if declared.name not in ("append", "manifest") else None
        if shown is None:
            continue
        body = shown.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        told = {parameter["name"] for parameter in shown["parameters"]} | set(body.get("properties", {}))
        assert told == set(declared.parameters)
        assert shown["responses"]["200"]["content"]["application/json"]["schema"]
        assert declared.operation.needs in shown["description"]
    assert by_id["artifacts.resolve"]["responses"]["404"]["description"] == "not_found.*"
    assert "conflict.alias_moved" in by_id["artifacts.move_alias"]["responses"]["409"]["description"]
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert {"Version", "Run", "Error"} <= document["components"]["schemas"].keys()


def test_codes_are_found_in_contracts() -> None:
    assert codes(
        "A run. Raises not_found.run, invalid.*.\n\nMore. Raises conflict.type (`x`), corrupt.manifest."
    ) == [
        "not_found.run",
        "invalid.*",
        "conflict.type",
        "corrupt.manifest",
    ]
    assert codes("It raises nothing. Raises it to the top.") == []


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing(ask: Ask) -> None:
    answer = ask("GET", "/api/v1/docs")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "script" not in answer.headers["Content-Security-Policy"]
    assert re.findall(r'(?:src|href)="([^"]*)"', answer.text) == ["openapi.json"]
    assert "<script" not in answer.text
    for declared in operations():
        assert f"<code>{declared.operation.method} /api/v1{declared.operation.path}</code>" in answer.text


def test_what_the_page_shows_is_escaped() -> None:
    evil = "<img onerror=x>"
    shown = {"tags": [evil], "description": evil, "parameters": [], "responses": {"404": {"description": evil}}}
    made = page({"info": {"title": evil, "version": evil, "description": evil}, "paths": {evil: {"get": shown}}})
    assert evil not in made


def test_the_document_is_made_when_it_is_first_asked_for(backend: LocalBackend) -> None:
    app = create_app(backend)
    assert app.openapi_schema is None
    assert app.openapi() is app.openapi()


@pytest.mark.filterwarnings("ignore")  # others' own
def test_no_request_at_random_is_a_fault(backend: LocalBackend) -> None:
    import schemathesis
    from hypothesis import HealthCheck, Phase, given, seed, settings

    backend.runs.start("abc123xy")
    app = create_app(backend, hosts=["localhost", "testserver"])
    loaded = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app)
    found = []
    for operation in (result.ok() for result in loaded.get_all_operations()):
        if operation.definition.raw.get("operationId") == "runs.live":  # would follow a run for ever
            continue

        @seed(4)
        @settings(
            max_examples=25,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def asked(case) -> None:
            answer = case.call()
            if answer.status_code >= 500:
                found.append((case.method, case.path, case.query, case.body, case.path_parameters, answer.text))

        asked()
    assert found == []
