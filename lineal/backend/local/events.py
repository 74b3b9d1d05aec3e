"""The use case of following a run: what became known behind a cursor, which is all that is kept of a follower."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from lineal.backend.local.history import LocalHistory, Recorded, plain_points, together
from lineal.core.errors import BlobNotFound, InvalidArgument
from lineal.core.names import texts
from lineal.core.plain import plain
from lineal.db.session import Session
from lineal.tracking import alerts, rows, streams
from lineal.tracking.arrays import numbers_in, of_flags
from lineal.tracking.cursors import Cursor, Place, format_cursor, parse_cursor
from lineal.tracking.model import STREAMS, Event, EventKind, Events, Run, Stream
from lineal.tracking.runs import Started

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from lineal.tracking.columns import Source

MAX_LIMIT = 10_000
_TRIES = 5
_STATE = ("state", "exit_code", "message", "finished_at", "stop_asked_by")


class _Seen(NamedTuple):
    """One stream as one look finds it, with the chunks that are new to the follower."""

    recorded: Recorded
    new: list[streams.Stored]


class LocalEvents(LocalHistory):
    def events(
        self,
        run_id: str,
        *,
        streams: Sequence[Stream] = ("history",),
        keys: Sequence[str] | None = None,
        after: str | None = None,
        last: int | None = None,
        limit: int = 1000,
    ) -> Events:
        asked = list(dict.fromkeys(texts(streams, what="streams")))
        if unknown := [stream for stream in asked if stream not in STREAMS]:
            raise InvalidArgument(f"{ascii(unknown[0])[:40]} is no stream; there are {', '.join(STREAMS)}")
        if not 1 <= limit <= MAX_LIMIT:
            raise InvalidArgument(f"limit is {limit}; from 1 to {MAX_LIMIT:,} rows can be asked for at once")
        if last is not None and last < 0:
            raise InvalidArgument(f"last is {last}; ask for 0 rows at least")
        wanted = None if keys is None else frozenset(texts(keys, what="keys"))
        for tried in range(_TRIES):
            told = _Told(parse_cursor(after) if after else Cursor(), limit)
            try:
                run = self._look(run_id, asked, wanted, None if after else last, told)
                break
            except BlobNotFound:  # files were merged meanwhile, or are lost
                if tried == _TRIES - 1:
                    raise
        ended = run.state != "running" and not told.more
        return Events(tuple(told.events), format_cursor(told.cursor), told.more, ended)

    def _look(self, run_id: str, asked: list[Any], keys: frozenset[str] | None, last: int | None, told: _Told) -> Run:
        cursor = told.cursor
        with self._here.database.read() as session:
            started = self._here.run(session, run_id)
            seen = {stream: self._seen(session, started, stream, cursor.places.get(stream)) for stream in asked}
            said = alerts.list_new(session, started.id, after=cursor.alert)
        for stream, found in seen.items():
            if stream not in cursor.places:
                cursor.places[stream] = self._begin(found, last)
            self._tell_stream(stream, found, cursor.places[stream], keys, told)
        for id_, alert in said:
            cursor.alert = id_
            told.add("alert", None, plain(alert))
        told.change("summary", {"summary": started.run.summary})
        told.change("state", {name: getattr(started.run, name) for name in _STATE})
        return started.run

    def _seen(self, session: Session, started: Started, stream: Stream, place: Place | None) -> _Seen:
        if place is not None and place.step is None and place.era == started.era:
            parts = streams.list_parts(session, started.id, stream)
            if max((part.id for part in parts), default=0) <= place.part:  # as it nearly always is
                new = streams.list_new(session, started.id, stream, after=place.chunk)
                return _Seen(Recorded(started, parts, new), new)
        recorded = self._recorded(session, started, stream)
        after = 0 if place is None else place.chunk
        return _Seen(recorded, [chunk for chunk in recorded.chunks if chunk.id > after])

    def _begin(self, seen: _Seen, last: int | None) -> Place:
        """The place before the first row, or before the last ones."""
        newest = _newest(seen)
        place = Place(newest["chunk"], newest["part"], seen.recorded.started.era)
        if last is None:
            return place
        place.points = None
        steps, writers, names = _rows(self._sources(seen.recorded), 0)
        skipped = max(len(steps) - last, 0)
        place.step = int(steps[skipped - 1]) if skipped else 0
        for step, writer in zip(steps[:skipped].tolist(), writers[:skipped].tolist(), strict=True):
            place.tell(names[writer], step, rows.MAX_STEP)
        return place

    # ---- one stream --------------------------------------------------------------------------------------------

    def _tell_stream(
        self, stream: Stream, seen: _Seen, place: Place, keys: frozenset[str] | None, told: _Told
    ) -> None:
        started = seen.recorded.started
        if started.era != place.era:
            _anew(seen, place, stream, told)
        newest = _newest(seen)["part"]
        if place.step is None and newest > place.part:
            if place.points is not None and self._count(seen, place.chunk) == place.points:
                place.part = newest
            elif place.heads is None:
                _anew(seen, place, stream, told)
            else:
                self._tell_heads(stream, seen, place, keys, told)
                self._read_files(seen, place)
        while place.step is not None and told.left > 0:
            self._tell_files(stream, seen, place, keys, told)
        if place.step is None:
            _tell_chunks(stream, [chunk for chunk in seen.new if chunk.id > place.chunk], seen, place, keys, told)
        else:
            told.more = True

    def _read_files(self, seen: _Seen, place: Place) -> None:
        """Goes over to reading what is behind the heads from files, and from the chunks that there are now."""
        place.chunk, place.part = max(place.chunk, _newest(seen)["chunk"]), _newest(seen)["part"]
        if place.step is None:
            place.step = min((head.step for head in (place.heads or {}).values()), default=0)

    def _tell_heads(
        self, stream: Stream, seen: _Seen, place: Place, keys: frozenset[str] | None, told: _Told
    ) -> None:
        """Tells the last row of each writer again where it got more values since."""
        sources = self._sources(seen.recorded)
        assert place.heads is not None
        for step in sorted({head.step for head in place.heads.values()}):
            table = _wide(sources, step, step + 1)
            for writer, row in _by_row(table).items():
                head = place.heads.get(writer[1])
                more = 0 if head is None or head.step != step else len(row) - 1 - head.values
                if more > 0:
                    if place.points is not None:
                        place.points += more
                    place.tell(writer[1], step, more)
                    told.rows(stream, {writer: row}, keys)

    def _tell_files(
        self, stream: Stream, seen: _Seen, place: Place, keys: frozenset[str] | None, told: _Told
    ) -> None:
        """Tells the next rows from files; where none are left the place is behind all of them."""
        recorded = seen.recorded
        sources = self._sources(recorded._replace(chunks=[c for c in recorded.chunks if c.id <= place.chunk]))
        assert place.step is not None
        steps, writers, names = _rows(sources, place.step)
        steps = steps[_untold(steps, writers, names, place)]
        if len(steps):
            end = int(steps[min(told.left, len(steps)) - 1]) + 1
            table = _wide(sources, int(steps[0]), end)
            table = table.filter(of_flags(_untold(*_codes(table), place)))
            found = _by_row(table)
            for (step, writer), row in found.items():
                place.tell(writer, step, len(row) - 1)
            if place.points is not None:
                place.points += table.num_rows
            place.step = end
            told.rows(stream, found, keys)
            return
        points = self._count(seen, place.chunk)
        late = place.points is not None and points > place.points
        if late and together(sources, columns=("step",)).num_rows > (place.points or 0):
            _anew(seen, place, stream, told)  # late rows have been mixed with those told
            return
        place.step, place.points, place.part = None, points, _newest(seen)["part"]

    def _count(self, seen: _Seen, chunk: int) -> int:
        """How many points were told once all files, and the chunks up to `chunk`, were; at most that many differ."""
        there = [stored for stored in seen.recorded.chunks if stored.id <= chunk]
        if seen.recorded.started.era:  # rewinds hide some
            sources = self._sources(seen.recorded._replace(chunks=there))
            return int(together(sources, columns=("step",)).num_rows)
        return sum(part.rows for part in seen.recorded.parts) + sum(_size(rows.decode(c.data)) for c in there)


def _anew(seen: _Seen, place: Place, stream: Stream, told: _Told) -> None:
    """Begins the stream again."""
    place.era, place.step, place.points, place.heads = seen.recorded.started.era, 0, 0, {}
    place.chunk, place.part = max(place.chunk, _newest(seen)["chunk"]), _newest(seen)["part"]
    told.add("reset", stream, {})


def _tell_chunks(
    stream: Stream,
    chunks: list[streams.Stored],
    seen: _Seen,
    place: Place,
    keys: frozenset[str] | None,
    told: _Told,
) -> None:
    """Tells rows as they came in, as many as fit."""
    from lineal.tracking.columns import ordered
    from lineal.tracking.parts import Tail, Window

    cuts = seen.recorded.started.cuts
    sources: list[Source] = []
    count = 0
    for chunk in chunks:
        if count >= told.left:
            told.more = True
            break
        decoded = rows.decode(chunk.data)
        cut = min(cuts[chunk.era :], default=None)
        tail = Tail([decoded])
        sources.append(tail if cut is None else Window(tail, high=cut + 1))
        count += decoded.count
        place.chunk = chunk.id
    if sources:
        table = ordered(together(sources))
        found = _by_row(table)
        if place.points is not None:
            place.points += table.num_rows - _pieces(found, place)
        for (step, writer), row in found.items():
            place.tell(writer, step, len(row) - 1)
        told.rows(stream, found, keys)


class _Told:
    """What one look tells, each event with the cursor behind it."""

    def __init__(self, cursor: Cursor, limit: int) -> None:
        self.cursor, self.left, self.more = cursor, limit, False
        self.events: list[Event] = []

    def add(self, kind: EventKind, stream: Stream | None, data: Mapping[str, Any]) -> None:
        self.events.append(Event(kind, format_cursor(self.cursor), stream, data))

    def rows(
        self, stream: Stream, found: Mapping[tuple[int, str], dict[str, Any]], keys: frozenset[str] | None
    ) -> None:
        """Adds rows, with the values that are asked for; those that have none of them are passed over."""
        self.left -= len(found)
        shown = []
        for (step, writer), values in sorted(found.items()):
            row = values if keys is None else {k: v for k, v in values.items() if k in keys or k == "_timestamp"}
            if keys is None or row.keys() - {"_timestamp"} or "_timestamp" in keys:
                shown.append({"_step": step} | row | ({"_writer": writer} if writer else {}))
        if shown:
            self.add("rows", stream, {"rows": shown})

    def change(self, kind: Any, data: Mapping[str, Any]) -> None:
        """Adds what is told as a whole, if it is not as it was told."""
        facts = plain(data)
        now = hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=8).hexdigest()
        if getattr(self.cursor, kind) != now:
            setattr(self.cursor, kind, now)
            self.add(kind, None, facts)


# ---- points ----------------------------------------------------------------------------------------------------


def _pieces(found: Mapping[tuple[int, str], Any], place: Place) -> int:
    """How many of the rows are more of the last one that was told of a writer: they have a time already."""
    heads = place.heads or {}
    return sum(writer in heads and heads[writer].step == step for step, writer in found)


def _newest(seen: _Seen) -> dict[str, int]:
    recorded = seen.recorded
    return {
        "chunk": max((chunk.id for chunk in recorded.chunks), default=0),
        "part": max((part.id for part in recorded.parts), default=0),
    }


def _size(chunk: rows.Chunk) -> int:
    return chunk.count + sum(rows.count_points(block, chunk.count) * len(block.keys) for block in chunk.blocks)


def _rows(sources: list[Source], low: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """The rows from the step `low` by step: their steps, and the places of their writers among the names."""
    from lineal.tracking.columns import TIME, Bounds

    return _codes(together(sources, Bounds(frozenset([TIME]), low), ("step", "writer")))


def _wide(sources: list[Source], low: int, high: int) -> pa.Table:
    from lineal.tracking.columns import Bounds

    return together(sources, Bounds(None, low, high))


def _codes(table: pa.Table) -> tuple[np.ndarray, np.ndarray, list[str]]:
    writers = table.column("writer").unify_dictionaries().combine_chunks()
    names = [*writers.dictionary.to_pylist(), ""]
    codes = numbers_in(writers.indices.fill_null(len(names) - 1)).astype("int64")
    return numbers_in(table.column("step")), codes, names


def _untold(steps: np.ndarray, writers: np.ndarray, names: list[str], place: Place) -> np.ndarray:
    """Which of them are behind what was told of their writers."""
    import numpy as np

    heads = place.heads or {}
    bounds = np.array([heads[name].step if name in heads else -1 for name in names], "int64")
    found: np.ndarray = steps > bounds[writers]
    return found


def _by_row(table: pa.Table) -> dict[tuple[int, str], dict[str, Any]]:
    found: dict[tuple[int, str], dict[str, Any]] = {}
    for key, step, value, writer in plain_points(table):
        found.setdefault((step, writer), {})[key] = value
    return found
