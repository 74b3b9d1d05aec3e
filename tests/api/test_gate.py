"""What every request passes before its route."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from starlette.routing import Route

from lineal.api.app import create_app
from lineal.api.gate import FREE
from lineal.backend.local.backend import LocalBackend
from lineal.core.errors import StoreUnavailable
from tests.api.conftest import Ask, asking

Keys = Callable[..., dict[str, str]]
START = {"run_id": "r1"}


def places(backend: LocalBackend) -> set[tuple[str, str]]:
    """Every method and path that the app answers."""
    return set(flat(create_app(backend).routes))


def flat(routes: Iterable[Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Those of the routes, whether FastAPI copies a router's routes when it includes it or keeps it whole."""
    for route in routes:
        if (router := getattr(route, "original_router", None)) is not None:
            yield from flat(router.routes, prefix + route.include_context.prefix)
        else:
            assert isinstance(route, Route), f"{route} is of a kind that this census doesn't know"
            yield from ((method, prefix + route.path) for method in route.methods or ())


def test_f2_every_route_but_those_that_are_free_wants_to_know_who_asks(ask: Ask, key: Keys, backend) -> None:
    key("ada")
    known = places(backend)
    assert len(known) > 40
    for method, path in sorted(known - FREE):
        answer = ask(method, path.replace("{", "").replace("}", "").replace(":path", ""))
        assert answer.status_code == 401, (method, path)


def test_what_is_free_is_a_route_or_one_that_only_some_servers_have(backend: LocalBackend) -> None:
    assert {place for place in FREE if "oidc" not in place[1]} <= places(backend)


@pytest.mark.parametrize(
    "path", ["/health/", "//health", "/HEALTH", "/health;/../api/v1/projects", "/api/v1/setup/x"]
)
def test_what_is_like_a_free_path_is_not_free(ask: Ask, key: Keys, path: str) -> None:
    key("ada")
    assert ask("GET", f"http://localhost{path}").status_code == 401


def test_a_body_from_nobody_is_not_read(backend: LocalBackend, key: Keys) -> None:
    key("ada")
    asked = []

    async def receive():
        asked.append(1)
        return {"type": "http.request", "body": b"{", "more_body": True}

    async def send(message) -> None:
        asked.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/v1/runs",
        "raw_path": b"/api/v1/runs",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
        "client": ("10.0.0.7", 1),
        "server": ("localhost", 80),
        "scheme": "http",
        "http_version": "1.1",
        "root_path": "",
    }
    asyncio.run(create_app(backend)(scope, receive, send))
    assert asked[0]["status"] == 401


# ---- other sites' pages --------------------------------------------------------------------------------------

ALIEN = [
    {"Origin": "null"},
    {"Origin": "http://evil.test"},
    {"Origin": "http://localhost.evil.test"},
    {"Origin": "http://evil.test#localhost"},
    {"Origin": "http://localhost@evil.test"},
    {"Origin": "http://notlocalhost"},
    {"Origin": "http://localhost:3000"},
    {"Origin": "file://localhost"},
    {"Origin": "http://[::1"},
    {"Origin": ""},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
]


@pytest.mark.parametrize("headers", ALIEN, ids=str)
def test_e2_another_sites_page_changes_nothing_on_an_open_server(ask: Ask, headers: dict[str, str]) -> None:
    answer = ask("POST", "/api/v1/runs", json=START, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden.csrf")
    assert ask("GET", "/api/v1/runs/r1").status_code == 404


@pytest.mark.parametrize(
    "headers",
    [{}, {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}, {"Sec-Fetch-Site": "none"}],
    ids=str,
)
def test_our_own_page_and_programs_may(ask: Ask, headers: dict[str, str]) -> None:
    assert ask("POST", "/api/v1/runs", json=START, headers=headers).status_code == 200


def test_our_own_page_behind_a_proxy_that_takes_off_tls_may(ask: Ask) -> None:
    for origin in ("https://localhost", "https://localhost:443"):
        assert ask("POST", "/api/v1/runs", json=START, headers={"Origin": origin}).status_code == 200
    plain = {"Origin": "http://localhost"}
    assert ask("POST", "https://localhost/api/v1/runs", json=START, headers=plain).status_code == 403


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "text/plain;charset=utf-8",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ],
)
def test_e2_what_forms_send_is_refused_from_anywhere(ask: Ask, kind: str) -> None:
    answer = ask("POST", "/api/v1/runs", content=b'{"run_id": "r1"}', headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden.csrf")
    assert "application/json" in answer.json()["error"]["message"]


def test_a_key_is_nothing_that_a_browser_adds_by_itself(ask: Ask, key: Keys) -> None:
    headers = key("ada") | {"Origin": "http://evil.test", "Sec-Fetch-Site": "cross-site"}
    assert ask("POST", "/api/v1/runs", json=START, headers=headers).status_code == 200


@pytest.mark.parametrize("origin", ["null", "http://localhost", "http://localhost.evil.test", "http://evil.test"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS", "POST"])
def test_e3_no_other_origin_may_read_an_answer(ask: Ask, method: str, origin: str) -> None:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x"}
    answer = ask(method, "/api/v1/projects", headers=asked)
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_e5_there_is_no_web_socket(backend: LocalBackend) -> None:
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/api/v1/runs", "headers": [], "query_string": b"", "state": {}}
    asyncio.run(create_app(backend)(scope, receive, send))
    assert [message["type"] for message in sent] == ["websocket.close"]


def test_a_stream_of_events_wants_to_know_who_asks_too(ask: Ask, key: Keys) -> None:
    key("ada")
    alien = {"Accept": "text/event-stream", "Origin": "http://evil.test"}
    assert ask("GET", "/api/v1/runs/r1/events", headers=alien).status_code == 401


def test_that_a_key_was_used_is_no_reason_to_fail(backend: LocalBackend, key: Keys, monkeypatch, caplog) -> None:
    headers = key("ada")

    def fail(prefix: str) -> None:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(backend.signing_in, "note_key", fail)
    with caplog.at_level(logging.WARNING):
        assert asking(create_app(backend))("GET", "/api/v1/projects", headers=headers).status_code == 200
    assert "the disk is full" in caplog.text
    assert headers["Authorization"].rpartition("_")[2] not in caplog.text
