"""HTTP clients in one loop: each has a connection that it keeps, and asks again when it has its answer.

They cost the same for every server, and little. Acknowledgements are sent at once (TCP_QUICKACK): a server that
writes its answer in two pieces, with Nagle's algorithm on, would else wait 40 ms for one.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote, urlencode


class Taken(NamedTuple):
    """How long all of it took, and each request from its first byte to the answer's last, sorted."""

    seconds: float
    each: Sequence[float]

    @property
    def median(self) -> float:
        return self.each[len(self.each) // 2]

    @property
    def p99(self) -> float:
        return self.each[len(self.each) * 99 // 100]


def get(path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> bytes:
    """A request, as bytes."""
    told = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "127.0.0.1", **headers}.items())
    return f"GET {path}?{urlencode(query, quote_via=quote, safe='')} HTTP/1.1\r\n{told}\r\n".encode()


def ask(port: int, requests: Sequence[bytes], *, clients: int) -> Taken:
    """Has so many clients ask until all requests are answered, each of them with 200."""
    waiting = iter(requests)
    each: list[float] = []
    with selectors.DefaultSelector() as selector:
        began = time.perf_counter()
        for _ in range(clients):
            client = _Client(port)
            if client.send(waiting):
                selector.register(client.socket, selectors.EVENT_READ, client)
        while selector.get_map():
            for key, _ in selector.select():
                client = key.data
                if client.hear():
                    each.append(time.perf_counter() - client.asked_at)
                    if not client.send(waiting):
                        selector.unregister(client.socket)
                        client.socket.close()
        return Taken(time.perf_counter() - began, sorted(each))


class _Client:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.asked_at = 0.0
        self._heard = b""

    def send(self, waiting: Iterator[bytes]) -> bool:
        request = next(waiting, None)
        if request is None:
            return False
        self._heard, self.asked_at = b"", time.perf_counter()
        self.socket.sendall(request)
        return True

    def hear(self) -> bool:
        """Whether the answer is whole now."""
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        piece = self.socket.recv(1 << 16)
        self._heard += piece
        head, end, body = self._heard.partition(b"\r\n\r\n")
        if not piece or (end and not head.startswith(b"HTTP/1.1 200")):
            raise RuntimeError(f"the server answered {self._heard[:1000]!r}")
        return bool(end) and len(body) >= _length(head)


def _length(head: bytes) -> int:
    lines = (line.partition(b":") for line in head.lower().split(b"\r\n"))
    return next(int(value) for name, _, value in lines if name == b"content-length")
