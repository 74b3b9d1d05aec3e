"""Whoever runs a store upgrades it, once, and learns from what to what."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lineal.backend.backup import open_local
from lineal.backend.migrate import migrate, pending
from lineal.core import settings
from lineal.core.errors import Error, InvalidSettings, OlderFormat
from lineal.core.settings import Settings
from lineal.db.schema import FORMAT
from tests.backend.stores import MakeStore, make_store
from tests.formats import ON_POSTGRES, RELEASED, bring_database, bring_folder

__all__ = ["make_store"]


def assert_works(where: Settings, format_: int) -> None:
    """What the former format held is found by what it lacked, and the store takes more."""
    here = open_local(where)
    assert [run.id for run in here.runs.list(filters={"config.lr": 0.5}).runs] == ["r1"]
    assert here.artifacts.resolve("digits:best").number == 0
    with here.context.database.read() as session:
        found = session.exec_driver_sql("SELECT entity, project, visibility FROM projects ORDER BY project").all()
    assert format_ > 2 or ("local", "vision", "team") in [tuple(row) for row in found]
    assert here.sweeps.list() == []
    here.runs.start("new")
    assert here.store.fsck().problems == ()
    here.close()


@pytest.mark.parametrize("format_", RELEASED)
def test_a_folder_of_each_format_is_upgraded(format_: int, make_store: MakeStore) -> None:
    where = make_store("folder")
    bring_folder(format_, Path(where.url))
    assert pending(where) == (format_, FORMAT)
    assert pending(where) == (format_, FORMAT)  # it only looks
    assert migrate(where) == (format_, FORMAT)
    assert (pending(where), migrate(where)) == ((FORMAT, FORMAT), (FORMAT, FORMAT))
    assert_works(where, format_)


@pytest.mark.parametrize("format_", ON_POSTGRES)
def test_a_database_of_each_format_is_upgraded_and_only_so(format_: int, make_store: MakeStore) -> None:
    where = make_store("postgres")
    assert where.store
    bring_database(format_, where.url, Path(where.store))
    with pytest.raises(OlderFormat, match="lineal server migrate"):
        open_local(where)
    assert pending(where) == (format_, FORMAT)
    assert migrate(where) == (format_, FORMAT)
    assert (pending(where), migrate(where)) == ((FORMAT, FORMAT), (FORMAT, FORMAT))
    assert_works(where, format_)


def test_a_folder_upgrades_itself_when_it_is_opened(make_store: MakeStore) -> None:
    where = make_store("folder")
    bring_folder(1, Path(where.url))
    assert_works(where, 1)


def test_of_six_that_upgrade_a_database_at_once_one_does(make_store: MakeStore) -> None:
    where = make_store("postgres")
    assert where.store
    bring_database(2, where.url, Path(where.store))
    with ThreadPoolExecutor(6) as pool:
        told = list(pool.map(migrate, [where] * 6))
    assert sorted(told) == [(2, FORMAT)] + [(FORMAT, FORMAT)] * 5
    assert_works(where, 2)


@pytest.mark.parametrize("kind", ["folder", "postgres"])
def test_where_nothing_is_there_is_nothing_to_upgrade(kind: str, make_store: MakeStore) -> None:
    where = make_store(kind)
    assert pending(where) == (FORMAT, FORMAT)
    assert not Path(where.store or where.url).exists()
    assert migrate(where) == (FORMAT, FORMAT)
    open_local(where).close()


def test_a_server_can_not_be_upgraded_through_itself(tmp_path: Path) -> None:
    where = settings.load(tmp_path, url="https://lineal.example.org")
    with pytest.raises(InvalidSettings):
        pending(where)
    with pytest.raises(Error):
        migrate(where)
