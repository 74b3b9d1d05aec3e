"""Format 1: blobs and objects, collections, versions, aliases, runs as their makers, and edges."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, UniqueConstraint

from lineal.db.migrations.columns import BIG, BYTES, ID, INTEGER, JSON_TEXT, MOMENT, SMALL, TEXT, key, of, short, some

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table("meta", Column("key", short(64), primary_key=True), some("value", TEXT))
    _storage()
    op.create_table(
        "runs",
        key(),
        some("run_id", short(64), unique=True),
        some("entity", short(128)),
        some("project", short(128)),
        some("name", TEXT),
        some("job_type", short(128)),
        some("state", short(16)),
        some("config", JSON_TEXT),
        some("code", JSON_TEXT),
        some("user", TEXT),
        some("host", TEXT),
        some("created_at", MOMENT),
        Column("finished_at", MOMENT),
    )
    _registry()
    _lines()
    op.create_table(
        "edges",
        of("run_id", "runs", primary_key=True),
        Column("output", SMALL, primary_key=True, autoincrement=False),
        of("version_id", "versions", primary_key=True),
        Column("role", short(128), primary_key=True),
        some("recorded_at", MOMENT),
        sqlite_with_rowid=False,
    )
    op.create_index("edges_by_version", "edges", ["version_id", "output", "run_id"])


def _storage() -> None:
    op.create_table(
        "objects",
        key(),
        some("key", TEXT, unique=True),
        some("size", BIG),
        some("created_at", MOMENT),
    )
    op.create_table(
        "blobs",
        Column("digest", BYTES, primary_key=True),
        of("object_id", "objects"),
        some("offset", BIG),
        some("length", BIG),
        some("size", BIG),
        some("fast", BYTES),
        some("codec", SMALL),
        sqlite_with_rowid=False,
    )


def _registry() -> None:
    op.create_table(
        "collections",
        key(),
        some("entity", short(128)),
        some("project", short(128)),
        some("name", short(128)),
        some("type", short(128)),
        some("description", TEXT),
        some("next_number", INTEGER),
        some("created_at", MOMENT),
        Column("deleted_at", MOMENT),
        UniqueConstraint("entity", "project", "name"),
    )
    op.create_index("collections_by_name", "collections", ["name"])
    op.create_table(
        "versions",
        key(),
        of("collection_id", "collections"),
        some("number", INTEGER),
        some("digest", BYTES),
        some("size", BIG),
        some("file_count", INTEGER),
        some("description", TEXT),
        some("metadata", JSON_TEXT),
        some("tags", JSON_TEXT),
        of("run_id", "runs", nullable=True),
        Column("ttl_s", BIG),
        Column("hold", TEXT),
        some("created_at", MOMENT),
        some("created_by", TEXT),
        Column("deleted_at", MOMENT),
        Column("deleted_by", TEXT),
        Column("purged_at", MOMENT),
        UniqueConstraint("collection_id", "number"),
    )
    op.create_index("versions_by_digest", "versions", ["digest", "collection_id"])


def _lines() -> None:
    op.create_table(
        "memberships",
        of("collection_id", "collections", primary_key=True),
        Column("number", INTEGER, primary_key=True, autoincrement=False),
        of("version_id", "versions"),
        some("linked_at", MOMENT),
        some("linked_by", TEXT),
        Column("unlinked_at", MOMENT),
        sqlite_with_rowid=False,
    )
    op.create_index("memberships_by_version", "memberships", ["version_id"])
    op.create_table(
        "aliases",
        of("collection_id", "collections", primary_key=True),
        Column("name", short(128), primary_key=True),
        some("number", INTEGER),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "alias_events",
        Column("id", ID, primary_key=True),
        of("collection_id", "collections"),
        some("alias", short(128)),
        some("kind", short(16)),
        some("at", MOMENT),
        some("user", TEXT),
        some("host", TEXT),
        Column("from_number", INTEGER),
        Column("to_number", INTEGER),
        some("why", TEXT),
    )
    op.create_index("alias_events_by_alias", "alias_events", ["collection_id", "alias", "id"])
