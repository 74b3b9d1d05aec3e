"""What becomes of a request, told to whoever listens."""

import re
from types import SimpleNamespace

import pytest
from fastapi import APIRouter, Request

from lineal.api.app import create_app
from lineal.api.served import Listener, Served, route_of
from lineal.backend.local.backend import LocalBackend
from tests.api.conftest import Ask, asking


class Heard(Listener):
    def __init__(self) -> None:
        self.all: list[Served] = []
        self.begun_ = 0

    def begun(self) -> None:
        self.begun_ += 1

    def ended(self, served: Served) -> None:
        self.all.append(served)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def ask(backend: LocalBackend, heard: Heard) -> Ask:
    return asking(create_app(backend, listeners=[heard]))


@pytest.mark.parametrize(
    ("method", "path", "route", "status"),
    [
        ("GET", "/health", "/health", 200),
        ("GET", "/api/v1/projects?secret=1", "/api/v1/projects", 422),
        ("GET", "/api/v1/runs/secret", "/api/v1/runs/{run_id}", 404),
        ("GET", "/api/v1/objects/secret", "/api/v1/objects/{key}", 404),
        ("GET", "/secret", None, 404),
        ("TRACK", "/api/v1/secret", None, 404),
    ],
)
def test_a_request_is_told_by_its_routes_template(ask: Ask, heard: Heard, method, path, route, status) -> None:
    answer = ask(method, path)
    (served,) = heard.all
    assert (served.route, served.status) == (route, status)
    assert served.method == (method if method != "TRACK" else "OTHER")
    assert served.request_id == answer.headers["X-Request-Id"]
    assert served.bytes_out == len(answer.content)
    assert served.seconds > 0
    assert heard.begun_ == 1
    assert "secret" not in repr(served)


def test_bytes_of_the_body_are_counted(ask: Ask, heard: Heard) -> None:
    ask("POST", "/api/v1/runs", json={"run_id": "r"})
    assert heard.all[0].bytes_in == len(b'{"run_id":"r"}')


def test_a_fault_and_a_stranger_are_told_too(ask: Ask, heard: Heard) -> None:
    ask("GET", "/api/v1/projects", headers={"Host": "evil.test"})
    assert (heard.all[0].status, heard.all[0].route) == (403, None)


def test_what_is_known_of_the_caller_is_taken_from_the_requests_state(backend: LocalBackend, heard: Heard) -> None:
    more = APIRouter()

    @more.get("/who")
    def who(request: Request) -> None:
        request.state.caller = SimpleNamespace(name="ada", key_prefix="abc")
        request.state.rows = 3

    asking(create_app(backend, listeners=[heard], more=[more]))("GET", "/who")
    served = heard.all[0]
    assert (served.caller, served.key_prefix, served.rows) == ("ada", "abc", 3)


def test_a_route_of_an_included_router_has_its_prefix_once() -> None:
    for path in ("/x/{y}", "/api/x/{y}"):
        scope = {"route": SimpleNamespace(path_format=path), "path": "/api/x/1"}
        assert route_of(scope, "/api") == "/api/x/{y}"
    assert route_of({"route": SimpleNamespace(path_format="/health"), "path": "/health"}, "/api") == "/health"
    assert not re.search("x", str(route_of({"path": "/x"}, "/api")))
