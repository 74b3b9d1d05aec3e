"""Projects as access sees them: who may read each; one without a row is as one that is `team`. Never commits."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, select, union, update

from lineal.access.model import Project
from lineal.access.roles import Visibility, check_visibility
from lineal.core.names import check_name
from lineal.db.schema import collections, projects, runs
from lineal.db.session import Session, insert_new

NEW: Visibility = "team"
_HERE = (projects.c.entity == bindparam("of")) & (projects.c.project == bindparam("within"))
_ID = select(projects.c.id).where(_HERE)
_VISIBILITY = select(projects.c.visibility).where(_HERE)


def get_or_add(session: Session, entity: str, project: str, *, at: datetime) -> int:
    """The id of the project's row, made if it isn't there. Raises invalid.name."""
    asked = {"of": entity, "within": project}
    found = session.scalar(_ID, asked)
    if found is None:
        check_name(entity, "entity")
        check_name(project, "project")
        insert_new(session, projects, {"entity": entity, "project": project, "visibility": NEW, "created_at": at})
        found = session.scalar(_ID, asked)
    assert found is not None
    return int(found)


def visibility(session: Session, entity: str, project: str) -> Visibility:
    """Who may read the project."""
    found: Visibility | None = session.scalar(_VISIBILITY, {"of": entity, "within": project})
    return found or NEW


def set_visibility(session: Session, entity: str, project: str, value: str, *, at: datetime) -> Visibility:
    """Who could read the project until now; from now on it is `value`."""
    check_visibility(value)
    row_id = get_or_add(session, entity, project, at=at)
    before = visibility(session, entity, project)
    session.execute(update(projects).where(projects.c.id == row_id).values(visibility=value))
    return before


def list_all(session: Session) -> list[Project]:
    """Every project that has a row, by name."""
    wanted = select(projects.c.entity, projects.c.project, projects.c.visibility, projects.c.created_at)
    return [Project(*row) for row in session.execute(wanted.order_by(projects.c.entity, projects.c.project))]


def record_all(session: Session, *, at: datetime) -> None:
    """Gives a row to every project that has runs or collections: those from before there were such rows."""
    used = union(*(select(table.c.entity, table.c.project).distinct() for table in (collections, runs)))
    for entity, project in sorted((row[0], row[1]) for row in session.execute(used)):
        insert_new(session, projects, {"entity": entity, "project": project, "visibility": NEW, "created_at": at})
