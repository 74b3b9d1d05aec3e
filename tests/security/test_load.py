"""Requests that are too much: refused or bounded, quickly, with no fault (G1, G2, G3)."""

from __future__ import annotations

import gzip
import json
import time
from typing import Any

import pytest

from lineal.backend import wire
from lineal.backend.local.backend import LocalBackend
from lineal.tracking.model import Batch
from tests.api.conftest import Ask
from tests.security.asking import API

JSON = {"Content-Type": "application/json"}


def post(ask: Ask, body: bytes | str, path: str = "/runs") -> Any:
    began = time.monotonic()
    answer = ask("POST", API + path, content=body, headers=JSON)
    assert time.monotonic() - began < 30, "bounded time"
    assert answer.status_code < 500, answer.text[:300]
    return answer


def test_g2_a_million_parameters_and_large_metadata_are_refused(ask: Ask) -> None:
    keys = ",".join(f'"k{n}":1' for n in range(1_000_000))
    assert post(ask, f'{{"run_id":"r1",{keys}}}').status_code == 422
    artifact = {"collection": "c", "type": "t", "digest": f"sha256:{'0' * 64}", "metadata": {"x": "x" * (2 << 20)}}
    assert post(ask, json.dumps(artifact), "/artifacts/log").status_code == 422


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", str(2**63), str(-(2**70)), "9" * 5000])
def test_g2_numbers_beyond_all_measure_are_values_or_refused(ask: Ask, backend: LocalBackend, number: str) -> None:
    for body in (
        f'{{"run_id":"r1","config":{{"x":{number}}}}}',
        f'{{"run_id":"r2","summary":{{"x":{number}}}}}',
        f'{{"run_id":{number}}}',
    ):
        post(ask, body)
    backend.runs.start("r3")
    for path, body in [
        ("/runs/search", f'{{"limit":{number}}}'),
        ("/runs/search", f'{{"filters":{{"summary.x":{{"$gt":{number}}}}}}}'),
        ("/runs/r3/rewind", f'{{"step":{number}}}'),
        ("/runs/columns", f'{{"run_id":"r3","keys":["a"],"min_step":{number},"max_step":{number}}}'),
        ("/runs/samples", f'{{"run_ids":["r3"],"keys":["a"],"points":{number}}}'),
        ("/runs/r3/events/page", f'{{"limit":{number},"last":{number}}}'),
    ]:
        post(ask, body, path)
    for path, query in [
        ("/runs/r3/rows", {"min_step": number, "max_step": number, "limit": number}),
        ("/artifacts/versions", {"collection": "c", "limit": number}),
        ("/artifacts/alias/events", {"ref": "c", "after": number}),
        ("/lineage/graph", {"subject": "run:r3", "depth": number}),
        ("/lineage/reach", {"subject": "run:r3", "depth": number}),
        ("/store/gc", {"grace_s": number}),
        ("/access/audit", {"limit": number}),
    ]:
        answer = ask("GET", API + path, params=query)
        assert answer.status_code < 500, (path, answer.text[:300])


def test_g1_g3_pages_depths_and_patterns_are_bounded(ask: Ask, backend: LocalBackend) -> None:
    backend.runs.start("r1", config={"a": "a" * 200 + "!"})
    for depth in (500, 100_000):
        post(ask, '{"filters":' + '{"$and":[' * depth + "{}" + "]}" * depth + "}", "/runs/search")
    wide = {"$or": [{"name": f"{n}"} for n in range(100_000)]}
    pattern = {"config.a": {"$regex": "(a+)+$"}}
    for filters in (wide, pattern, {"config.a": {"$regex": "(" * 5000}}, {"a" * 1_000_000: 1}, {"": 1}):
        post(ask, json.dumps({"filters": filters}), "/runs/search")
    for body in ({"limit": 10**9}, {"order": "x" * 1_000_000}, {"after": "x" * 1_000_000}):
        assert post(ask, json.dumps(body), "/runs/search").status_code in (200, 422)
    for text in ("%" * 1000, "*" * 500 + "x", "[" * 500):
        assert ask("GET", f"{API}/artifacts/search", params={"text": text}).status_code in (200, 422)
    ids = json.dumps({"run_ids": ["r1"] * 100_000, "keys": ["a"] * 10})
    post(ask, ids, "/runs/samples")


def test_g2_what_is_packed_is_not_unpacked(ask: Ask) -> None:
    bomb = gzip.compress(b"0" * (1 << 24))
    for coding in ("gzip", "deflate", "br", "zstd", "gzip, gzip", "GZIP"):
        headers = {**JSON, "Content-Encoding": coding}
        for method, path in (("POST", "/runs"), ("POST", "/runs/r1/batches"), ("POST", "/blobs/missing")):
            assert ask(method, API + path, content=bomb, headers=headers).status_code == 415


def test_g2_names_of_a_megabyte_and_steps_beyond_all_are_refused_in_a_batch(ask: Ask, backend: LocalBackend) -> None:
    backend.runs.start("r1")
    where = f"{API}/runs/r1/batches?writer=w&seq=1"
    for told in (
        {"summary": {"x" * (1 << 20): 1}},
        {"last_step": 2**63},
        {"last_step": 10**400},
        {"rows": {"history": 10**12}},
        {"rows": {"history": -1}},
        {"files": [{"path": "../x", "digest": f"sha256:{'0' * 64}", "size": 2**63}]},
    ):
        body = json.dumps(told).encode() + b"\n" + b"x" * 100
        answer = ask("POST", where, content=body, headers={"Content-Type": "application/octet-stream"})
        assert 400 <= answer.status_code < 500, (str(told)[:80], answer.status_code, answer.text[:300])
    whole = wire.batch_to_bytes(Batch(last_step=3))
    assert ask("POST", where, content=whole).status_code == 200  # its number is still free
