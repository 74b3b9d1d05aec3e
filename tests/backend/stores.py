"""Stores that backups are made of and restored into, and what they hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lineal.backend.backup import open_local
from lineal.backend.local.backend import LocalBackend
from lineal.core import settings
from lineal.core.settings import Settings
from lineal.db import dump
from tests.postgres import drop_database, new_database, shared_url

MakeStore = Callable[[str], Settings]


@pytest.fixture
def make_store(tmp_path: Path) -> Iterator[MakeStore]:
    """Settings of a new, empty store: `folder` or `postgres`."""
    made: list[str] = []
    count = iter(range(100))

    def make(kind: str) -> Settings:
        folder = str(tmp_path / f"{kind}{next(count)}")
        if kind == "folder":
            return settings.load(tmp_path, url=folder, user="ada", project="vision")
        made.append(new_database(shared_url()))
        return settings.load(tmp_path, url=made[-1], store=folder, user="ada", project="vision")

    yield make
    for url in made:
        drop_database(url)


def held(here: LocalBackend) -> dict[str, list[bytes]]:
    """Every row of every table."""
    with here.context.database.read() as session:
        return {table.name: list(dump.lines(session, table)) for table in dump.tables()}


def rows_of(where: Settings) -> dict[str, list[bytes]]:
    here = open_local(where)
    try:
        return held(here)
    finally:
        here.close()
