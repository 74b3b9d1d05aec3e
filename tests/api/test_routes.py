"""Routes that follow from declarations: where each parameter travels, and in which form."""

from datetime import UTC, datetime

import pytest

from lineal.backend.declared import operations
from lineal.backend.local.backend import LocalBackend
from tests.api.conftest import Ask


def test_parameters_of_what_is_got_are_in_the_query_texts_as_they_are_and_the_rest_as_json(ask: Ask) -> None:
    ask("POST", "/api/v1/runs", json={"run_id": "r1"})
    rows = {"stream": "console", "keys": '["line"]', "limit": "5"}
    assert ask("GET", "/api/v1/runs/r1/rows", params=rows).json() == []
    for wrong in ({"stream": "diary"}, {"keys": "line"}, {"limit": "many"}):
        assert ask("GET", "/api/v1/runs/r1/rows", params={**rows, **wrong}).status_code == 422


def test_parameters_of_what_is_posted_are_in_a_json_body(ask: Ask) -> None:
    ask("POST", "/api/v1/runs", json={"run_id": "r1", "config": {"lr": 0.1}})
    page = ask("POST", "/api/v1/runs/search", json={"filters": {"config.lr": 0.1}, "limit": 5, "count": True}).json()
    assert ([run["id"] for run in page["runs"]], page["total"]) == (["r1"], 1)
    assert ask("POST", "/api/v1/runs/search", json={"filters": {"config.lr": 2}}).json()["runs"] == []


def test_moments_travel_as_texts(ask: Ask) -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).isoformat()
    answer = ask("POST", "/api/v1/runs", json={"run_id": "r1", "created_at": at})
    assert answer.json()["created_at"] == "2026-01-02T03:04:05Z"
    naive = ask("POST", "/api/v1/runs", json={"run_id": "r2", "created_at": "2026-01-02T03:04:05"})
    assert naive.json()["created_at"] == "2026-01-02T03:04:05Z"
    wrong = ask("POST", "/api/v1/runs", json={"run_id": "r3", "created_at": "yesterday"})
    assert wrong.status_code == 422


@pytest.mark.parametrize("body", [{}, {"run_id": 1}, {"run_id": "r", "tags": "x"}, {"run_id": "r", "config": []}])
def test_arguments_of_another_type_are_refused(ask: Ask, body: dict) -> None:
    answer = ask("POST", "/api/v1/runs", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid.argument")


def test_a_batch_that_is_none_is_refused(ask: Ask, backend: LocalBackend) -> None:
    backend.runs.start("r1")
    for body in (b"", b"{}", b"\n\n", b'{"facts": {}, "rows": [["history", 9]]}\nshort', b"\xff\n", b"[]\n"):
        answer = ask("POST", "/api/v1/runs/r1/batches", params={"writer": "w", "seq": "1"}, content=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid.rows"), body
    assert backend.runs.last_seq("r1", "w") == -1


def test_every_path_parameter_is_a_parameter_of_its_operation() -> None:
    for declared in operations():
        assert declared.in_path <= declared.parameters.keys()


def test_a_parameter_that_is_unknown_or_there_twice_is_refused(ask: Ask) -> None:
    ask("POST", "/api/v1/runs", json={"run_id": "r1"})
    for path in ("runs/r1/rows?limt=5", "runs/r1/rows?limit=5&limit=6", "runs/r1/rows?run_id=r2"):
        answer = ask("GET", f"/api/v1/{path}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid.argument"), path
    answer = ask("PATCH", "/api/v1/runs/r1", json={"nam": "x"})
    assert "nam" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("text/plain", 403, "forbidden.csrf"),
        ("application/x-www-form-urlencoded", 403, "forbidden.csrf"),
        ("multipart/form-data", 403, "forbidden.csrf"),
        ("", 415, "invalid.argument"),
        ("application/xml", 415, "invalid.argument"),
    ],
)
def test_a_body_that_does_not_say_that_it_is_json_is_refused(ask: Ask, kind: str, status: int, code: str) -> None:
    """Browsers send such bodies for pages of other sites without asking."""
    answer = ask("POST", "/api/v1/runs", content=b'{"run_id": "r1"}', headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_lists_in_a_query_are_json_whatever_they_hold(ask: Ask) -> None:
    ask("POST", "/api/v1/runs", json={"run_id": "r1"})
    assert ask("GET", "/api/v1/runs/r1/rows", params={"keys": '["a"]'}).json() == []
