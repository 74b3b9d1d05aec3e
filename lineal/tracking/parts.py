"""Files of points: written sorted, read by key and step, merged without holding them whole.

Parquet's pages have checksums, its footer has none, and pyarrow may end the process over a damaged one. So 12 bytes
that other readers skip stand before the footer: "LNRF" and the xxh3-64 of all that follows.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO

import xxhash

from lineal.core.errors import BlobNotFound, CorruptRows
from lineal.core.settings import with_default
from lineal.tracking.arrays import numbers_in, of_flags, of_texts
from lineal.tracking.columns import ALL, TIME, Bounds, Source, Span, between, empty, of_chunks, ordered, schema
from lineal.tracking.rows import MAX_STEP, Block, Chunk, count_points, decode

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

GROUP_ROWS = 128 << 10
_SMALL_GROUP_ROWS = 16 << 10
_AT_ONCE = 64 << 10  # points that are sorted in memory at once
_SEAL = b"LNRF"
_SEAL_BYTES = 12


def write(tables: Iterable[pa.Table], file: Any, *, facts: dict[str, str]) -> int:
    """How many points were written to `file` (open for writing) as Parquet, with `facts` in its metadata.

    `tables` are sorted, each behind the one before.
    """
    import pyarrow.parquet as pq

    count = 0
    fields = schema().with_metadata(facts)
    sink = _Sink(file)
    with pq.ParquetWriter(
        sink,
        fields,
        compression="zstd",
        use_dictionary=["key", "text", "writer"],
        column_encoding={"step": "DELTA_BINARY_PACKED", "integer": "DELTA_BINARY_PACKED"},
        write_page_checksum=True,
    ) as writer:
        for table in tables:
            for group in _groups(table):
                writer.write_table(group.cast(fields), row_group_size=GROUP_ROWS)
                count += group.num_rows
        sink.footer = bytearray()
    file.write(_seal(sink.footer))
    file.write(bytes(sink.footer))
    return count


class _Sink:
    """What Parquet writes into: the file, and once there is a `footer` that."""

    closed = False
    footer: bytearray | None = None

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        if self.footer is None:
            self._file.write(data)
        else:
            self.footer += data
        return len(data)

    def flush(self) -> None: ...

    def close(self) -> None: ...


def _seal(footer: bytes | bytearray) -> bytes:
    return _SEAL + xxhash.xxh3_64_digest(footer)


def _check_footer(file: BinaryIO) -> None:
    """Raises corrupt.rows unless the footer is as it was written."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 8))
    length = 8 + int.from_bytes(file.read(4), "little")
    if length + _SEAL_BYTES <= size:
        file.seek(size - length - _SEAL_BYTES)
        sealed = file.read(_SEAL_BYTES + length)
        if sealed[:_SEAL_BYTES] == _seal(sealed[_SEAL_BYTES:]):
            return
    raise CorruptRows("a file of rows is damaged: its footer is not as it was written")


def _groups(table: pa.Table) -> Iterator[pa.Table]:
    """Slices of a sorted table: a key with many points by itself, small ones together."""
    import numpy as np

    if not table.num_rows:
        return
    codes = numbers_in(table.column("key").combine_chunks().indices)
    ends = [*(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)]
    start = before = 0
    for end in ends:
        if end - before > _SMALL_GROUP_ROWS and before > start:
            yield table.slice(start, before - start)
            start = before
        if end - start >= _SMALL_GROUP_ROWS:
            yield table.slice(start, end - start)
            start = end
        before = end
    if start < len(codes):
        yield table.slice(start)


def _load_arrow() -> None:
    """Loads pyarrow, where nobody has yet, with the memory pool that gives memory back to the training."""
    if "pyarrow" not in sys.modules:
        with with_default("ARROW_DEFAULT_MEMORY_POOL", "system"):
            import pyarrow.parquet  # noqa: F401


class Part:
    """A Parquet file of points, open for reading. Raises corrupt.rows where it is damaged, not_found.blob."""

    is_sorted = True

    def __init__(self, file: Any) -> None:
        """`file` is a path, or a seekable binary file."""
        _load_arrow()
        import pyarrow.parquet as pq

        with _readable():
            if isinstance(file, str):
                with open(file, "rb") as plain:
                    _check_footer(plain)
            else:
                _check_footer(file)
            self._file: pq.ParquetFile = pq.ParquetFile(
                file,
                memory_map=isinstance(file, str),
                page_checksum_verification=True,
                read_dictionary=["key", "writer"],
            )
            if self._file.schema_arrow.remove_metadata() != schema():
                raise CorruptRows("a file of rows has other columns than those of rows")
        self.count: int = self._file.metadata.num_rows

    def list_keys(self) -> list[str]:
        """The keys that it has points of, sorted."""
        found: set[str] = set()
        for group, span in enumerate(self._spans):
            if span.first == span.last:
                found.add(span.first)
            else:
                column = self._read_group(group, ["key"]).column("key")
                found |= set(column.unique().to_pylist())
        return sorted(found)

    def spans(self) -> list[Span]:
        """What each row group holds."""
        return self._spans

    @cached_property
    def _spans(self) -> list[Span]:
        metadata = self._file.metadata
        found = []
        with _readable():
            for place in range(metadata.num_row_groups):
                group = metadata.row_group(place)
                key, step = group.column(0).statistics, group.column(1).statistics
                if key is None or step is None or not key.has_min_max or not step.has_min_max:
                    raise CorruptRows("a file of rows lacks its statistics")
                found.append(Span(key.min, key.max, step.min, step.max, group.num_rows))
        return found

    def read(self, bounds: Bounds = ALL, columns: Sequence[str] | None = None) -> pa.Table:
        """The points within the bounds, sorted; only these columns, where some are given."""
        import pyarrow as pa

        wanted = [(group, span) for group, span in enumerate(self._spans) if _wanted(span, bounds)]
        names = list(columns or schema().names)
        need = names if bounds == ALL else list(dict.fromkeys([*names, "key", "step"]))
        tables = []
        for group, span in wanted:
            only_one = bounds.keys is None or span.first == span.last
            asked = [name for name in need if name != "key" or name in names or not only_one]
            table = self._read_group(group, asked)
            tables.append(_within(table, bounds, keyed=not only_one).select(names))
        if not tables:
            return empty().select(names)
        return pa.concat_tables(tables)

    def _read_group(self, group: int, columns: list[str]) -> pa.Table:
        with _readable():
            table = self._file.read_row_group(group, columns=columns, use_threads=False)
            table.validate(full=True)
            return table


def _wanted(span: Span, bounds: Bounds) -> bool:
    """Whether the stretch may have points within the bounds."""
    if bounds.keys is not None and not any(span.first <= key <= span.last for key in bounds.keys):
        return False
    return span.high >= bounds.low and (bounds.high is None or span.low < bounds.high)


def _within(table: pa.Table, bounds: Bounds, *, keyed: bool) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    if keyed and bounds.keys is not None:
        table = table.filter(pc.is_in(table.column("key").cast(pa.string()), of_texts(sorted(bounds.keys))))
    if bounds.low == ALL.low and bounds.high is None:
        return table
    kept = between(numbers_in(table.column("step")), bounds)
    assert kept is not None
    return table if kept.all() else table.filter(of_flags(kept))


class _readable:  # noqa: N801 - used as a statement
    """Turns what pyarrow raises on a damaged file into corrupt.rows."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, _trace: object) -> None:
        import pyarrow as pa

        if isinstance(problem, FileNotFoundError):
            raise BlobNotFound("a file of rows is not in the store; run `lineal fsck`") from None
        if isinstance(problem, pa.ArrowException | OSError | ValueError | KeyError | OverflowError):
            raise CorruptRows(f"a file of rows is damaged: {str(problem)[:200]}") from None


class Tail:
    """Points that are in no file yet, as a source."""

    is_sorted = False

    def __init__(self, chunks: Iterable[bytes | Chunk]) -> None:
        """Raises invalid.rows."""
        _load_arrow()
        self._chunks = [chunk if isinstance(chunk, Chunk) else decode(chunk) for chunk in chunks]

    def list_keys(self) -> list[str]:
        found = {key for chunk in self._chunks for block in chunk.blocks for key in block.keys}
        return sorted(found | {TIME} if any(chunk.count for chunk in self._chunks) else found)

    def spans(self) -> list[Span]:
        return [
            Span(key, key, ALL.low, MAX_STEP, count_points(block, chunk.count))
            for chunk in self._chunks
            for block in [Block("f", None, [TIME], chunk.times), *chunk.blocks]
            for key in block.keys
        ]

    def read(self, bounds: Bounds = ALL, columns: Sequence[str] | None = None) -> pa.Table:
        table = of_chunks(self._chunks, bounds)
        return table.select(list(columns)) if columns else table


class Window:
    """A source seen through a window of steps: from `low` up to, not with, `high`."""

    def __init__(self, source: Source, low: int = ALL.low, high: int | None = None) -> None:
        self._source, self._low, self._high = source, low, high
        self.is_sorted = source.is_sorted

    def list_keys(self) -> list[str]:
        return sorted(self.read(columns=["key"]).column("key").unique().to_pylist())

    def spans(self) -> list[Span]:
        return self._source.spans()

    def read(self, bounds: Bounds = ALL, columns: Sequence[str] | None = None) -> pa.Table:
        highs = [high for high in (bounds.high, self._high) if high is not None]
        inner = Bounds(bounds.keys, max(bounds.low, self._low), min(highs) if highs else None)
        return self._source.read(inner, columns)


def merge(sources: Sequence[Source]) -> Iterator[pa.Table]:
    """The points of all sources (oldest first), sorted, in tables that are each behind the one before."""
    import pyarrow as pa

    for bounds in _portions(sources) if sources else ():
        table = ordered(pa.concat_tables([source.read(bounds) for source in sources]))
        if table.num_rows:
            yield table


def _portions(sources: Sequence[Source]) -> Iterator[Bounds]:
    """Bounds that cover everything in order, each of about as many points as may be sorted at once."""
    spans = [span for source in sources for span in source.spans()]
    if sum(span.points for span in spans) <= _AT_ONCE:
        yield ALL
        return
    waiting: list[str] = []
    count = 0.0
    sizes = _sizes(sources, spans)
    for key in sorted(sizes):
        if waiting and count + sizes[key] > _AT_ONCE:
            yield Bounds(frozenset(waiting))
            waiting, count = [], 0.0
        if sizes[key] > _AT_ONCE:
            yield from _stretches(key, [span for span in spans if span.first <= key <= span.last])
            continue
        waiting.append(key)
        count += sizes[key]
    if waiting:
        yield Bounds(frozenset(waiting))


def _sizes(sources: Sequence[Source], spans: Sequence[Span]) -> dict[str, float]:
    """About how many points each key has: exact for those with row groups of their own."""
    sizes: dict[str, float] = {key: 0.0 for source in sources for key in source.list_keys()}
    shared = sum(span.points for span in spans if span.first != span.last)
    alone = {span.first for span in spans if span.first == span.last}
    for span in spans:
        if span.first == span.last:
            sizes[span.first] = sizes.get(span.first, 0.0) + span.points  # outside of a window, it is of no source
    for key in sizes.keys() - alone:
        sizes[key] = shared / len(sizes.keys() - alone)
    return sizes


def _stretches(key: str, spans: Sequence[Span]) -> Iterator[Bounds]:
    """Windows of steps that cover one key."""
    keys, low, count = frozenset([key]), ALL.low, 0
    for span in sorted(spans, key=lambda span: span.high):
        count += span.points
        if count >= _AT_ONCE and span.high + 1 > low:
            yield Bounds(keys, low, span.high + 1)
            low, count = span.high + 1, 0
    yield Bounds(keys, low)
