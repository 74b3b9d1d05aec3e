"""Every table, from the pages in `tables/`, one for each room.

Ids named `id` are internal; what people and programs see are names and run ids.
"""

from __future__ import annotations

from sqlalchemy import String, Text

from lineal.db.tables.access import (
    api_keys,
    audit_log,
    blob_holders,
    login_attempts,
    projects,
    protected_aliases,
    roles,
    sessions,
    team_members,
    teams,
    users,
)
from lineal.db.tables.columns import UtcTime, meta, metadata
from lineal.db.tables.lineage import edges
from lineal.db.tables.registry import alias_events, aliases, collections, memberships, versions
from lineal.db.tables.storage import blobs, objects
from lineal.db.tables.sweeps import sweep_agents, sweeps, trials
from lineal.db.tables.tracking import (
    run_alerts,
    run_chunks,
    run_files,
    run_keys,
    run_parts,
    run_values,
    run_writers,
    runs,
)

__all__ = [
    "FORMAT",
    "UtcTime",
    "alias_events",
    "aliases",
    "api_keys",
    "audit_log",
    "blob_holders",
    "blobs",
    "collections",
    "edges",
    "login_attempts",
    "memberships",
    "meta",
    "metadata",
    "objects",
    "projects",
    "protected_aliases",
    "roles",
    "run_alerts",
    "run_chunks",
    "run_files",
    "run_keys",
    "run_parts",
    "run_values",
    "run_writers",
    "runs",
    "sessions",
    "sweep_agents",
    "sweeps",
    "team_members",
    "teams",
    "trials",
    "users",
    "versions",
]

FORMAT = 4

# Texts are ordered by code point and as long as they are on PostgreSQL too, whatever its database was made with.
for _table in metadata.tables.values():
    for _column in _table.columns:
        if isinstance(_column.type, String):
            _column.type = _column.type.with_variant(Text(collation="C"), "postgresql")
