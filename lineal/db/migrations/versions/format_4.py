"""Format 4: sweeps, their trials and agents; a run says which trial of which sweep it is."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Boolean, Column, UniqueConstraint

from lineal.db.migrations.columns import INTEGER, JSON_TEXT, MOMENT, REAL, TEXT, key, of, short, some

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("runs", some("sweep", short(64), server_default=""))
    op.add_column("runs", Column("trial", INTEGER))
    op.create_index("runs_by_sweep", "runs", ["sweep", "id"])
    _sweeps()
    _trials()
    _agents()


def _sweeps() -> None:
    op.create_table(
        "sweeps",
        key(),
        some("sweep_id", short(64), unique=True),
        some("entity", short(128)),
        some("project", short(128)),
        some("name", TEXT),
        some("state", short(16)),
        some("config", JSON_TEXT),
        some("prior", JSON_TEXT),
        some("message", TEXT),
        some("user", TEXT),
        some("created_at", MOMENT),
        some("trial_count", INTEGER),
    )
    op.create_index("sweeps_by_project", "sweeps", ["project", "entity", "id"])


def _trials() -> None:
    op.create_table(
        "trials",
        key(),
        of("sweep_id", "sweeps"),
        some("number", INTEGER),
        some("state", short(16)),
        some("params", JSON_TEXT),
        some("run_id", short(64), unique=True),
        some("attempt", INTEGER),
        some("agent", short(64)),
        some("token", short(64)),
        some("values", JSON_TEXT),
        Column("value", REAL),
        Column("objectives", JSON_TEXT),
        some("excess", JSON_TEXT),
        some("feasible", Boolean()),
        some("iterations", INTEGER),
        Column("best", REAL),
        Column("last", REAL),
        some("bands", JSON_TEXT),
        some("message", TEXT),
        some("created_at", MOMENT),
        some("seen_at", MOMENT),
        Column("ended_at", MOMENT),
        UniqueConstraint("sweep_id", "number"),
    )
    op.create_index("trials_by_state", "trials", ["sweep_id", "state", "number"])
    op.create_index("trials_by_token", "trials", ["sweep_id", "token"])
    op.create_index("trials_by_value", "trials", ["sweep_id", "feasible", "value"])


def _agents() -> None:
    op.create_table(
        "sweep_agents",
        key(),
        of("sweep_id", "sweeps"),
        some("agent", short(64)),
        some("host", TEXT),
        some("user", TEXT),
        some("started_at", MOMENT),
        some("seen_at", MOMENT),
        Column("left_at", MOMENT),
        some("message", TEXT),
        UniqueConstraint("sweep_id", "agent"),
    )
