"""The index: which blobs the store holds and where each lies. Functions on a session that never commit."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import TextClause, bindparam, delete, insert, select, text, update

from lineal.db.schema import blobs, objects
from lineal.db.session import Session, insert_many
from lineal.storage.blobs import Place
from lineal.storage.digest import Digest

# One parameter holds all digests, end to end, so that a question about a million of them is still one query.
_SQLITE = """WITH RECURSIVE asked(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM asked WHERE i + 1 < :count),
digests(digest) AS (SELECT substr(:all, i * 32 + 1, 32) FROM asked) """
# PostgreSQL would keep the rows of a recursion in a table on disk, and has a function that makes them. (A list of
# byte strings as parameter and `unnest` take five times as long: psycopg writes each as hexadecimal text.)
_POSTGRES = """WITH digests(digest) AS (
SELECT substr(CAST(:all AS BYTEA), i * 32 + 1, 32) FROM generate_series(0, :count - 1) AS asked(i)) """
_MISSING = "SELECT d.digest FROM digests d LEFT JOIN blobs b USING (digest) WHERE b.digest IS NULL"
_FIND = (
    "SELECT b.digest, b.size, b.fast, o.key, b.offset, b.length, b.codec "
    "FROM digests d JOIN blobs b USING (digest) JOIN objects o ON o.id = b.object_id"
)


class IndexedObject(NamedTuple):
    """An object that the index knows."""

    key: str
    size: int
    created_at: datetime


def missing(session: Session, digests: Collection[Digest]) -> set[Digest]:
    """Those of `digests` that no row knows."""
    return {row[0] for row in _ask(session, _MISSING, digests)} if digests else set()


def find(session: Session, digests: Collection[Digest]) -> dict[Digest, Place]:
    """Where each of `digests` lies, for those that are known."""
    if not digests:
        return {}
    rows = _ask(session, _FIND, digests)
    return {row[0]: Place._make(row) for row in rows}


def add(
    session: Session,
    places: Collection[Place],
    sizes: Mapping[str, int],
    *,
    at: datetime,
) -> set[str]:
    """Keys among the new objects (`sizes`: key → bytes) that nothing needs, since all their blobs were known."""
    if not sizes:
        return set()
    ids = _add_objects(session, sizes, at)
    rows = [
        (digest, ids[key], offset, length, size, fast, codec)
        for digest, size, fast, key, offset, length, codec in sorted(places)  # as every writer of the same blobs does
    ]
    made = insert_many(session, blobs, rows)
    return set() if made == len(rows) else _drop_redundant(session, places, ids)


def has_object(session: Session, key: str) -> bool:
    """Whether the object is known."""
    return session.execute(select(objects.c.id).where(objects.c.key == key)).first() is not None


def blobs_between(session: Session, key: str, start: int, end: int | None = None) -> list[tuple[Digest, int, int]]:
    """The blobs of the object that have bytes from `start` up to, not with, `end`: digest, offset and length."""
    wanted = (
        select(blobs.c.digest, blobs.c.offset, blobs.c.length)
        .join(objects, objects.c.id == blobs.c.object_id)
        .where(objects.c.key == key, blobs.c.offset + blobs.c.length > start)
        .order_by(blobs.c.offset)
    )
    if end is not None:
        wanted = wanted.where(blobs.c.offset < end)
    return [(Digest(row[0]), row[1], row[2]) for row in session.execute(wanted)]


def forget(session: Session, digests: Collection[Digest]) -> None:
    """Removes the blobs' rows; their objects' rows stay until `forget_objects`."""
    if digests:
        rows = [{"of": digest} for digest in digests]
        session.execute(delete(blobs).where(blobs.c.digest == bindparam("of")), rows)


def forget_objects(session: Session, keys: Collection[str]) -> None:
    """Removes the objects' rows. No blob's row may point to them any more."""
    for key in keys:
        session.execute(delete(objects).where(objects.c.key == key))


def move(session: Session, places: Collection[Place], key: str, size: int, *, at: datetime) -> None:
    """Blobs that lay elsewhere lie in the new object `key` from now on."""
    ids = _add_objects(session, {key: size}, at)
    statement = (
        update(blobs)
        .where(blobs.c.digest == bindparam("of"))
        .values(object_id=ids[key], offset=bindparam("to"), length=bindparam("bytes"))
    )
    session.execute(statement, [{"of": p.digest, "to": p.offset, "bytes": p.length} for p in places])


def describe(session: Session, places: Collection[Place]) -> None:
    """Blobs have the size and the xxh3-128 that `places` say; where they lie stays as it is."""
    statement = (
        update(blobs).where(blobs.c.digest == bindparam("of")).values(size=bindparam("bytes"), fast=bindparam("hash"))
    )
    if places:
        session.execute(statement, [{"of": p.digest, "bytes": p.size, "hash": p.fast} for p in places])


def list_objects(session: Session) -> dict[str, IndexedObject]:
    """Every object, by key."""
    rows = session.execute(select(objects.c.key, objects.c.size, objects.c.created_at)).all()
    return {row[0]: IndexedObject._make(row) for row in rows}


def list_places(session: Session) -> Iterator[tuple[Place, datetime]]:
    """Every blob with the time its object was made, ordered by object and offset."""
    rows = session.execute(
        select(
            blobs.c.digest,
            blobs.c.size,
            blobs.c.fast,
            objects.c.key,
            blobs.c.offset,
            blobs.c.length,
            blobs.c.codec,
            objects.c.created_at,
        )
        .join(objects, objects.c.id == blobs.c.object_id)
        .order_by(objects.c.key, blobs.c.offset)
    )
    for digest, size, fast, key, offset, length, codec, created_at in rows:
        yield Place(Digest(digest), size, fast, key, offset, length, codec), created_at


def clear(session: Session) -> None:
    """Forgets every blob and object."""
    session.execute(delete(blobs))
    session.execute(delete(objects))


def _ask(session: Session, question: str, digests: Collection[Digest]) -> Sequence[Any]:
    statement = _statement(session.dialect.name, question)
    return session.execute(statement, {"all": b"".join(digests), "count": len(digests)}).all()


@cache
def _statement(dialect: str, question: str) -> TextClause:
    return text((_SQLITE if dialect == "sqlite" else _POSTGRES) + question)


def _add_objects(session: Session, sizes: Mapping[str, int], at: datetime) -> dict[str, int]:
    rows = [{"key": key, "size": size, "created_at": at} for key, size in sizes.items()]
    made = session.execute(insert(objects).returning(objects.c.key, objects.c.id), rows)
    return {key: row_id for key, row_id in made}  # noqa: C416 - a result has `keys`, which dict() would call


def _drop_redundant(session: Session, places: Collection[Place], ids: Mapping[str, int]) -> set[str]:
    needed = {place.key for place in find(session, [place.digest for place in places]).values()}
    redundant = set(ids) - needed
    forget_objects(session, redundant)
    return redundant
