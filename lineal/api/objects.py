"""Bytes through the server: what is missing, where blobs lie, objects up (verified) and down (by range)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from lineal.access.roles import Permission
from lineal.api.bounds import read_body
from lineal.api.caller import Desk
from lineal.api.outer import Answer
from lineal.backend.local.granting import KEY
from lineal.backend.local.holding import HeldBlobs
from lineal.core.errors import BlobNotFound, Corrupt, InvalidArgument, InvalidDigest, InvalidObject
from lineal.storage import digest as digests
from lineal.storage import gc
from lineal.storage.blobs import RAW, BlobStore, ObjectWriter, Place, StoredObject, parse_object_key
from lineal.storage.copies import Copied, Hashes
from lineal.storage.digest import Digest

MAX_DIGESTS_BYTES = 32 * 50_000
_RANGE = re.compile(r"bytes=([0-9]{1,18})-([0-9]{1,18})")
_CHUNK_BYTES = 1 << 20


def router(desk: Desk, prefix: str) -> APIRouter:
    """The routes that stream bytes or speak of many digests, below `prefix`."""
    made = APIRouter(prefix=prefix, tags=["blobs"])

    def seen(request: Request, permission: Permission) -> HeldBlobs:
        blobs = desk.of(request).blobs
        blobs.check(permission)
        return blobs

    @made.post("/blobs/missing", openapi_extra={"x-permission": "read"})
    async def missing(request: Request) -> Response:
        """Of the digests in the body, 32 bytes each, those that the store lacks."""
        blobs = await run_in_threadpool(seen, request, "read")
        asked = await _digests(request)
        found = await run_in_threadpool(blobs.missing, asked)
        return Response(
            b"".join(digest for digest in asked if digest in found), media_type="application/octet-stream"
        )

    @made.post("/blobs/find", openapi_extra={"x-permission": "read"})
    async def find(request: Request) -> Response:
        """Where each of the digests in the body lies: digest, size, xxh3-128, object, offset, length, codec."""
        blobs = await run_in_threadpool(seen, request, "read")
        found = await run_in_threadpool(blobs.find, await _digests(request))
        rows = [(p.digest.hex(), p.size, p.fast.hex(), *p[3:]) for p in found.values()]
        return Answer(rows)

    @made.put("/objects/{key:path}", openapi_extra={"x-permission": "write"})
    async def put(request: Request, key: str) -> Response:
        """Takes an object, verifies every blob in it, and makes them known."""
        check_key(key)
        blobs = await run_in_threadpool(seen, request, "write")
        writer = await run_in_threadpool(blobs.store.create)
        hashes = Hashes()
        try:
            async for piece in request.stream():
                await run_in_threadpool(_take, writer, hashes, piece)
        except BaseException:
            await run_in_threadpool(writer.abort)
            raise
        await run_in_threadpool(_keep, blobs, writer, key, hashes.result())
        return Response(status_code=204)

    @made.get("/objects/{key:path}", openapi_extra={"x-permission": "read"})
    def get(request: Request, key: str) -> Response:
        """The object's bytes, or the range of them that is asked for."""
        check_key(key)
        blobs = seen(request, "read")
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Disposition": "attachment",
            "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
        }
        asked = request.headers.get("range")
        if asked is None:
            blobs.check_readable(key)
            return StreamingResponse(_begun(_pieces(blobs.store, key)), headers=headers)
        match = _RANGE.fullmatch(asked)
        if not match or int(match[2]) < int(match[1]):
            raise InvalidArgument(f"{asked[:60]!r} is no range; write it like bytes=0-99")
        blobs.check_readable(key, int(match[1]), int(match[2]) + 1)
        pieces = _range(blobs.store, key, int(match[1]), int(match[2]) + 1)
        return StreamingResponse(_begun(pieces), 206, headers=headers)

    return made


def check_key(key: str) -> str:
    """`key`, if it is one that an object may have. Raises not_found.blob."""
    if not KEY.fullmatch(key):
        raise BlobNotFound(f"{key[:80]!r} is no object of the store")
    return key


def _take(writer: ObjectWriter, hashes: Hashes, piece: bytes) -> None:
    hashes.update(piece)
    writer.write(piece)


def _keep(blobs: HeldBlobs, writer: ObjectWriter, key: str, came: Copied) -> None:
    """Makes the object's blobs known, once each is what its digest says."""
    if blobs.has_object(key):  # a request that is repeated, since its answer was lost
        writer.abort()
        return
    named = parse_object_key(key)
    if named is not None and named[1] == RAW:
        if named[0] != came.digest:
            writer.abort()
            raise InvalidObject(f"the bytes that came for {key} are not those that its digest names")
        writer.commit(key)
        blobs.add([Place(named[0], came.size, came.fast, key, 0, came.size)], {key: came.size})
        return
    writer.commit(key)
    try:
        places = gc.verify_object(blobs.store, StoredObject(key, came.size, 0))
    except Corrupt as problem:
        blobs.store.delete(key)
        raise InvalidObject(problem.message) from None
    except BaseException:
        blobs.store.delete(key)
        raise
    blobs.add(places, {key: came.size})


def _begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same pieces, the first of them read: what isn't there is said before the answer has begun."""
    return chain([next(pieces, b"")], pieces)


def _pieces(store: BlobStore, key: str) -> Iterator[bytes]:
    with store.open(key) as file:
        while piece := file.read(_CHUNK_BYTES):
            yield piece


def _range(store: BlobStore, key: str, start: int, end: int) -> Iterator[bytes]:
    while start < end:
        piece = store.read(key, start, min(_CHUNK_BYTES, end - start))
        if not piece:
            return
        yield piece
        start += len(piece)


async def _digests(request: Request) -> list[Digest]:
    too_long = InvalidDigest(f"at most {MAX_DIGESTS_BYTES // 32} digests can be asked about at once")
    data = await read_body(request, MAX_DIGESTS_BYTES, too_long)
    if len(data) % 32:
        raise InvalidDigest("a digest has 32 bytes")
    return digests.split(data)
