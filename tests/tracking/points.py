"""Points for the tests of this room, and what they should become, in plain Python."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from lineal.tracking import parts
from lineal.tracking.columns import TIME, Bounds, of_chunks, ordered
from lineal.tracking.parts import Part, Tail
from lineal.tracking.rows import Row, decode, encode

Point = tuple[str, int, str, Any]


def told(table: pa.Table) -> list[Point]:
    """The points as (key, step, writer, value), as they lie; a text is its JSON."""
    columns = table.to_pydict()
    values = zip(columns["number"], columns["integer"], columns["text"], strict=True)
    picked = [next((value for value in three if value is not None), None) for three in values]
    writers = [writer or "" for writer in columns["writer"]]
    return list(zip(columns["key"], columns["step"], writers, picked, strict=True))


def naive(batches: Iterable[tuple[str, Sequence[Row]]], bounds: Bounds = Bounds()) -> list[Point]:  # noqa: B008
    """What is to be seen of (writer, rows), oldest first: by key, step and writer, of equal ones the last."""
    found: dict[tuple[str, int, str], Any] = {}
    for writer, rows in batches:
        for step, at, values in rows:
            for key, value in {TIME: at, **values}.items():
                if bounds.keys is not None and key not in bounds.keys:
                    continue
                if step >= bounds.low and (bounds.high is None or step < bounds.high):
                    found[key, step, writer] = value if type(value) in (int, float) else json.dumps(value)
    return [(*place, found[place]) for place in sorted(found)]


def table_of(rows: Sequence[Row], writer: str = "", bounds: Bounds = Bounds()) -> pa.Table:  # noqa: B008
    return of_chunks([decode(encode(rows, writer))], bounds)


def tail_of(*batches: tuple[str, Sequence[Row]]) -> Tail:
    return Tail(encode(rows, writer) for writer, rows in batches)


def file_of(tables: Iterable[pa.Table]) -> bytes:
    """The bytes of a file of points."""
    file = io.BytesIO()
    parts.write(tables, file, facts={"lineal.run": "local/p/r"})
    return file.getvalue()


def part_of(*batches: tuple[str, Sequence[Row]]) -> Part:
    table = ordered(pa.concat_tables([table_of(rows, writer) for writer, rows in batches]))
    return open_part(file_of([table]))


def open_part(data: bytes) -> Part:
    return Part(pa.BufferReader(data))
