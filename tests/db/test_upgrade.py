"""Stores of every released format become the very same as new ones, whole or not at all, with their rows intact."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, select, text

from lineal.core.errors import NewerFormat, OlderFormat
from lineal.db import migrations, schema
from lineal.db.postgres import make_engine
from lineal.db.session import Database, Session, _file_engine, find_format, open_file, open_postgres
from lineal.db.upgrade import upgrade
from tests.formats import FOLDER, ON_POSTGRES, RELEASED, bring_database, bring_folder
from tests.postgres import drop_database, new_database, shared_url
from tests.processes import Child, RunChild

_COLUMNS = """SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, l.collname,
pg_get_expr(d.adbin, d.adrelid), a.attidentity, pg_get_serial_sequence(c.relname, a.attname)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_collation l ON l.oid = a.attcollation
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum"""
_CONSTRAINTS = """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2"""
_INDEXES = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2"
_SEQUENCES = "SELECT sequencename, data_type::text, start_value, increment_by FROM pg_sequences ORDER BY 1"


def shape(session: Session) -> Any:
    """All that a schema is: columns in order, types, defaults, keys, constraints, indexes, and how it is kept."""
    if session.dialect.name == "postgresql":
        asked = (_COLUMNS, _CONSTRAINTS, _INDEXES, _SEQUENCES)
        return [sorted(map(str, session.execute(text(question)).all())) for question in asked]
    known = inspect(session)
    found: dict[str, Any] = {}
    for name in known.get_table_names():
        kept = session.execute(
            text(f"SELECT wr, strict FROM pragma_table_list('{name}') WHERE schema = 'main'")
        ).one()
        made = session.scalar(text(f"SELECT sql FROM sqlite_master WHERE name = '{name}'"))
        found[name] = {
            "columns": session.execute(text(f"SELECT * FROM pragma_table_xinfo('{name}')")).all(),
            "foreign": sorted(
                r[2:] for r in session.execute(text(f"SELECT * FROM pragma_foreign_key_list('{name}')"))
            ),
            "unique": sorted(tuple(u["column_names"]) for u in known.get_unique_constraints(name)),
            "checks": known.get_check_constraints(name),
            "kept": (*kept, "AUTOINCREMENT" in made),
            "indexes": sorted((i["name"], tuple(i["column_names"]), i["unique"]) for i in known.get_indexes(name)),
        }
    return found


def seen(session: Session) -> dict[str, list[Any]]:
    """Every row of every table that is there, by the columns that it has, as the engine's own values."""
    rows = {}
    for name in inspect(session).get_table_names():
        columns = [column["name"] for column in inspect(session).get_columns(name)]
        listed = ", ".join(f'"{column}"' for column in columns)
        found = session.execute(text(f"SELECT {listed} FROM {name}")).all()
        rows[name] = [{c: str(v) for c, v in zip(columns, row, strict=True)} for row in found]
    rows.pop("meta")
    return rows


def assert_kept(before: dict[str, list[Any]], after: dict[str, list[Any]]) -> None:
    """All that was there is there: columns and tables may have come, nothing went or changed."""
    for name, rows in before.items():
        had = rows[0].keys() if rows else ()
        assert sorted(str({c: r[c] for c in had}) for r in after[name]) == sorted(map(str, rows)), name


@pytest.fixture
def make_url() -> Iterator[Callable[[], str]]:
    """Makes empty databases."""
    made: list[str] = []

    def make() -> str:
        made.append(new_database(shared_url()))
        return made[-1]

    yield make
    for url in made:
        drop_database(url)


def nothing(_session: Session, _found: int) -> None:
    """What a store without hooks has to fill in."""


def looked(database: Database) -> tuple[Any, dict[str, list[Any]]]:
    with database.read() as session:
        found = shape(session), seen(session)
        assert session.scalar(select(schema.meta.c.value).where(schema.meta.c.key == "format")) == str(schema.FORMAT)
    database.close()
    return found


def before(path: Path | str) -> dict[str, list[Any]]:
    """The rows of a store as they are, whatever its format."""
    engine = _file_engine(str(path), "ro") if isinstance(path, Path) else make_engine(path)
    database = Database(engine, writable=False)
    with database.read() as session:
        found = seen(session)
    database.close()
    return found


# ---- the same as new -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_", RELEASED)
def test_an_upgraded_folder_is_as_a_new_one_and_keeps_its_rows(format_: int, tmp_path: Path) -> None:
    bring_folder(format_, tmp_path)
    file = tmp_path / "lineal.db"
    had, told = before(file), []
    assert find_format(str(file)) == format_
    upgraded = looked(open_file(str(file), upgraded=lambda _, found: told.append(found)))
    assert upgraded[0] == looked(open_file(str(tmp_path / "new.db")))[0]
    assert_kept(had, upgraded[1])
    assert told == ([format_] if format_ < schema.FORMAT else [])
    assert find_format(str(file)) == schema.FORMAT


@pytest.mark.parametrize("format_", ON_POSTGRES)
def test_an_upgraded_database_is_as_a_new_one_and_keeps_its_rows(
    format_: int, tmp_path: Path, make_url: Callable[[], str]
) -> None:
    url = make_url()
    bring_database(format_, url, tmp_path)
    had = before(url)
    assert find_format(url) == format_
    upgraded = looked(open_postgres(url, upgraded=nothing))
    assert upgraded[0] == looked(open_postgres(make_url()))[0]
    assert_kept(had, upgraded[1])
    assert find_format(url) == schema.FORMAT


def test_all_revisions_from_nothing_make_a_new_store(tmp_path: Path, make_url: Callable[[], str]) -> None:
    for made, new in (
        (_file_engine(str(tmp_path / "made.db"), "rwc"), open_file(str(tmp_path / "new.db"))),
        (make_engine(make_url()), open_postgres(make_url())),
    ):
        database = Database(made)
        with database.begin() as session:
            upgrade(session, 0)
            session.execute(schema.meta.insert().values(key="format", value=str(schema.FORMAT)))
        assert looked(database)[0] == looked(new)[0]


def test_each_format_has_a_revision_and_each_but_todays_a_dump() -> None:
    assert {f.name for f in FOLDER.glob("*.sqlite.sql")} >= {
        f"format_{n}.sqlite.sql" for n in range(1, schema.FORMAT)
    }
    revisions = Path(migrations.__file__).parent.glob("versions/format_*.py")
    assert {f.name for f in revisions} == {f"format_{n}.py" for n in range(1, schema.FORMAT + 1)}


# ---- whole or not at all -------------------------------------------------------------------------------------


def fail(_session: Session, _found: int) -> None:
    raise RuntimeError


def test_an_upgrade_that_fails_leaves_a_folder_as_it_was(tmp_path: Path) -> None:
    bring_folder(1, tmp_path)
    file = tmp_path / "lineal.db"
    had = before(file)
    with pytest.raises(RuntimeError):
        open_file(str(file), upgraded=fail)
    assert (before(file), find_format(str(file))) == (had, 1)
    open_file(str(file)).close()


def test_a_process_killed_in_mid_upgrade_leaves_a_folder_as_it_was(tmp_path: Path, start_child: Child) -> None:
    bring_folder(1, tmp_path)
    file = tmp_path / "lineal.db"
    had = before(file)
    child = start_child(
        """
from lineal.db.session import open_file
open_file(sys.argv[1], upgraded=lambda session, found: os.kill(os.getpid(), 9))
""",
        file,
    )
    assert child.wait(60) == -9
    assert (before(file), find_format(str(file))) == (had, 1)
    open_file(str(file)).close()


def test_an_upgrade_that_fails_leaves_a_database_as_it_was(tmp_path: Path, make_url: Callable[[], str]) -> None:
    url = make_url()
    bring_database(2, url, tmp_path)
    had = before(url)
    with pytest.raises(RuntimeError):
        open_postgres(url, upgraded=fail)
    assert (before(url), find_format(url)) == (had, 2)


def test_a_process_killed_in_mid_upgrade_leaves_a_database_as_it_was(
    tmp_path: Path, make_url: Callable[[], str], start_child: Child
) -> None:
    url = make_url()
    bring_database(2, url, tmp_path)
    had = before(url)
    child = start_child(
        """
from lineal.db.session import open_postgres
open_postgres(sys.argv[1], upgraded=lambda session, found: os.kill(os.getpid(), 9))
""",
        url,
    )
    assert child.wait(60) == -9
    assert (before(url), find_format(url)) == (had, 2)
    open_postgres(url, upgraded=nothing).close()


def test_threads_upgrade_stores_at_once_and_each_once(tmp_path: Path) -> None:
    for number in range(4):
        bring_folder(1, tmp_path / str(number))
    told: list[int] = []

    def work(number: int) -> None:
        open_file(
            str(tmp_path / str(number % 4) / "lineal.db"), upgraded=lambda _, found: told.append(number)
        ).close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert sorted(number % 4 for number in told) == [0, 1, 2, 3]


# ---- what is left alone --------------------------------------------------------------------------------------


def test_a_shared_database_is_not_upgraded_by_opening_it(tmp_path: Path, make_url: Callable[[], str]) -> None:
    url = make_url()
    bring_database(2, url, tmp_path)
    had = before(url)
    with pytest.raises(OlderFormat, match="lineal server migrate") as caught:
        open_postgres(url)
    assert caught.value.code == "unavailable.older_format"
    assert (before(url), find_format(url)) == (had, 2)


def test_a_database_is_upgraded_once_by_eight_at_once(tmp_path: Path, make_url: Callable[[], str]) -> None:
    url = make_url()
    bring_database(2, url, tmp_path)
    told: list[int] = []
    with ThreadPoolExecutor(8) as pool:
        for opened in pool.map(lambda _: open_postgres(url, upgraded=lambda _, found: told.append(found)), range(8)):
            opened.close()
    assert told == [2]


def test_there_is_no_format_where_there_are_no_rows(tmp_path: Path, make_url: Callable[[], str]) -> None:
    assert find_format(str(tmp_path / "lineal.db")) is None
    assert not (tmp_path / "lineal.db").exists()
    assert find_format(make_url()) is None


@pytest.mark.parametrize("kept", ["0", "-1", "x", str(schema.FORMAT + 1)])
def test_a_format_that_is_none_of_ours_is_not_upgraded(kept: str, tmp_path: Path) -> None:
    file = tmp_path / "lineal.db"
    open_file(str(file)).close()
    connection = sqlite3.connect(file)
    with connection:
        connection.execute("UPDATE meta SET value = ?", (kept,))
    connection.close()
    for look in (open_file, find_format):
        with pytest.raises(NewerFormat):
            look(str(file))


def test_alembic_is_loaded_only_to_upgrade(tmp_path: Path, run_child: RunChild) -> None:
    code = """
from lineal.db.session import open_file
open_file(sys.argv[1]).close()
open_file(sys.argv[1]).close()
print(sorted({name.split(".")[0] for name in sys.modules} & {"alembic", "mako", "logging.config"}))
"""
    assert run_child(code, tmp_path / "lineal.db") == "[]"
