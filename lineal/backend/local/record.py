"""Use cases of recording: batches from writers, and the files that their rows become."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import xxhash

from lineal.backend.local.history import LocalHistory, Recorded
from lineal.core import clock
from lineal.core.errors import BlobsMissing, InvalidArgument, RunExists
from lineal.core.metadata import check_metadata
from lineal.core.names import check_name, check_path
from lineal.db.session import Session
from lineal.storage import digest as digests
from lineal.storage import index
from lineal.storage.blobs import ObjectWriter, Place, object_key
from lineal.storage.digest import Digest
from lineal.tracking import alerts, rows, runs, streams, values
from lineal.tracking.model import STREAMS, Batch, Heard, Run, Stream
from lineal.tracking.runs import Speaking

if TYPE_CHECKING:
    import pyarrow as pa

MAX_SUMMARY_BYTES = 32 << 20
_TAIL_BYTES, _TAIL_CHUNKS = 512 << 10, 256  # more than that, and the rows that came in become a file
_FAN_IN = 8  # so many files of a level become one of the next
_LAST_LEVEL = 100
_MAX_SEQ = 2**63 - 1


class LocalRecord(LocalHistory):
    def append(self, run_id: str, writer: str, seq: int, batch: Batch) -> Heard:
        check_name(writer, "writer")
        if not 1 <= seq <= _MAX_SEQ:
            raise InvalidArgument(f"a writer numbers its batches from 1; this one is {seq}")
        checked = self._checked(batch)
        while True:
            folded = {stream: self._fold(run_id, stream, data) for stream, data in batch.rows.items()}
            try:
                with self._here.database.begin() as session:
                    started = runs.heard(session, run_id, locked=True)
                    new = streams.take(session, started.id, writer, seq)
                    if new:
                        for stream, data in batch.rows.items():
                            self._add_rows(session, started, stream, data, folded[stream])
                        self._note(session, started.id, batch, checked)
                    runs.see(session, started.id, at=clock.now(), last_step=batch.last_step)
                break
            except _Outrun:  # rows came in from another writer while ours were written
                self._drop([fold.file.digest for fold in folded.values() if fold])
        if not new:
            self._drop([fold.file.digest for fold in folded.values() if fold])
        for stream, fold in folded.items():
            if fold:
                self._merge_levels(run_id, stream)
        return started.heard

    def _fold(self, run_id: str, stream: Stream, data: bytes) -> _Fold | None:
        """The file of the rows that came in before and of `data`, where there are enough of them for one."""
        with self._here.database.read() as session:
            id_ = runs.heard(session, run_id).id
            size, count = streams.waiting(session, id_, stream)
            if size + len(data) <= _TAIL_BYTES and count < _TAIL_CHUNKS:
                return None
            recorded = self._recorded(session, run_id, stream)
        from lineal.tracking.parts import Tail, merge

        era = recorded.started.era
        chunks = [chunk for chunk in recorded.chunks if chunk.era == era]
        tail = Tail([*(chunk.data for chunk in chunks), data])
        file = self._store(recorded, stream, merge([tail]), era, 0)
        return _Fold(file, [chunk.id for chunk in chunks]) if file else None

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
        for stream, data in batch.rows.items():
            if stream not in STREAMS:
                raise InvalidArgument(f"{ascii(stream)[:40]} is no stream; there are {', '.join(STREAMS)}")
            rows.decode(data)
        for file in batch.files:
            check_path(file.path)
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
            values.record(session, id_, "config", columns["config"], whole=True)
        if "summary" in columns:
            columns["summary"] = {**runs.summary(session, id_), **columns["summary"]}
            values.record(session, id_, "summary", checked["summary"], whole=False)
        if columns:
            runs.change_row(session, id_, columns)
        if batch.files:
            if missing := index.missing(session, [digests.parse(file.digest) for file in batch.files]):
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
            while not self._settled(run_id, stream):
                pass

    def _settled(self, run_id: str, stream: Stream) -> bool:
        """One attempt; False where another process changed the stream's files meanwhile."""
        recorded = self._read(run_id, stream)
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
        """Makes one file of many small ones, so that a long run never has many."""
        from lineal.tracking.parts import merge

        level = 0
        while len(same := self._same_level(run_id, stream, level)) >= _FAN_IN:
            recorded = self._read(run_id, stream)._replace(parts=same, chunks=[])
            sources = self._sources(recorded._replace(started=recorded.started._replace(cuts=())))
            made = self._store(recorded, stream, merge(sources), same[0].era, level + 1)
            if not self._replaced(recorded, stream, same, [made] if made else []):
                return
            level += 1

    def _same_level(self, run_id: str, stream: Stream, level: int) -> list[streams.File]:
        recorded = self._read(run_id, stream)
        era = recorded.started.era
        return [part for part in recorded.parts if part.level == level and part.era == era and not part.hidden]

    def _read(self, run_id: str, stream: Stream) -> Recorded:
        with self._here.database.read() as session:
            return self._recorded(session, run_id, stream)

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
            key = object_key(writer.digest)
            writer.inner.commit(key)
        except BaseException:
            writer.inner.abort()
            raise
        place = Place(writer.digest, writer.size, writer.fast.digest(), key, 0, writer.size)
        self._here.blobs.add([place], {key: writer.size})
        return streams.File(0, era, level, hidden, writer.digest, writer.size, count)

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
            index.forget_objects(session, keys)
        for key in keys:
            self._here.blobs.store.delete(key)

    # ---- rewind and fork ---------------------------------------------------------------------------------------

    def rewind(self, run_id: str, step: int) -> Run:
        if step < 0:
            raise InvalidArgument(f"a run is rewound to a step of its own, not to {step}")
        with self._here.database.begin() as session:
            started = runs.get(session, run_id, locked=True)
            runs.rewind(session, started, step, at=clock.now())
        self._summarize(run_id)
        return self.get(run_id)

    def fork(self, run_id: str, parent: str, step: int) -> Run:
        from lineal.tracking.parts import Window, merge

        with self._here.database.read() as session:
            child, above = runs.get(session, run_id), runs.get(session, parent)
        if child.run.parent == parent and child.run.parent_step == step:
            return child.run
        if child.run.parent or child.run.last_step >= 0:
            raise RunExists(f"run {run_id} has a history of its own already; fork into a new run")
        taken = self._read(parent, "history")
        sources = [Window(source, high=step + 1) for source in self._sources(taken)]
        file = self._store(Recorded(child, [], []), "history", merge(sources), 0, _LAST_LEVEL)
        last = min(step, above.run.last_step)
        with self._here.database.begin() as session:
            runs.hold(session, [child.id, above.id])
            runs.get(session, parent)
            if (now := runs.get(session, run_id).run).parent or now.last_step >= 0:
                raise RunExists(f"run {run_id} has a history of its own already; fork into a new run")
            runs.change_row(session, child.id, {"parent_id": above.id, "parent_step": step, "last_step": last})
            files = [] if file is None else [file]
            streams.replace(session, child.id, "history", chunks=(), parts=(), by=files)
            metrics = {"metrics": list(above.run.metrics)}
            runs.change_row(session, child.id, metrics)
        self._summarize(run_id)
        return self.get(run_id)

    def _summarize(self, run_id: str) -> None:
        """Makes the last value that the history has of each key the run's summary."""
        with self._here.database.read() as session:
            run = runs.get(session, run_id).run
        keys = self.list_keys(run_id)
        last = {key: found[-1] for key, (_, found) in self.columns(run_id, keys).items() if found}
        self.change(run_id, summary={k: v for k, v in run.summary.items() if k not in keys} | last)


class _Fold(NamedTuple):
    """A file of rows that just came in, and the ids of the chunks that it takes the place of."""

    file: streams.File
    chunks: list[int]


class _Outrun(Exception):
    """Another process replaced the same files first."""


class _Hashing:
    """A file for Parquet to be written to, which becomes an object of the store, hashed on the way."""

    closed = False

    def __init__(self, inner: ObjectWriter) -> None:
        self.inner = inner
        self.size = 0
        self.fast = xxhash.xxh3_128()
        self._sha256 = hashlib.sha256()

    def write(self, data: bytes | memoryview) -> int:
        self.inner.write(data)
        self.fast.update(data)
        self._sha256.update(data)
        self.size += len(data)
        return len(data)

    def tell(self) -> int:
        return self.size

    def flush(self) -> None: ...

    def close(self) -> None: ...

    @property
    def digest(self) -> Digest:
        return Digest(self._sha256.digest())
