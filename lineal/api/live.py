"""A run as server-sent events: a loop over the operation `runs.events`, whose cursors are the ids of the events."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from lineal.api.caller import Desk
from lineal.api.health import State
from lineal.api.outer import envelope
from lineal.backend import wire
from lineal.core.errors import Error, TooBusy
from lineal.tracking.model import Events

MAX_STREAMS = 200
LOOK_S, _LONGEST_LOOK_S, _SLOWER = 0.5, 3.0, 1.25  # between looks, and how that grows while nothing happens
HEARTBEAT_S = 15.0
_RETRY_AFTER_S = 5
_ROWS = 1000


class Live:
    """The streams of this process. They end when their run does, or on `close`, and resume at another server."""

    def __init__(self, desk: Desk, state: State, most: int = MAX_STREAMS) -> None:
        self.count = 0
        self._desk, self._state, self._most = desk, state, most
        self._closed = False
        self._waiting: set[asyncio.Event] = set()

    def close(self) -> None:
        """Ends all streams, so that the server can stop; to be called in its event loop."""
        self._closed = True
        for event in self._waiting:
            event.set()

    @property
    def _ending(self) -> bool:
        return self._closed or self._state.stopping

    async def open(self, request: Request, run_id: str, asked: dict[str, Any]) -> Response:
        """The stream from the cursor `after` on; 204 where nothing is left to tell, which ends an EventSource."""
        if self.count >= self._most or self._ending:
            busy = TooBusy(f"this server tells {self.count} followers already, as many as it may; try again")
            answer = envelope(busy)
            answer.headers["Retry-After"] = str(_RETRY_AFTER_S)
            return answer
        self.count += 1
        try:
            first = await self._look(request, run_id, asked)
        except BaseException:
            self.count -= 1
            raise
        if first.ended and not first.events and asked["after"]:
            self.count -= 1
            return Response(status_code=204)
        return _Stream(self, self._tell(request, run_id, asked, first))

    async def _look(self, request: Request, run_id: str, asked: dict[str, Any]) -> Events:
        """What is new; who asks is looked at anew each time."""
        return await run_in_threadpool(lambda: self._desk.again(request).runs.events(run_id, limit=_ROWS, **asked))

    async def _tell(self, request: Request, run_id: str, asked: dict[str, Any], page: Events) -> AsyncIterator[str]:
        yield "retry: 2000\n\n"
        pause, spoke = LOOK_S, time.monotonic()
        while True:
            for message in _messages(page):
                yield message
            if page.ended:
                yield "event: end\ndata: {}\n\n"
                return
            if page.events:
                pause, spoke = LOOK_S, time.monotonic()
            if not page.more:
                if await self._paused(pause):
                    return
                pause = min(pause * _SLOWER, _LONGEST_LOOK_S)
            if time.monotonic() - spoke > HEARTBEAT_S:
                yield ":\n\n"
                spoke = time.monotonic()
            try:
                page = await self._look(request, run_id, {**asked, "after": page.after, "last": None})
            except Error as problem:
                yield _message("error", wire.error_to_json(problem))
                return

    async def _paused(self, seconds: float) -> bool:
        """Waits; whether the streams are to end."""
        told = asyncio.Event()
        self._waiting.add(told)
        try:
            until = time.monotonic() + seconds
            while not self._ending and (left := until - time.monotonic()) > 0:
                with suppress(TimeoutError):
                    await asyncio.wait_for(told.wait(), min(left, LOOK_S))
        finally:
            self._waiting.discard(told)
        return self._ending


class _Stream(StreamingResponse):
    """A stream that gives its place back, however it ends."""

    def __init__(self, live: Live, pieces: AsyncIterator[str]) -> None:
        super().__init__(pieces, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
        self._live = live

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._live.count -= 1


def router(live: Live, prefix: str) -> APIRouter:
    """The route of live events."""
    made = APIRouter(prefix=prefix, tags=["runs"])

    @made.get(
        "/runs/{run_id}/events",
        operation_id="runs.live",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {}}}, 204: {"description": "Nothing is left to tell."}},
        openapi_extra={"x-permission": "read"},
    )
    async def events(
        request: Request,
        run_id: str,
        streams: Annotated[str, Query(description="history, system, console; several with commas")] = "history",
        keys: Annotated[str | None, Query(description="only these keys of rows, with commas")] = None,
        last: Annotated[int | None, Query(description="begin with so many rows of each stream")] = None,
        last_event_id: Annotated[str | None, Header(description="go on behind this event")] = None,
    ) -> Response:
        """What becomes known of the run, as server-sent events: `rows`, `reset`, `state`, `summary`, `alert`, `end`.

        Their ids are the cursors of `runs.events`; it says what each event means. A stream that breaks off goes on
        with `Last-Event-ID`, at any server. `end` is the last event of a run that has ended, `error` of one that may
        no longer be followed.
        """
        asked = {
            "streams": _several(streams),
            "keys": _several(keys) if keys else None,
            "after": last_event_id or None,
            "last": last,
        }
        return await live.open(request, run_id, asked)

    return made


def _messages(page: Events) -> Iterator[str]:
    for event in page.events:
        stream = {"stream": event.stream} if event.stream else {}
        yield _message(event.kind, {**stream, **event.data}, event.after)


def _message(kind: str, data: Any, cursor: str | None = None) -> str:
    text = json.dumps(wire.strict_json(data), allow_nan=False, separators=(",", ":"))
    place = f"id: {cursor}\n" if cursor else ""
    return f"event: {kind}\n{place}data: {text}\n\n"


def _several(text: str) -> list[str]:
    return [part for part in text.split(",") if part]
