"""Use cases of reading what runs recorded: rows, columns, samples."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from lineal.backend.local.context import Context
from lineal.backend.port_runs import Row, Runs
from lineal.core.errors import BlobNotFound, InvalidArgument
from lineal.core.names import check_limit
from lineal.db.session import Session
from lineal.tracking import streams
from lineal.tracking.arrays import numbers_in, of_numbers
from lineal.tracking.model import Samples, Stream
from lineal.tracking.runs import Started

if TYPE_CHECKING:
    import pyarrow as pa

    from lineal.tracking.columns import Bounds, Source

T = TypeVar("T")

MAX_ROWS = 1_000_000


class Recorded(NamedTuple):
    """What a run recorded in one stream: its files in the order in which they count, then what is in none yet."""

    started: Started
    parts: list[streams.File]
    chunks: list[streams.Stored]


class LocalHistory(Runs):
    def __init__(self, context: Context) -> None:
        self._here = context

    def list_keys(
        self, run_id: str, *, stream: Stream = "history", limit: int | None = None, after: str | None = None
    ) -> Sequence[str]:
        check_limit(limit)

        def ask(sources: list[Source], _: Started) -> set[str]:
            return {key for source in sources for key in source.list_keys()}

        found = sorted(key for key in self._asked(run_id, stream, ask) if not key.startswith("_"))
        return [key for key in found if after is None or key > after][:limit]

    def columns(
        self,
        run_id: str,
        keys: Sequence[str],
        *,
        stream: Stream = "history",
        min_step: int = 0,
        max_step: int | None = None,
    ) -> Mapping[str, tuple[Sequence[int], Sequence[Any]]]:
        table = self._points(run_id, stream, keys, min_step, max_step)
        found: dict[str, tuple[list[int], list[Any]]] = {key: ([], []) for key in keys}
        for key, step, value, _ in plain_points(table):
            found[key][0].append(step)
            found[key][1].append(value)
        return found

    def rows(
        self,
        run_id: str,
        *,
        stream: Stream = "history",
        keys: Sequence[str] | None = None,
        min_step: int = 0,
        max_step: int | None = None,
        limit: int = 10_000,
    ) -> Sequence[Row]:
        from lineal.tracking.columns import TIME

        if not 1 <= limit <= MAX_ROWS:
            raise InvalidArgument(f"limit is {limit}; from 1 to {MAX_ROWS} rows can be asked for at once")
        wanted = {TIME} if keys is None else (set(keys) - {"_step", "_writer"} or {TIME})
        narrow = self._points(run_id, stream, list(wanted), min_step, max_step, ("step", "writer"))
        last = _last_step(narrow, len(wanted), limit)
        if last is None:
            return []
        table = self._points(run_id, stream, None if keys is None else [*wanted, TIME], min_step, last + 1)
        found: dict[tuple[int, str], dict[str, Any]] = {}
        for key, step, value, writer in plain_points(table):
            row = found.setdefault((step, writer), {"_step": step})
            row[key] = value
            if writer:
                row["_writer"] = writer
        return [row for place in sorted(found) if wanted <= (row := found[place]).keys()]

    def samples(
        self,
        run_ids: Sequence[str],
        keys: Sequence[str],
        *,
        stream: Stream = "history",
        points: int = 1000,
        min_step: int = 0,
        max_step: int | None = None,
    ) -> Sequence[Samples]:
        from lineal.tracking.sampling import numbers, thin

        self._here.note_look()

        def ask(sources: list[Source], _: Started) -> list[tuple[str, pa.Table]]:
            columns, each = ("step", "number", "integer"), dict.fromkeys(keys)
            return [(key, together(sources, _bounds([key], min_step, max_step), columns)) for key in each]

        found = []
        for run_id in dict.fromkeys(run_ids):
            for key, table in self._asked(run_id, stream, ask):
                steps, values = numbers(table)
                if len(steps):
                    found.append(thin(run_id, key, steps, values, points))
        return found

    # ---- sources -----------------------------------------------------------------------------------------------

    def _points(
        self,
        run_id: str,
        stream: Stream,
        keys: Sequence[str] | None,
        low: int,
        high: int | None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """The points within the bounds, by key and step."""

        def ask(sources: list[Source], _: Started) -> pa.Table:
            return together(sources, _bounds(keys, low, high), columns)

        return self._asked(run_id, stream, ask)

    def _asked(self, run_id: str, stream: Stream, ask: Callable[[list[Source], Started], T]) -> T:
        """What `ask` answers about the sources and the run."""
        return self._tried(run_id, stream, lambda recorded: ask(self._sources(recorded), recorded.started))

    def _tried(self, run_id: str, stream: Stream, act: Callable[[Recorded], T]) -> T:
        """What comes of `act` on what is recorded; it is tried again where files were merged meanwhile."""
        tried: list[streams.File] | None = None
        while True:
            recorded = self._read(run_id, stream)
            try:
                return act(recorded)
            except BlobNotFound:
                if recorded.parts == tried:
                    raise
                tried = recorded.parts

    def _read(self, run_id: str, stream: Stream) -> Recorded:
        with self._here.database.read() as session:
            return self._recorded(session, self._here.run(session, run_id), stream)

    def _recorded(self, session: Session, started: Started, stream: Stream) -> Recorded:
        parts = streams.list_parts(session, started.id, stream)
        parts.sort(key=lambda part: (part.era, -part.level, part.id))
        return Recorded(started, parts, streams.list_chunks(session, started.id, stream))

    def _sources(self, recorded: Recorded, *, hidden_of: int | None = None) -> list[Source]:
        """What is seen of the run's rows; or, of one era, what a rewind took away."""
        from lineal.tracking.parts import Tail, Window

        places = self._here.blobs.find([part.digest for part in recorded.parts])
        by_era: list[tuple[int, Source]] = []
        for part in recorded.parts:
            if part.hidden:
                continue
            if part.digest not in places:
                raise BlobNotFound(f"rows of run {recorded.started.run.id} are not in the store; run `lineal fsck`")
            by_era.append((part.era, self._open(places[part.digest].key)))
        for era in dict.fromkeys(chunk.era for chunk in recorded.chunks):
            by_era.append((era, Tail(chunk.data for chunk in recorded.chunks if chunk.era == era)))
        seen: list[Source] = []
        for era, source in by_era:
            cut = min(recorded.started.cuts[era:], default=None)
            if hidden_of is not None:
                if era == hidden_of and cut is not None:
                    seen.append(Window(source, low=cut + 1))
            else:
                seen.append(source if cut is None else Window(source, high=cut + 1))
        return seen

    def _open(self, key: str) -> Source:
        from lineal.tracking.parts import Part

        store = self._here.blobs.store
        path = store.path_of(key)
        if path is not None:
            return Part(path)
        with store.open(key) as file:
            return Part(_in_memory(file.read()))


def _bounds(keys: Sequence[str] | None, low: int, high: int | None) -> Bounds:
    from lineal.tracking.columns import ALL, Bounds

    return Bounds(None if keys is None else frozenset(keys), low if low > 0 else ALL.low, high)


def _in_memory(data: bytes) -> Any:
    import pyarrow as pa

    return pa.BufferReader(data)


def together(sources: list[Source], bounds: Bounds | None = None, columns: Sequence[str] | None = None) -> pa.Table:
    """The points of all sources; sorted again only where more than one has any."""
    import pyarrow as pa

    from lineal.tracking.columns import ALL, empty, ordered

    bounds = bounds or ALL
    if len(sources) == 1 and sources[0].is_sorted:
        return sources[0].read(bounds, columns)
    tables = [source.read(bounds) for source in sources]
    table = ordered(pa.concat_tables(tables)) if tables else empty()
    return table.select(list(columns)) if columns else table


def last_values(table: pa.Table) -> dict[str, Any]:
    """The value at the last step of each key; `table` is sorted."""
    import numpy as np

    codes = numbers_in(table.column("key").unify_dictionaries().combine_chunks().indices)
    ends = np.flatnonzero(np.append(np.diff(codes) != 0, True)) if len(codes) else codes
    return {key: value for key, _, value, _ in plain_points(table.take(of_numbers(ends)))}


def plain_points(table: pa.Table) -> list[tuple[str, int, Any, str]]:
    """The points as (key, step, value, writer)."""
    columns = table.to_pydict()
    return [
        (key, step, number if number is not None else integer if integer is not None else json.loads(text), by or "")
        for key, step, number, integer, text, by in zip(
            *(columns[name] for name in ("key", "step", "number", "integer", "text", "writer")), strict=True
        )
    ]


def _last_step(table: pa.Table, keys: int, limit: int) -> int | None:
    """The step with which the first `limit` rows that have so many keys are whole; None where no row has them."""
    import numpy as np

    steps, writers = numbers_in(table.column("step")), table.column("writer").unify_dictionaries().combine_chunks()
    codes = numbers_in(writers.indices.fill_null(-1)).astype("int64")
    places, counts = np.unique(np.stack([steps, codes]), axis=1, return_counts=True)
    found = places[0][counts >= keys]  # a step for each row
    if not len(found):
        return None
    if len(found) <= limit:
        return int(found[-1])
    whole = found[found < found[limit]]
    return int(whole[-1] if len(whole) else found[limit])
