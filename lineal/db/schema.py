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
    Float,
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

FORMAT = 2
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

# ---- tracking -------------------------------------------------------------------------------------------------

# `era` counts rewinds, `cuts` holds the step of each: rows of an era are seen up to the cuts of all later ones.
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
    Column("group", String(128), nullable=False, server_default=""),
    Column("tags", JSON, nullable=False, server_default="[]"),
    Column("notes", Text, nullable=False, server_default=""),
    Column("summary", JSON, nullable=False, server_default="{}"),
    Column("metrics", JSON, nullable=False, server_default="[]"),
    Column("environment", JSON, nullable=False, server_default="{}"),
    Column("exit_code", Integer),
    Column("message", Text, nullable=False, server_default=""),
    Column("seen_at", UtcTime),
    Column("stop_asked_by", Text),
    Column("parent_id", _id, ForeignKey("runs.id")),
    Column("parent_step", BigInteger),
    Column("last_step", BigInteger, nullable=False, server_default="-1"),
    Column("era", Integer, nullable=False, server_default="0"),
    Column("cuts", JSON, nullable=False, server_default="[]"),
    Index("runs_by_project", "project", "entity", "id"),
    Index("runs_by_created", "project", "entity", "created_at"),
    Index("runs_by_parent", "parent_id"),
)

# ---- what runs record: rows of their streams (history, system, console), files, values to search by ----------

# One for each process that wrote into the run: `seq` is the last batch taken from it.
run_writers = Table(
    "run_writers",
    metadata,
    Column("run_id", _id, ForeignKey("runs.id"), primary_key=True),
    Column("writer", String(64), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Rows as they came in, encoded as tracking/rows.py has it, until they become part of a Parquet file.
run_chunks = Table(
    "run_chunks",
    metadata,
    Column("id", _id, primary_key=True),
    Column("run_id", _id, ForeignKey("runs.id"), nullable=False),
    Column("stream", String(16), nullable=False),
    Column("era", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("size", BigInteger, nullable=False),
    Index("run_chunks_by_run", "run_id", "stream"),
    sqlite_autoincrement=True,
)

# Parquet files of rows: `level` counts how often its rows were merged, `hidden` those that a rewind took away.
run_parts = Table(
    "run_parts",
    metadata,
    Column("id", _id, primary_key=True),
    Column("run_id", _id, ForeignKey("runs.id"), nullable=False),
    Column("stream", String(16), nullable=False),
    Column("era", Integer, nullable=False),
    Column("level", Integer, nullable=False),
    Column("hidden", SmallInteger, nullable=False, default=0),
    Column("digest", LargeBinary(32), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Index("run_parts_by_run", "run_id", "stream"),
    Index("run_parts_by_digest", "digest"),
    sqlite_autoincrement=True,
)

run_files = Table(
    "run_files",
    metadata,
    Column("run_id", _id, ForeignKey("runs.id"), primary_key=True),
    Column("path", Text, primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Index("run_files_by_digest", "digest"),
)

run_alerts = Table(
    "run_alerts",
    metadata,
    Column("id", _id, primary_key=True),
    Column("run_id", _id, ForeignKey("runs.id"), nullable=False),
    Column("alert_id", String(64), nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("level", String(16), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("channels", JSON, nullable=False),
    Column("repeats", Integer, nullable=False),
    UniqueConstraint("run_id", "alert_id"),
)

# Config and summary values by dotted key (`config.lr`, `summary.val.acc`), so that runs can be found by them.
run_keys = Table(
    "run_keys",
    metadata,
    Column("id", _id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
)

run_values = Table(
    "run_values",
    metadata,
    Column("run_id", _id, ForeignKey("runs.id"), primary_key=True),
    Column("key_id", _id, ForeignKey("run_keys.id"), primary_key=True),
    Column("number", Float),
    Column("text", String(256)),
    Index("run_values_by_number", "key_id", "number", "run_id"),
    Index("run_values_by_text", "key_id", "text", "run_id"),
    sqlite_with_rowid=False,
)

# ---- lineage -------------------------------------------------------------------------------------------------

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

# Texts are ordered by code point and as long as they are on PostgreSQL too, whatever its database was made with.
for _table in metadata.tables.values():
    for _column in _table.columns:
        if isinstance(_column.type, String):
            _column.type = _column.type.with_variant(Text(collation="C"), "postgresql")
