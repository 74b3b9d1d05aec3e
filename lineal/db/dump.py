"""Rows as lines that any engine's rows can become again: JSON lists, a value for each column in the table's order.

A moment is in microseconds since 1970, bytes are base64, what is JSON already goes as its own text, and a float
that is no number as `nan`, `inf` or `-inf`. Lines are in the order of the table's keys, so that the same rows make
the same lines on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    cast,
    select,
    type_coerce,
)
from sqlalchemy import text as sql

from lineal.core.errors import CorruptBackup
from lineal.db.schema import UtcTime, meta, metadata
from lineal.db.session import Session
from lineal.db.tables.columns import EPOCH, MICROSECOND

_AT_ONCE = 1000


def tables() -> list[Table]:
    """Every table, those that others refer to first."""
    return list(metadata.sorted_tables)


def columns() -> dict[str, list[str]]:
    """The names of every table's columns, in their order."""
    return {table.name: [column.name for column in table.columns] for table in tables()}


def lines(session: Session, table: Table) -> Iterator[bytes]:
    """The table's rows as lines. They are read as they are asked for."""
    writers = [_KINDS[kind(column)][0] for column in table.columns]
    asked = select(*(_raw(session, column) for column in table.columns)).order_by(*table.primary_key.columns)
    for row in session.execute(asked, execution_options={"yield_per": _AT_ONCE}):
        values = [None if v is None else write(v) for write, v in zip(writers, row, strict=True)]
        yield json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def check(table: Table, given: Iterable[bytes]) -> Iterator[list[Any]]:
    """The rows in the lines, their values as SQLite's driver has them. Raises corrupt.backup."""
    readers = [_KINDS[kind(column)][1] for column in table.columns]
    for line in given:
        try:
            values = json.loads(line)
            if type(values) is not list or len(values) != len(readers):
                raise ValueError("it is no list of the table's columns")
            yield [None if v is None else read(v) for read, v in zip(readers, values, strict=True)]
        except (ValueError, TypeError, OverflowError, RecursionError) as problem:
            raise CorruptBackup(f"a row of {table.name} can't be read: {str(problem)[:100]}") from None


def prepare(session: Session) -> None:
    """Makes a new store ready to be loaded: its format comes with the rows, and they may take their time."""
    session.execute(meta.delete())
    if session.dialect.name == "postgresql":
        session.exec_driver_sql("SET LOCAL statement_timeout = 0")
        session.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")


def load(session: Session, table: Table, given: Iterable[bytes]) -> None:
    """Adds the rows in the lines to the table. Raises corrupt.backup."""
    sqlite = session.dialect.name == "sqlite"
    mark = "?" if session.dialect.paramstyle == "qmark" else "%s"
    quote = session.dialect.identifier_preparer.quote
    names = ", ".join(quote(column.name) for column in table.columns)
    statement = f"INSERT INTO {table.name} ({names}) VALUES ({', '.join([mark] * len(table.columns))})"  # noqa: S608
    moments = () if sqlite else [i for i, column in enumerate(table.columns) if kind(column) == "moment"]
    waiting: list[tuple[Any, ...]] = []
    for row in check(table, given):
        for at in moments:
            row[at] = None if row[at] is None else EPOCH + row[at] * MICROSECOND
        waiting.append(tuple(row))
        if len(waiting) == _AT_ONCE:
            session.exec_driver_sql(statement, waiting)
            waiting = []
    if waiting:
        session.exec_driver_sql(statement, waiting)


def is_empty(session: Session) -> bool:
    """Whether nothing was ever put into the store."""
    if session.scalar(select(meta.c.key).where(meta.c.key != "format").limit(1)) is not None:
        return False
    others = (table for table in tables() if table is not meta)
    return all(session.execute(select(table).limit(1)).first() is None for table in others)


def counters(session: Session) -> dict[str, int]:
    """The highest id that each table gave out, where the engine remembers it though the row may be gone."""
    if session.dialect.name == "sqlite":
        return {name: count for name, count in session.exec_driver_sql("SELECT name, seq FROM sqlite_sequence")}  # noqa: C416
    found = {}
    for name, sequence in _sequences(session).items():
        last, called = session.execute(sql(f"SELECT last_value, is_called FROM {sequence}")).one()  # noqa: S608
        found[name] = last if called else 0
    return found


def set_counters(session: Session, given: Mapping[str, int]) -> None:
    """Ids that the tables give out from now on are higher than those of `given` and of all rows."""
    if session.dialect.name == "sqlite":
        for table in tables():
            if table.dialect_options["sqlite"]["autoincrement"]:
                values = {"name": table.name, "seq": max(given.get(table.name, 0), _highest(session, table.name))}
                session.execute(sql("DELETE FROM sqlite_sequence WHERE name = :name"), values)
                session.execute(sql("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :seq)"), values)
        return
    for name, sequence in _sequences(session).items():
        last = max(given.get(name, 0), _highest(session, name))
        session.execute(
            sql("SELECT setval(:of, :last, :used)"), {"of": sequence, "last": last or 1, "used": last > 0}
        )


def _highest(session: Session, table: str) -> int:
    return session.scalar(sql(f"SELECT max(id) FROM {table}")) or 0  # noqa: S608


def _sequences(session: Session) -> dict[str, str]:
    asked = sql("SELECT pg_get_serial_sequence(:of, 'id')")
    named = [table.name for table in tables() if "id" in table.columns]
    return {name: found for name in named if (found := session.scalar(asked, {"of": name}))}


def _raw(session: Session, column: Column[Any]) -> Any:
    if kind(column) != "json":
        return column
    return type_coerce(column, Text) if session.dialect.name == "sqlite" else cast(column, Text)


def kind(column: Column[Any]) -> str:
    """What the column holds, as one of the few words that lines know."""
    return next(name for type_, name in _TYPES if isinstance(column.type, type_))


def _integer(value: Any) -> int:
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise ValueError("an integer was expected")
    return value


def _text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError("a text was expected")
    value.encode()
    return value


def _json(value: Any) -> str:
    json.loads(_text(value))
    return str(value)


def _bytes(value: Any) -> bytes:
    return base64.b64decode(_text(value), validate=True)


def _number(value: Any) -> float:
    if isinstance(value, str) and value not in ("nan", "inf", "-inf"):
        raise ValueError("a number was expected")
    if type(value) not in (str, float, int):
        raise ValueError("a number was expected")
    return float(value)


def _moment(value: Any) -> int:
    _ = EPOCH + _integer(value) * MICROSECOND
    return int(value)


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError("true or false was expected")
    return value


def _same(value: Any) -> Any:
    return value


_TYPES: Sequence[tuple[type, str]] = (
    (UtcTime, "moment"),
    (JSON, "json"),
    (Boolean, "flag"),
    (LargeBinary, "bytes"),
    (Integer, "integer"),
    (Float, "number"),
    (String, "text"),
)
_KINDS: Mapping[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "moment": (lambda value: (value - EPOCH) // MICROSECOND, _moment),
    "json": (_same, _json),
    "flag": (bool, _flag),
    "bytes": (lambda value: base64.b64encode(value).decode(), _bytes),
    "integer": (_same, _integer),
    "number": (lambda value: value if math.isfinite(value) else str(value), _number),
    "text": (_same, _text),
}
