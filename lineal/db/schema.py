"""Every table on one page. Ids named `id` are internal; what people and programs see are names and run ids."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

FORMAT = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class UtcTime(TypeDecorator[datetime]):
    """An aware moment in UTC: microseconds since 1970 on SQLite, a timestamp with time zone elsewhere."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(BigInteger() if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError("a moment without a time zone can't be stored")
        return (value - _EPOCH) // _MICROSECOND if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return _EPOCH + timedelta(microseconds=value) if dialect.name == "sqlite" else value.astimezone(UTC)


_id = BigInteger().with_variant(Integer(), "sqlite")
metadata = MetaData()

meta = Table("meta", metadata, Column("key", String(64), primary_key=True), Column("value", Text, nullable=False))

# ---- storage -------------------------------------------------------------------------------------------------

objects = Table(
    "objects",
    metadata,
    Column("id", _id, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("size", BigInteger, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

blobs = Table(
    "blobs",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("object_id", _id, ForeignKey("objects.id"), nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("fast", LargeBinary(16), nullable=False),
    Column("codec", SmallInteger, nullable=False),
    sqlite_with_rowid=False,
)

# ---- registry ------------------------------------------------------------------------------------------------

collections = Table(
    "collections",
    metadata,
    Column("id", _id, primary_key=True),
    Column("entity", String(128), nullable=False),
    Column("project", String(128), nullable=False),
    Column("name", String(128), nullable=False),
    Column("type", String(128), nullable=False),
    Column("description", Text, nullable=False, default=""),
    Column("next_number", Integer, nullable=False, default=0),
    Column("created_at", UtcTime, nullable=False),
    Column("deleted_at", UtcTime),
    UniqueConstraint("entity", "project", "name"),
    Index("collections_by_name", "name"),
)

versions = Table(
    "versions",
    metadata,
    Column("id", _id, primary_key=True),
    Column("collection_id", _id, ForeignKey("collections.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("file_count", Integer, nullable=False),
    Column("description", Text, nullable=False, default=""),
    Column("metadata", JSON, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("run_id", _id, ForeignKey("runs.id")),
    Column("ttl_s", BigInteger),
    Column("hold", Text),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("deleted_at", UtcTime),
    Column("deleted_by", Text),
    Column("purged_at", UtcTime),
    UniqueConstraint("collection_id", "number"),
    Index("versions_by_digest", "digest", "collection_id"),
)

# A version's place in a line: its own collection's (made with it), and each registry collection it is linked into.
memberships = Table(
    "memberships",
    metadata,
    Column("collection_id", _id, ForeignKey("collections.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("version_id", _id, ForeignKey("versions.id"), nullable=False),
    Column("linked_at", UtcTime, nullable=False),
    Column("linked_by", Text, nullable=False),
    Column("unlinked_at", UtcTime),
    Index("memberships_by_version", "version_id"),
    sqlite_with_rowid=False,
)

aliases = Table(
    "aliases",
    metadata,
    Column("collection_id", _id, ForeignKey("collections.id"), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("number", Integer, nullable=False),
    sqlite_with_rowid=False,
)

alias_events = Table(
    "alias_events",
    metadata,
    Column("id", _id, primary_key=True),
    Column("collection_id", _id, ForeignKey("collections.id"), nullable=False),
    Column("alias", String(128), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("user", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("from_number", Integer),
    Column("to_number", Integer),
    Column("why", Text, nullable=False, default=""),
    Index("alias_events_by_alias", "collection_id", "alias", "id"),
)

# ---- tracking and lineage ------------------------------------------------------------------------------------

runs = Table(
    "runs",
    metadata,
    Column("id", _id, primary_key=True),
    Column("run_id", String(64), nullable=False, unique=True),
    Column("entity", String(128), nullable=False),
    Column("project", String(128), nullable=False),
    Column("name", Text, nullable=False),
    Column("job_type", String(128), nullable=False, default=""),
    Column("state", String(16), nullable=False),
    Column("config", JSON, nullable=False),
    Column("code", JSON, nullable=False),
    Column("user", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
)

# `output` is 1 where the run made the version, 0 where it used it.
edges = Table(
    "edges",
    metadata,
    Column("run_id", _id, ForeignKey("runs.id"), primary_key=True),
    Column("output", SmallInteger, primary_key=True),
    Column("version_id", _id, ForeignKey("versions.id"), primary_key=True),
    Column("role", String(128), primary_key=True),
    Column("recorded_at", UtcTime, nullable=False),
    Index("edges_by_version", "version_id", "output", "run_id"),
    sqlite_with_rowid=False,
)
