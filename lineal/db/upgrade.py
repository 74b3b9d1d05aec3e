"""A store of a former format becomes one of today's, inside one transaction: as a whole, or not at all.

Format N is what alembic's revision 000N leaves behind (`migrations/versions/`). Alembic is loaded here only, when
there is something to upgrade.
"""

from __future__ import annotations

import threading

from sqlalchemy import Connection, update

from lineal.db import schema

_alone = threading.Lock()  # alembic keeps what it is at in its module


def upgrade(session: Connection, found: int, to: int = schema.FORMAT) -> None:
    """Brings the tables from the format `found` to the format `to`; 0 is an empty database."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "lineal.db:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["session"] = session
    if session.dialect.name == "postgresql":  # indexes over all the rows of a team take as long as they take
        session.exec_driver_sql("SET LOCAL statement_timeout = 0")
    with _alone:
        if found:
            command.stamp(config, _revision(found))
        command.upgrade(config, _revision(to))
    session.exec_driver_sql("DROP TABLE lineal_revisions")
    session.execute(update(schema.meta).where(schema.meta.c.key == "format").values(value=str(to)))


def _revision(format_: int) -> str:
    return f"{format_:04}"
