"""Where the rows of a run's streams lie: chunks as they came in, then files. Functions on a session, no commits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import bindparam, delete, func, insert, select

from lineal.core.errors import InvalidRows
from lineal.db.schema import run_chunks, run_files, run_parts, run_writers
from lineal.db.session import Session
from lineal.storage import digest as digests
from lineal.storage.digest import Digest
from lineal.tracking import rows
from lineal.tracking.model import RunFile, Stream

_TAKE = (
    run_writers.update()
    .where(
        run_writers.c.run_id == bindparam("run"),
        run_writers.c.writer == bindparam("by"),
        run_writers.c.seq < bindparam("taken"),
    )
    .values(seq=bindparam("taken"))
)
_SEQ = select(run_writers.c.seq).where(
    (run_writers.c.run_id == bindparam("run")) & (run_writers.c.writer == bindparam("by"))
)
_SIZE = select(func.coalesce(func.sum(run_chunks.c.size), 0), func.count()).where(
    (run_chunks.c.run_id == bindparam("run"))
    & (run_chunks.c.stream == bindparam("of"))
    & (run_chunks.c.era == bindparam("in"))
)
_CHUNKS = (
    select(run_chunks.c.id, run_chunks.c.era, run_chunks.c.data)
    .where((run_chunks.c.run_id == bindparam("run")) & (run_chunks.c.stream == bindparam("of")))
    .order_by(run_chunks.c.id)
)
_NEW = _CHUNKS.where(run_chunks.c.id > bindparam("last"))
_PARTS = (
    select(run_parts)
    .where((run_parts.c.run_id == bindparam("run")) & (run_parts.c.stream == bindparam("of")))
    .order_by(run_parts.c.id)
)


class Stored(NamedTuple):
    """A chunk as it came in."""

    id: int
    era: int
    data: bytes


class File(NamedTuple):
    """A file of rows; `id` 0 where it has no row yet."""

    id: int
    era: int
    level: int
    hidden: bool
    digest: Digest
    size: int
    rows: int


def take(session: Session, id_: int, writer: str, seq: int) -> bool:
    """Whether the writer's batch `seq` is new; then it counts as taken."""
    if session.execute(_TAKE, {"run": id_, "by": writer, "taken": seq}).rowcount:
        return True
    if session.scalar(_SEQ, {"run": id_, "by": writer}) is not None:
        return False
    session.execute(insert(run_writers).values(run_id=id_, writer=writer, seq=seq))
    return True


def last_seq(session: Session, id_: int, writer: str) -> int:
    """The number of the writer's last batch that was taken; -1 for a writer never heard of."""
    known = session.scalar(_SEQ, {"run": id_, "by": writer})
    return -1 if known is None else known


def add_chunk(session: Session, id_: int, stream: Stream, era: int, data: bytes) -> None:
    """Appends rows as they came in."""
    session.execute(insert(run_chunks).values(run_id=id_, stream=stream, era=era, data=data, size=len(data)))


def waiting(session: Session, id_: int, stream: Stream, era: int) -> tuple[int, int]:
    """The bytes and the number of the era's chunks that are in no file yet."""
    size, count = session.execute(_SIZE, {"run": id_, "of": stream, "in": era}).one()
    return int(size), count


def list_chunks(session: Session, id_: int, stream: Stream) -> list[Stored]:
    """The chunks that are in no file yet, oldest first."""
    return [Stored(row.id, row.era, row.data) for row in session.execute(_CHUNKS, {"run": id_, "of": stream})]


def list_new(session: Session, id_: int, stream: Stream, *, after: int) -> list[Stored]:
    """The chunks that came in behind the one with the id `after` and are in no file yet, oldest first."""
    found = session.execute(_NEW, {"run": id_, "of": stream, "last": after})
    return [Stored(row.id, row.era, row.data) for row in found]


def list_parts(session: Session, id_: int, stream: Stream) -> list[File]:
    """The files of the stream, oldest first."""
    found = session.execute(_PARTS, {"run": id_, "of": stream})
    return [File(r.id, r.era, r.level, bool(r.hidden), Digest(r.digest), r.size, r.rows) for r in found]


def replace(
    session: Session,
    id_: int,
    stream: Stream,
    *,
    chunks: Collection[int],
    parts: Collection[int],
    by: Sequence[File],
) -> bool:
    """Puts the files `by` in the place of chunks and files; False, to be rolled back, where some are gone already."""
    for table, ids in ((run_chunks, list(chunks)), (run_parts, list(parts))):
        for start in range(0, len(ids), 5000):
            some = ids[start : start + 5000]
            if session.execute(delete(table).where(table.c.id.in_(some))).rowcount != len(some):
                return False
    for part in by:
        session.execute(
            insert(run_parts).values(
                run_id=id_,
                stream=stream,
                era=part.era,
                level=part.level,
                hidden=int(part.hidden),
                digest=part.digest,
                size=part.size,
                rows=part.rows,
            )
        )
    return True


def set_level(session: Session, part: int, level: int) -> None:
    """Notes of the file with that row id how often its rows were merged."""
    session.execute(run_parts.update().where(run_parts.c.id == part).values(level=level))


def unreferenced(session: Session, found: Collection[Digest]) -> set[Digest]:
    """Those of the digests that no stream's file and no run's file has."""
    waiting, used = list(found), set()
    for start in range(0, len(waiting), 10_000):
        asked = waiting[start : start + 10_000]
        for digest in (run_parts.c.digest, run_files.c.digest):
            used |= set(session.scalars(select(digest).where(digest.in_(asked))))
    return set(found) - used


def live(session: Session) -> set[Digest]:
    """The digests of every file of every run."""
    parts, files = select(run_parts.c.digest), select(run_files.c.digest)
    return {Digest(digest) for digest in session.scalars(parts.union(files))}


def list_everywhere(session: Session) -> list[tuple[int, str, Digest]]:
    """Every file of every run: the run's row id, what it is, and its digest."""
    parts = select(run_parts.c.run_id, run_parts.c.stream, run_parts.c.digest).order_by(run_parts.c.run_id)
    files = select(run_files.c.run_id, run_files.c.path, run_files.c.digest).order_by(run_files.c.run_id)
    return [
        *((row[0], f"rows of its {row[1]}", Digest(row[2])) for row in session.execute(parts)),
        *((row[0], row[1], Digest(row[2])) for row in session.execute(files)),
    ]


def list_unreadable(session: Session) -> list[tuple[int, str]]:
    """The chunks that can't be read: the run's row id, and what they are rows of."""
    found = []
    for row in session.execute(select(run_chunks.c.run_id, run_chunks.c.stream, run_chunks.c.data)):
        try:
            rows.decode(row.data)
        except InvalidRows:
            found.append((row.run_id, f"rows of its {row.stream}"))
    return found


def add_files(session: Session, id_: int, files: Sequence[RunFile], *, at: datetime) -> None:
    """Notes files of the run; a path that is there already is the new file from now on."""
    paths = [file.path for file in files]
    for start in range(0, len(paths), 5000):
        gone = (run_files.c.run_id == id_) & run_files.c.path.in_(paths[start : start + 5000])
        session.execute(delete(run_files).where(gone))
    if files:
        new = [
            {"run_id": id_, "path": f.path, "digest": digests.parse(f.digest), "size": f.size, "created_at": at}
            for f in {file.path: file for file in files}.values()
        ]
        session.execute(insert(run_files), new)


def list_files(session: Session, id_: int, *, limit: int | None = None, after: str | None = None) -> list[RunFile]:
    """The files of the run, by path; at most `limit`, behind the path `after`."""
    wanted = select(run_files).where(run_files.c.run_id == id_).order_by(run_files.c.path).limit(limit)
    if after is not None:
        wanted = wanted.where(run_files.c.path > after)
    found = session.execute(wanted)
    return [RunFile(row.path, digests.format(Digest(row.digest)), row.size) for row in found]
