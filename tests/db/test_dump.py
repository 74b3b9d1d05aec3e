"""Rows become the same lines on both engines, and the same rows again."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text

from lineal.core.errors import CorruptBackup
from lineal.db import dump, schema
from lineal.db.session import Database, insert_many, open_file, open_postgres
from tests.postgres import drop_database, new_database, shared_url

DAY = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
RUN = {"entity": "e", "project": "p", "state": "running", "config": {}, "code": {}, "user": "u", "host": "h"}


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        database = open_file(str(tmp_path / "one.db"))
        yield database
        database.close()
        return
    url = new_database(shared_url())
    database = open_postgres(url)
    yield database
    database.close()
    drop_database(url)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Database]:
    database = open_file(str(tmp_path / "other.db"))
    yield database
    database.close()


def fill(database: Database) -> None:
    """Rows with all that is hard to carry from one engine to another."""
    with database.begin() as session:
        for number, name in enumerate(["\u00e9\U0001d11e%s'\"\\", "a\nb\tc", "z"]):
            at = DAY - timedelta(days=30_000 * number)
            session.execute(
                insert(schema.runs).values(id=7 * number + 1, run_id=name, name=name, created_at=at, **RUN)
            )
        numbers = [-math.inf, math.inf, math.nan, 0.1, 5e-324, 1.7976931348623157e308, -1.0, None]
        insert_many(session, schema.run_keys, [(f"k{n}",) for n in range(len(numbers))])
        ids = list(session.scalars(select(schema.run_keys.c.id).order_by(schema.run_keys.c.id)))
        shown = [None if number is None or math.isnan(number) else number for number in numbers]
        insert_many(session, schema.run_values, [(1, key, n, "t") for key, n in zip(ids, shown, strict=True)])
        session.execute(insert(schema.objects).values(key="k", size=2**63 - 1, created_at=DAY))
        object_id = session.scalar(select(schema.objects.c.id))
        insert_many(session, schema.blobs, [(bytes(range(32)), object_id, 0, 1, 2, b"", 0)])
        exact = '{"b": 1.0,  "a":[1e400, 0.1], "a": "\\u0000"}'
        value = ":json" if session.dialect.name == "sqlite" else "CAST(:json AS json)"
        session.execute(text(f"UPDATE runs SET config = {value} WHERE id = 1"), {"json": exact})
        users = {"kind": "person", "is_admin": True, "created_at": DAY, "email": ""}
        session.execute(insert(schema.users).values(name="ada", **users))
        key = {"prefix": "x", "hash": b"\0" * 32, "name": "", "user_id": 1, "created_at": DAY}
        session.execute(insert(schema.api_keys).values(scopes=None, **key))


def lines(database: Database) -> dict[str, list[bytes]]:
    with database.read() as session:
        return {table.name: list(dump.lines(session, table)) for table in dump.tables()}


def load(database: Database, given: dict[str, list[bytes]], counters: dict[str, int] | None = None) -> None:
    with database.begin(alone=True) as session:
        dump.prepare(session)
        for table in dump.tables():
            dump.load(session, table, given[table.name])
        dump.set_counters(session, counters or {})


def test_every_column_of_every_table_is_of_a_kind_that_lines_know() -> None:
    assert {dump.kind(column) for table in dump.tables() for column in table.columns} == {*dump._KINDS}


def test_rows_come_back_and_lines_are_the_same_on_both_engines(database: Database, other: Database) -> None:
    fill(database)
    first = lines(database)
    load(other, first)
    assert lines(other) == first
    with other.read() as session:
        names = session.execute(select(schema.runs.c.name, schema.runs.c.created_at).order_by(schema.runs.c.id)).all()
        assert names[0] == ("\u00e9\U0001d11e%s'\"\\", DAY)
        assert session.scalar(text("SELECT config FROM runs WHERE id = 1")).count("  ") == 1  # its very text
        assert session.scalar(select(schema.users.c.is_admin)) is True
        assert session.scalar(select(schema.api_keys.c.scopes)) is None


def test_rows_of_a_folder_go_into_a_database(database: Database, other: Database) -> None:
    fill(other)
    load(database, lines(other))
    assert lines(database) == lines(other)


def test_a_value_that_is_not_as_its_column_is_refused(other: Database) -> None:
    good = [1, "e", "p", "private", 1]
    table = schema.projects
    assert list(dump.check(table, [json.dumps(good).encode()])) == [good]
    for at, values in {0: ["1", 1.5, True, 2**63], 1: [1, ["e"]], 4: ["now", 2**62, 1.0]}.items():
        for value in values:
            row = [*good[:at], value, *good[at + 1 :]]
            with pytest.raises(CorruptBackup, match="projects"):
                list(dump.check(table, [json.dumps(row).encode()]))
    for line in (b"", b"{}", b"[1]", b"[" * 100_000, b"\xff", b'[1,"\\ud800","p","private",1]'):
        with pytest.raises(CorruptBackup):
            list(dump.check(table, [line]))


@pytest.mark.parametrize(
    ("table", "at", "value"),
    [
        (schema.blobs, 0, "no base64!"),
        (schema.run_values, 2, "12"),
        (schema.run_values, 2, True),
        (schema.users, 7, 1),
        (schema.api_keys, 5, "[" * 100_000),
        (schema.api_keys, 5, []),
    ],
)
def test_a_value_that_can_not_be_is_refused(table: Any, at: int, value: Any) -> None:
    row: list[Any] = [None] * len(table.columns)
    row[at] = value
    with pytest.raises(CorruptBackup):
        list(dump.check(table, [json.dumps(row).encode()]))


def test_ids_go_on_after_those_that_were_given_out(database: Database, other: Database) -> None:
    chunk = {"stream": "history", "era": 0, "data": b"", "size": 0}
    with database.begin() as session:
        session.execute(insert(schema.runs).values(id=40, run_id="r", name="r", created_at=DAY, **RUN))
        for _ in range(5):
            session.execute(insert(schema.run_chunks).values(run_id=40, **chunk))
        session.execute(schema.run_chunks.delete())
        counters = dump.counters(session)
        assert counters["run_chunks"] == 5
    for target in (other, database):
        with target.begin(alone=True) as session:
            if target is other:
                dump.prepare(session)
                session.execute(insert(schema.runs).values(id=40, run_id="r", name="r", created_at=DAY, **RUN))
            dump.set_counters(session, counters)
            new = insert(schema.runs).values(run_id="s", name="s", created_at=DAY, **RUN)
            assert session.scalar(new.returning(schema.runs.c.id)) > 40
            new = insert(schema.run_chunks).values(run_id=40, **chunk)
            assert session.scalar(new.returning(schema.run_chunks.c.id)) == 6


def test_a_store_is_empty_until_something_is_put_into_it(database: Database) -> None:
    with database.read() as session:
        assert dump.is_empty(session)
    with database.begin() as session:
        session.execute(insert(schema.meta).values(key="a", value="1"))
        assert not dump.is_empty(session)
        session.execute(schema.meta.delete().where(schema.meta.c.key == "a"))
        session.execute(insert(schema.teams).values(name="t", created_at=DAY))
        assert not dump.is_empty(session)
