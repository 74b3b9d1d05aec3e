"""The upgrade of a store to the format of this Lineal, by whoever runs it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lineal.backend.connect import DATABASES, HTTP, connect, upgraded
from lineal.core.errors import InvalidSettings
from lineal.core.settings import Settings, shown

if TYPE_CHECKING:
    from lineal.db.session import Session


def migrate(settings: Settings) -> tuple[int, int]:
    """The format that the store had, and the one that it has now; an empty one is made.

    All or nothing, and safe while others do the same. Raises unavailable.newer_format, unavailable.database_busy.
    """
    from lineal.db import schema
    from lineal.db.session import open_postgres

    before = schema.FORMAT

    def noted(session: Session, found: int) -> None:
        nonlocal before
        before = found
        upgraded(session, found)

    if settings.url.startswith(DATABASES):
        open_postgres(settings.url, upgraded=noted).close()
        return before, schema.FORMAT
    before, _ = pending(settings)
    connect(settings).close()  # a folder upgrades itself
    return before, schema.FORMAT


def pending(settings: Settings) -> tuple[int, int]:
    """The format that the store has, which stays as it is, and the one that `migrate` would leave."""
    from lineal.db import schema
    from lineal.db.session import find_format

    url = settings.url
    if url.startswith((*HTTP, "memory:")):
        raise InvalidSettings(f"{shown(url)} is no store that can be upgraded; name its folder or database")
    place = url if url.startswith(DATABASES) else str(Path(url.removeprefix("file://")).expanduser() / "lineal.db")
    return find_format(place) or schema.FORMAT, schema.FORMAT
