"""Bytes past the server: leave to send objects straight to the store and to read them there, and what has arrived."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any, TypeVar

import anyio
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from starlette.concurrency import run_in_threadpool

from lineal.access.roles import Permission
from lineal.api.bounds import read_body
from lineal.api.caller import Desk
from lineal.api.outer import Answer, envelope
from lineal.backend.local.granting import GET_S, Granting, Span
from lineal.core.errors import Error, InvalidArgument
from lineal.storage import digest as digests
from lineal.storage.digest import Digest

MAX_BODY_BYTES = 8 << 20
_CHECKS_AT_ONCE = 4
_ANSWER_S = 2.0
_SIGN_OF_LIFE_S = 5.0

_Hex = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
_Ticket = Annotated[str, StringConstraints(max_length=4096)]
_Number = Annotated[int, Field(ge=0, le=1 << 53)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


_Given = TypeVar("_Given", bound=_Body)


class _Object(_Body):
    key: str
    size: _Number
    sha256: _Hex


class _Parts(_Body):
    ticket: _Ticket
    parts: list[tuple[_Number, _Hex]] = Field(max_length=1000)


class _Upload(_Body):
    ticket: _Ticket


class _Arrived(_Body):
    ticket: _Ticket
    sums: list[_Hex] = Field(default=[], max_length=10_000)


class _Span(_Body):
    key: str
    start: _Number
    end: _Number | None
    digests: Annotated[str, StringConstraints(pattern="^(?:[0-9a-f]{64})+$")]


class _Spans(_Body):
    spans: list[_Span] = Field(max_length=1000)


def router(desk: Desk, prefix: str) -> APIRouter:
    """The routes that let bytes pass by the server, below `prefix`."""
    made = APIRouter(prefix=prefix, tags=["blobs"])
    turns = anyio.CapacityLimiter(_CHECKS_AT_ONCE)
    under_way: set[asyncio.Task[Answer]] = set()  # the loop itself holds tasks weakly

    def granting(request: Request, permission: Permission) -> Granting:
        blobs = desk.of(request).blobs
        blobs.check(permission)
        return blobs.granting

    @made.post("/blobs/grants", openapi_extra={"x-permission": "write"})
    async def grants(request: Request) -> Response:
        """A ticket for an object, and the request or the size of the parts that bring it into the store.

        `direct` is false where the store is reached through the server only.
        """
        asked = await _read(request, _Object)

        def answer() -> dict[str, Any]:
            here = granting(request, "write")
            if not here.direct:
                return {"direct": False}
            grant = here.upload(asked.key, asked.size, _digest(asked.sha256))
            put = None if grant.put is None else [grant.put.url, dict(grant.put.headers)]
            return {"direct": True, "ticket": grant.ticket, "put": put, "part_bytes": grant.part_bytes}

        return Answer(await run_in_threadpool(answer))

    @made.post("/blobs/parts", openapi_extra={"x-permission": "write"})
    async def parts(request: Request) -> Response:
        """The requests that send these parts of an upload: numbers from 1, the sha256 of each."""
        asked = await _read(request, _Parts)

        def answer() -> list[Any]:
            wanted = [(number, _digest(sha256)) for number, sha256 in asked.parts]
            return [[put.url, dict(put.headers)] for put in granting(request, "write").parts(asked.ticket, wanted)]

        return Answer(await run_in_threadpool(answer))

    @made.post("/blobs/parts/find", openapi_extra={"x-permission": "write"})
    async def arrived(request: Request) -> Response:
        """The parts of an upload that are in the store: number and size of each."""
        asked = await _read(request, _Upload)

        def answer() -> list[Any]:
            return [[part.number, part.size] for part in granting(request, "write").arrived(asked.ticket)]

        return Answer(await run_in_threadpool(answer))

    @made.post("/blobs/add", openapi_extra={"x-permission": "write"})
    async def add(request: Request) -> Response:
        """Makes known what an object holds that was sent, once its bytes are checked.

        An answer that takes its time begins with blanks, one every few seconds, and says at its end whether it was
        an error.
        """
        asked = await _read(request, _Arrived)
        sums = [_digest(text) for text in asked.sums]

        def act() -> None:
            granting(request, "write").add(asked.ticket, sums)

        async def checked() -> Answer:
            try:
                await anyio.to_thread.run_sync(act, limiter=turns)
            except Error as problem:
                return envelope(problem)
            return Answer({})

        work = asyncio.create_task(checked())
        under_way.add(work)
        work.add_done_callback(under_way.discard)
        done, _ = await asyncio.wait({work}, timeout=_ANSWER_S)
        if done:
            return work.result()
        headers = {"X-Accel-Buffering": "no"}  # or a proxy would keep the blanks for itself
        return StreamingResponse(_awaited(work), media_type="application/json", headers=headers)

    @made.post("/blobs/urls", openapi_extra={"x-permission": "read"})
    async def urls(request: Request) -> Response:
        """The requests that read these spans of objects, each with the digests of the blobs that it holds.

        One that the caller can't have is null; `direct` is false where the store is reached through the server only.
        """
        asked = await _read(request, _Spans)

        def answer() -> dict[str, Any]:
            here = granting(request, "read")
            if not here.direct:
                return {"direct": False}
            spans = [
                Span(span.key, span.start, span.end, digests.split(bytes.fromhex(span.digests)))
                for span in asked.spans
            ]
            found = here.downloads(spans)
            told = [None if get is None else [get.url, dict(get.headers)] for get in found]
            return {"direct": True, "lasts_s": GET_S, "urls": told}

        return Answer(await run_in_threadpool(answer))

    return made


async def _awaited(work: asyncio.Task[Answer]) -> AsyncIterator[bytes]:
    """Blanks until the work is done, then its answer."""
    while not work.done():
        yield b" "
        await asyncio.wait({work}, timeout=_SIGN_OF_LIFE_S)
    yield bytes(work.result().body)


async def _read(request: Request, kind: type[_Given]) -> _Given:
    too_long = InvalidArgument(f"one request has at most {MAX_BODY_BYTES} bytes; ask in several")
    data = await read_body(request, MAX_BODY_BYTES, too_long)
    try:
        return kind.model_validate_json(data)
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidArgument(f"{where or 'the request'}: {first['msg']}") from None


def _digest(text: str) -> Digest:
    return Digest(bytes.fromhex(text))
