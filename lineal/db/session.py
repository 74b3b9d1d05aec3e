"""Sessions: `Database.begin()` for a transaction that writes, `Database.read()` for one that only reads, and
`Database.look()` for what is one query.

A session is a SQLAlchemy connection inside a transaction. On SQLite a writing transaction takes the write lock at
once (`BEGIN IMMEDIATE`), so that it never has to be upgraded; a commit is on disk when it returns (WAL,
synchronous=FULL). On PostgreSQL many write at once: whoever decides by what a row says locks it first (`lock`), runs
before collections, and what takes bytes away has the rows to itself (`begin(alone=True)`). `postgres.py` has the
rest of what is PostgreSQL's own; docs/decisions/0012-postgresql.md says why.
"""

from __future__ import annotations

import copy
import os
import shutil
import sqlite3
import tempfile
import time
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, func, insert, select
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from lineal.core import clock
from lineal.core.errors import (
    ClockWrong,
    CorruptDatabase,
    DatabaseBusy,
    DiskFull,
    Error,
    InvalidArgument,
    NewerFormat,
    OlderFormat,
    ReadOnly,
    StoreUnavailable,
)
from lineal.db import postgres, schema

Session = Connection
Upgraded = Callable[[Session, int], None]

_BUSY_S = 60
_SKEW_S = 300  # an S3 refuses what is signed 15 minutes from its own time
_open: weakref.WeakSet[Engine] = weakref.WeakSet()


def insert_many(session: Session, table: Table, rows: Sequence[tuple[Any, ...]]) -> int:
    """How many of `rows` were new: tuples of plain driver values, one for each column, those in conflict left out.

    A column `id` is the database's to fill. Who writes rows that others write too gives them in the same order as
    those do. It goes past SQLAlchemy's binding, which takes three times as long as SQLite itself on rows by the ten
    thousand.
    """
    if not rows:
        return 0
    mark = "?" if session.dialect.paramstyle == "qmark" else "%s"
    columns = [column.name for column in table.columns if column.name != "id"]
    names = ", ".join(map(session.dialect.identifier_preparer.quote, columns))
    values = ", ".join([mark] * len(columns))
    statement = f"INSERT INTO {table.name} ({names}) VALUES ({values}) ON CONFLICT DO NOTHING"  # noqa: S608
    return session.exec_driver_sql(statement, list(rows)).rowcount


def insert_new(session: Session, table: Table, values: Mapping[str, Any]) -> bool:
    """Whether the row is new: one that is there already, or that another writer is about to commit, stays."""
    if session.dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert as insert_
    else:
        from sqlalchemy.dialects.postgresql import insert as insert_  # type: ignore[assignment]
    statement = insert_(table).values(**values).on_conflict_do_nothing()
    return session.execute(statement, execution_options={"preserve_rowcount": True}).rowcount > 0


def lock(session: Session, table: Table, ids: Collection[int]) -> bool:
    """Whether the rows had to be locked until the session ends: what was read of them before may be outdated.

    Those that two sessions want to lock are always taken in the same order. A writing session on SQLite is alone.
    """
    if session.dialect.name == "sqlite":
        return False
    rows = select(table.c.id).where(table.c.id.in_(sorted(ids))).order_by(table.c.id)
    session.execute(rows.with_for_update(key_share=True)).all()
    return True


class Database:
    """The rows of one store."""

    def __init__(self, engine: Engine, *, writable: bool = True) -> None:
        self._engine = engine
        self._sqlite = engine.dialect.name == "sqlite"
        self._reading = engine if self._sqlite else engine.execution_options(**postgres.READING)
        self._looking = engine if self._sqlite else engine.execution_options(**postgres.LOOKING)
        self._writing = engine.execution_options(**({"lineal_write": True} if self._sqlite else postgres.WRITING))
        self.writable = writable
        self._recorder: Callable[[Session | None], None] | None = None
        _open.add(engine)

    @contextmanager
    def begin(self, *, alone: bool = False) -> Iterator[Session]:
        """A session that commits when the block ends and rolls back when it raises.

        With `alone` no other writes meanwhile. Without, others may on PostgreSQL: rows that decide are to be locked.
        """
        if not self.writable:
            raise ReadOnly("the store is read-only for you; nothing was changed")
        with _translated(), self._writing.begin() as session:
            if not self._sqlite:
                postgres.enter(session, alone=alone)
            yield session
            if self._recorder is not None:
                self._recorder(session)
        if self._recorder is not None:
            self._recorder(None)

    def recorded(self, recorder: Callable[[Session | None], None]) -> Database:
        """The same rows; each of its transactions calls `recorder` before its commit, and with None after it."""
        other = copy.copy(self)
        other._recorder = recorder
        return other

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one state of the rows and changes none."""
        with _translated(), self._reading.begin() as session:
            yield session

    def ping(self) -> None:
        """Does nothing where rows can be read now, and the clocks agree. Raises unavailable.*, corrupt.database."""
        with self.read() as session:
            session.execute(select(schema.meta.c.key).limit(1))
            theirs = None if self._sqlite else session.scalar(select(func.clock_timestamp()))
        if theirs is not None and abs(ahead_s := round((clock.now() - theirs).total_seconds())) > _SKEW_S:
            raise ClockWrong(
                f"this machine's clock is {abs(ahead_s)} s {'ahead of' if ahead_s > 0 else 'behind'} its database's: "
                "sessions, keys and the states of runs would be wrong; have both set by NTP",
                ahead_s=ahead_s,
            )

    def in_use(self) -> int:
        """How many of this process's connections are taken out of the pool."""
        return self._engine.pool.checkedout()  # type: ignore[attr-defined, no-any-return]

    def watch(self, around: Callable[[str], AbstractContextManager[Any]]) -> None:
        """Has each statement, its parameters left out, run inside what `around` makes of its text."""

        @event.listens_for(self._engine, "before_cursor_execute")
        def begun(_connection: Any, _cursor: Any, text: str, _given: Any, context: Any, _many: Any) -> None:
            context.lineal_around = around(text)
            context.lineal_around.__enter__()

        @event.listens_for(self._engine, "after_cursor_execute")
        def ended(_connection: Any, _cursor: Any, _text: Any, _given: Any, context: Any, _many: Any) -> None:
            context.lineal_around.__exit__(None, None, None)

        @event.listens_for(self._engine, "handle_error")
        def failed(failure: Any) -> None:
            if (block := getattr(failure.execution_context, "lineal_around", None)) is not None:
                block.__exit__(None, None, None)

    @contextmanager
    def look(self) -> Iterator[Session]:
        """A session each of whose queries sees the rows as they are then: for one, or for some that needn't agree.

        On PostgreSQL `read` takes two round trips more, to begin and to end.
        """
        with _translated(), self._looking.begin() as session:
            yield session

    def check(self) -> list[str]:
        """What the engine itself finds wrong with its pages; empty when all is well."""
        with self.read() as session:
            if not self._sqlite:
                return []
            found = [row[0] for row in session.exec_driver_sql("PRAGMA integrity_check(20)")]
        return [] if found == ["ok"] else found

    def close(self) -> None:
        self._engine.dispose()


def open_temporary() -> Database:
    """Rows that live and die with this process, in a file of their own that is deleted with it."""
    folder = tempfile.mkdtemp(prefix="lineal-")
    database = open_file(os.path.join(folder, "lineal.db"))
    weakref.finalize(database, shutil.rmtree, folder, ignore_errors=True)
    return database


def open_file(path: str, *, upgraded: Upgraded | None = None) -> Database:
    """The rows in the SQLite file at `path`, made when it is not there.

    A file that may not be written is opened read-only. One of a former format is upgraded, with `upgraded(session,
    that format)` to fill in what it lacked. Raises unavailable.newer_format, corrupt.database, and
    unavailable.read_only where there is nothing to read either.
    """
    folder = os.path.dirname(path)
    writable = os.access(folder, os.W_OK) and (not os.path.exists(path) or os.access(path, os.W_OK))
    if writable:
        return _ready(Database(_file_engine(path, "rwc")), upgraded)
    if not os.path.exists(path):
        raise ReadOnly(f"{folder} holds no store and may not be written; set LINEAL_URL to another folder")
    try:
        return _ready(Database(_file_engine(path, "ro"), writable=False))
    except (StoreUnavailable, ReadOnly):  # a read-only medium can't share a WAL, and nobody writes there
        return _ready(Database(_file_engine(path, "ro&immutable=1"), writable=False))


def open_postgres(url: str, *, upgraded: Upgraded | None = None) -> Database:
    """The rows in the PostgreSQL database at `url`, its tables made when they are not there.

    A former format is upgraded only where `upgraded` is given. Raises unavailable.store, unavailable.newer_format,
    unavailable.older_format, unavailable.dependency, invalid.settings.
    """
    database = Database(postgres.make_engine(url))
    try:
        return _ready(database, upgraded, willing=upgraded is not None)
    except BaseException:
        database.close()
        raise


def find_format(place: str) -> int | None:
    """The format of the rows at `place`, a SQLite file or a PostgreSQL URL, which stay as they are; None: no rows.

    Raises unavailable.store, unavailable.newer_format, corrupt.database.
    """
    if not place.startswith("postgresql") and not os.path.exists(place):
        return None
    engine = postgres.make_engine(place) if place.startswith("postgresql") else _file_engine(place, "ro")
    database = Database(engine, writable=False)
    try:
        found = _format(database)
    finally:
        database.close()
    return None if found is None else _known(found)


def _file_engine(path: str, mode: str) -> Engine:
    quoted = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(
            f"file:{quoted}?mode={mode}",
            uri=True,
            timeout=_BUSY_S,
            isolation_level=None,
            check_same_thread=False,
        )

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool)
    _listen(engine, wal="immutable" not in mode)
    return engine


def _listen(engine: Engine, *, wal: bool = True) -> None:
    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        if wal:
            _use_wal(cursor)
        for pragma in ("synchronous=FULL", "foreign_keys=ON", "cache_size=-32000", "wal_autocheckpoint=256"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(session: Session) -> None:
        write = session.get_execution_options().get("lineal_write")
        session.connection.dbapi_connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")  # type: ignore[union-attr]


def _use_wal(cursor: sqlite3.Cursor) -> None:
    deadline = time.monotonic() + _BUSY_S
    while True:  # switching to WAL needs the file for itself, and SQLite doesn't wait for that
        try:
            if cursor.execute("PRAGMA journal_mode").fetchone()[0] in ("wal", "memory"):
                return
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as problem:
            if "readonly" in str(problem):
                return
            if "locked" not in str(problem) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _ready(database: Database, upgraded: Upgraded | None = None, *, willing: bool = True) -> Database:
    """The database with its tables made, or refused when it is of a newer format, or an older one that stays."""
    if (found := _format(database)) is None:
        with database.begin(alone=True) as session:
            schema.metadata.create_all(session)
            if session.scalar(select(schema.meta.c.value)) is None:
                session.execute(insert(schema.meta).values(key="format", value=str(schema.FORMAT)))
    elif _known(found) < schema.FORMAT:
        if not database.writable:
            raise ReadOnly(f"the store has the former format {found}; open it once where it may be written")
        if not willing:
            raise OlderFormat(
                f"the database has the former format {found}, this Lineal writes {schema.FORMAT}: "
                "run `lineal server migrate` once all servers are of one version"
            )
        _upgrade(database, upgraded)
    return database


def _known(found: str) -> int:
    if not found.isdecimal() or not 1 <= int(found) <= schema.FORMAT:
        raise NewerFormat(
            f"the store has format {ascii(found)[:40]}; this Lineal reads up to {schema.FORMAT}: install a newer one"
        )
    return int(found)


def _upgrade(database: Database, upgraded: Upgraded | None) -> None:
    from lineal.db.upgrade import upgrade

    with database.begin(alone=True) as session:
        found = int(_read_format(session) or 0)
        if found == schema.FORMAT:
            return  # another process was first
        upgrade(session, found)
        if upgraded is not None:
            upgraded(session, found)


def _format(database: Database) -> str | None:
    try:
        with database.read() as session:
            return _read_format(session)
    except StoreUnavailable as problem:
        if "no such table" in str(problem) or postgres.state(problem.__cause__) == postgres.NO_TABLE:
            return None
        raise


def _read_format(session: Session) -> str | None:
    return session.scalar(select(schema.meta.c.value).where(schema.meta.c.key == "format")) or None


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except Error:
        raise
    except UnicodeEncodeError:
        raise InvalidArgument("a text with half a character is in no store") from None
    except (DBAPIError, PoolTimeout, sqlite3.Error) as problem:
        raise _error_for(problem) from problem


def _error_for(problem: DBAPIError | PoolTimeout | sqlite3.Error) -> Exception:  # noqa: PLR0911 - a line for each
    cause = problem.orig if isinstance(problem, DBAPIError) else problem
    if not isinstance(cause, sqlite3.Error):
        return postgres.error_for(problem)
    text = str(cause)
    if "malformed" in text or "not a database" in text or "corrupt" in text:
        return CorruptDatabase(f"the database is damaged ({text}); restore it, then run `lineal fsck --rebuild`")
    if "full" in text:
        return DiskFull("no space left to write the database; free some and try again")
    if "readonly" in text:
        return ReadOnly("the store's database may not be written; nothing was changed")
    if "locked" in text or "busy" in text:
        return DatabaseBusy(f"another process held the store's write lock for {_BUSY_S} s; try again")
    if isinstance(problem, OperationalError | sqlite3.OperationalError):
        return StoreUnavailable(f"the store's database can't be used: {text}")
    return problem


def _forget_after_fork() -> None:
    for engine in list(_open):
        engine.dispose(close=False)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
