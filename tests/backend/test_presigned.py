"""Requests that somebody else signed: what is sent, what is tried again, and what nobody gets to read."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lineal.backend.presigned import Signed, Store
from lineal.core.errors import StoreUnavailable
from tests.proxy import Fault, Proxy, before

DATA = bytes(range(256)) * 2000


class Origin(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, str, dict[str, str], bytes]] = []  # noqa: RUF012 - emptied by the fixture

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append(("PUT", self.path, dict(self.headers.items()), body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        if self.path.startswith("/away"):
            self.send_response(307)
            self.send_header("Location", "/x")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start, end = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
        data = DATA[start : end + 1]
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{start + len(data) - 1}/{len(DATA)}")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    Origin.seen.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Origin)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    with before(f"http://127.0.0.1:{server.server_port}") as proxy_:
        yield proxy_
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def store() -> Iterator[Store]:
    store_ = Store()
    yield store_
    store_.close()


def test_a_body_goes_with_the_headers_that_were_signed_and_no_key(store: Store, proxy: Proxy) -> None:
    signed = Signed(f"{proxy.url}/k?X-Amz-Signature=s", {"content-length": "3", "x-amz-checksum-sha256": "c"})
    assert store.put(signed, [b"a", b"bc"]).status == 200
    _, path, headers, body = Origin.seen[0]
    assert (path, body) == ("/k?X-Amz-Signature=s", b"abc")
    assert headers["x-amz-checksum-sha256"] == "c"
    assert not {name.lower() for name in headers} & {"authorization", "lineal-user", "cookie", "transfer-encoding"}


def test_a_range_comes_whole_and_says_how_long_the_object_is(store: Store, proxy: Proxy) -> None:
    answer = store.get(Signed(f"{proxy.url}/k?s=1", {}), 10, 20)
    assert (answer.status, answer.body, answer.total) == (206, DATA[10:20], len(DATA))
    assert store.get(Signed(f"{proxy.url}/k?s=1", {}), len(DATA) - 5, len(DATA) + 5).body == DATA[-5:]


@pytest.mark.parametrize(
    "fault", [Fault(status=503), Fault(status=429), Fault(request_cut=0), Fault(answer_cut=100_000)], ids=repr
)
def test_what_goes_wrong_twice_is_tried_again(store: Store, proxy: Proxy, fault: Fault) -> None:
    proxy.faults = lambda _passed, number: fault if number < 2 else None
    assert store.get(Signed(f"{proxy.url}/k?s=1", {}), 0, 300_000).body == DATA[:300_000]
    assert proxy.count("GET") == 3


def test_a_body_that_is_cut_is_sent_again_whole(store: Store, proxy: Proxy) -> None:
    proxy.faults = lambda _passed, number: Fault(request_cut=50_000) if number == 0 else None
    signed = Signed(f"{proxy.url}/k", {"content-length": str(len(DATA))})
    assert store.put(signed, [DATA[:1000], DATA[1000:]]).status == 200
    assert [body for *_, body in Origin.seen] == [DATA]


def test_it_ends_at_last_and_tells_nobody_the_url(
    store: Store, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("lineal.backend.presigned._FIRST_PAUSE_S", 0.0)
    caplog.set_level(logging.DEBUG)
    proxy.faults = lambda _passed, _number: Fault(request_cut=0)
    with pytest.raises(StoreUnavailable) as raised:
        store.get(Signed(f"{proxy.url}/secret-key?X-Amz-Signature=s3cr3t", {}), 0, 1)
    assert "127.0.0.1" in str(raised.value)
    for text in (str(raised.value), caplog.text):
        assert "s3cr3t" not in text
        assert "secret-key" not in text
    assert raised.value.__cause__ is None


def test_a_redirect_is_not_followed(store: Store, proxy: Proxy) -> None:
    assert store.get(Signed(f"{proxy.url}/away", {}), 0, 1).status == 307
    assert proxy.count("GET") == 1


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/", "http:///x", "x"])
def test_what_is_no_http_is_not_asked(store: Store, url: str) -> None:
    with pytest.raises(StoreUnavailable):
        store.get(Signed(url, {}), 0, 1)


def test_a_proxy_that_the_environment_names_is_used(
    store: Store, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", proxy.url)
    store.put(Signed("http://store.invalid/k?s=1", {"content-length": "1"}), b"x")
    assert proxy.passed[0].path == "http://store.invalid/k?s=1"
    assert proxy.passed[0].headers["Host"] == "store.invalid"


def test_connections_are_kept(store: Store, proxy: Proxy, tmp_path: Path) -> None:
    for _ in range(3):
        store.get(Signed(f"{proxy.url}/k", {}), 0, 1)
    assert sum(map(len, store._idle.values())) == 1
