"""Protected aliases: the least role that may move each, by name or pattern. Never commits."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from sqlalchemy import ColumnElement, and_, bindparam, delete, select, update

from lineal.access.model import Protection
from lineal.access.roles import Role, check_role, largest
from lineal.core.errors import InvalidAlias, ProtectionNotFound
from lineal.core.names import check_name
from lineal.db.schema import protected_aliases
from lineal.db.session import Session, insert_new

_PATTERN = re.compile(r"[A-Za-z0-9*?][A-Za-z0-9._*?-]{0,127}")
_NEEDED = select(protected_aliases.c.alias, protected_aliases.c.role).where(
    protected_aliases.c.entity == bindparam("of"),
    protected_aliases.c.project == bindparam("within"),
    protected_aliases.c.collection.in_(["", bindparam("named")]),
)


def needed(session: Session, entity: str, project: str, collection: str, *aliases: str) -> Role | None:
    """The least role that may move all of these aliases, None where none is protected. One query."""
    if not aliases:
        return None
    rules = session.execute(_NEEDED, {"of": entity, "within": project, "named": collection}).all()
    return largest(rule.role for rule in rules if any(fnmatchcase(alias, rule.alias) for alias in aliases))


def protect(session: Session, entity: str, project: str, collection: str, alias: str, role: str) -> Role | None:
    """The role that it took until now to move what `alias` names there; now it is `role`. Raises invalid.*."""
    check_name(entity, "entity")
    check_name(project, "project")
    if collection:
        check_name(collection, "collection")
    here = _at(entity, project, collection, check_pattern(alias))
    before: Role | None = session.scalar(select(protected_aliases.c.role).where(here))
    place = {"entity": entity, "project": project, "collection": collection, "alias": alias}
    if not insert_new(session, protected_aliases, {**place, "role": check_role(role)}):
        session.execute(update(protected_aliases).where(here).values(role=role))
    return before


def unprotect(session: Session, entity: str, project: str, collection: str, alias: str) -> Role:
    """The role that it took until now. Raises not_found.protection, invalid.alias."""
    gone = delete(protected_aliases).where(_at(entity, project, collection, check_pattern(alias)))
    role: Role | None = session.scalar(gone.returning(protected_aliases.c.role))
    if role is None:
        place = "/".join(part for part in (entity, project, collection) if part)
        raise ProtectionNotFound(
            f"{ascii(alias)[:80]} isn't protected in {place}; `lineal admin alias list` lists what is"
        )
    return role


def list_all(session: Session, *, entity: str | None = None, project: str | None = None) -> list[Protection]:
    """The protected aliases of one project, of one entity or of all, by place and alias."""
    table = protected_aliases.c
    wanted = select(table.entity, table.project, table.collection, table.alias, table.role)
    if entity is not None:
        wanted = wanted.where(table.entity == entity)
    if project is not None:
        wanted = wanted.where(table.project == project)
    rows = session.execute(wanted.order_by(table.entity, table.project, table.collection, table.alias))
    return [Protection(*row) for row in rows]


def check_pattern(text: str) -> str:
    """`text`, if it names aliases: one, or with `*` and `?` many. Raises invalid.alias."""
    if not isinstance(text, str) or not _PATTERN.fullmatch(text):
        raise InvalidAlias(
            f"{ascii(text)[:80]} names no alias; use ASCII letters, digits, '.', '_', '-', and '*' or '?' for any"
        )
    return text


def _at(entity: str, project: str, collection: str, alias: str) -> ColumnElement[bool]:
    table = protected_aliases.c
    place = and_(table.entity == entity, table.project == project, table.collection == collection)
    return and_(place, table.alias == alias)
