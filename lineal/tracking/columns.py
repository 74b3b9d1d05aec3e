"""Rows at rest: a Parquet file of points, sorted by key and step, that any tool can read.

Columns: `key`, `step`, then the value in the one of `number` (float64), `integer` (int64) and `text` (JSON) that
fits, and `writer` where several wrote. Each row's time is a point of the key `_timestamp` (s since 1970). A key with
many points has row groups of its own, so that reading it reads little else. Of points with the same key, writer and
step the last one logged counts; those of several writers lie in the order of their names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from lineal.tracking.arrays import numbers_in, of_flags, of_numbers, of_optional, of_texts
from lineal.tracking.rows import MAX_STEP, Block, Chunk, json_values

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

TIME = "_timestamp"


class Bounds(NamedTuple):
    """Which points are asked for: `keys` None for all, steps from `low` up to, not with, `high`."""

    keys: frozenset[str] | None = None
    low: int = -(2**63)
    high: int | None = None


ALL = Bounds()


class Span(NamedTuple):
    """A stretch of sorted points: its first and last key, lowest and highest step, and its size in points."""

    first: str
    last: str
    low: int
    high: int
    points: int


class Source(Protocol):
    """Points to be read by bounds: sorted and each there once, unless they are what just came in."""

    @property
    def is_sorted(self) -> bool: ...

    def list_keys(self) -> list[str]: ...

    def spans(self) -> list[Span]: ...

    def read(self, bounds: Bounds = ALL, columns: Sequence[str] | None = None) -> pa.Table: ...


def of_chunks(chunks: Iterable[Chunk], bounds: Bounds = ALL) -> pa.Table:
    """The points in the chunks, as they came."""
    import pyarrow as pa

    tables = [table for chunk in chunks for table in _of_chunk(chunk, bounds)]
    return pa.concat_tables(tables) if tables else empty()


def schema() -> pa.Schema:
    """The columns of every table and file of points."""
    import pyarrow as pa

    names = pa.dictionary(pa.int32(), pa.string())
    columns = {"key": names, "step": pa.int64(), "number": pa.float64(), "integer": pa.int64()}
    return pa.schema({**columns, "text": pa.string(), "writer": names})


def empty() -> pa.Table:
    """A table of no points."""
    import pyarrow as pa

    return pa.Table.from_batches([], schema())


def _of_chunk(chunk: Chunk, bounds: Bounds) -> Iterator[pa.Table]:
    import numpy as np

    steps = np.frombuffer(chunk.steps, "<i8")
    kept = between(steps, bounds)
    if chunk.count and (bounds.keys is None or TIME in bounds.keys):
        times = Block("f", None, [TIME], chunk.times)
        yield _of_block(times, steps, kept, chunk.writer, None)
    for block in chunk.blocks:
        places = None
        if bounds.keys is not None:
            places = [place for place, key in enumerate(block.keys) if key in bounds.keys]
            if not places:
                continue
        at = None if block.at is None else _indices(block.at)
        yield _of_block(block, steps if at is None else steps[at], _part(kept, at), chunk.writer, places)


def _of_block(
    block: Block, steps: np.ndarray, kept: np.ndarray | None, writer: str, places: list[int] | None
) -> pa.Table:
    """The points of a block: those of the keys at `places` (None: all) and of the rows that are `kept`."""
    import numpy as np
    import pyarrow as pa

    keys = list(block.keys) if places is None else [block.keys[place] for place in places]
    length = len(steps)
    codes = np.repeat(np.arange(len(keys), dtype="int32"), length)
    columns: dict[str, Any] = {"number": None, "integer": None, "text": None}
    if block.kind == "j":
        values = json_values(block)
        if places is not None:
            values = [value for place in places for value in values[place * length : (place + 1) * length]]
        columns |= _split(values)
    else:
        numbers = np.frombuffer(block.data, "<f8" if block.kind == "f" else "<i8").reshape(-1, length)
        chosen = numbers if places is None else numbers[places]
        columns["number" if block.kind == "f" else "integer"] = of_numbers(chosen.reshape(-1))
    count = len(codes)
    fields = schema()
    arrays = [
        pa.DictionaryArray.from_arrays(of_numbers(codes), of_texts(keys)),
        of_numbers(np.tile(steps, len(keys))),
        *(pa.nulls(count, fields.field(name).type) if column is None else column for name, column in columns.items()),
        _same(writer, count),
    ]
    table = pa.Table.from_arrays(arrays, schema=fields)
    return table if kept is None else table.filter(of_flags(np.tile(kept, len(keys))))


def _same(writer: str, count: int) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    if not writer:
        return pa.nulls(count, pa.dictionary(pa.int32(), pa.string()))
    return pa.DictionaryArray.from_arrays(of_numbers(np.zeros(count, "int32")), of_texts([writer]))


def _split(values: list[Any]) -> dict[str, pa.Array]:
    """JSON values by the column each belongs into."""
    number: list[float | None] = [value if type(value) is float else None for value in values]
    integer = [value if type(value) is int and -(2**63) <= value < 2**63 else None for value in values]
    text = [
        None if number[place] is not None or integer[place] is not None else json.dumps(value)
        for place, value in enumerate(values)
    ]
    return {
        "number": of_optional(number, "float64"),
        "integer": of_optional(integer, "int64"),
        "text": of_texts(text),
    }


def _indices(at: Sequence[int]) -> np.ndarray:
    import numpy as np

    pairs = zip(at[::2], at[1::2], strict=True)
    return np.concatenate([np.arange(start, end) for start, end in pairs]) if at else np.zeros(0, "int64")


def between(steps: np.ndarray, bounds: Bounds) -> np.ndarray | None:
    """Which steps are within the bounds; None for all of them."""
    if bounds.low == ALL.low and bounds.high is None:
        return None
    kept: np.ndarray = steps >= min(bounds.low, MAX_STEP)
    if bounds.low > MAX_STEP:  # such a number is beyond what steps can be compared with
        kept[:] = False
    return kept if bounds.high is None or bounds.high > MAX_STEP else kept & (steps < bounds.high)


def _part(kept: np.ndarray | None, at: np.ndarray | None) -> np.ndarray | None:
    return kept if kept is None or at is None else kept[at]


def ordered(table: pa.Table) -> pa.Table:
    """The points by key and step, of equal ones the last. `table` holds them in the order in which they came."""
    import numpy as np

    table = table.unify_dictionaries().combine_chunks()
    if not table.num_rows:
        return table
    keys = table.column("key").chunk(0)
    names = keys.dictionary.to_pylist()
    codes = _ranks(names)[numbers_in(keys.indices)].astype("int16" if len(names) < 2**15 else "int32")
    steps = numbers_in(table.column("step"))
    turns = np.diff(codes)
    if (turns >= 0).all() and (np.diff(steps)[turns == 0] > 0).all():
        return table  # as one batch of a steady training is
    order = np.argsort(codes, kind="stable")
    codes, sorted_steps = codes[order], steps[order]
    if (np.diff(sorted_steps)[np.diff(codes) == 0] <= 0).any():
        writers = _writer_codes(table)[order]
        again = np.lexsort((writers, sorted_steps, codes))
        order, codes, sorted_steps, writers = order[again], codes[again], sorted_steps[again], writers[again]
        last = np.ones(len(order), bool)
        last[:-1] = (np.diff(codes) != 0) | (np.diff(sorted_steps) != 0) | (np.diff(writers) != 0)
        order = order[last]
    return table.take(of_numbers(order))


def _writer_codes(table: pa.Table) -> np.ndarray:
    """Numbers that sort as the writers' names do; of rows without a writer -1."""
    import numpy as np

    writers = table.column("writer").chunk(0)
    rank = _ranks(writers.dictionary.to_pylist())
    codes = numbers_in(writers.indices.fill_null(-1))
    ranks: np.ndarray = np.append(rank, -1)[codes]
    return ranks


def _ranks(names: list[str]) -> np.ndarray:
    import numpy as np

    rank = np.empty(len(names), "int64")
    rank[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    return rank
