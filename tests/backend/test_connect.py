"""Which URL leads to which backend, and which to none."""

import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lineal.backend.connect import connect
from lineal.backend.port import Backend
from lineal.core import errors, settings

Connect = Callable[[str], Backend]


@pytest.fixture
def to(tmp_path: Path) -> Iterator[Connect]:
    opened: list[Backend] = []

    def to_(url: str) -> Backend:
        opened.append(connect(settings.load(tmp_path, url=url, user="ada", cache_dir=str(tmp_path / "cache"))))
        return opened[-1]

    yield to_
    for backend in opened:
        backend.close()


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket/x",
        "gs://bucket",
        "ftp://host/x",
    ],
)
def test_urls_that_hold_no_rows_are_refused_with_what_to_do(to: Connect, url: str) -> None:
    with pytest.raises(errors.InvalidSettings, match="LINEAL_URL"):
        to(url)


def test_a_folder_is_made_for_its_owner_alone(to: Connect, tmp_path: Path) -> None:
    backend = to(str(tmp_path / "a/b"))
    assert backend.url == str(tmp_path / "a/b")
    assert stat.S_IMODE((tmp_path / "a/b").stat().st_mode) == 0o700
    assert backend.artifacts.list_collections() == []


def test_a_file_url_is_the_folder(to: Connect, tmp_path: Path) -> None:
    to(str(tmp_path / "s")).runs.start("r1")
    assert to(f"file://{tmp_path}/s").runs.get("r1").id == "r1"


@pytest.mark.parametrize("path", ["file", "file/below"])
def test_a_file_is_no_store(to: Connect, tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(errors.InvalidSettings, match="file, not a folder"):
        to(str(tmp_path / path))
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("name", ["100% ?#&;mode=ro", "ümläut 'quoted\""])
def test_a_folder_may_have_any_name(to: Connect, tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    before = set(tmp_path.iterdir())
    to(str(folder)).runs.start("r1")
    assert set(tmp_path.iterdir()) - before == {folder}
    assert (folder / "lineal.db").is_file()


def test_memory_stores_are_shared_by_name(to: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    one, other = f"memory:{os.urandom(8).hex()}", f"memory:{os.urandom(8).hex()}"
    to(one).runs.start("r1")
    assert to(one).runs.get("r1").id == "r1"
    with pytest.raises(errors.RunNotFound):
        to(other).runs.get("r1")


def test_a_store_of_a_newer_format_is_refused_and_left_alone(to: Connect, tmp_path: Path) -> None:
    to(str(tmp_path)).close()
    connection = sqlite3.connect(tmp_path / "lineal.db")
    with connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'format'")
    connection.close()
    with pytest.raises(errors.NewerFormat, match="99"):
        to(str(tmp_path))


def test_a_file_that_is_no_database_is_told_as_damaged(to: Connect, tmp_path: Path) -> None:
    (tmp_path / "lineal.db").write_bytes(b"not a database at all" * 1000)
    with pytest.raises(errors.CorruptDatabase):
        to(str(tmp_path))


def test_a_tilde_is_the_home_folder(to: Connect, place) -> None:
    to("~/store")
    assert (place.home / "store/lineal.db").is_file()


# ---- databases -----------------------------------------------------------------------------------------------


def to_database(folder: Path, url: str, store: str | None) -> Backend:
    cache = str(folder / "cache")
    return connect(settings.load(folder, url=url, store=store, user="ada", cache_dir=cache))


@pytest.mark.parametrize("url", ["postgresql://ada:s3cret@h/d", "postgresql+psycopg://ada:s3cret@h/d"])
def test_a_database_without_a_place_for_bytes_is_refused_with_what_to_do(tmp_path: Path, url: str) -> None:
    with pytest.raises(errors.InvalidSettings, match="LINEAL_STORE") as caught:
        to_database(tmp_path, url, None)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("store", ["bytes", "file://bytes", "memory://bytes"])
def test_a_database_holds_the_rows_and_the_store_beside_it_the_bytes(
    tmp_path: Path, postgres_url: str, store: str
) -> None:
    where = store.replace("bytes", str(tmp_path / "bytes"), 1)
    one, other = (to_database(tmp_path, postgres_url, where) for _ in range(2))
    one.runs.start("r1")
    assert other.runs.get("r1").id == "r1"
    assert other.url == postgres_url
    assert (tmp_path / "bytes").is_dir() == ("memory" not in store)
    one.close()
    other.close()


def test_the_url_of_a_store_is_shown_without_its_password(tmp_path: Path, postgres_url: str) -> None:
    backend = to_database(tmp_path, postgres_url.replace("lineal@", "lineal:s3cret@"), str(tmp_path / "bytes"))
    assert backend.url == postgres_url.replace("lineal@", "lineal:***@")
    backend.close()


def test_a_file_is_no_place_for_bytes(tmp_path: Path, postgres_url: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(errors.InvalidSettings, match="set LINEAL_STORE to a folder"):
        to_database(tmp_path, postgres_url, str(tmp_path / "file"))
