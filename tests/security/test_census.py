"""Every route of a server as `lineal server` starts it, with the routes that only some servers have (F2)."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter

from lineal.api.app import create_app
from lineal.api.gate import ASKED, FREE
from lineal.api.metrics import Metrics
from lineal.api.oidc import Config, Provider
from lineal.backend.declared import operations
from lineal.backend.local.backend import LocalBackend
from tests.api.conftest import asking
from tests.api.test_gate import flat
from tests.security.asking import API

Keys = Callable[..., dict[str, str]]
PROVIDER = Provider(Config("https://issuer.test", "lineal", "secret", frozenset()))


def test_f2_routes_of_a_whole_server_are_closed_to_nobody_but_a_few(backend: LocalBackend, key: Keys) -> None:
    key("ada")
    added = APIRouter(prefix="/added-later")

    @added.get("/thing")
    def thing() -> str:
        return "nobody thought of asking who this is for"

    app = create_app(backend, provider=PROVIDER, more=(Metrics(backend, readers=()).router(), added))
    ask, known = asking(app), set(flat(app.routes))
    assert {("GET", "/added-later/thing"), *FREE, *ASKED} <= known
    assert {(o.operation.method, API + o.operation.path) for o in operations()} <= known
    for method, path in sorted(known - FREE):
        for headers in ({}, {"Authorization": "Bearer lnl_no"}, {"Cookie": "lineal=no"}, {"X-Remote-User": "ada"}):
            answer = ask(method, path.replace("{", "").replace("}", "").replace(":path", ""), headers=headers)
            assert answer.status_code in (401, 403), (method, path, headers, answer.status_code)
            assert "nobody thought" not in answer.text


def test_f2_what_is_free_is_no_operation_and_tells_nothing_of_the_store(backend: LocalBackend, key: Keys) -> None:
    key("ada")
    assert not {(o.operation.method, API + o.operation.path) for o in operations()} & (FREE | ASKED)
    ask = asking(create_app(backend, provider=PROVIDER))
    for method, path in sorted(FREE):
        answer = ask(method, path, json={} if method == "POST" else None)
        assert "ada" not in answer.text, path


def test_f2_every_operation_and_route_says_what_it_needs(backend: LocalBackend) -> None:
    app = create_app(backend, provider=PROVIDER)
    for path, methods in app.openapi()["paths"].items():
        for method, told in methods.items():
            needs = told.get("x-permission")
            assert needs in ("read", "write", "promote", "delete", "admin", "none"), (method, path)
            assert needs != "none" or (method.upper(), path) in FREE | {("DELETE", f"{API}/session")}, (method, path)
