"""Tables of sweeps: their trials, each of which becomes a run, and the agents that take them."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from lineal.db.tables.columns import UtcTime, metadata, row_id

# `prior` holds points and values of runs that came before; `trial_count` is the number of the next new trial.
sweeps = Table(
    "sweeps",
    metadata,
    Column("id", row_id, primary_key=True),
    Column("sweep_id", String(64), nullable=False, unique=True),
    Column("entity", String(128), nullable=False),
    Column("project", String(128), nullable=False),
    Column("name", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("config", JSON, nullable=False),
    Column("prior", JSON, nullable=False),
    Column("message", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("trial_count", Integer, nullable=False),
    Index("sweeps_by_project", "project", "entity", "id"),
)

# `objectives` and `excess` are what the search knows of an ended trial: a number for each objective and constraint;
# `value` is the first of them, to sort by. `best`, `last` and `bands` (the best at each iteration where hyperband
# looks) are of the first objective as it is logged.
trials = Table(
    "trials",
    metadata,
    Column("id", row_id, primary_key=True),
    Column("sweep_id", row_id, ForeignKey("sweeps.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("params", JSON, nullable=False),
    Column("run_id", String(64), nullable=False, unique=True),
    Column("attempt", Integer, nullable=False),
    Column("agent", String(64), nullable=False),
    Column("token", String(64), nullable=False),
    Column("values", JSON, nullable=False),
    Column("value", Float),
    Column("objectives", JSON),
    Column("excess", JSON, nullable=False),
    Column("feasible", Boolean, nullable=False),
    Column("iterations", Integer, nullable=False),
    Column("best", Float),
    Column("last", Float),
    Column("bands", JSON, nullable=False),
    Column("message", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    UniqueConstraint("sweep_id", "number"),
    Index("trials_by_state", "sweep_id", "state", "number"),
    Index("trials_by_token", "sweep_id", "token"),
    Index("trials_by_value", "sweep_id", "feasible", "value"),
)

sweep_agents = Table(
    "sweep_agents",
    metadata,
    Column("id", row_id, primary_key=True),
    Column("sweep_id", row_id, ForeignKey("sweeps.id"), nullable=False),
    Column("agent", String(64), nullable=False),
    Column("host", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("left_at", UtcTime),
    Column("message", Text, nullable=False),
    UniqueConstraint("sweep_id", "agent"),
)
