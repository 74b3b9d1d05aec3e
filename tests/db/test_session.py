"""Sessions: all or nothing, one writer at a time, and every trouble with the file in our words."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text

from lineal.core.errors import (
    CorruptDatabase,
    DatabaseBusy,
    DiskFull,
    Error,
    NewerFormat,
    ReadOnly,
    StoreUnavailable,
)
from lineal.db import schema, session
from lineal.db.schema import meta
from lineal.db.session import Database, insert_many, open_file, open_temporary
from tests.processes import Child, RunChild


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "lineal.db")


@pytest.fixture
def database(path: str) -> Iterator[Database]:
    database = open_file(path)
    yield database
    database.close()


def rows(database: Database) -> dict[str, str]:
    with database.read() as reading:
        return {row.key: row.value for row in reading.execute(select(meta))}


def put(database: Database, key: str, value: str) -> None:
    with database.begin() as writing:
        writing.execute(insert(meta).values(key=key, value=value))


def set_format(path: str, value: str) -> None:
    open_file(path).close()
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE meta SET value = ? WHERE key = 'format'", (value,))
    connection.close()


# ---- transactions --------------------------------------------------------------------------------------------


def test_a_new_store_has_its_tables_and_its_format(database: Database) -> None:
    assert rows(database) == {"format": str(schema.FORMAT)}
    with database.read() as reading:
        for table in schema.metadata.sorted_tables:
            assert reading.execute(select(table)).all() == [] or table is meta


def test_a_block_that_ends_is_kept_and_seen_by_others(database: Database, path: str) -> None:
    put(database, "a", "1")
    other = open_file(path)
    assert rows(other)["a"] == "1"
    other.close()


def test_a_block_that_raises_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError), database.begin() as writing:
        writing.execute(insert(meta).values(key="a", value="1"))
        raise RuntimeError
    assert "a" not in rows(database)


def test_our_own_errors_pass_through_unchanged(database: Database) -> None:
    with pytest.raises(NewerFormat, match="as it was"), database.begin():
        raise NewerFormat("as it was")


def test_a_reader_sees_one_state_while_another_writes(database: Database, path: str) -> None:
    other = open_file(path)
    with database.read() as reading:
        before = reading.scalar(select(text("count(*)")).select_from(meta))
        put(other, "a", "1")
        assert reading.scalar(select(text("count(*)")).select_from(meta)) == before
    assert "a" in rows(database)
    other.close()


def test_writers_wait_for_each_other_and_lose_nothing(database: Database) -> None:
    put(database, "count", "0")

    def work() -> None:
        for _ in range(20):
            with database.begin() as writing:
                value = int(writing.scalar(select(meta.c.value).where(meta.c.key == "count")) or 0)
                writing.execute(meta.update().where(meta.c.key == "count").values(value=str(value + 1)))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rows(database)["count"] == "120"


def test_a_lock_that_is_never_released_is_told(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    open_file(path).close()
    monkeypatch.setattr(session, "_BUSY_S", 0.05)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    database = open_file(path)
    with pytest.raises(DatabaseBusy) as caught, database.begin():
        pass
    assert caught.value.code == "unavailable.database_busy"
    assert rows(database)
    holder.close()
    put(database, "a", "1")
    database.close()


def test_rows_in_conflict_are_left_out_and_the_new_counted(database: Database) -> None:
    with database.begin() as writing:
        assert insert_many(writing, meta, [("a", "1"), ("b", "2"), ("a", "3")]) == 2
        assert insert_many(writing, meta, [("b", "4"), ("c", "5")]) == 1
        assert insert_many(writing, meta, []) == 0
    assert {k: v for k, v in rows(database).items() if k != "format"} == {"a": "1", "b": "2", "c": "5"}


def test_a_commit_is_on_disk_and_rows_keep_to_their_references(database: Database) -> None:
    with database.read() as reading:
        for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
            assert reading.scalar(text(f"PRAGMA {pragma}")) == value


# ---- files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a b", "a%20b", "a?mode=ro", "a#b", "日本", "a'b"])
def test_a_folder_of_any_name_holds_a_store(tmp_path: Path, name: str) -> None:
    top = tmp_path / "top"
    folder = top / name
    folder.mkdir(parents=True)
    database = open_file(str(folder / "lineal.db"))
    put(database, "a", "1")
    database.close()
    assert (folder / "lineal.db").is_file()
    assert [item.name for item in top.iterdir()] == [name]


def test_a_temporary_store_is_gone_with_its_process(run_child: RunChild) -> None:
    code = """
from lineal.db.session import open_temporary
database = open_temporary()
with database.read() as session:
    print(session.exec_driver_sql("PRAGMA database_list").fetchone()[2])
"""
    file = run_child(code)
    assert os.path.basename(file) == "lineal.db"
    assert not os.path.exists(os.path.dirname(file))


def test_two_temporary_stores_share_nothing() -> None:
    one, two = open_temporary(), open_temporary()
    put(one, "a", "1")
    assert "a" not in rows(two)


@pytest.mark.parametrize(
    "format_", [str(schema.FORMAT + 1), "10", "99999999999999999999", "one", "1.5", "-1", "\u00b2", "\x1b[31m"]
)
def test_a_newer_format_is_refused_and_nothing_changed(path: str, format_: str) -> None:
    set_format(path, format_)
    before = Path(path).read_bytes()
    with pytest.raises(NewerFormat) as caught:
        open_file(path)
    assert caught.value.message.isprintable()
    assert Path(path).read_bytes() == before


@pytest.mark.parametrize("data", [b"no database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_told_and_left_alone(path: str, data: bytes) -> None:
    Path(path).write_bytes(data)
    with pytest.raises(CorruptDatabase) as caught:
        open_file(path)
    assert caught.value.code == "corrupt.database"
    assert Path(path).read_bytes() == data


def test_a_damaged_page_is_told(path: str) -> None:
    database = open_file(path)
    with database.begin() as writing:
        insert_many(writing, meta, [(f"key {n}", "x" * 500) for n in range(500)])
    assert database.check() == []
    database.close()
    data = bytearray(Path(path).read_bytes())
    for page in range(8192, len(data), 4096):
        data[page : page + 64] = b"\xff" * 64
    Path(path).write_bytes(data)
    with pytest.raises(CorruptDatabase):
        rows(open_file(path))


def test_a_folder_where_the_file_belongs_is_told(path: str) -> None:
    os.mkdir(path)
    with pytest.raises(Error) as caught:
        open_file(path)
    assert caught.value.code.startswith("unavailable.")


READ_ONLY = """
from lineal.core.errors import Error
from lineal.db.session import open_file
from lineal.db.schema import meta
from sqlalchemy import insert, select
drop()
try:
    database = open_file(sys.argv[1])
    with database.read() as session:
        print(session.scalar(select(meta.c.value)))
    with database.begin() as session:
        session.execute(insert(meta).values(key="a", value="1"))
except Error as problem:
    print(problem.code)
"""


def test_a_read_only_file_is_read_and_not_written(open_path: Path, run_child: RunChild) -> None:
    open_file(str(open_path / "lineal.db")).close()
    os.chmod(open_path / "lineal.db", 0o444)
    assert run_child(READ_ONLY, open_path / "lineal.db").split() == [str(schema.FORMAT), "unavailable.read_only"]


def test_a_file_in_a_read_only_folder_is_read_and_not_written(open_path: Path, run_child: RunChild) -> None:
    open_file(str(open_path / "lineal.db")).close()
    os.chmod(open_path / "lineal.db", 0o444)
    os.chmod(open_path, 0o555)
    assert run_child(READ_ONLY, open_path / "lineal.db").split() == [str(schema.FORMAT), "unavailable.read_only"]


def test_a_read_only_folder_without_a_store_is_told(open_path: Path, run_child: RunChild) -> None:
    os.chmod(open_path, 0o555)
    assert run_child(READ_ONLY, open_path / "lineal.db") == "unavailable.read_only"


def test_a_file_that_may_not_even_be_read_is_told(open_path: Path, run_child: RunChild) -> None:
    open_file(str(open_path / "lineal.db")).close()
    os.chmod(open_path / "lineal.db", 0)
    assert run_child(READ_ONLY, open_path / "lineal.db").startswith("unavailable.")


# ---- processes -----------------------------------------------------------------------------------------------


def test_eight_processes_open_a_new_store_at_once(path: str, start_child: Child) -> None:
    code = """
from lineal.db.session import open_file
from lineal.db.schema import meta
from sqlalchemy import insert, select
print("ready", flush=True)
sys.stdin.readline()
database = open_file(sys.argv[1])
with database.begin() as session:
    session.execute(insert(meta).values(key=sys.argv[2], value="1"))
"""
    children = [start_child(code, path, number) for number in range(8)]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    for child in children:
        assert child.wait(timeout=60) == 0, child.stderr and child.stderr.read()
    database = open_file(path)
    assert set(rows(database)) == {"format", *map(str, range(8))}
    assert database.check() == []
    database.close()


def test_a_store_opened_before_a_fork_works_in_parent_and_child(path: str, run_child: RunChild) -> None:
    code = """
from lineal.db.session import open_file
from lineal.db.schema import meta
from sqlalchemy import insert, select
database = open_file(sys.argv[1])
def put(key):
    with database.begin() as session:
        session.execute(insert(meta).values(key=key, value="1"))
put("before")
child = os.fork()
put("child" if child == 0 else "parent")
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
put("after")
"""
    run_child(code, path)
    database = open_file(path)
    assert set(rows(database)) == {"format", "before", "child", "parent", "after"}
    database.close()


@pytest.mark.parametrize(
    ("text_", "kind"),
    [
        ("database disk image is malformed", CorruptDatabase),
        ("file is not a database", CorruptDatabase),
        ("database or disk is full", DiskFull),
        ("attempt to write a readonly database", ReadOnly),
        ("database is locked", DatabaseBusy),
        ("unable to open database file", StoreUnavailable),
        ("disk I/O error", StoreUnavailable),
    ],
)
def test_the_drivers_errors_are_told_in_our_words(database: Database, text_: str, kind: type[Error]) -> None:
    from sqlalchemy.exc import OperationalError

    with pytest.raises(kind), database.read():
        raise OperationalError("SELECT 1", {}, sqlite3.OperationalError(text_))
