"""Requests that a server signed, made of the store itself: few headers, no key of ours, no redirects, bounded tries.

The standard library's client, since httpx writes each URL to its log, and these let their holder in.
"""

from __future__ import annotations

import http.client
import random
import ssl
import threading
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

from lineal.core.errors import StoreUnavailable

Body = bytes | bytearray | memoryview | Iterable[bytes]

_TIMEOUT_S = 60
_TRIES = 6
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 20.0
_AGAIN = {408, 429, 500, 502, 503, 504}
_MAX_SAID_BYTES = 64 << 10
_KEPT = 16


class Signed(NamedTuple):
    """A request that whoever has it may make, with exactly these headers."""

    url: str
    headers: Mapping[str, str]


class Answer(NamedTuple):
    """What the store said; `total` is the length of the whole object, where it told one."""

    status: int
    body: bytes
    total: int | None


class Store:
    """Connections to a store, kept open. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[tuple[str, str], list[http.client.HTTPConnection]] = {}

    def put(self, signed: Signed, body: Body) -> Answer:
        """Sends the body, which can be iterated again. Raises unavailable.store where no answer came."""
        return self._ask("PUT", signed, body, {}, None)

    def get(self, signed: Signed, start: int, end: int) -> Answer:
        """Reads the object from `start` to `end` (exclusive), or to its end where that comes first."""
        return self._ask("GET", signed, b"", {"range": f"bytes={start}-{end - 1}"}, end - start)

    def close(self) -> None:
        with self._lock:
            for connections in self._idle.values():
                for connection in connections:
                    connection.close()
            self._idle.clear()

    def _ask(self, method: str, signed: Signed, body: Body, more: Mapping[str, str], most: int | None) -> Answer:
        where = urlsplit(signed.url)
        headers = {**more, **{name.lower(): value for name, value in signed.headers.items()}}
        for attempt in range(_TRIES):
            last = attempt == _TRIES - 1
            try:
                answer = self._once(method, where, headers, body, most)
            except (OSError, http.client.HTTPException) as problem:
                if last:
                    raise StoreUnavailable(
                        f"the store at {where.hostname} can't be reached: {type(problem).__name__}"
                    ) from None
            else:
                if answer.status not in _AGAIN or last:
                    return answer
            most_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 3**attempt)
            time.sleep(random.uniform(0, most_s))  # noqa: S311 - jitter, no secret
        raise AssertionError("unreachable")

    def _once(
        self, method: str, where: SplitResult, headers: Mapping[str, str], body: Body, most: int | None
    ) -> Answer:
        with self._connection(where) as (connection, path):
            try:
                connection.request(method, path, body if method == "PUT" else None, dict(headers))
            except (BrokenPipeError, ConnectionResetError):  # it may have answered before it had all
                with suppress(OSError, http.client.HTTPException):
                    answer = connection.getresponse()
                    said = Answer(answer.status, answer.read(_MAX_SAID_BYTES), None)
                    connection.close()
                    return said
                raise
            answer = connection.getresponse()
            if answer.status not in (200, 206) or most is None:
                said = Answer(answer.status, answer.read(_MAX_SAID_BYTES), None)
                if not answer.isclosed():
                    connection.close()
                return said
            return _read(answer, most)

    @contextmanager
    def _connection(self, where: SplitResult) -> Iterator[tuple[http.client.HTTPConnection, str]]:
        place = (where.scheme, where.netloc)
        with self._lock:
            idle = self._idle.setdefault(place, [])
            connection = idle.pop() if idle else None
        path = f"{where.path or '/'}?{where.query}"
        proxy = _proxy(where)
        if proxy is not None and where.scheme == "http":
            path = f"http://{where.netloc}{path}"
        connection = connection or _connect(where, proxy)
        try:
            yield connection, path
        except BaseException:
            connection.close()
            raise
        with self._lock:
            if connection.sock is not None and len(idle) < _KEPT:
                idle.append(connection)
            else:
                connection.close()


def _read(answer: http.client.HTTPResponse, most: int) -> Answer:
    """The answer with its whole body. Raises HTTPException for one that is cut, or isn't the range that was asked."""
    total = (answer.getheader("Content-Range") or "").rpartition("/")[2]
    length = answer.length
    if answer.status != 206 or not total.isdecimal() or length is None or length > most:
        raise http.client.HTTPException("no such range came")
    held = memoryview(bytearray(length))
    at = 0
    while at < length:
        count = answer.readinto(held[at:])
        if not count:
            raise http.client.IncompleteRead(bytes(held[:0]), length - at)
        at += count
    answer.read()
    return Answer(206, held.obj, int(total))  # type: ignore[arg-type]


def _connect(where: SplitResult, proxy: SplitResult | None) -> http.client.HTTPConnection:
    if where.scheme not in ("http", "https") or not where.hostname:
        raise StoreUnavailable("the server names a store that is not reached by HTTP")
    to = proxy or where
    given: dict[str, Any] = {"timeout": _TIMEOUT_S, "blocksize": 1 << 20}
    if where.scheme == "http":
        return http.client.HTTPConnection(to.hostname or "", to.port, **given)
    connection = http.client.HTTPSConnection(to.hostname or "", to.port, context=_tls(), **given)
    if proxy is not None:
        connection.set_tunnel(where.hostname, where.port)
    return connection


def _proxy(where: SplitResult) -> SplitResult | None:
    """The proxy that the environment names for this host."""
    found = urllib.request.getproxies().get(where.scheme)
    if not found or urllib.request.proxy_bypass(where.hostname or ""):
        return None
    return urlsplit(found if "://" in found else f"http://{found}")


@cache
def _tls() -> ssl.SSLContext:
    """What the connection to the server itself trusts."""
    import httpx

    return httpx.create_ssl_context()
