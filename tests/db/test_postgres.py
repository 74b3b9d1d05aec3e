"""Sessions on a real PostgreSQL: snapshots, locks, time-outs, values, and its troubles in our words."""

from __future__ import annotations

import math
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import psycopg
import pytest
from sqlalchemy import insert, select, text

from lineal.core.errors import DatabaseBusy, Error, InvalidArgument, InvalidSettings, NewerFormat, ReadOnly
from lineal.db import schema
from lineal.db.postgres import outpaced
from lineal.db.schema import blobs, meta, objects, run_files, run_keys, run_values, runs
from lineal.db.session import Database, insert_many, insert_new, lock, open_postgres
from tests.postgres import Server, drop_database, new_database, own_server, shared_url

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    database = open_postgres(postgres_url)
    yield database
    with database.begin() as writing:
        writing.execute(meta.delete().where(meta.c.key != "format"))
    database.close()


@pytest.fixture
def new_url() -> Iterator[str]:
    """The URL of an empty database, without any table."""
    url = new_database(shared_url())
    yield url
    drop_database(url)


def put(database: Database, key: str, value: str) -> None:
    with database.begin() as writing:
        writing.execute(insert(meta).values(key=key, value=value))


def add_runs(database: Database, *names: str) -> list[int]:
    facts = {"entity": "e", "project": "p", "name": "", "state": "running", "config": {}, "code": {}, "user": "u"}
    with database.begin() as writing:
        for name in names:
            writing.execute(insert(runs).values(run_id=name, host="h", created_at=NOON, **facts))
        return list(writing.scalars(select(runs.c.id).order_by(runs.c.id)))


# ---- opening -------------------------------------------------------------------------------------------------


def test_a_new_database_opened_by_eight_at_once_has_its_tables_and_its_format(new_url: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(open_postgres, [new_url] * 8))
    with opened[0].read() as reading:
        assert reading.execute(select(meta)).all() == [("format", str(schema.FORMAT))]
        for table in schema.metadata.sorted_tables:
            reading.execute(select(table)).all()
    for database in opened:
        database.close()


def test_a_newer_format_is_refused(new_url: str) -> None:
    open_postgres(new_url).close()
    with psycopg.connect(new_url) as session:
        session.execute("UPDATE meta SET value = '99'")
    with pytest.raises(NewerFormat, match="99"):
        open_postgres(new_url)


def test_the_session_has_our_time_outs_over_which_those_of_the_url_win(postgres_url: str) -> None:
    database = open_postgres(postgres_url + "?options=-c%20lock_timeout%3D7s&application_name=mine")
    with database.read() as reading:
        asked = ("lock_timeout", "statement_timeout", "application_name", "TimeZone")
        assert [reading.scalar(text(f"SHOW {name}")) for name in asked] == ["7s", "10min", "mine", "UTC"]
    database.close()


# ---- transactions --------------------------------------------------------------------------------------------


def test_a_reader_sees_one_state_while_another_writes(database: Database) -> None:
    count = select(text("count(*)")).select_from(meta)
    with database.read() as reading:
        before = reading.scalar(count)
        put(database, "a", "1")
        assert reading.scalar(count) == before
    with database.read() as reading:
        assert reading.scalar(count) == before + 1


def test_a_look_sees_what_others_wrote_meanwhile(database: Database) -> None:
    count = select(text("count(*)")).select_from(meta)
    with database.look() as looking:
        before = looking.scalar(count)
        put(database, "a", "1")
        assert looking.scalar(count) == before + 1


def test_a_look_asks_the_server_nothing_but_its_query(database: Database) -> None:
    ids = set()
    with database.look() as looking:
        for _ in range(2):
            began, asked = looking.execute(text("SELECT transaction_timestamp(), statement_timestamp()")).one()
            ids.add(began)
            assert began == asked
    assert len(ids) == 2


def test_a_connection_that_the_server_closed_is_found_out_before_it_is_used(database: Database) -> None:
    with database.look() as looking:
        mine = looking.scalar(text("SELECT pg_backend_pid()"))
        with database.look() as other:
            other.execute(text(f"SELECT pg_terminate_backend({mine}, 5000)"))
    with database.look() as first, database.look() as second:
        assert mine not in {session.scalar(text("SELECT pg_backend_pid()")) for session in (first, second)}


def test_a_reader_can_not_write(database: Database) -> None:
    with pytest.raises(ReadOnly), database.read() as reading:
        reading.execute(insert(meta).values(key="a", value="1"))


def test_a_block_that_raises_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError), database.begin() as writing:
        writing.execute(insert(meta).values(key="a", value="1"))
        raise RuntimeError
    put(database, "a", "2")


def test_writers_that_lock_the_row_lose_nothing(database: Database) -> None:
    (id_,) = add_runs(database, "r")

    def work() -> None:
        for _ in range(10):
            with database.begin() as writing:
                assert lock(writing, runs, [id_])
                step = writing.scalar(select(runs.c.last_step))
                writing.execute(runs.update().values(last_step=step + 1))

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(work) for _ in range(6)]:
            done.result()
    with database.read() as reading:
        assert reading.scalar(select(runs.c.last_step)) == 59


def test_rows_are_locked_in_one_order_whatever_order_they_are_asked_in(database: Database) -> None:
    ids = add_runs(database, *(f"r{n}" for n in range(50)))

    def work(asked: list[int]) -> None:
        for _ in range(10):
            with database.begin() as writing:
                lock(writing, runs, asked)

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, asked) for asked in (ids, ids[::-1], ids, ids[::-1])]:
            done.result()


def test_who_is_alone_waits_for_writers_and_they_for_him_and_readers_for_nobody(database: Database) -> None:
    order: list[str] = []
    begun, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def alone() -> None:
        with database.begin(alone=True):
            order.append("alone")
            begun.set()
            go_on.wait(30)
            order.append("alone ends")
        done.set()

    with database.begin():
        thread = threading.Thread(target=alone)
        thread.start()
        with database.read() as reading:
            waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            while not reading.scalar(text(waits)):
                assert not begun.is_set()
        order.append("writer ends")
    assert begun.wait(30)
    with database.read() as reading:
        assert reading.scalar(select(meta.c.value)) == str(schema.FORMAT)
    writer = threading.Thread(target=lambda: (put(database, "a", "1"), order.append("other")))
    writer.start()
    go_on.set()
    thread.join()
    writer.join()
    assert order == ["writer ends", "alone", "alone ends", "other"]


def test_two_that_wait_for_each_other_are_told_apart_from_a_lock_that_lasts(database: Database) -> None:
    one, two = add_runs(database, "one", "two")
    both = threading.Barrier(2, timeout=30)
    told: list[DatabaseBusy] = []

    def cross(first: int, second: int) -> None:
        try:
            with database.begin() as writing:
                lock(writing, runs, [first])
                both.wait()
                lock(writing, runs, [second])
        except DatabaseBusy as problem:
            told.append(problem)

    threads = [threading.Thread(target=cross, args=pair) for pair in ((one, two), (two, one))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [outpaced(problem) for problem in told] == [True]
    assert "deadlock" not in told[0].message


@pytest.mark.parametrize(("limit", "statement"), [("lock_timeout", ""), ("statement_timeout", "SELECT pg_sleep(60)")])
def test_a_time_out_is_told_as_busy(database: Database, postgres_url: str, limit: str, statement: str) -> None:
    (id_,) = add_runs(database, "r")
    hasty = open_postgres(postgres_url + f"?options=-c%20{limit}%3D50ms")
    with database.begin() as holder:
        lock(holder, runs, [id_])
        with pytest.raises(DatabaseBusy) as caught, hasty.begin() as writing:
            writing.execute(text(statement)) if statement else lock(writing, runs, [id_])
    assert not outpaced(caught.value)
    hasty.close()


def test_rows_in_conflict_are_left_out_and_the_new_counted(database: Database) -> None:
    with database.begin() as writing:
        assert insert_many(writing, meta, [("a", "1"), ("b", "2"), ("a", "3")]) == 2
        assert insert_many(writing, meta, [("b", "4"), ("c", "5")]) == 1
        assert insert_many(writing, meta, []) == 0
        assert insert_new(writing, meta, {"key": "d", "value": "6"})
        assert not insert_new(writing, meta, {"key": "d", "value": "7"})
        assert insert_many(writing, run_keys, [("x",), ("y",), ("x",)]) == 2
    with database.read() as reading:
        assert dict(reading.execute(select(meta).where(meta.c.key != "format")).all()) == {
            "a": "1", "b": "2", "c": "5", "d": "6"
        }  # fmt: skip


# ---- values --------------------------------------------------------------------------------------------------


def test_values_come_back_as_they_were(database: Database) -> None:
    (run,) = add_runs(database, "r")
    digest = bytes(range(32))
    moment = datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    numbers = [-math.inf, -1.5, 0.0, 5e-324, 1.7976931348623157e308, math.inf, None]
    with database.begin() as writing:
        object_id = writing.scalar(
            insert(objects).values(key="k", size=2**63 - 1, created_at=moment).returning(objects.c.id)
        )
        insert_many(writing, blobs, [(digest, object_id, 0, 1, 2**62, b"\0" * 16, 0)])
        insert_many(writing, run_keys, [(f"k{n}",) for n in range(len(numbers))])
        keys = list(writing.scalars(select(run_keys.c.id).order_by(run_keys.c.name)))
        insert_many(writing, run_values, [(run, key, n, "é𝄞\\%s") for key, n in zip(keys, numbers, strict=True)])
    with database.read() as reading:
        assert reading.execute(select(objects.c.size, objects.c.created_at)).one() == (2**63 - 1, moment)
        assert reading.execute(select(blobs.c.digest, blobs.c.size, blobs.c.fast)).one() == (
            digest,
            2**62,
            b"\0" * 16,
        )
        found = reading.execute(select(run_values.c.number, run_values.c.text).order_by(run_values.c.key_id)).all()
        assert [tuple(row) for row in found] == [(n, "é𝄞\\%s") for n in numbers]
        ordered = reading.scalars(select(run_values.c.number).order_by(run_values.c.number).limit(6))
        assert list(ordered) == numbers[:6]


def test_texts_are_ordered_by_code_point(database: Database) -> None:
    names = ["Z", "a", "_", "é", "z", "\uffff", "𝄞", "A", "~", "ab", "a b"]
    with database.begin() as writing:
        insert_many(writing, run_keys, [(name,) for name in names])
        assert list(writing.scalars(select(run_keys.c.name).order_by(run_keys.c.name))) == sorted(names)


@pytest.mark.parametrize("given", ["a\0b", "half \ud800"])
def test_texts_that_no_database_holds_are_refused(database: Database, given: str) -> None:
    with pytest.raises(InvalidArgument), database.begin() as writing:
        writing.execute(insert(meta).values(key="a", value=given))
    with pytest.raises(InvalidArgument), database.read() as reading:
        reading.execute(select(meta).where(meta.c.key == given))


def test_a_name_too_long_for_an_index_is_refused(database: Database) -> None:
    (run,) = add_runs(database, "r")
    path = "".join(chr(0x4E00 + (n * n * 7919) % 20000) for n in range(3000))  # what can't be compressed
    with pytest.raises(InvalidArgument, match="too long"), database.begin() as writing:
        writing.execute(insert(run_files).values(run_id=run, path=path, digest=b"\0" * 32, size=1, created_at=NOON))


# ---- troubles ------------------------------------------------------------------------------------------------

SECRET = "s3cret-w0rd"


@pytest.fixture(scope="module")
def guarded() -> Iterator[Server]:
    """A server whose user `guarded` has a password."""
    with own_server() as server:
        with psycopg.connect(server.url) as session:
            session.execute(f"CREATE ROLE guarded LOGIN PASSWORD '{SECRET}'")
        yield server


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("lineal@", f"guarded:{SECRET}x@"), "unavailable.store"),
        (("/postgres", "/nowhere"), "unavailable.store"),
        (("/postgres", "/"), "invalid.settings"),
        (("127.0.0.1", "127.0.0.1:1:1"), "invalid.settings"),
        (("/postgres", f"/postgres?password={SECRET}&nonsense=1"), "unavailable.store"),
        (("/postgres", f"/postgres?sslmode=require&sslpassword={SECRET}"), "unavailable.store"),
        (("127.0.0.1", "no-such-host.invalid"), "unavailable.store"),
    ],
)
def test_what_is_wrong_with_a_url_is_told_without_its_password(
    guarded: Server, change: tuple[str, str], code: str
) -> None:
    url = guarded.url.replace("lineal@", f"lineal:{SECRET}@") if "lineal@" not in change else guarded.url
    with pytest.raises(Error) as caught:
        open_postgres(url.replace(*change))
    assert caught.value.code == code
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert SECRET not in repr(caught.value.details)


def test_who_may_not_make_tables_is_told(guarded: Server) -> None:
    with pytest.raises(ReadOnly) as caught:
        open_postgres(guarded.url.replace("lineal@", f"guarded:{SECRET}@"))
    assert SECRET not in str(caught.value)


def test_a_server_that_went_is_told_and_one_that_came_back_is_used_again() -> None:
    with own_server() as server:
        database = open_postgres(server.url)
        put(database, "a", "1")
        server.stop("fast")
        with pytest.raises(Error) as caught, database.read():
            pass
        assert caught.value.code == "unavailable.store"
        server.start()
        put(database, "b", "2")
        with pytest.raises(Error) as caught, database.begin() as writing:
            server.restart()
            writing.execute(insert(meta).values(key="c", value="3"))
        assert caught.value.code == "unavailable.store"
        put(database, "c", "4")
        database.close()


def test_settings_are_named_where_a_url_says_nothing() -> None:
    with pytest.raises(InvalidSettings, match="postgresql://user@host/database"):
        open_postgres("postgresql://host:port/x")
