"""Use cases of recording: batches from writers, and the files that their rows become."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from lineal.access import holders
from lineal.backend.local.history import LocalHistory, Recorded, last_values
from lineal.core import clock
from lineal.core.errors import BlobNotFound, BlobsMissing, CorruptRows, InvalidArgument, InvalidMetadata, RunExists
from lineal.core.metadata import check_metadata, restored
from lineal.core.names import check_name, check_path
from lineal.db.session import Session
from lineal.storage import digest as digests
from lineal.storage import index
from lineal.storage.blobs import ObjectWriter, Place, object_key
from lineal.storage.copies import Hashes
from lineal.storage.digest import Digest
from lineal.tracking import alerts, rows, runs, streams, values
from lineal.tracking.model import STREAMS, Batch, Heard, Run, Stream
from lineal.tracking.rows import Chunk
from lineal.tracking.runs import Speaking, Started

if TYPE_CHECKING:
    import pyarrow as pa

    from lineal.tracking.columns import Source

MAX_SUMMARY_BYTES = 32 << 20
_TAIL_BYTES, _TAIL_CHUNKS = 512 << 10, 256  # more than that, and the rows that came in become a file
_FAN_IN = 16  # so many files of a level become one of the next
_LAST_LEVEL = 100
_MAX_SEQ = 2**63 - 1


class LocalRecord(LocalHistory):
    def append(self, run_id: str, writer: str, seq: int, batch: Batch) -> Heard:
        check_name(writer, "writer")
        if not 1 <= seq <= _MAX_SEQ:
            raise InvalidArgument(f"a writer numbers its batches from 1; this one is {seq}")
        decoded = _decoded(batch)
        checked = self._checked(batch)
        while True:
            folded = {
                stream: self._fold(run_id, stream, len(data), decoded[stream]) for stream, data in batch.rows.items()
            }
            try:
                with self._here.database.begin() as session:
                    started = runs.heard(session, run_id, locked=True)
                    if not self._here.check(session, started.entity, started.project):
                        raise runs.absent(run_id)
                    new = streams.take(session, started.id, writer, seq)
                    if new:
                        for stream, data in batch.rows.items():
                            self._add_rows(session, started, stream, data, folded[stream])
                        self._note(session, started.id, batch, checked)
                    runs.see(session, started.id, at=clock.now(), last_step=batch.last_step)
                    if started.sweep:
                        started = _of_a_sweep(session, run_id, started, decoded.get("history") if new else None)
                break
            except _Outrun:  # rows came in from another writer while ours were written
                self._drop([fold.file.digest for fold in folded.values() if fold])
        if not new:
            self._drop([fold.file.digest for fold in folded.values() if fold])
        for stream, fold in folded.items():
            if fold:
                self._merge_levels(run_id, stream)  # where it can't, the batch is recorded all the same
        return started.heard

    def last_seq(self, run_id: str, writer: str) -> int:
        with self._here.database.read() as session:
            found = runs.find(session, run_id)
            if found is None or not self._here.check(session, found.run.entity, found.run.project):
                self._here.sight(session)
                return -1
            return streams.last_seq(session, found.id, writer)

    def _fold(self, run_id: str, stream: Stream, size_bytes: int, chunk: Chunk) -> _Fold | None:
        """The file of the rows that came in before and of `chunk`, where there are enough of them for one."""
        with self._here.database.look() as session:
            run = runs.heard(session, run_id)
            size, count = streams.waiting(session, run.id, stream, run.era)
        if size + size_bytes <= _TAIL_BYTES and count < _TAIL_CHUNKS:
            return None
        recorded = self._read(run_id, stream)
        from lineal.tracking.parts import Tail, merge

        era = recorded.started.era
        before = [stored for stored in recorded.chunks if stored.era == era]
        tail = Tail([*(stored.data for stored in before), chunk])
        file = self._store(recorded, stream, merge([tail]), era, 0)
        return _Fold(file, [stored.id for stored in before]) if file else None

    def _add_rows(self, session: Session, started: Speaking, stream: Stream, data: bytes, fold: _Fold | None) -> None:
        if fold is None:
            streams.add_chunk(session, started.id, stream, started.era, data)
            return
        there = [chunk.id for chunk in streams.list_chunks(session, started.id, stream) if chunk.era == started.era]
        done = there == fold.chunks and fold.file.era == started.era
        done = done and streams.replace(session, started.id, stream, chunks=fold.chunks, parts=(), by=[fold.file])
        if not done or index.missing(session, [fold.file.digest]):
            raise _Outrun

    def _checked(self, batch: Batch) -> dict[str, Any]:
        """The batch's JSON, checked, by column. Raises invalid.*, conflict.blobs_missing."""
        if not -1 <= batch.last_step <= rows.MAX_STEP:
            raise InvalidArgument(f"{batch.last_step} is no step; steps are from 0 to {rows.MAX_STEP}")
        for file in batch.files:
            check_path(file.path)
            digests.parse(file.digest)
            if not 0 <= file.size <= rows.MAX_STEP:
                raise InvalidArgument(f"{file.path} can't have {file.size} bytes")
        found: dict[str, Any] = {}
        for name in ("config", "environment", "code"):
            if (value := getattr(batch, name)) is not None:
                found[name] = check_metadata(value, name, finite=False, max_bytes=MAX_SUMMARY_BYTES)
        if batch.summary:
            found["summary"] = check_metadata(batch.summary, "summary", finite=False, max_bytes=MAX_SUMMARY_BYTES)
        if batch.metrics is not None:
            found["metrics"] = [check_metadata(metric, "metric", finite=False) for metric in batch.metrics]
        return found

    def _note(self, session: Session, id_: int, batch: Batch, checked: Mapping[str, Any]) -> None:
        columns = dict(checked)
        if "config" in columns:  # before the summary, as everywhere, so that no two wait for each other's new keys
            values.record(session, id_, "config", columns["config"])
        if "summary" in columns:
            before = runs.summary(session, id_)
            columns["summary"] = {**before, **checked["summary"]}
            values.update(session, id_, "summary", checked["summary"], before=before)
        if columns:
            runs.change_row(session, id_, columns)
        if batch.files:
            if missing := self._here.unknown(session, [digests.parse(file.digest) for file in batch.files]):
                raise BlobsMissing(
                    f"{len(missing)} files of the batch are not in the store (any more); push them again"
                )
            streams.add_files(session, id_, batch.files, at=clock.now())
        for alert in batch.alerts:
            alerts.add(session, id_, alert)

    # ---- files of rows -----------------------------------------------------------------------------------------

    def settle(self, run_id: str) -> None:
        """Makes one file of the rows of each stream; rows that a rewind took away get files of their own."""
        for stream in STREAMS:
            while not self._tried(run_id, stream, partial(self._settled, stream)):
                pass

    def _settled(self, stream: Stream, recorded: Recorded) -> bool:
        """One attempt; False where another process changed the stream's files meanwhile."""
        seen = [part for part in recorded.parts if not part.hidden]
        if not recorded.chunks and not seen:
            return True
        if not recorded.chunks and len(seen) == 1 and seen[0].era == recorded.started.era:
            if seen[0].level < _LAST_LEVEL:
                with self._here.database.begin() as session:
                    streams.set_level(session, seen[0].id, _LAST_LEVEL)
            return True
        from lineal.tracking.parts import merge

        era = recorded.started.era
        made = [self._store(recorded, stream, merge(self._sources(recorded)), era, _LAST_LEVEL)]
        for gone in range(era):
            sources = self._sources(recorded, hidden_of=gone)
            if sources:
                made.append(self._store(recorded, stream, merge(sources), gone, _LAST_LEVEL, hidden=True))
        return self._replaced(recorded, stream, seen, [file for file in made if file is not None])

    def _merge_levels(self, run_id: str, stream: Stream) -> None:
        """Makes one file of many small ones, so that a long run never has many.

        Files that can't be read, be it that another process merges them, stay as they are.
        """
        from lineal.tracking.parts import merge

        level = 0
        while len((recorded := self._same_level(run_id, stream, level)).parts) >= _FAN_IN:
            same = recorded.parts
            try:
                made = self._store(recorded, stream, merge(self._sources(recorded)), same[0].era, level + 1)
            except (BlobNotFound, CorruptRows):
                return
            if not self._replaced(recorded, stream, same, [made] if made else []):
                return
            level += 1

    def _same_level(self, run_id: str, stream: Stream, level: int) -> Recorded:
        recorded = self._read(run_id, stream)
        era = recorded.started.era
        same = [part for part in recorded.parts if part.level == level and part.era == era and not part.hidden]
        return recorded._replace(parts=same, chunks=[])

    def _store(
        self,
        recorded: Recorded,
        stream: Stream,
        tables: Iterable[pa.Table],
        era: int,
        level: int,
        *,
        hidden: bool = False,
    ) -> streams.File | None:
        """The file of the points, in the store; None where there are none."""
        from lineal.tracking.parts import write

        run = recorded.started.run
        facts = {"lineal.run": run.path, "lineal.stream": stream, "lineal.hidden": str(hidden).lower()}
        writer = _Hashing(self._here.blobs.store.create())
        try:
            count = write(tables, writer, facts=facts)
            if not count:
                writer.inner.abort()
                return None
            digest, fast, size = writer.hashes.result()
            key = object_key(digest)
            writer.inner.commit(key)
        except BaseException:
            writer.inner.abort()
            raise
        self._here.blobs.add([Place(digest, size, fast, key, 0, size)], {key: size})
        return streams.File(0, era, level, hidden, digest, size, count)

    def _replaced(
        self, recorded: Recorded, stream: Stream, parts: list[streams.File], by: list[streams.File]
    ) -> bool:
        """Whether the files `by` now stand for the recorded chunks and `parts`; what they replace is deleted."""
        chunks = [chunk.id for chunk in recorded.chunks]
        ids = [part.id for part in parts]
        try:
            with self._here.database.begin() as session:
                runs.hold(session, [recorded.started.id])
                done = streams.replace(session, recorded.started.id, stream, chunks=chunks, parts=ids, by=by)
                if not done or index.missing(session, [part.digest for part in by]):  # gc may have been at work
                    raise _Outrun
        except _Outrun:
            self._drop([part.digest for part in by])
            return False
        self._drop([part.digest for part in parts if part.level < _LAST_LEVEL])
        return True

    def _drop(self, gone: list[Digest]) -> None:
        """Deletes files of rows that nobody but us has seen."""
        if not gone:
            return
        with self._here.database.begin(alone=True) as session:  # a run's file may be the same bytes
            dead = streams.unreferenced(session, gone)
            keys = {place.key for place in index.find(session, dead).values()}
            index.forget(session, dead)
            holders.forget(session, dead)
            index.forget_objects(session, keys)
        for key in keys:
            self._here.blobs.store.delete(key)

    # ---- rewind and fork ---------------------------------------------------------------------------------------

    def rewind(self, run_id: str, step: int, *, writer: str | None = None) -> Run:
        _check_step(step)
        if writer is not None:
            check_name(writer, "writer")
        before = self.list_keys(run_id)
        with self._here.database.begin() as session:
            started = self._here.run(session, run_id, locked=True)
            if writer is None or streams.take(session, started.id, writer, 0):
                runs.rewind(session, started, step, at=clock.now())
            elif streams.last_seq(session, started.id, writer) > 0:
                return started.run
        self._summarize(run_id, before)
        return self.get(run_id)

    def fork(self, run_id: str, parent: str, step: int) -> Run:
        _check_step(step)
        if run_id == parent:
            raise InvalidArgument(f"run {run_id} can't be forked from itself; fork into a new run")
        while True:
            with self._here.database.read() as session:
                child = self._here.run(session, run_id)
                self._here.run(session, parent, needs="read")
                if _is_fork(session, child, parent, step):
                    return child.run
            try:
                self._fork(child, parent, step)
                break
            except _Outrun:
                continue
        self._summarize(run_id)
        return self.get(run_id)

    def _fork(self, child: Started, parent: str, step: int) -> None:
        from lineal.tracking.parts import Window, merge

        def ask(sources: list[Source], above: Started) -> tuple[Started, streams.File | None]:
            taken = merge([Window(source, high=step + 1) for source in sources])
            return above, self._store(Recorded(child, [], []), "history", taken, 0, _LAST_LEVEL)

        above, file = self._asked(parent, "history", ask)
        files = [file] if file else []
        facts = {"parent_id": above.id, "parent_step": step, "last_step": min(step, above.run.last_step)}
        with self._here.database.begin() as session:
            runs.hold(session, [child.id, above.id])
            runs.get(session, parent)
            if _is_fork(session, runs.get(session, child.run.id), parent, step):
                return
            if index.missing(session, [part.digest for part in files]):  # gc was at work
                raise _Outrun
            runs.change_row(session, child.id, {**facts, "metrics": list(above.run.metrics)})
            streams.replace(session, child.id, "history", chunks=(), parts=(), by=files)

    def _summarize(self, run_id: str, before: Iterable[str] = ()) -> None:
        """Makes the last value that the history has of each key the run's summary; `before`, it had these keys."""
        run, keys = self.get(run_id), self.list_keys(run_id)
        last: dict[str, Any] = {}
        for key, value in last_values(self._points(run_id, "history", keys, 0, None)).items():
            try:
                last[key] = restored(check_metadata({key: value}, "summary", finite=False))[key]
            except InvalidMetadata:  # a text that may be logged, but that no database can hold
                continue
        gone = {*keys, *before}
        self.change(run_id, summary={k: v for k, v in run.summary.items() if k not in gone} | last)


def _decoded(batch: Batch) -> dict[Stream, Chunk]:
    """The batch's rows by stream. Raises invalid.rows, invalid.argument."""
    for stream in batch.rows:
        if stream not in STREAMS:
            raise InvalidArgument(f"{ascii(stream)[:40]} is no stream; there are {', '.join(STREAMS)}")
    return {stream: rows.decode(data) for stream, data in batch.rows.items()}


def _of_a_sweep(session: Session, run_id: str, started: Speaking, chunk: Chunk | None) -> Speaking:
    """The run of a sweep's trial, asked to stop where the sweep wants that."""
    from lineal.backend.local import trials

    why = trials.heard(session, run_id, chunk) if started.heard.stop_asked_by is None else None
    if why is None:
        return started
    runs.change_row(session, started.id, {"stop_asked_by": why})
    return started._replace(heard=Heard(started.heard.state, why))


def _check_step(step: int) -> None:
    if not 0 <= step <= rows.MAX_STEP:
        raise InvalidArgument(f"{step} is no step that a run can go on from; steps are from 0 to {rows.MAX_STEP}")


def _is_fork(session: Session, child: Started, parent: str, step: int) -> bool:
    """Whether the run is that fork already. Raises conflict.run_exists where it can't become it any more."""
    if child.run.parent == parent and child.run.parent_step == step:
        return True
    parts = streams.list_parts(session, child.id, "history") or streams.list_chunks(session, child.id, "history")
    if child.run.parent or child.run.last_step >= 0 or parts:
        raise RunExists(f"run {child.run.id} has a history of its own already; fork into a new run")
    if runs.children(session, child.id):
        raise RunExists(f"run {child.run.id} was forked from already; fork into a new run")
    return False


class _Fold(NamedTuple):
    """A file of rows that just came in, and the ids of the chunks that it takes the place of."""

    file: streams.File
    chunks: list[int]


class _Outrun(Exception):
    """Another process replaced the same files first."""


class _Hashing:
    """A file that becomes an object of the store, hashed on the way."""

    def __init__(self, inner: ObjectWriter) -> None:
        self.inner = inner
        self.hashes = Hashes()

    def write(self, data: bytes | memoryview) -> int:
        self.inner.write(data)
        self.hashes.update(data)
        return len(data)
