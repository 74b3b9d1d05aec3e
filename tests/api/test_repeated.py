"""A request that is sent again, since its answer was lost, changes nothing and is answered in the same way."""

import hashlib
from typing import Any

import pytest

from lineal.backend import wire
from lineal.backend.local.backend import LocalBackend
from lineal.storage import digest as digests
from lineal.storage.blobs import object_key
from lineal.storage.manifest import Entry, Manifest
from lineal.tracking.model import Batch
from lineal.tracking.rows import encode
from tests.api.conftest import Ask

RUN = {"run_id": "r1", "project": "p", "config": {"lr": 0.1}, "writer": "w"}


def digest_of(ask: Ask) -> str:
    """The digest of a manifest that is in the store, with its one file."""
    data = b"weights"
    entry = Entry("a", digests.of_bytes(data), len(data))
    whole = Manifest([entry]).to_bytes()
    for blob in (data, whole):
        ask("PUT", f"/api/v1/objects/{object_key(digests.of_bytes(blob))}", content=blob)
    return f"sha256:{hashlib.sha256(whole).hexdigest()}"


@pytest.fixture
def rows_of(backend: LocalBackend) -> Any:
    """How many rows each table has."""
    from sqlalchemy import func, select

    from lineal.db import schema

    def counted() -> dict[str, int]:
        with backend.context.database.read() as session:
            tables = [t for t in schema.metadata.sorted_tables if t.name != "audit_log"]  # tells of both
            return {t.name: session.scalar(select(func.count()).select_from(t)) or 0 for t in tables}

    return counted


def test_whatever_is_asked_twice_is_done_once(ask: Ask, rows_of: Any) -> None:
    digest = digest_of(ask)
    batch = wire.batch_to_bytes(Batch({"history": encode([(0, 0.0, {"a": 1})])}, last_step=0, summary={"a": 1}))
    log = {"collection": "m", "type": "model", "digest": digest, "run_id": "r1", "aliases": ["best"]}
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "runs", {"json": RUN}),
        ("POST", "runs", {"json": {**RUN, "resume": "never"}}),
        ("POST", "runs/r1/batches", {"params": {"writer": "w", "seq": "1"}, "content": batch}),
        ("POST", "artifacts/log", {"json": log}),
        ("PUT", "artifacts/alias", {"json": {"ref": "p/m:v0", "alias": "production"}}),
        ("POST", "artifacts/use", {"json": {"ref": "p/m:production", "run_id": "r1"}}),
        ("PATCH", "runs/r1", {"json": {"notes": "good"}}),
        ("PATCH", "artifacts/version", {"json": {"ref": "p/m:v0", "description": "better"}}),
        ("POST", "artifacts/link", {"json": {"ref": "p/m:v0", "target": "registry/m", "aliases": ["prod"]}}),
        ("POST", "runs/r1/finish", {"json": {"state": "failed", "exit_code": 3}}),
    ]
    for method, path, more in requests:
        first = ask(method, f"/api/v1/{path}", **more)
        assert first.status_code == 200, (path, first.text)
        before = rows_of()
        again = ask(method, f"/api/v1/{path}", **more)
        assert again.status_code == 200, (path, again.text)
        assert rows_of() == before, path
        told = [{k: v for k, v in answer.json().items() if k not in ("made", "seen_at")} for answer in (first, again)]
        assert told[0] == told[1], path
    assert ask("GET", "/api/v1/runs/r1/rows").json() == [{"_step": 0, "_timestamp": 0.0, "a": 1}]


def test_a_move_that_is_repeated_with_its_condition_is_refused_and_says_where_the_alias_stands(ask: Ask) -> None:
    """Whoever loses the answer of a conditional move reads in the second one that the first was done."""
    ask("POST", "/api/v1/artifacts/log", json={"collection": "m", "type": "model", "digest": digest_of(ask)})
    move = {"ref": "m:v0", "alias": "production", "expected": "none"}
    assert ask("PUT", "/api/v1/artifacts/alias", json=move).status_code == 200
    again = ask("PUT", "/api/v1/artifacts/alias", json=move)
    assert (again.status_code, again.json()["error"]["details"]["stands"]) == (409, "v0")
