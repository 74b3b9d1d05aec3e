"""The remote backend against servers that misbehave; what it does with one that behaves is the contract's."""

import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lineal.backend import remote
from lineal.backend.connect import connect
from lineal.backend.remote import RemoteBackend
from lineal.core import credentials, settings
from lineal.core.errors import (
    InvalidMetadata,
    InvalidSettings,
    RunNotFound,
    StoreUnavailable,
    Unauthenticated,
    VersionNotFound,
)

Reply = Callable[[BaseHTTPRequestHandler], None]
Open = Callable[..., RemoteBackend]


def say(status: int, body: object = None, **headers: str) -> Reply:
    def reply(handler: BaseHTTPRequestHandler) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return reply


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def cut_off(handler: BaseHTTPRequestHandler) -> None:
    """Promises more than it sends."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'["half')
    handler.wfile.flush()
    hang_up(handler)


@pytest.fixture
def serving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """A backend at a server that gives these replies, the last one for ever; `asked` tells what came."""
    monkeypatch.setattr(remote, "_FIRST_PAUSE_S", 0.001)
    servers, backends = [], []

    def serve(*replies: Reply) -> RemoteBackend:
        left = list(replies)
        asked: list[tuple[str, dict[str, str]]] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                asked.append((self.path, dict(self.headers)))
                (left.pop(0) if len(left) > 1 else left[0])(self)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.do_GET()

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        backend = connect(settings.load(tmp_path, url=f"http://127.0.0.1:{server.server_port}/"))
        assert isinstance(backend, RemoteBackend)
        backends.append(backend)
        backend.asked = asked  # type: ignore[attr-defined]
        return backend

    yield serve
    for backend in backends:
        backend.close()
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("trouble", [say(503), say(429), say(502), say(504), hang_up, cut_off])
def test_a_server_in_trouble_is_asked_again(serving: Open, trouble: Reply) -> None:
    backend = serving(trouble, trouble, say(200, ["p"]))
    assert backend.runs.list_projects() == ["p"]
    assert len(backend.asked) == 3


def test_the_server_may_say_how_long_to_wait(serving: Open) -> None:
    backend = serving(say(503, Retry_After="0.02"), say(503, Retry_After="soon"), say(200, ["p"]))
    assert backend.runs.list_projects() == ["p"]


def test_after_five_tries_the_trouble_is_told(serving: Open) -> None:
    backend = serving(say(503, b"<html>out of order</html>"))
    with pytest.raises(StoreUnavailable, match="503"):
        backend.runs.list_projects()
    assert len(backend.asked) == 5


def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_FIRST_PAUSE_S", 0.001)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    backend = connect(settings.load(tmp_path, url=f"http://127.0.0.1:{port}"))
    with pytest.raises(StoreUnavailable, match="can't be reached"):
        backend.runs.list_projects()
    backend.close()


def test_an_error_is_raised_as_the_class_that_it_was_and_not_asked_again(serving: Open) -> None:
    envelope = {"error": {"code": "not_found.version", "message": "no v9", "details": {"ref": "x:v9"}}}
    backend = serving(say(404, envelope))
    with pytest.raises(VersionNotFound, match="no v9") as raised:
        backend.artifacts.resolve("x:v9")
    assert raised.value.details == {"ref": "x:v9"}
    assert len(backend.asked) == 1


@pytest.mark.parametrize("body", [b"", b"{", b"[]", {"error": 1}, {"error": {"code": 1}}, {"error": {}}, b"\xff"])
@pytest.mark.parametrize("status", [400, 404, 500])
def test_what_is_no_answer_of_lineals_is_told_as_such(serving: Open, status: int, body: object) -> None:
    with pytest.raises(StoreUnavailable, match=str(status)):
        serving(say(status, body)).runs.list_projects()


@pytest.mark.parametrize("body", [b"", b"<html>", b'"text"', b"{}", b"[1]", b"\xff"])
def test_an_answer_of_another_kind_than_declared_is_told_as_such(serving: Open, body: bytes) -> None:
    with pytest.raises(StoreUnavailable, match="not as Lineal does"):
        serving(say(200, body)).runs.list_projects()


def test_a_redirect_is_not_followed(serving: Open) -> None:
    other = serving(say(200, ["p"]))
    backend = serving(say(307, b"", Location=other.url + "/api/v1/projects"))
    with pytest.raises(StoreUnavailable, match="307"):
        backend.runs.list_projects()
    assert other.asked == []


def test_what_json_cannot_say_is_refused_before_anything_is_sent(serving: Open) -> None:
    backend = serving(say(200, {}))
    with pytest.raises(InvalidMetadata):
        backend.runs.start("r1", config={"x": object()})
    assert backend.asked == []


def test_arguments_that_the_operation_does_not_have_are_a_type_error(serving: Open) -> None:
    backend = serving(say(200, {}))
    for wrong in (lambda: backend.runs.get(), lambda: backend.runs.get("a", "b"), lambda: backend.runs.get(x=1)):
        with pytest.raises(TypeError):
            wrong()  # type: ignore[no-untyped-call]


def test_names_travel_in_the_path_as_one_piece(serving: Open) -> None:
    backend = serving(say(404, {"error": {"code": "not_found.run", "message": "", "details": {}}}))
    with pytest.raises(RunNotFound):
        backend.runs.get("../a/b?c#d%2e")
    assert backend.asked[0][0] == "/api/v1/runs/..%2Fa%2Fb%3Fc%23d%252e"


def test_the_caller_says_who_asks_with_which_defaults(tmp_path: Path, serving: Open) -> None:
    backend = serving(say(200, []))
    backend.runs.list_projects()
    (_, headers) = backend.asked[0]
    assert headers["Lineal-Entity"] == "local"
    assert headers["Lineal-Host"] == socket.gethostname()
    assert "Lineal-Project" not in headers


# ---- the API key ---------------------------------------------------------------------------------------------

KEY = "lnl_aaaaaaaaaaaa_0123"


def test_the_servers_key_is_sent_with_every_request_and_not_shown(serving: Open, monkeypatch, caplog) -> None:
    monkeypatch.setenv("LINEAL_API_KEY", KEY)
    with caplog.at_level(logging.DEBUG):
        backend = serving(say(503), say(200, ["p"]))
        backend.runs.list_projects()
    assert [headers["Authorization"] for _, headers in backend.asked] == [f"Bearer {KEY}"] * 2
    assert KEY not in caplog.text
    assert KEY not in repr(vars(backend._http)) + repr(backend._http.client().headers)


def test_without_a_key_none_is_sent(serving: Open) -> None:
    backend = serving(say(200, []))
    backend.runs.list_projects()
    assert "Authorization" not in backend.asked[0][1]


def test_b12_another_server_never_sees_the_key(serving: Open, monkeypatch) -> None:
    monkeypatch.setenv("LINEAL_API_KEY", KEY)
    other = serving(say(200, []))
    backend = serving(say(302, b"", Location=f"{other.url}/x"))
    with pytest.raises(StoreUnavailable):
        backend.runs.list_projects()
    assert other.asked == []
    backend._http.ask("GET", f"{other.url}/x")  # a path that is none, whoever made it
    assert "Authorization" not in other.asked[0][1]


@pytest.mark.parametrize("key", ["a b", "a\nb", "é", "a\x00"])
def test_what_can_be_no_key_is_refused_without_showing_it(tmp_path: Path, monkeypatch, key: str) -> None:
    credentials.keep("http://127.0.0.1:9", key)
    with pytest.raises(InvalidSettings) as raised:
        connect(settings.load(tmp_path, url="http://127.0.0.1:9"))
    assert key not in str(raised.value)


def test_a_key_that_goes_in_clear_is_told_once(tmp_path: Path, monkeypatch, caplog) -> None:
    monkeypatch.setenv("LINEAL_API_KEY", KEY)
    monkeypatch.setattr(remote, "_warned", set())
    for url in ("http://lineal.invalid", "http://lineal.invalid/", "https://lineal.invalid", "http://localhost:9"):
        connect(settings.load(tmp_path, url=url)).close()
    assert caplog.text.count("is not https") == 1
    assert KEY not in caplog.text


def test_who_is_not_known_is_told_how_to_log_in(serving: Open) -> None:
    message = "this server must know who asks; `lineal login`"
    backend = serving(say(401, {"error": {"code": "unauthenticated", "message": message, "details": {}}}))
    with pytest.raises(Unauthenticated, match="lineal login"):
        backend.runs.list_projects()
    assert len(backend.asked) == 1
