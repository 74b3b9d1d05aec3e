"""A proxy on loopback before real HTTP servers, which counts what passes and can refuse, hold, slow or cut it.

The `Host` of a request is passed on as it came, so that signatures stay right for whoever signed for the proxy.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from typing import NamedTuple
from urllib.parse import urlsplit


class Passed(NamedTuple):
    """A request that came: `size` is that of its body, `range` its header."""

    method: str
    path: str
    size: int
    range: str | None
    headers: dict[str, str]


class Fault(NamedTuple):
    """What goes wrong with a request.

    It is answered with `status` at once; or held until the event; or its body, or the answer's, is cut after that
    many bytes (-1: nothing of the answer comes); or the answer's body waits so long before each 64 KiB.
    """

    status: int | None = None
    held: threading.Event | None = None
    request_cut: int | None = None
    answer_cut: int | None = None
    slow_s: float = 0.0


class Proxy:
    """The proxy at `url`; `faults` is asked with each request and how many came before it."""

    def __init__(self, *to: str) -> None:
        self._to = cycle([urlsplit(url).netloc for url in to])
        self.faults: Callable[[Passed, int], Fault | None] = lambda _passed, _number: None
        self.passed: list[Passed] = []
        self._lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def next(self) -> str:
        """The server whose turn it is."""
        with self._lock:
            return next(self._to)

    def note(self, passed: Passed) -> Fault | None:
        with self._lock:
            self.passed.append(passed)
            number = len(self.passed) - 1
        return self.faults(passed, number)

    def count(self, method: str) -> int:
        """How many requests of the method have come."""
        return sum(passed.method == method for passed in self.passed)


@contextmanager
def before(*urls: str) -> Iterator[Proxy]:
    """A proxy before the server, or the servers in turn, at `urls`."""
    proxy = Proxy(*urls)
    thread = threading.Thread(target=proxy.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.server.shutdown()
        proxy.server.server_close()
        thread.join(10)


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            size = int(self.headers.get("Content-Length", "0"))
            passed = Passed(self.command, self.path, size, self.headers.get("Range"), dict(self.headers.items()))
            fault = proxy.note(passed) or Fault()
            if fault.held is not None:
                fault.held.wait(60)
            if fault.request_cut is not None:
                self.rfile.read(min(size, fault.request_cut))
                self.close_connection = True
                return
            body = self.rfile.read(size)
            if fault.status is not None:
                self._answer(fault.status, {}, b"", fault)
                return
            onward = http.client.HTTPConnection(proxy.next(), timeout=60)
            try:
                onward.request(self.command, self.path, body or None, dict(self.headers.items()))
                answer = onward.getresponse()
                self._answer(answer.status, dict(answer.getheaders()), answer.read(), fault)
            finally:
                onward.close()

        def _answer(self, status: int, headers: dict[str, str], body: bytes, fault: Fault) -> None:
            if fault.answer_cut == -1:
                self.close_connection = True
                return
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            bodiless = {name.lower(): value for name, value in headers.items()} if self.command == "HEAD" else {}
            self.send_header("Content-Length", bodiless.get("content-length", str(len(body))))
            self.end_headers()
            end = len(body) if fault.answer_cut is None else fault.answer_cut
            for start in range(0, end, 65_536):
                time.sleep(fault.slow_s)
                self.wfile.write(body[start : min(start + 65_536, end)])
            if end < len(body):
                self.close_connection = True

        do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = do_HEAD = _pass  # noqa: N815 - names that the base class looks for

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except OSError:  # the client went away, or was killed
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    return Handler
