"""Format 2: all that runs record: rows, files, alerts, values to find them by, rewinds and forks."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, UniqueConstraint

from lineal.db.migrations.columns import (
    BIG,
    BYTES,
    INTEGER,
    JSON_TEXT,
    MOMENT,
    REAL,
    SMALL,
    TEXT,
    key,
    of,
    short,
    some,
)

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _runs()
    _rows()
    _files()
    _values()


def _runs() -> None:
    for column in (
        some("group", short(128), server_default=""),
        some("tags", JSON_TEXT, server_default="[]"),
        some("notes", TEXT, server_default=""),
        some("summary", JSON_TEXT, server_default="{}"),
        some("metrics", JSON_TEXT, server_default="[]"),
        some("environment", JSON_TEXT, server_default="{}"),
        Column("exit_code", INTEGER),
        some("message", TEXT, server_default=""),
        Column("seen_at", MOMENT),
        Column("stop_asked_by", TEXT),
    ):
        op.add_column("runs", column)
    kind = "INTEGER" if op.get_bind().dialect.name == "sqlite" else "BIGINT"
    op.execute(f"ALTER TABLE runs ADD COLUMN parent_id {kind} REFERENCES runs (id)")  # alembic can't, on SQLite
    for column in (
        Column("parent_step", BIG),
        some("last_step", BIG, server_default="-1"),
        some("era", INTEGER, server_default="0"),
        some("cuts", JSON_TEXT, server_default="[]"),
    ):
        op.add_column("runs", column)
    op.create_index("runs_by_project", "runs", ["project", "entity", "id"])
    op.create_index("runs_by_created", "runs", ["project", "entity", "created_at"])
    op.create_index("runs_by_parent", "runs", ["parent_id"])


def _rows() -> None:
    op.create_table(
        "run_writers",
        of("run_id", "runs", primary_key=True),
        Column("writer", short(64), primary_key=True),
        some("seq", BIG),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "run_chunks",
        key(),
        of("run_id", "runs"),
        some("stream", short(16)),
        some("era", INTEGER),
        some("data", BYTES),
        some("size", BIG),
        sqlite_autoincrement=True,
    )
    op.create_index("run_chunks_by_run", "run_chunks", ["run_id", "stream"])
    op.create_table(
        "run_parts",
        key(),
        of("run_id", "runs"),
        some("stream", short(16)),
        some("era", INTEGER),
        some("level", INTEGER),
        some("hidden", SMALL),
        some("digest", BYTES),
        some("size", BIG),
        some("rows", BIG),
        sqlite_autoincrement=True,
    )
    op.create_index("run_parts_by_run", "run_parts", ["run_id", "stream"])
    op.create_index("run_parts_by_digest", "run_parts", ["digest"])


def _files() -> None:
    op.create_table(
        "run_files",
        of("run_id", "runs", primary_key=True),
        Column("path", TEXT, primary_key=True),
        some("digest", BYTES),
        some("size", BIG),
        some("created_at", MOMENT),
    )
    op.create_index("run_files_by_digest", "run_files", ["digest"])
    op.create_table(
        "run_alerts",
        key(),
        of("run_id", "runs"),
        some("alert_id", short(64)),
        some("title", TEXT),
        some("text", TEXT),
        some("level", short(16)),
        some("at", MOMENT),
        some("channels", JSON_TEXT),
        some("repeats", INTEGER),
        UniqueConstraint("run_id", "alert_id"),
    )


def _values() -> None:
    op.create_table("run_keys", key(), some("name", TEXT, unique=True))
    op.create_table(
        "run_values",
        of("run_id", "runs", primary_key=True),
        of("key_id", "run_keys", primary_key=True),
        Column("number", REAL),
        Column("text", short(256)),
        sqlite_with_rowid=False,
    )
    op.create_index("run_values_by_number", "run_values", ["key_id", "number", "run_id"])
    op.create_index("run_values_by_text", "run_values", ["key_id", "text", "run_id"])
