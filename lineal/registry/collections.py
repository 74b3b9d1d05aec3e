"""Collections: found, made with the type they keep, listed, deleted and brought back. Functions never commit."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection as Several
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import bindparam, func, select, tuple_, update

from lineal.core.errors import AmbiguousRef, CollectionNotFound, TypeMismatch
from lineal.core.names import REGISTRY, Ref, check_name
from lineal.db.schema import aliases, collections, memberships, versions
from lineal.db.session import Session, insert_new, lock
from lineal.registry.model import Collection


class Found(NamedTuple):
    """A collection's row id and the facts that other functions need."""

    id: int
    entity: str
    project: str
    name: str
    type: str
    deleted: bool


_FACTS = (
    collections.c.id,
    collections.c.entity,
    collections.c.project,
    collections.c.name,
    collections.c.type,
    collections.c.deleted_at,
)


_NAMED = select(*_FACTS).where(collections.c.name == bindparam("called"), collections.c.entity == bindparam("of"))
_NAMED_IN = _NAMED.where(collections.c.project == bindparam("within"))
_LOCKED_IN = _NAMED_IN.with_for_update(key_share=True)
_LIVE = collections.c.deleted_at.is_(None)
_ANYWHERE, _LIVE_ANYWHERE = _NAMED.limit(1000), _NAMED.where(_LIVE).limit(1000)
_LIVE_IN = _NAMED_IN.where(_LIVE)


def get(
    session: Session,
    ref: Ref,
    *,
    entity: str,
    project: str | None,
    deleted: bool = False,
    locked: bool = False,
    seen: Callable[[str, str, str], bool] | None = None,
) -> Found:
    """The collection that `ref` names, its row `locked` if asked; `entity` and `project` stand in where it has none.

    Where neither gives a project, the name is looked for in all of them and must be unique; the registry, where a
    link may bear its source's name, counts only where no other has it. Only collections that are `seen` (entity,
    project, name) are looked at. Raises not_found.collection,
    invalid.ambiguous_ref.
    """
    entity, project = ref.entity or entity, ref.project or project
    asked = {"called": ref.collection, "of": entity}
    if project is None:
        rows = session.execute(_ANYWHERE if deleted else _LIVE_ANYWHERE, asked).all()
    else:
        rows = session.execute(_NAMED_IN if deleted else _LIVE_IN, asked | {"within": project}).all()
    if seen is not None:
        rows = [row for row in rows if seen(row.entity, row.project, row.name)]
        if not rows:
            raise CollectionNotFound(f"there is no collection {ref.collection!r} that you may read there")
    if not rows:
        raise CollectionNotFound(_absent(session, entity, project, ref.collection))
    rows = [row for row in rows if row.project != REGISTRY] or rows
    if len(rows) > 1:
        places = ", ".join(sorted(f"{row.project}/{row.name}" for row in rows)[:20])
        raise AmbiguousRef(f"{ref.collection!r} is in several projects; say which: {places}")
    found = Found(*rows[0][:5], rows[0].deleted_at is not None)
    if locked and lock(session, collections, [found.id]):
        exact = Ref(found.name, found.entity, found.project)
        return get(session, exact, entity=entity, project=project, deleted=deleted)
    return found


def find(session: Session, entity: str, project: str, name: str) -> Found | None:
    """The collection with exactly that name, unless it isn't there or was deleted."""
    row = session.execute(_LIVE_IN, {"called": name, "of": entity, "within": project}).first()
    return Found(*row[:5], False) if row else None


def get_or_add(session: Session, entity: str, project: str, name: str, type: str, *, at: datetime) -> Found:
    """The collection, made if it isn't there, with its row locked. Raises conflict.type, invalid.name."""
    asked = {"called": name, "of": entity, "within": project}
    row = session.execute(_LOCKED_IN, asked).first()
    if row is None:
        for text, what in ((entity, "entity"), (project, "project"), (name, "collection"), (type, "type")):
            check_name(text, what)
        values = {"entity": entity, "project": project, "name": name, "type": type}
        insert_new(session, collections, {**values, "created_at": at, "description": "", "next_number": 0})
        row = session.execute(_LOCKED_IN, asked).one()
    if row.type != type:
        raise TypeMismatch(f"{project}/{name} holds the type {row.type!r}; it can't take a {type!r}")
    if row.deleted_at is not None:
        session.execute(update(collections).where(collections.c.id == row.id).values(deleted_at=None))
    return Found(*row[:5], False)


def list_all(
    session: Session,
    entity: str,
    project: str | None = None,
    *,
    type: str | None = None,
    deleted: bool = False,
    limit: int | None = None,
    after: tuple[str, str] | None = None,
) -> list[Collection]:
    """The collections by project and name, each with how many versions are left and where its aliases stand.

    At most `limit`, behind the project and name `after`.
    """
    counts = (
        select(
            memberships.c.collection_id,
            func.count().label("count"),
            func.max(memberships.c.number).label("latest"),
        )
        .join(versions, versions.c.id == memberships.c.version_id)
        .where(memberships.c.unlinked_at.is_(None), versions.c.deleted_at.is_(None))
        .group_by(memberships.c.collection_id)
        .subquery()
    )
    wanted = (
        select(collections, counts.c.count, counts.c.latest)
        .outerjoin(counts, counts.c.collection_id == collections.c.id)
        .where(collections.c.entity == entity)
        .order_by(collections.c.project, collections.c.name)
    )
    if project is not None:
        wanted = wanted.where(collections.c.project == project)
    if type is not None:
        wanted = wanted.where(collections.c.type == type)
    if not deleted:
        wanted = wanted.where(collections.c.deleted_at.is_(None))
    if after is not None:
        wanted = wanted.where(tuple_(collections.c.project, collections.c.name) > after)
    rows = session.execute(wanted.limit(limit)).all()
    stands = _aliases(session, [row.id for row in rows] if len(rows) < 500 else None)
    return [
        Collection(
            row.entity,
            row.project,
            row.name,
            row.type,
            row.description,
            row._mapping["count"] or 0,
            row.latest,
            stands.get(row.id, {}),
            row.created_at,
            row.deleted_at,
        )
        for row in rows
    ]


def list_types(session: Session, entity: str, project: str | None = None) -> list[tuple[str, str]]:
    """Each project with each type of its collections, by project."""
    wanted = select(collections.c.project, collections.c.type).distinct().where(collections.c.entity == entity)
    if project is not None:
        wanted = wanted.where(collections.c.project == project)
    return sorted((row[0], row[1]) for row in session.execute(wanted.where(collections.c.deleted_at.is_(None))))


def list_projects(session: Session, entity: str | None = None) -> set[tuple[str, str]]:
    """The projects (entity, project) that have collections, of the entity or of all."""
    wanted = select(collections.c.entity, collections.c.project).distinct().where(collections.c.deleted_at.is_(None))
    wanted = wanted if entity is None else wanted.where(collections.c.entity == entity)
    return {(row[0], row[1]) for row in session.execute(wanted)}


def next_number(session: Session, collection: Found) -> int:
    """A number that no version of the collection has had; the row stays locked until the session ends."""
    number = session.scalar(
        update(collections)
        .where(collections.c.id == collection.id)
        .values(next_number=collections.c.next_number + 1)
        .returning(collections.c.next_number)
    )
    assert number is not None
    return int(number) - 1


def hold(session: Session, ids: Several[int]) -> bool:
    """Whether the collections' rows had to be locked until the session ends: what was read before may be outdated."""
    return lock(session, collections, ids)


def set_deleted(session: Session, collection_id: int, at: datetime | None) -> None:
    """Marks the collection as deleted, or as there again."""
    session.execute(update(collections).where(collections.c.id == collection_id).values(deleted_at=at))


def _aliases(session: Session, ids: list[int] | None) -> dict[int, dict[str, int]]:
    wanted = select(aliases.c.collection_id, aliases.c.name, aliases.c.number).order_by(aliases.c.name)
    if ids is not None:
        wanted = wanted.where(aliases.c.collection_id.in_(ids))
    found: dict[int, dict[str, int]] = {}
    for collection_id, name, number in session.execute(wanted):
        found.setdefault(collection_id, {})[name] = number
    return found


def _absent(session: Session, entity: str, project: str | None, name: str) -> str:
    place = f"project {project!r}" if project is not None else "any project"
    wanted = select(collections.c.project).where(
        collections.c.name == name, collections.c.entity == entity, collections.c.deleted_at.is_(None)
    )
    elsewhere = sorted(session.scalars(wanted.limit(5)))
    hint = f"; there is {', '.join(f'{p}/{name}' for p in elsewhere)}" if elsewhere else "; `lineal ls` lists all"
    return f"no collection {name!r} in {place} of {entity!r}{hint}"
