"""The table of lineage: edges between runs and versions."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, SmallInteger, String, Table

from lineal.db.tables.columns import UtcTime, metadata, row_id

# `output` is 1 where the run made the version, 0 where it used it.
edges = Table(
    "edges",
    metadata,
    Column("run_id", row_id, ForeignKey("runs.id"), primary_key=True),
    Column("output", SmallInteger, primary_key=True),
    Column("version_id", row_id, ForeignKey("versions.id"), primary_key=True),
    Column("role", String(128), primary_key=True),
    Column("recorded_at", UtcTime, nullable=False),
    Index("edges_by_version", "version_id", "output", "run_id"),
    sqlite_with_rowid=False,
)
