"""What is PostgreSQL's own: the engine of a URL, how transactions begin, and its troubles in our words.

Reading transactions see one snapshot (REPEATABLE READ, READ ONLY); single looks are no transaction. Writing ones are
READ COMMITTED and lock the rows that they decide by; besides, each shares one advisory lock, which those that need to
be alone take for themselves.
Psycopg is loaded with the first engine only.
"""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidatePoolError, OperationalError

from lineal.core.errors import (
    CorruptDatabase,
    DatabaseBusy,
    DiskFull,
    InvalidArgument,
    InvalidSettings,
    MissingDependency,
    ReadOnly,
    StoreUnavailable,
)
from lineal.core.settings import shown

if TYPE_CHECKING:
    from sqlalchemy import URL

READING: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
LOOKING: dict[str, Any] = {"isolation_level": "AUTOCOMMIT"}
WRITING: dict[str, Any] = {"isolation_level": "READ COMMITTED"}
NO_TABLE = "42P01"
_OUTPACED = ("40001", "40P01")
_WRITERS = 0x6C696E65616C  # the advisory lock's number in our database; any that stays the same would do
_SHARED = text(f"SELECT pg_advisory_xact_lock_shared({_WRITERS})")
_ALONE = text(f"SELECT pg_advisory_xact_lock({_WRITERS})")

_QUIET_S = 20.0  # after so long a connection may have been forgotten on its way without a word
_LOCK_S, _STATEMENT_S, _IDLE_S = 60, 600, 600
_SESSION = {
    "lock_timeout": f"{_LOCK_S}s",
    "statement_timeout": f"{_STATEMENT_S}s",
    "idle_in_transaction_session_timeout": f"{_IDLE_S}s",  # a writer whose machine froze holds its locks no longer
    "timezone": "UTC",
    "random_page_cost": "1.1",  # what is asked for by key all the time is in memory, or on flash at least
}


def make_engine(url: str) -> Engine:
    """The engine of a URL: `postgresql://user@host/database`. Raises invalid.settings, unavailable.dependency."""
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise MissingDependency("PostgreSQL needs psycopg; install it with: pip install 'lineal[postgres]'") from None
    engine = create_engine(_prepared(url), pool_size=8, max_overflow=24, hide_parameters=True)
    _listen(engine)
    return engine


def _listen(engine: Engine) -> None:
    """Has connections looked at before they are used again: one that the server has closed, or that was long quiet.

    To ask the server each time, as SQLAlchemy's pre-ping does, would be one round trip more for every session.
    """

    @event.listens_for(engine, "checkin")
    def rest(_connection: Any, record: Any) -> None:
        record.info["lineal_quiet_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def look(connection: Any, record: Any, _fairy: Any) -> None:
        since = record.info.pop("lineal_quiet_since", None)
        if since is None or (time.monotonic() - since < _QUIET_S and not _said_something(connection)):
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.dbapi.OperationalError as problem:  # type: ignore[union-attr]
            raise InvalidatePoolError from problem


def _said_something(connection: Any) -> bool:
    """Whether the server has sent something unasked, as it does when it closes."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _prepared(url: str) -> URL:
    """The URL with psycopg as the driver and our time-outs, over which the URL's own options win."""
    how = "write postgresql://user@host/database"
    try:
        parsed = make_url(url).set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError):
        raise InvalidSettings(f"{shown(url)} is no URL of a database; {how}") from None
    if not parsed.database:
        raise InvalidSettings(f"{shown(url)} names no database; {how}")
    ours = " ".join(f"-c {name}={value}" for name, value in _SESSION.items())
    given = parsed.query.get("options", "")
    options = " ".join([ours, *([given] if isinstance(given, str) else given)]).strip()
    defaults = {"connect_timeout": "10", "application_name": "lineal", "keepalives_idle": "30"}
    return parsed.set(query={**defaults, **parsed.query, "options": options})


def enter(session: Connection, *, alone: bool) -> None:
    """Waits until nobody is alone, or until nobody else writes; holds until the session ends."""
    session.execute(_ALONE if alone else _SHARED)


def state(problem: BaseException | None) -> str:
    """The SQLSTATE that PostgreSQL gave, such as `40P01`; empty where it gave none."""
    cause = problem.orig if isinstance(problem, DBAPIError) else problem
    return getattr(cause, "sqlstate", None) or ""


def outpaced(problem: BaseException) -> bool:
    """Whether the error says that another transaction had to go first, so that the same would do well if repeated."""
    return isinstance(problem, DatabaseBusy) and state(problem.__cause__) in _OUTPACED


def error_for(problem: Exception) -> Exception:
    """The error of ours that stands for SQLAlchemy's; itself where it can only be a fault of ours."""
    code = state(problem)
    cause = problem.orig if isinstance(problem, DBAPIError) else problem
    said = (str(cause).strip() or type(cause).__name__).splitlines()[0]
    for codes, kind, message in _TOLD:
        if code.startswith(codes):
            told: Exception = kind(message.format(said=said))
            return told
    if "NUL (0x00)" in said:
        return InvalidArgument("a text with a NUL character is in no store")
    if not isinstance(problem, DBAPIError):  # the pool's own time-out
        return DatabaseBusy("all connections to the database are in use; try again")
    if isinstance(problem, OperationalError) or problem.connection_invalidated or problem.statement is None:
        return StoreUnavailable(f"the database can't be reached: {said}")
    return problem


_TOLD: tuple[tuple[tuple[str, ...], type[Any], str], ...] = (
    (_OUTPACED, DatabaseBusy, "others kept changing the same rows; try again"),
    (("55P03",), DatabaseBusy, f"another process held the rows for {_LOCK_S} s; try again"),
    (("57014",), DatabaseBusy, f"the database took longer than {_STATEMENT_S} s; try again"),
    (("25P03",), DatabaseBusy, f"the transaction was idle for {_IDLE_S} s and was given up; try again"),
    (("53100",), DiskFull, "no space left to write the database; free some and try again"),
    (("25006", "42501"), ReadOnly, "the store's database may not be written; nothing was changed ({said})"),
    (("XX001", "XX002"), CorruptDatabase, "the database is damaged ({said}); restore it from a backup"),
    (("54000",), InvalidArgument, "a name is too long for the database to find it by ({said})"),
    ((NO_TABLE,), StoreUnavailable, "the database has lost a table: {said}"),
    (("28", "3D", "53", "57P", "58", "08"), StoreUnavailable, "the database can't be used: {said}"),
)
