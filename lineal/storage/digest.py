"""Digests. `Digest` is the 32 raw bytes of a sha256, the identity of a blob; its text is `sha256:<64 hex digits>`.

Law: `parse(format(digest)) == digest`. Beside the sha256 goes the xxh3-128 of the same bytes, which is some ten
times cheaper to compute and guards local copies against decay; it is never an identity.
"""

from __future__ import annotations

import hashlib
import re
from typing import NewType, Protocol

import xxhash

from lineal.core.errors import InvalidDigest

Digest = NewType("Digest", bytes)

CHUNK_BYTES = 4 << 20
_TEXT = re.compile(r"sha256:([0-9a-f]{64})")


class Readable(Protocol):
    """A stream of bytes that fills a buffer."""

    def readinto(self, buffer: memoryview, /) -> int | None: ...


def parse(text: str) -> Digest:
    """The digest that `sha256:<hex>` names. Raises invalid.digest."""
    match = _TEXT.fullmatch(text) if isinstance(text, str) else None
    if not match:
        raise InvalidDigest(f"{ascii(text)[:90]} is not a digest; one reads sha256: and 64 lower-case hex digits")
    return Digest(bytes.fromhex(match[1]))


def format(digest: Digest) -> str:  # noqa: A001 - the inverse of `parse`, always used as `digest.format`
    """`sha256:<hex>`."""
    return f"sha256:{digest.hex()}"


def split(data: bytes) -> list[Digest]:
    """The digests that lie end to end in `data`."""
    return [Digest(data[at : at + 32]) for at in range(0, len(data), 32)]


def of_bytes(data: bytes | bytearray | memoryview) -> Digest:
    """The digest of `data`."""
    return Digest(hashlib.sha256(data).digest())


def fast_of_bytes(data: bytes | memoryview) -> bytes:
    """The xxh3-128 of `data`: 16 bytes."""
    return xxhash.xxh3_128_digest(data)


def of_stream(stream: Readable) -> tuple[Digest, bytes, int]:
    """Digest, xxh3-128 and length of what is left in `stream`, read once in bounded memory."""
    sha, fast, size = hashlib.sha256(), xxhash.xxh3_128(), 0
    buffer = memoryview(bytearray(CHUNK_BYTES))
    while count := stream.readinto(buffer):
        sha.update(buffer[:count])
        fast.update(buffer[:count])
        size += count
    return Digest(sha.digest()), fast.digest(), size


def fast_of_file(path: str) -> tuple[bytes, int]:
    """The xxh3-128 and the length of the file at `path`, without its digest. Raises OSError."""
    fast, size = xxhash.xxh3_128(), 0
    buffer = memoryview(bytearray(CHUNK_BYTES))
    with open(path, "rb", buffering=0) as file:
        while count := file.readinto(buffer):
            fast.update(buffer[:count])
            size += count
    return fast.digest(), size


def of_file(path: str) -> tuple[Digest, bytes, int]:
    """Digest, xxh3-128 and length of the file at `path`. Raises OSError."""
    with open(path, "rb", buffering=0) as file:
        return of_stream(file)
