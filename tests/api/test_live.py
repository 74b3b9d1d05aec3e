"""A run as server-sent events, over a real server."""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lineal.api.app import create_app
from lineal.api.caller import Desk
from lineal.api.health import State
from lineal.api.live import Live
from lineal.backend.local.backend import LocalBackend
from lineal.backend.local.served import ServedBackend
from lineal.core.errors import RunNotFound
from lineal.tracking.model import Batch
from lineal.tracking.rows import encode
from tests import server
from tests.api.conftest import asking


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    yield server.start(tmp_path / "served")
    server.stop()


def say(run: str, seq: int, step: int, **values: Any) -> None:
    data = encode([(step, step / 10, values)])
    server.served().runs.append(run, "w", seq, Batch({"history": data}, last_step=step))


def messages(answer: httpx.Response) -> Iterator[dict[str, str]]:
    """The messages of a stream, as a browser splits them."""
    found: dict[str, str] = {}
    for line in answer.iter_lines():
        if not line:
            if "event" in found:
                yield found
            found = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            found[name] = value


def test_a_live_run_is_told_as_it_goes_and_the_stream_ends_with_it(url: str) -> None:
    runs = server.served().runs
    runs.start("r")
    say("r", 1, 0, a=0.5)
    heard: list[tuple[str, Any]] = []
    with httpx.stream("GET", f"{url}/api/v1/runs/r/events", timeout=20) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        for message in messages(answer):
            heard.append((message["event"], json.loads(message["data"])))
            if len(heard) == 3:
                say("r", 2, 1, a=float("nan"))
            if len(heard) == 4:
                runs.finish("r")
    assert [kind for kind, _ in heard] == ["rows", "summary", "state", "rows", "state", "end"]
    assert heard[0][1] == {"stream": "history", "rows": [{"_step": 0, "_timestamp": 0.0, "a": 0.5}]}
    assert heard[3][1]["rows"] == [{"_step": 1, "_timestamp": 0.1, "a": {"$float": "nan"}}]
    assert heard[4][1]["state"] == "finished"


def test_a_stream_resumes_behind_any_event_without_loss_or_doubles(url: str) -> None:
    runs = server.served().runs
    runs.start("r")
    for step in range(5):
        say("r", step + 1, step, a=step)
    runs.finish("r")
    whole = list(messages(httpx.get(f"{url}/api/v1/runs/r/events")))
    for place, message in enumerate(whole[:-1]):
        later = httpx.get(f"{url}/api/v1/runs/r/events", headers={"Last-Event-ID": message["id"]})
        if place == len(whole) - 2:
            assert later.status_code == 204  # an EventSource comes back until it is told this
        else:
            told = [(m["event"], m["data"]) for m in messages(later)]
            assert told == [(m["event"], m["data"]) for m in whole[place + 1 :]]


def test_streams_keys_and_the_last_rows_may_be_asked_for(url: str) -> None:
    runs = server.served().runs
    runs.start("r")
    for step in range(5):
        say("r", step + 1, step, a=step, b=-step)
    runs.append("r", "c", 1, Batch({"console": encode([(7, 0.0, {"stdout": "hi"})])}))
    runs.finish("r")
    asked = {"streams": "console,history", "keys": "a,stdout", "last": "2"}
    found = [json.loads(m["data"]) for m in messages(httpx.get(f"{url}/api/v1/runs/r/events", params=asked))]
    assert found[0] == {"stream": "console", "rows": [{"_step": 7, "_timestamp": 0.0, "stdout": "hi"}]}
    assert [row["a"] for row in found[1]["rows"]] == [3, 4]
    assert "b" not in found[1]["rows"][0]


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        ("nobody/events", {}, 404, "not_found.run"),
        ("r/events?streams=diary", {}, 422, "invalid.argument"),
        ("r/events?last=-1", {}, 422, "invalid.argument"),
        ("r/events?last=many", {}, 422, "invalid.argument"),
        ("r/events", {"Last-Event-ID": "nonsense"}, 422, "invalid.argument"),
    ],
)
def test_what_can_not_be_told_is_said_before_the_stream_begins(
    url: str, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    server.served().runs.start("r")
    answer = httpx.get(f"{url}/api/v1/runs/{path}", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_run_that_is_gone_meanwhile_ends_the_stream_with_the_error(url: str) -> None:
    runs = server.served().runs
    runs.start("r")
    with httpx.stream("GET", f"{url}/api/v1/runs/r/events", timeout=20) as answer:
        found = []
        for message in messages(answer):
            found.append(message)
            if message["event"] == "state":
                runs.delete("r")
    assert found[-1]["event"] == "error"
    assert json.loads(found[-1]["data"])["error"]["code"] == RunNotFound.code


def live_of(app: Any) -> Live:
    found = app.state.live
    assert isinstance(found, Live)
    return found


def test_only_so_many_streams_are_open_and_those_who_went_make_room(backend: LocalBackend) -> None:
    backend.runs.start("r")
    app = create_app(backend)
    live = live_of(app)
    live._most = 1

    async def followed() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            gone = asyncio.Event()
            first = asyncio.create_task(follow(app, gone))
            while not live._waiting:
                await asyncio.sleep(0)
            refused = await client.get("/api/v1/runs/r/events")
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "unavailable.busy")
            assert int(refused.headers["Retry-After"]) > 0
            gone.set()
            await first
            assert (live.count, live._waiting) == (0, set())
            assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []

    asyncio.run(followed())


async def follow(app: Any, gone: asyncio.Event) -> list[Any]:
    """Follows the run r until `gone`, as a server sees a client that goes away."""
    sent: list[Any] = []
    asked = False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "path": "/api/v1/runs/r/events",
        "raw_path": b"/api/v1/runs/r/events",
        "root_path": "",
        "state": {"request_id": "r"},
        "scheme": "http",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    await app(scope, receive, send)
    return sent


def test_a_server_that_stops_ends_its_streams_and_opens_no_more(backend: LocalBackend) -> None:
    backend.runs.start("r")
    app = create_app(backend)
    live = live_of(app)

    async def stopped() -> list[Any]:
        first = asyncio.create_task(follow(app, asyncio.Event()))
        while not live._waiting:
            await asyncio.sleep(0)
        live.close()
        return await first

    sent = asyncio.run(stopped())
    assert sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
    assert live.count == 0
    assert asking(app)("GET", "/api/v1/runs/r/events").status_code == 503


def test_followers_leave_no_threads_of_their_own(url: str) -> None:
    server.served().runs.start("r")
    before = threading.active_count()
    for _ in range(3):
        with httpx.stream("GET", f"{url}/api/v1/runs/r/events", timeout=20) as answer:
            next(messages(answer))
    assert threading.active_count() <= before + 40  # the pool that all requests share


def test_who_asks_is_looked_at_with_every_look(backend: LocalBackend) -> None:
    """As a key that is taken away ends a stream."""
    backend.runs.start("r")

    class Closing(Desk):
        looks = 0

        def of(self, request: Any) -> ServedBackend:
            self.looks += 1
            if self.looks > 1:
                raise RunNotFound("there is no run 'r'")
            return super().of(request)

    from fastapi import FastAPI

    from lineal.api import live

    app = FastAPI()
    app.include_router(live.router(live.Live(Closing(backend), State()), "/api/v1"))
    sent = asyncio.run(follow(app, asyncio.Event()))
    assert b"not_found.run" in b"".join(message.get("body", b"") for message in sent)
