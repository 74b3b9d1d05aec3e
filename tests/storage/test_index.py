"""The index: one question for any number of digests, the first writer wins, objects know their live bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import event

from lineal.db.session import Database, Session, open_file
from lineal.storage import digest as digests
from lineal.storage import index
from lineal.storage.blobs import Place
from lineal.storage.digest import Digest

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_file(str(tmp_path / "lineal.db"))
    yield database
    database.close()


def digest(number: int) -> Digest:
    return digests.of_bytes(str(number).encode())


def place(number: int, key: str = "packs/a.pack", *, offset: int = 8, length: int = 10) -> Place:
    return Place(digest(number), length, b"f" * 16, key, offset, length)


@contextmanager
def statements(session: Session) -> Iterator[list[str]]:
    """What is sent to the database meanwhile."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(session, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(session, "before_cursor_execute", note)


@pytest.mark.parametrize("count", [1, 50_000])
def test_what_is_missing_of_any_number_of_digests_is_one_statement(database: Database, count: int) -> None:
    asked = [digest(number) for number in range(count)]
    with database.begin() as session:
        index.add(session, [place(n) for n in range(0, count, 2)], {"packs/a.pack": 100}, at=NOON)
    with database.read() as session, statements(session) as seen:
        missing = index.missing(session, asked)
    assert missing == set(asked[1::2])
    assert len(seen) == 1


def test_where_any_number_of_digests_lie_is_one_statement(database: Database) -> None:
    asked = [digest(number) for number in range(50_000)]
    with database.begin() as session:
        index.add(session, [place(n) for n in range(0, 50_000, 2)], {"packs/a.pack": 100}, at=NOON)
    with database.read() as session, statements(session) as seen:
        found = index.find(session, asked)
    assert len(seen) == 1
    assert set(found) == set(asked[::2])
    assert found[digest(4)] == place(4)


def test_a_question_about_nothing_asks_nothing(database: Database) -> None:
    with database.read() as session, statements(session) as seen:
        assert index.missing(session, []) == set()
        assert index.find(session, []) == {}
    assert seen == []


def test_the_first_writer_of_a_blob_wins_and_the_object_nobody_needs_is_named(database: Database) -> None:
    with database.begin() as session:
        assert index.add(session, [place(1)], {"packs/a.pack": 100}, at=NOON) == set()
        late = [place(1, "packs/b.pack")]
        assert index.add(session, late, {"packs/b.pack": 100}, at=NOON) == {"packs/b.pack"}
        assert index.find(session, [digest(1)]) == {digest(1): place(1)}
        assert set(index.list_objects(session)) == {"packs/a.pack"}


def test_an_add_that_is_rolled_back_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError), database.begin() as session:
        index.add(session, [place(1)], {"packs/a.pack": 100}, at=NOON)
        raise RuntimeError
    with database.read() as session:
        assert index.missing(session, [digest(1)]) == {digest(1)}
        assert index.list_objects(session) == {}


def test_objects_are_listed_until_they_are_forgotten_themselves(database: Database) -> None:
    with database.begin() as session:
        index.add(session, [place(1), place(2, offset=18, length=7)], {"packs/a.pack": 100}, at=NOON)
        index.forget(session, [digest(1)])
        assert index.list_objects(session) == {"packs/a.pack": index.IndexedObject("packs/a.pack", 100, NOON)}
        index.forget(session, [digest(2)])
        assert index.list_objects(session).keys() == {"packs/a.pack"}
        index.forget_objects(session, ["packs/a.pack", "packs/none.pack"])
        assert index.list_objects(session) == {}


def test_blobs_are_moved_into_a_new_object(database: Database) -> None:
    with database.begin() as session:
        index.add(session, [place(1), place(2, offset=18)], {"packs/a.pack": 100}, at=NOON)
        moved = place(2, "packs/b.pack")
        index.move(session, [moved], "packs/b.pack", 50, at=NOON)
        assert index.find(session, [digest(1), digest(2)]) == {digest(1): place(1), digest(2): moved}


def test_places_are_listed_by_object_and_offset_with_their_age(database: Database) -> None:
    with database.begin() as session:
        index.add(session, [place(2, "packs/b.pack")], {"packs/b.pack": 1}, at=NOON)
        index.add(session, [place(3, offset=18), place(1)], {"packs/a.pack": 1}, at=NOON)
        listed = list(index.list_places(session))
    assert listed == [(place(1), NOON), (place(3, offset=18), NOON), (place(2, "packs/b.pack"), NOON)]


def test_clearing_forgets_everything(database: Database) -> None:
    with database.begin() as session:
        index.add(session, [place(1)], {"packs/a.pack": 100}, at=NOON)
        index.clear(session)
        assert index.missing(session, [digest(1)]) == {digest(1)}
        assert index.list_objects(session) == {}
