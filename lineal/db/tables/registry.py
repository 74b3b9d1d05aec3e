"""Tables of the registry: collections, versions, memberships, aliases and their events."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from lineal.db.tables.columns import UtcTime, metadata, row_id

collections = Table(
    "collections",
    metadata,
    Column("id", row_id, primary_key=True),
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

# `held` is 1 once its blobs are known to be its project's; docs/decisions/0013-server.md.
versions = Table(
    "versions",
    metadata,
    Column("id", row_id, primary_key=True),
    Column("collection_id", row_id, ForeignKey("collections.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("file_count", Integer, nullable=False),
    Column("description", Text, nullable=False, default=""),
    Column("metadata", JSON, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("run_id", row_id, ForeignKey("runs.id")),
    Column("ttl_s", BigInteger),
    Column("hold", Text),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("deleted_at", UtcTime),
    Column("deleted_by", Text),
    Column("purged_at", UtcTime),
    Column("held", SmallInteger, nullable=False, default=0, server_default="0"),
    UniqueConstraint("collection_id", "number"),
    Index("versions_by_digest", "digest", "collection_id"),
    Index("versions_unheld", "id", sqlite_where=text("held = 0"), postgresql_where=text("held = 0")),
)

# A version's place in a line: its own collection's (made with it), and each registry collection it is linked into.
memberships = Table(
    "memberships",
    metadata,
    Column("collection_id", row_id, ForeignKey("collections.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("version_id", row_id, ForeignKey("versions.id"), nullable=False),
    Column("linked_at", UtcTime, nullable=False),
    Column("linked_by", Text, nullable=False),
    Column("unlinked_at", UtcTime),
    Index("memberships_by_version", "version_id"),
    sqlite_with_rowid=False,
)

aliases = Table(
    "aliases",
    metadata,
    Column("collection_id", row_id, ForeignKey("collections.id"), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("number", Integer, nullable=False),
    sqlite_with_rowid=False,
)

alias_events = Table(
    "alias_events",
    metadata,
    Column("id", row_id, primary_key=True),
    Column("collection_id", row_id, ForeignKey("collections.id"), nullable=False),
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
