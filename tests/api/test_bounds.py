"""What a request may ask of the server before anybody looks at it."""

import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest

from lineal.api.app import create_app
from lineal.api.bounds import Limits
from lineal.backend.local.backend import LocalBackend
from lineal.storage.blobs import object_key
from lineal.storage.digest import of_bytes
from tests.api.conftest import Ask, asking

KEY = object_key(of_bytes(b"x" * 2000))


@pytest.fixture
def ask(backend: LocalBackend) -> Ask:
    return asking(create_app(backend, limits=Limits(body_bytes=1000, upload_bytes=3000, stall_s=0.05)))


async def pieces(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * 500


@pytest.mark.parametrize("path", ["/api/v1/runs", "/api/v1/runs/r/batches?writer=w&seq=1", "/api/v1/blobs/missing"])
def test_a_body_that_is_too_long_is_refused_whether_or_not_it_says_so(ask: Ask, path: str) -> None:
    for body in (b"x" * 1001, pieces(3)):
        answer = ask("POST", path, content=body)
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "invalid.argument"
        assert "1000" in answer.json()["error"]["message"]


def test_objects_may_be_longer_but_not_without_end(ask: Ask) -> None:
    assert ask("PUT", f"/api/v1/objects/{KEY}", content=b"x" * 2000).status_code == 204
    for body in (b"x" * 3001, pieces(7)):
        assert ask("PUT", f"/api/v1/objects/{KEY}", content=body).status_code == 413


@pytest.mark.parametrize("length", ["9" * 5000, "99999999999999999999999"])
def test_a_length_beyond_all_numbers_is_refused(ask: Ask, length: str) -> None:
    assert ask("POST", "/api/v1/runs", headers={"Content-Length": length}).status_code == 413


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip", "GZIP"])
def test_a_packed_body_is_not_unpacked(ask: Ask, coding: str) -> None:
    bomb = gzip.compress(b'{"run_id": "' + b"x" * 100_000)
    answer = ask("POST", "/api/v1/runs", content=bomb, headers={"Content-Encoding": coding})
    assert answer.status_code == 415
    assert answer.json()["error"]["code"] == "invalid.argument"


@pytest.mark.parametrize(("method", "path"), [("POST", "/api/v1/runs"), ("PUT", f"/api/v1/objects/{KEY}")])
def test_a_body_that_stalls_is_given_up(ask: Ask, backend: LocalBackend, method: str, path: str) -> None:
    async def stalling() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(60)

    answer = ask(method, path, content=stalling())
    assert answer.status_code == 408
    assert list(backend.blobs.store.list()) == []


def test_an_answer_may_take_longer_than_a_body_may_stall(ask: Ask, backend: LocalBackend) -> None:
    assert ask("GET", "/api/v1/projects").status_code == 200


@pytest.mark.parametrize("name", ["metadata", "config", "tags", "run_id"])
def test_deep_json_is_refused_wherever_it_stands(backend: LocalBackend, name: str) -> None:
    asked = asking(create_app(backend))
    for depth in (300, 600, 900, 3000, 100_000):
        deep = "[" * depth + "]" * depth
        body = f'{{"run_id": "r", "collection": "c", "type": "t", "manifest_digest": "x", "{name}": {deep}}}'
        for path in ("/api/v1/runs", "/api/v1/artifacts"):
            answer = asked("POST", path, content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code < 500, answer.text  # where nothing is called so, it is left out
    for depth in (300, 900, 3000):
        answer = asked("GET", "/api/v1/runs", params={"filters": "[" * depth + "]" * depth})
        assert answer.status_code in (400, 405, 422), answer.text
