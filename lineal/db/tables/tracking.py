"""Tables of tracking: runs, what they record (rows of their streams, files), and values to search by."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from lineal.db.tables.columns import UtcTime, metadata, row_id

# `era` counts rewinds, `cuts` holds the step of each: rows of an era are seen up to the cuts of all later ones.
runs = Table(
    "runs",
    metadata,
    Column("id", row_id, primary_key=True),
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
    Column("parent_id", row_id, ForeignKey("runs.id")),
    Column("parent_step", BigInteger),
    Column("last_step", BigInteger, nullable=False, server_default="-1"),
    Column("era", Integer, nullable=False, server_default="0"),
    Column("cuts", JSON, nullable=False, server_default="[]"),
    Column("sweep", String(64), nullable=False, server_default=""),
    Column("trial", Integer),
    Index("runs_by_project", "project", "entity", "id"),
    Index("runs_by_created", "project", "entity", "created_at"),
    Index("runs_by_parent", "parent_id"),
    Index("runs_by_sweep", "sweep", "id"),
)

# One for each process that wrote into the run: `seq` is the last batch taken from it.
run_writers = Table(
    "run_writers",
    metadata,
    Column("run_id", row_id, ForeignKey("runs.id"), primary_key=True),
    Column("writer", String(64), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Rows as they came in, encoded as tracking/rows.py has it, until they become part of a Parquet file.
run_chunks = Table(
    "run_chunks",
    metadata,
    Column("id", row_id, primary_key=True),
    Column("run_id", row_id, ForeignKey("runs.id"), nullable=False),
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
    Column("id", row_id, primary_key=True),
    Column("run_id", row_id, ForeignKey("runs.id"), nullable=False),
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
    Column("run_id", row_id, ForeignKey("runs.id"), primary_key=True),
    Column("path", Text, primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Index("run_files_by_digest", "digest"),
)

run_alerts = Table(
    "run_alerts",
    metadata,
    Column("id", row_id, primary_key=True),
    Column("run_id", row_id, ForeignKey("runs.id"), nullable=False),
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
    Column("id", row_id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
)

run_values = Table(
    "run_values",
    metadata,
    Column("run_id", row_id, ForeignKey("runs.id"), primary_key=True),
    Column("key_id", row_id, ForeignKey("run_keys.id"), primary_key=True),
    Column("number", Float),
    Column("text", String(256)),
    Index("run_values_by_number", "key_id", "number", "run_id"),
    Index("run_values_by_text", "key_id", "text", "run_id"),
    sqlite_with_rowid=False,
)
