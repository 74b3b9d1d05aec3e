"""Versions: added gapless and never changed in content, resolved from refs, deleted to a tombstone and restored.

A version's row belongs to its own collection; a membership places it, there and in every registry collection it is
linked into. Functions on a session that never commit.
"""

from __future__ import annotations

from collections.abc import Collection as Several
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, case, func, insert, select, update

from lineal.core.errors import AmbiguousRef, VersionNotFound
from lineal.core.names import Ref, format_number, format_ref
from lineal.db.schema import alias_events, aliases, collections, memberships, runs, versions
from lineal.db.session import Session
from lineal.registry.collections import Found, next_number
from lineal.registry.model import NewVersion, Version
from lineal.storage import digest as digests

_home = collections.alias("home")
_borne = aliases.alias("borne")


def _every_place() -> Select[Any]:
    """Each version through each collection that it was ever placed in."""
    named = (
        select(func.aggregate_strings(_borne.c.name, "/"))
        .where(_borne.c.collection_id == memberships.c.collection_id, _borne.c.number == memberships.c.number)
        .correlate(memberships)
        .scalar_subquery()
    )
    return (
        select(
            versions,
            collections.c.entity,
            collections.c.project,
            collections.c.name.label("collection"),
            collections.c.type,
            memberships.c.collection_id.label("in_id"),
            memberships.c.number.label("in_number"),
            memberships.c.unlinked_at,
            _home.c.project.label("home_project"),
            _home.c.name.label("home_name"),
            runs.c.run_id.label("by_run"),
            named.label("aliases"),
        )
        .select_from(memberships)
        .join(versions, versions.c.id == memberships.c.version_id)
        .join(collections, collections.c.id == memberships.c.collection_id)
        .join(_home, _home.c.id == versions.c.collection_id)
        .outerjoin(runs, runs.c.id == versions.c.run_id)
    )


# Statements are built once: building one takes SQLAlchemy longer than SQLite takes to answer it.
_PLACES = _every_place()
_IN = _PLACES.where(memberships.c.collection_id == bindparam("in_id"))
_BY_NUMBER = _IN.where(memberships.c.number == bindparam("wanted"))
_LIVE = _IN.where(memberships.c.unlinked_at.is_(None), versions.c.deleted_at.is_(None))
_NEWEST = _LIVE.order_by(memberships.c.number.desc()).limit(5)
_BY_ALIAS = _NEWEST.join(
    aliases, and_(aliases.c.collection_id == memberships.c.collection_id, aliases.c.number == memberships.c.number)
).where(aliases.c.name == bindparam("alias"))
_BY_DIGEST = _NEWEST.where(versions.c.digest.between(bindparam("low"), bindparam("high")))


_HERE = _PLACES.where(
    collections.c.name == bindparam("called"),
    collections.c.entity == bindparam("of"),
    collections.c.project == bindparam("within"),
    collections.c.deleted_at.is_(None),
    memberships.c.unlinked_at.is_(None),
    versions.c.deleted_at.is_(None),
)
_HERE_BY_NUMBER = _HERE.where(memberships.c.number == bindparam("wanted"))
_HERE_NEWEST = _HERE.order_by(memberships.c.number.desc()).limit(1)
_HERE_BY_ALIAS = _HERE.join(
    aliases, and_(aliases.c.collection_id == collections.c.id, aliases.c.number == memberships.c.number)
).where(aliases.c.name == bindparam("alias"))


class Placed(NamedTuple):
    """A version and the row ids that tables join on: its own, and the collection it is seen through."""

    id: int
    collection_id: int
    version: Version


def add(
    session: Session, collection: Found, new: NewVersion, *, run: int | None, user: str, at: datetime
) -> tuple[Placed, bool]:
    """The collection's version of that content, and whether it had to be made. The collection's row is locked."""
    digest = digests.parse(new.digest)
    wanted = _PLACES.where(
        versions.c.collection_id == collection.id,
        versions.c.digest == digest,
        versions.c.deleted_at.is_(None),
        memberships.c.collection_id == collection.id,
    )
    if row := session.execute(wanted.limit(1)).first():
        return _placed(row), False
    number = next_number(session, collection)
    made = insert(versions).values(
        collection_id=collection.id,
        number=number,
        digest=digest,
        size=new.size_bytes,
        file_count=new.file_count,
        description=new.description,
        metadata=dict(new.metadata),
        tags=list(new.tags),
        run_id=run,
        ttl_s=new.ttl_s,
        created_at=at,
        created_by=user,
    )
    version_id = session.scalar(made.returning(versions.c.id))
    assert version_id is not None
    place(session, collection.id, number, version_id, user=user, at=at)
    return get(session, collection, number), True


def has_content(session: Session, collection: Found, digest: str) -> bool:
    """Whether a version of the collection that isn't deleted has that content."""
    wanted = select(versions.c.id).where(
        versions.c.collection_id == collection.id,
        versions.c.digest == digests.parse(digest),
        versions.c.deleted_at.is_(None),
    )
    return session.execute(wanted).first() is not None


def place(session: Session, collection_id: int, number: int, version_id: int, *, user: str, at: datetime) -> None:
    """Gives the version a number in the collection."""
    values = {"collection_id": collection_id, "number": number, "version_id": version_id}
    session.execute(insert(memberships).values(**values, linked_at=at, linked_by=user))


def get(session: Session, collection: Found, number: int, *, deleted: bool = False) -> Placed:
    """The version with that number in the collection. Raises not_found.version, for a deleted one too."""
    row = session.execute(_BY_NUMBER, {"in_id": collection.id, "wanted": number}).first()
    name = f"{collection.name}:{format_number(number)}"
    if row is None or (row.unlinked_at is not None and not deleted):
        raise VersionNotFound(f"there is no {name}{_hint(session, collection)}")
    if row.deleted_at is not None and not deleted:
        ending = "its bytes are gone" if row.purged_at else f"`lineal restore {name}` brings it back"
        raise VersionNotFound(f"{name} was deleted; {ending}")
    return _placed(row)


def find(session: Session, ref: Ref, *, entity: str, project: str) -> Placed | None:
    """The version that `ref`, not by digest, names in that project now, by one query; None leaves why to others."""
    found = find_with(session, ref, None, entity=entity, project=project)
    return found[0] if found else None


def find_with(
    session: Session, ref: Ref, column: ColumnElement[Any] | None, *, entity: str, project: str, **more: object
) -> tuple[Placed, Any] | None:
    """As `find`, and what a `column` of others' says in the same query, in which `of` and `within` are the place."""
    asked: dict[str, Any] = {"called": ref.collection, "of": entity, "within": project, **more}
    if ref.number is not None:
        wanted, asked["wanted"] = _HERE_BY_NUMBER, ref.number
    elif ref.alias is not None:
        wanted, asked["alias"] = _HERE_BY_ALIAS, ref.alias
    else:
        wanted = _HERE_NEWEST
    row = session.execute(wanted if column is None else _beside(wanted, column), asked).first()
    return (_placed(row), None if column is None else row[-1]) if row else None


@cache
def _beside(wanted: Select[Any], column: ColumnElement[Any]) -> Select[Any]:
    return wanted.add_columns(column)


def collection_of(placed: Placed) -> Found:
    """The collection through which the version is seen."""
    seen = placed.version
    return Found(placed.collection_id, seen.entity, seen.project, seen.collection, seen.type, False)


def resolve(session: Session, collection: Found, ref: Ref) -> Placed:
    """The version that `ref` names in the collection now. Raises not_found.version, invalid.ambiguous_ref."""
    if ref.number is not None:
        return get(session, collection, ref.number)
    asked: dict[str, Any] = {"in_id": collection.id}
    if ref.alias is not None:
        rows = session.execute(_BY_ALIAS, asked | {"alias": ref.alias}).all()
    elif ref.digest_prefix is not None:
        low, high = _range(ref.digest_prefix)
        rows = session.execute(_BY_DIGEST, asked | {"low": low, "high": high}).all()
    else:
        rows = session.execute(_NEWEST, asked).all()
    if not rows:
        raise VersionNotFound(f"nothing stands at {format_ref(ref)}{_hint(session, collection)}")
    if ref.digest_prefix is not None and len({row.digest for row in rows}) > 1:
        raise AmbiguousRef(
            f"several versions of {collection.name} have digests that begin like that; give more digits"
        )
    return _placed(rows[0])


def latest_at(session: Session, collection: Found, at: datetime) -> int | None:
    """The number that `latest` stood at: the newest then made and not yet deleted or unlinked."""
    alive = and_(
        memberships.c.linked_at <= at,
        (memberships.c.unlinked_at.is_(None)) | (memberships.c.unlinked_at > at),
        (versions.c.deleted_at.is_(None)) | (versions.c.deleted_at > at),
    )
    wanted = (
        select(func.max(memberships.c.number))
        .join(versions, versions.c.id == memberships.c.version_id)
        .where(memberships.c.collection_id == collection.id, alive)
    )
    number: int | None = session.scalar(wanted)
    return number


def list_all(
    session: Session, collection: Found, *, deleted: bool = False, limit: int | None = None, below: int | None = None
) -> list[Placed]:
    """The collection's versions, newest first; with `deleted`, tombstones too. At most `limit`, numbered `below`."""
    wanted = (_IN if deleted else _LIVE).order_by(memberships.c.number.desc()).limit(limit)
    if below is not None:
        wanted = wanted.where(memberships.c.number < below)
    return [_placed(row) for row in session.execute(wanted, {"in_id": collection.id})]


def list_by_id(session: Session, ids: Several[int]) -> dict[int, Version]:
    """The versions with these row ids, each as its own collection shows it, tombstones included."""
    found: dict[int, Version] = {}
    waiting = list(ids)
    for start in range(0, len(waiting), 10_000):
        wanted = _PLACES.where(
            versions.c.id.in_(waiting[start : start + 10_000]),
            memberships.c.collection_id == versions.c.collection_id,
        )
        found |= {row.id: _placed(row).version for row in session.execute(wanted)}
    return found


def list_everywhere(
    session: Session, *, entity: str | None = None, project: str | None = None, type: str | None = None
) -> list[Placed]:
    """Every version whose bytes aren't gone, as its own collection shows it, tombstones included, oldest first.

    Of one entity, project or type, where these are given.
    """
    wanted = _PLACES.where(memberships.c.collection_id == versions.c.collection_id, versions.c.purged_at.is_(None))
    for column, given in (
        (collections.c.entity, entity),
        (collections.c.project, project),
        (collections.c.type, type),
    ):
        if given is not None:
            wanted = wanted.where(column == given)
    return [_placed(row) for row in session.execute(wanted.order_by(versions.c.id))]


def change(session: Session, version_id: int, values: Mapping[str, Any]) -> None:
    """Sets columns of the version that may change: description, metadata, tags, ttl_s, hold, deletion marks."""
    session.execute(update(versions).where(versions.c.id == version_id).values(**values))


def places_of(session: Session, version_id: int, *, unlinked: bool = False) -> list[Placed]:
    """The version through every collection that holds it now, its own first; with `unlinked`, that ever held it."""
    wanted = _PLACES.where(memberships.c.version_id == version_id)
    if not unlinked:
        wanted = wanted.where(memberships.c.unlinked_at.is_(None))
    rows = session.execute(wanted).all()
    return sorted((_placed(row) for row in rows), key=lambda p: (p.version.linked, p.version.ref))


def collections_of(session: Session, ids: Several[int]) -> set[int]:
    """The row ids of all collections that hold any of the versions now."""
    found: set[int] = set()
    waiting = list(ids)
    for start in range(0, len(waiting), 10_000):
        wanted = select(memberships.c.collection_id).where(
            memberships.c.version_id.in_(waiting[start : start + 10_000]), memberships.c.unlinked_at.is_(None)
        )
        found |= set(session.scalars(wanted))
    return found


def links_by_id(session: Session) -> dict[int, list[str]]:
    """For every version that is linked somewhere now, the refs of its links."""
    wanted = _PLACES.where(
        memberships.c.collection_id != versions.c.collection_id, memberships.c.unlinked_at.is_(None)
    )
    found: dict[int, list[str]] = {}
    for row in session.execute(wanted):
        found.setdefault(row.id, []).append(_placed(row).version.ref)
    return found


def state(session: Session) -> str:
    """A text that differs once a version was made, deleted, restored, held, linked, given a ttl or an alias.

    It counts rows, as the newest id doesn't tell: on PostgreSQL a lower one may be committed later.
    """
    held = func.sum(case((versions.c.hold.is_not(None), versions.c.id), else_=0))
    deleted = func.sum(case((versions.c.deleted_at.is_not(None), versions.c.id), else_=0))
    parts = [
        *session.execute(select(func.count(versions.c.ttl_s), func.sum(versions.c.ttl_s), held, deleted)).one(),
        *session.execute(select(func.count(), func.count(memberships.c.unlinked_at))).one(),
        session.scalar(select(func.count()).select_from(alias_events)),
    ]
    return "/".join(map(str, parts))


def _placed(row: Row[Any]) -> Placed:
    version = Version(
        entity=row.entity,
        project=row.project,
        collection=row.collection,
        type=row.type,
        number=row.in_number,
        digest=digests.format(row.digest),
        size_bytes=row.size,
        file_count=row.file_count,
        description=row.description,
        metadata=row.metadata,
        tags=tuple(row.tags),
        aliases=tuple(sorted(row.aliases.split("/"))) if row.aliases else (),
        source=f"{row.entity}/{row.home_project}/{row.home_name}:{format_number(row.number)}",
        run_id=row.by_run,
        ttl_s=row.ttl_s,
        hold=row.hold,
        created_at=row.created_at,
        created_by=row.created_by,
        deleted_at=row.deleted_at,
        purged_at=row.purged_at,
    )
    return Placed(row.id, row.in_id, version)


def _range(prefix: str) -> tuple[bytes, bytes]:
    return bytes.fromhex(prefix.ljust(64, "0")), bytes.fromhex(prefix.ljust(64, "f"))


def _hint(session: Session, collection: Found) -> str:
    newest = session.scalar(
        select(func.max(memberships.c.number)).where(memberships.c.collection_id == collection.id)
    )
    names = session.scalars(select(aliases.c.name).where(aliases.c.collection_id == collection.id).limit(10))
    known = ", ".join(sorted(names))
    if newest is None:
        return f"; {collection.name} has no versions"
    return f"; {collection.name} goes up to v{newest}" + (f" and has the aliases {known}" if known else "")
