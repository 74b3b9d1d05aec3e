"""Patience with heads of requests, over real sockets."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import uvicorn

from lineal.api.protocol import Guarded


class Hasty(Guarded):
    head_s = 0.3
    head_bytes = 2000


async def app(scope, receive, send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, http=Hasty, ws="none", lifespan="off", log_config=None, timeout_keep_alive=30)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    yield listening.getsockname()[1]
    server.should_exit = server.force_exit = True
    thread.join(30)


@pytest.fixture
def talk(port: int) -> Iterator[Callable[..., bytes]]:
    """Sends the pieces, and gives all that comes back until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:

        def said(*pieces: bytes, pause_s: float = 0, answered: bool = False) -> bytes:
            """`answered`: the first piece is a request whose answer comes before the others are sent."""
            heard = b""
            try:
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(pause_s)
                    while answered and not heard.endswith(b"ok"):
                        heard += connection.recv(4096)
                while piece := connection.recv(4096):
                    heard += piece
            except ConnectionError:
                pass
            return heard

        yield said


HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize(
    ("pieces", "answered"),
    [
        ((), False),
        ((HEAD,), False),
        ((b"G",), False),
        ((b"\r\n",), False),
        ((HEAD + b"\r\n", HEAD), False),
        ((HEAD + b"\r\n", b"\r\n"), True),  # a stray byte in the request's own packet is no new head
    ],
)
def test_a_head_that_does_not_come_closes_the_connection(
    talk: Callable[..., bytes], pieces: tuple[bytes, ...], answered: bool
) -> None:
    heard = talk(*pieces, answered=answered)
    assert heard.count(b"200 OK") == sum(piece.endswith(b"\r\n\r\n") for piece in pieces)
    assert heard.count(b"408 Request Timeout") == 1


def test_a_head_that_comes_in_drops_does_not_keep_it_open(talk: Callable[..., bytes]) -> None:
    began = time.monotonic()
    talk(HEAD, *[b"X-A: b\r\n"] * 100, pause_s=0.05)
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("piece", [b"X-A: " + b"a" * 100, b"X-" + b"a" * 100, b"X: y\r\n" * 20])
def test_a_head_without_end_is_refused(talk: Callable[..., bytes], piece: bytes) -> None:
    heard = talk(HEAD, *[piece] * 2000)
    assert b"431" in heard or heard == b""  # what was still on its way may take the answer with it
    assert b"200 OK" not in heard


def test_whole_requests_are_answered_one_after_another(talk: Callable[..., bytes]) -> None:
    last = HEAD + b"Connection: close\r\n\r\n"
    assert talk(HEAD + b"\r\n", (HEAD + b"\r\n") * 2 + last).count(b"200 OK") == 4
