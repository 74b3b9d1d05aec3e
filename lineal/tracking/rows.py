"""Rows as they travel from a writer to the store: many at once, by column, in one chunk of bytes.

    "LNR1" | zlib of: length of the header (4 bytes) | header (JSON) | body

The header is `{"writer": text, "rows": n, "blocks": [{"kind", "at", "keys", "bytes"}]}`. The body starts with the n
steps (int64) and the n times (float64, s since 1970); then come the blocks' values, key after key: 8 bytes each of
kind `f` (float64) and `i` (int64), a JSON list for kind `j`. `at` lists the ranges of rows that have the keys (start,
end, start, end …), null for all. Numbers are little-endian, steps not negative. Only chunks of up to 1 MiB are made
smaller by zlib, so that a small one can't become a huge one.
"""

from __future__ import annotations

import json
import math
import sys
import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any, Literal

from lineal.core.errors import InvalidRows

Kind = Literal["f", "i", "j"]
Row = tuple[int, float, dict[str, Any]]

MAX_KEY_CHARACTERS = 1024
MAX_WRITER_CHARACTERS = 64
MAX_STEP = 2**63 - 1
MAX_DECODED_BYTES = 256 << 20
MAX_DEPTH = 60  # of lists and mappings in a value; fewer than metadata may have, since summaries are made of them
_MAGIC = b"LNR1"
_SMALL_BYTES = 64 << 10
_MAX_PACKED_BYTES = 1 << 20
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


def count(data: bytes) -> int:
    """How many rows an encoded chunk says that it has, read from its header alone."""
    unpacker = zlib.decompressobj()
    start = unpacker.decompress(memoryview(data)[4:], 4)
    head = unpacker.decompress(unpacker.unconsumed_tail, int.from_bytes(start, "little"))
    return int(json.loads(head)["rows"])


def json_values(block: Block) -> list[Any]:
    """The values of a block of kind `j`."""
    found: list[Any] = json.loads(bytes(block.data))
    return found


def numbers(chunk: Chunk, key: str) -> list[float]:
    """The values that the chunk has of `key`, in the order in which they were logged; NaN for what is no number."""
    for block in chunk.blocks:
        if key in block.keys:
            points = count_points(block, chunk.count)
            start = block.keys.index(key) * points
            if block.kind == "j":
                return [_number(value) for value in json_values(block)[start : start + points]]
            found: array[Any] = array("d" if block.kind == "f" else "q", bytes(block.data[8 * start :][: 8 * points]))
            if sys.byteorder == "big":
                found.byteswap()
            return [float(value) for value in found]
    return []


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and abs(value) < _EXACT**8 else math.nan


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
    size = sum(map(len, body))
    small = size < _SMALL_BYTES and size + len(head) < _MAX_PACKED_BYTES  # many numbers don't get smaller for it
    packer = zlib.compressobj(1 if small else 0)
    parts_out = [_MAGIC, packer.compress(len(head).to_bytes(4, "little") + head)]
    parts_out += [packer.compress(part) for part in body]
    return b"".join([*parts_out, packer.flush()])


def _inflated(data: bytes) -> memoryview:
    if data[:4] != _MAGIC:
        raise ValueError("they don't start as rows do")
    unpacker = zlib.decompressobj()
    plain = unpacker.decompress(memoryview(data)[4:], min(len(data) + _MAX_PACKED_BYTES, MAX_DECODED_BYTES))
    if unpacker.unconsumed_tail or not unpacker.eof or unpacker.unused_data:
        raise ValueError("they are cut off, or too many at once")
    return memoryview(plain)


def _parsed(plain: memoryview) -> Chunk:
    end = 4 + int.from_bytes(plain[:4], "little")
    header = json.loads(bytes(plain[4:end]))
    count, writer = header["rows"], header["writer"]
    if type(count) is not int or count < 0 or not isinstance(writer, str):
        raise ValueError("the header is wrong")
    if len(writer) > MAX_WRITER_CHARACTERS or not writer.isprintable():
        raise ValueError("the writer's name is wrong")
    steps, plain = _cut(plain[end:], 8 * count)
    if not bytes(steps[7::8]).isascii():  # the bytes that hold the sign
        raise ValueError("a step is negative")
    times, plain = _cut(plain, 8 * count)
    blocks: list[Block] = []
    for entry in header["blocks"]:
        data, plain = _cut(plain, entry["bytes"])
        blocks.append(_checked(Block(entry["kind"], entry["at"], entry["keys"], data), count))
    if plain:
        raise ValueError("they are longer than they say")
    if len({key for block in blocks for key in block.keys}) < sum(len(block.keys) for block in blocks):
        raise ValueError("a key is there twice")
    return Chunk(writer, count, steps, times, blocks)


def _checked(block: Block, count: int) -> Block:
    if not isinstance(block.keys, list) or not block.keys:
        raise ValueError("a block has no keys")
    for key in block.keys:
        check_key(key)
    at = [0, count] if block.at is None else block.at
    if not isinstance(at, list) or not at or len(at) % 2 or any(type(place) is not int for place in at):
        raise ValueError("ranges of rows are wrong")
    if at[0] < 0 or at[-1] > count or any(here >= there for here, there in pairwise(at)):
        raise ValueError("ranges of rows are not in order")
    values = _count_json(block) if block.kind == "j" else len(block.data) / 8
    if block.kind not in ("f", "i", "j") or values != count_points(block, count) * len(block.keys):
        raise ValueError("values are missing")
    return block


def _count_json(block: Block) -> int:
    values = json_values(block)
    if not isinstance(values, list):
        raise ValueError("values are no list")
    for value in values:
        if isinstance(value, list | dict):
            _check_depth(value, 1)
    return len(values)


def _check_depth(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ValueError(f"a value is nested deeper than {MAX_DEPTH} levels")
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, list | dict):
            _check_depth(item, depth + 1)


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
