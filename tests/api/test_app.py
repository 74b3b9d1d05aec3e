"""The app as a whole: its page of operations, and the one envelope for every error."""

import pytest

from lineal.backend.declared import operations
from tests.api.conftest import Ask


def test_every_operation_is_on_the_page_with_its_contract_and_permission(ask: Ask) -> None:
    page = ask("GET", "/api/v1/openapi.json").json()
    found = {
        (method.upper(), path.removeprefix("/api/v1")): operation
        for path, methods in page["paths"].items()
        for method, operation in methods.items()
    }
    for declared in operations():
        shown = found[declared.operation.method, declared.operation.path]
        assert shown["x-permission"] == declared.operation.needs
        assert shown["summary"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/api/v1/runs/nobody", 404, "not_found.run"),
        ("GET", "/api/v1/artifacts/resolve", 422, "invalid.argument"),
        ("GET", "/api/v1/artifacts/resolve?ref=a%20b", 422, "invalid.name"),
        ("GET", "/api/v1/runs/x/rows?limit=many", 422, "invalid.argument"),
        ("PUT", "/api/v1/runs", 405, "invalid.argument"),
        ("POST", "/api/v1/runs", 415, "invalid.argument"),
    ],
)
def test_every_error_comes_in_the_one_envelope(ask: Ask, method: str, path: str, status: int, code: str) -> None:
    answer = ask(method, path)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/json"
    assert set(answer.json()) == {"error"}
    assert set(answer.json()["error"]) == {"code", "message", "details"}
    assert answer.json()["error"]["code"] == code


def test_a_fault_tells_the_id_under_which_the_log_has_it_and_nothing_else(ask: Ask, backend, caplog) -> None:
    backend.context.database.close()
    backend.context.database._reading = None
    answer = ask("GET", "/api/v1/projects")
    assert answer.status_code == 500
    problem = answer.json()["error"]
    assert problem["code"] == "error"
    assert problem["details"] == {"request": answer.headers["X-Request-Id"]}
    assert "Error" not in problem["message"]
    assert problem["details"]["request"] in caplog.text


def test_a_body_that_is_no_json_is_refused(ask: Ask) -> None:
    for body in (b"", b"{", b"[1]", b"\xff", b'"text"', b"[" * 100_000):
        answer = ask("POST", "/api/v1/runs", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (400, 422), body[:20]
        assert answer.json()["error"]["code"] == "invalid.argument"
