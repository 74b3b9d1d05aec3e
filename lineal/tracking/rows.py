"""Rows as they travel from a writer to the store: many at once, by column, in one chunk of bytes.

    "LNR1" | zlib of: length of the header (4 bytes) | header (JSON) | body

The header is `{"writer": text, "rows": n, "blocks": [{"kind", "at", "keys", "bytes"}]}`. The body starts with the n
steps (int64) and the n times (float64, s since 1970); then come the blocks' values, key after key: 8 bytes each of
kind `f` (float64) and `i` (int64), a JSON list for kind `j`. `at` lists the ranges of rows that have the keys (start,
end, start, end …), null for all. Numbers are little-endian.
"""

from __future__ import annotations

import json
import sys
import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from lineal.core.errors import InvalidRows

Kind = Literal["f", "i", "j"]
Row = tuple[int, float, dict[str, Any]]

MAX_KEY_CHARACTERS = 1024
MAX_STEP = 2**63 - 1
MAX_DECODED_BYTES = 256 << 20
_MAGIC = b"LNR1"
_SMALL_BYTES = 64 << 10
_EXACT = 2**53  # whole numbers up to here are the same as a float64


@dataclass(frozen=True, slots=True)
class Block:
    """Keys that the same rows have, `at` as in the header; `data` holds the values of key after key."""

    kind: Kind
    at: Sequence[int] | None
    keys: Sequence[str]
    data: memoryview


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows by column, in the order in which they were logged; `steps` and `times` are packed numbers."""

    writer: str
    count: int
    steps: memoryview
    times: memoryview
    blocks: Sequence[Block]


def encode(rows: Sequence[Row], writer: str = "") -> bytes:
    """The chunk of `rows` (step, time in s since 1970, values by key). Inverse of `decode`."""
    columns: dict[str, list[Any]] = {}
    ranges: dict[str, list[int]] = {}
    start = 0
    for keys, same in groupby(rows, key=_keys):
        values = [row[2].values() for row in same]
        end = start + len(values)
        for key, column in zip(keys, zip(*values, strict=True), strict=True):
            at = ranges.setdefault(key, [start, start])
            columns.setdefault(key, []).extend(column)
            if at[-1] == start:
                at[-1] = end
            else:
                at += (start, end)
        start = end
    blocks: dict[tuple[Kind, tuple[int, ...]], tuple[list[str], list[bytes]]] = {}
    for key, values_of in columns.items():
        kind, data = _packed(values_of)
        block = blocks.setdefault((kind, tuple(ranges[key])), ([], []))
        block[0].append(key)
        block[1].append(data)
    return _framed(rows, writer, blocks)


def decode(data: bytes) -> Chunk:
    """The chunk in `data`. Raises invalid.rows for whatever `encode` can't have made."""
    try:
        return _parsed(_inflated(data))
    except (ValueError, KeyError, TypeError, IndexError, RecursionError, zlib.error) as problem:
        raise InvalidRows(f"rows that can't be read: {problem}") from None


def json_values(block: Block) -> list[Any]:
    """The values of a block of kind `j`."""
    found: list[Any] = json.loads(bytes(block.data))
    return found


def count_points(block: Block, rows: int) -> int:
    """How many points each key of the block has, which is of a chunk with so many rows."""
    return rows if block.at is None else sum(block.at[1::2]) - sum(block.at[::2])


def _keys(row: Row) -> tuple[str, ...]:
    return tuple(row[2])


def _packed(column: list[Any]) -> tuple[Kind, bytes]:
    kinds = set(map(type, column))
    if kinds == {float}:
        return "f", _bytes(array("d", column))
    if kinds == {int}:
        try:
            return "i", _bytes(array("q", column))
        except OverflowError:
            pass
    elif kinds == {int, float} and all(-_EXACT <= value <= _EXACT for value in column if type(value) is int):
        return "f", _bytes(array("d", column))
    return "j", json.dumps(column, separators=(",", ":"))[1:-1].encode()


def _framed(
    rows: Sequence[Row], writer: str, blocks: dict[tuple[Kind, tuple[int, ...]], tuple[list[str], list[bytes]]]
) -> bytes:
    whole = (0, len(rows))
    header: dict[str, Any] = {"writer": writer, "rows": len(rows), "blocks": []}
    body = [_bytes(array("q", [row[0] for row in rows])), _bytes(array("d", [row[1] for row in rows]))]
    for (kind, at), (keys, parts) in blocks.items():
        data = b"[" + b",".join(parts) + b"]" if kind == "j" else b"".join(parts)
        place = None if at == whole else at
        header["blocks"].append({"kind": kind, "at": place, "keys": keys, "bytes": len(data)})
        body.append(data)
    head = json.dumps(header, separators=(",", ":")).encode()
    packer = zlib.compressobj(1 if sum(map(len, body)) < _SMALL_BYTES else 0)  # many numbers don't get smaller for it
    parts_out = [_MAGIC, packer.compress(len(head).to_bytes(4, "little") + head)]
    parts_out += [packer.compress(part) for part in body]
    return b"".join([*parts_out, packer.flush()])


def _inflated(data: bytes) -> memoryview:
    if data[:4] != _MAGIC:
        raise ValueError("they don't start as rows do")
    unpacker = zlib.decompressobj()
    plain = unpacker.decompress(data[4:], MAX_DECODED_BYTES)
    if unpacker.unconsumed_tail or not unpacker.eof or unpacker.unused_data:
        raise ValueError("they are cut off, or too many at once")
    return memoryview(plain)


def _parsed(plain: memoryview) -> Chunk:
    end = 4 + int.from_bytes(plain[:4], "little")
    header = json.loads(bytes(plain[4:end]))
    count, writer = header["rows"], header["writer"]
    if type(count) is not int or count < 0 or not isinstance(writer, str) or len(writer) > 64:
        raise ValueError("the header is wrong")
    steps, plain = _cut(plain[end:], 8 * count)
    times, plain = _cut(plain, 8 * count)
    blocks = []
    for entry in header["blocks"]:
        data, plain = _cut(plain, entry["bytes"])
        blocks.append(_checked(Block(entry["kind"], entry["at"], entry["keys"], data), count))
    if plain:
        raise ValueError("they are longer than they say")
    return Chunk(writer, count, steps, times, blocks)


def _checked(block: Block, count: int) -> Block:
    if block.at is not None:
        at = block.at
        bounds = [-1, *at, count]
        if len(at) % 2 or any(type(place) is not int for place in at) or sorted(bounds[1:-1]) != list(at):
            raise ValueError("ranges of rows are wrong")
        if at and (at[0] < 0 or at[-1] > count):
            raise ValueError("ranges of rows are outside")
    rows = count_points(block, count)
    for key in block.keys:
        check_key(key)
    values = len(json_values(block)) if block.kind == "j" else len(block.data) / 8
    if block.kind not in ("f", "i", "j") or values != rows * len(block.keys):
        raise ValueError("values are missing")
    return block


def check_key(key: Any) -> str:
    """`key`, if rows may have it: 1 to 1,024 characters without control characters. Raises invalid.rows."""
    if not isinstance(key, str) or not key or len(key) > MAX_KEY_CHARACTERS or not key.isprintable():
        shown = ascii(key)[:60] if isinstance(key, str) else type(key).__name__
        raise InvalidRows(f"{shown} can't be a key: use 1 to {MAX_KEY_CHARACTERS} printable characters")
    return key


def _cut(data: memoryview, length: int) -> tuple[memoryview, memoryview]:
    if type(length) is not int or not 0 <= length <= len(data):
        raise ValueError("they are shorter than they say")
    return data[:length], data[length:]


def _bytes(numbers: array[Any]) -> bytes:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()
