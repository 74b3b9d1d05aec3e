"""Places that a client names: the server neither reads nor reaches them (A6, C2, C4, C5)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lineal.backend.local.backend import LocalBackend
from lineal.storage import digest as digests
from lineal.storage.cache import Cache
from lineal.storage.manifest import Entry, Manifest, Reference
from lineal.storage.transfer import Push
from tests.api.conftest import Ask
from tests.security.asking import API
from tests.security.conftest import hearing


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def test_a6_c2_the_server_goes_to_no_place_that_a_client_named(
    ask: Ask, backend: LocalBackend, tmp_path: Path, canary: Path, listening: socket.socket
) -> None:
    port = listening.getsockname()[1]
    places = [
        f"http://127.0.0.1:{port}/model",
        f"http://localhost.:{port}/model",
        f"http://[::ffff:127.0.0.1]:{port}/model",
        f"http://2130706433:{port}/model",
        f"https://127.0.0.1:{port}/model",
        f"ftp://127.0.0.1:{port}/model",
        f"sftp://127.0.0.1:{port}/model",
        "s3://bucket/model",
        "gs://bucket/model",
        "runs:/../../etc/passwd",
        canary.as_uri(),
        "file:///etc/passwd",
    ]
    entries = [Entry(f"f{n}", None, 14, Reference(place, etag="x")) for n, place in enumerate(places)]
    gone: list[object] = []

    def hear(event: str, given: tuple[object, ...]) -> None:
        if event == "socket.connect" and str(port) in str(given[1:]):
            gone.append(given)
        if event == "socket.getaddrinfo" and str(given[0]) not in ("127.0.0.1", "localhost"):
            gone.append(given)
        if event == "open" and str(given[0]) in (str(canary), "/etc/passwd"):
            gone.append(given)

    with closing(Cache(tmp_path / "cache")) as cache, Push(backend.blobs, cache) as push:
        digest = digests.format(push.manifest(Manifest([*entries, push.data("own", b"x")])))
    with hearing(hear):
        body = {"collection": "c", "type": "model", "digest": digest, "project": "p"}
        answer = ask("POST", f"{API}/artifacts/log", json=body)
        if answer.status_code == 422:  # a place of no kind that is known: without it
            pytest.fail(answer.text)
        for path, query in [
            ("/artifacts/resolve", {"ref": "p/c:v0"}),
            ("/artifacts/manifest", {"digest": digest}),
            ("/lineage/audit", {"ref": "p/c:v0", "verify": "true"}),
            ("/lineage/impact", {"subject": "p/c:v0"}),
            ("/artifacts/diff", {"before": "p/c:v0", "after": "p/c:v0"}),
            ("/artifacts/search", {"text": "c"}),
        ]:
            assert ask("GET", API + path, params=query).status_code == 200, path
        for repair in (False, True):
            checked = ask("POST", f"{API}/store/fsck", json={"repair": repair, "rebuild": repair})
            assert checked.status_code == 200
            assert checked.json()["problems"] == []
        plan = ask("GET", f"{API}/store/gc", params={"grace_s": 0}).json()
        assert ask("POST", f"{API}/store/gc", json={"plan": plan}).status_code == 200
        for place in places:  # nor where a name, a subject or an object is asked for
            ask("GET", f"{API}/artifacts/resolve", params={"ref": place})
            ask("GET", f"{API}/lineage/graph", params={"subject": place})
            ask("GET", f"{API}/artifacts/manifest", params={"digest": place})
            ask("GET", f"{API}/objects/{place}")
            ask("POST", f"{API}/runs", json={"run_id": "r1", "config": {"uri": place}, "notes": place})
    assert gone == []
    with pytest.raises(BlockingIOError):
        listening.accept()
    canary.read_text()
