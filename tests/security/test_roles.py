"""Role by route, over HTTP, where a route is no operation or stands for many (F3, F6)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lineal.access.roles import permissions
from lineal.backend import wire
from lineal.backend.local.backend import LocalBackend
from lineal.storage import digest as digests
from lineal.storage.blobs import object_key
from lineal.tracking.model import Batch
from lineal.tracking.rows import encode
from tests.api.conftest import Ask
from tests.security.asking import API

Keys = Callable[..., dict[str, str]]
ROLES = {"olga": None, "rhea": "reader", "wim": "writer", "maia": "maintainer"}
BATCH = wire.batch_to_bytes(Batch({"history": encode([(0, 0.0, {"loss": 1.5})])}, last_step=0))


@pytest.fixture
def house(backend: LocalBackend, key: Keys) -> dict[str, dict[str, str]]:
    """The headers of each user; the private project `ada/p` has the run `r1` and the version `data:v0`."""
    root = key("ada")
    headers = {"ada": root}
    for name, role in ROLES.items():
        headers[name] = {**key(name), "Lineal-Entity": "ada", "Lineal-Project": "p"}
        if role is not None:
            backend.access.grant("ada/p", role, user=name)  # type: ignore[arg-type]
    backend.access.set_visibility("ada/p", "private")
    return headers


@pytest.fixture
def begun(ask: Ask, house: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    made = ask("POST", f"{API}/runs", json={"run_id": "r1", "project": "p"}, headers=house["wim"])
    assert made.status_code == 200, made.text
    sent = ask("POST", f"{API}/runs/r1/batches?writer=w&seq=1", content=BATCH, headers=house["wim"])
    assert sent.status_code == 200, sent.text
    return house


@pytest.mark.parametrize("name", ROLES)
def test_f3_what_stands_for_many_asks_for_each_of_them(ask: Ask, begun: dict[str, dict[str, str]], name: str) -> None:
    role, headers = ROLES[name], begun[name]
    may = permissions(role) if role else frozenset()  # type: ignore[arg-type]

    def status(method: str, path: str, **more: object) -> int:
        return ask(method, API + path, headers=headers, **more).status_code

    read, write = (200 if "read" in may else 404), (200 if "write" in may else 403 if may else 404)
    assert status("POST", "/runs/r1/batches?writer=w2&seq=1", content=BATCH) == write
    assert status("POST", "/runs/columns", json={"run_id": "r1", "keys": ["loss"]}) == read
    assert status("POST", "/runs/samples", json={"run_ids": ["r1"], "keys": ["loss"]}) == read
    assert status("POST", "/runs/samples", json={"run_ids": ["r1", "r1"], "keys": ["loss"]}) == read
    assert status("POST", "/runs/r1/events/page", json={}) == read
    found = ask("POST", f"{API}/runs/search", json={}, headers=headers).json()["runs"]
    assert [run["id"] for run in found] == (["r1"] if "read" in may else [])
    counted = ask("POST", f"{API}/runs/search", json={"count": True}, headers=headers).json()
    assert counted["total"] == (1 if "read" in may else 0)
    assert status("DELETE", "/runs/r1") == (200 if "delete" in may else 403 if may else 404)


def test_f6_bytes_are_told_and_given_only_to_those_who_may_read_them(
    ask: Ask, begun: dict[str, dict[str, str]]
) -> None:
    data = b"weights that nobody else has"
    digest = digests.of_bytes(data)
    where = f"{API}/objects/{object_key(digest)}"
    assert ask("PUT", where, content=data, headers=begun["wim"]).status_code == 204
    for name, missing, found in (("wim", b"", 1), ("olga", bytes(digest), 0), ("rhea", bytes(digest), 0)):
        asked = ask("POST", f"{API}/blobs/missing", content=bytes(digest), headers=begun[name])
        assert (asked.status_code, asked.content) == (200, missing)
        assert len(ask("POST", f"{API}/blobs/find", content=bytes(digest), headers=begun[name]).json()) == found
        assert (ask("GET", where, headers=begun[name]).status_code == 200) == bool(found)


@pytest.mark.parametrize("scope", ["read", "promote", "delete"])
def test_f3_a_key_that_may_not_write_sends_no_bytes_and_no_batch(
    ask: Ask, begun: dict[str, dict[str, str]], key: Keys, scope: str
) -> None:
    headers = {**key("wim", scopes=[scope]), "Lineal-Entity": "ada", "Lineal-Project": "p"}
    where = f"{API}/objects/{object_key(digests.of_bytes(b'x'))}"
    assert ask("PUT", where, content=b"x", headers=headers).status_code == 403
    assert ask("POST", f"{API}/runs/r1/batches?writer=w3&seq=1", content=BATCH, headers=headers).status_code == 403
    digest = digests.of_bytes(b"x").hex()
    for path, body in {
        "/blobs/grants": {"key": object_key(digests.of_bytes(b"x")), "size": 1, "sha256": digest},
        "/blobs/parts": {"ticket": "x", "parts": [[1, digest]]},
        "/blobs/parts/find": {"ticket": "x"},
        "/blobs/add": {"ticket": "x", "sums": []},
    }.items():
        answer = ask("POST", API + path, json=body, headers={**headers, "Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden.scope"), path
