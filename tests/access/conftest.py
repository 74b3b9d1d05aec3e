"""A session in an empty database of each kind, and the users that tests speak of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lineal.access import users
from lineal.db.session import Database, Session, open_file, open_postgres

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        opened = open_file(str(tmp_path / "lineal.db"))
    else:
        opened = open_postgres(request.getfixturevalue("postgres_url"))
    yield opened
    opened.close()


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with database.begin() as session:
        yield session


@pytest.fixture
def user(session: Session) -> Callable[[str], int]:
    """The id of the user of that name, made if they aren't there."""

    def user_(name: str) -> int:
        found = users.find(session, name) or users.add(session, name, at=NOON)
        return found.id

    return user_
