"""Format 3: who may do what: users, teams, projects, roles, keys, sessions, protected aliases, audit, holders."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Boolean, Column, UniqueConstraint, text

from lineal.db.migrations.columns import BYTES, ID, JSON_TEXT, MOMENT, SMALL, TEXT, key, of, short, some

revision = "0003"
down_revision = "0002"

_PLACE = ("entity", "project", "collection")


def upgrade() -> None:
    _users()
    _roles()
    _keys()
    _record()
    op.add_column("versions", some("held", SMALL, server_default="0"))
    unheld = text("held = 0")
    op.create_index("versions_unheld", "versions", ["id"], sqlite_where=unheld, postgresql_where=unheld)
    if op.get_bind().dialect.name == "postgresql":
        op.create_index("blobs_by_object", "blobs", ["object_id", "offset"])


def _users() -> None:
    op.create_table(
        "users",
        key(),
        some("name", short(128), unique=True),
        some("kind", short(16)),
        some("email", TEXT),
        Column("password_hash", TEXT),
        Column("issuer", TEXT),
        Column("subject", TEXT),
        some("is_admin", Boolean()),
        some("created_at", MOMENT),
        Column("disabled_at", MOMENT),
        UniqueConstraint("issuer", "subject"),
    )
    op.create_table("teams", key(), some("name", short(128), unique=True), some("created_at", MOMENT))
    op.create_table(
        "team_members",
        of("user_id", "users", primary_key=True),
        of("team_id", "teams", primary_key=True),
        some("role", short(16)),
        sqlite_with_rowid=False,
    )
    op.create_index("team_members_by_team", "team_members", ["team_id"])


def _roles() -> None:
    op.create_table(
        "projects",
        key(),
        some("entity", short(128)),
        some("project", short(128)),
        some("visibility", short(16)),
        some("created_at", MOMENT),
        UniqueConstraint("entity", "project"),
    )
    public = text("visibility = 'public'")
    op.create_index("projects_public", "projects", ["id"], sqlite_where=public, postgresql_where=public)
    op.create_table(
        "roles",
        key(),
        of("user_id", "users", nullable=True),
        of("team_id", "teams", nullable=True),
        *(some(name, short(128)) for name in _PLACE),
        some("role", short(16)),
        UniqueConstraint("user_id", *_PLACE),
        UniqueConstraint("team_id", *_PLACE),
    )
    op.create_index("roles_by_project", "roles", ["entity", "project"])
    op.create_table(
        "protected_aliases",
        *(Column(name, short(128), primary_key=True) for name in (*_PLACE, "alias")),
        some("role", short(16)),
        sqlite_with_rowid=False,
    )


def _keys() -> None:
    op.create_table(
        "api_keys",
        key(),
        some("prefix", short(16), unique=True),
        some("hash", BYTES),
        some("name", TEXT),
        of("user_id", "users"),
        Column("scopes", JSON_TEXT),
        some("created_at", MOMENT),
        Column("expires_at", MOMENT),
        Column("last_used_at", MOMENT),
        Column("revoked_at", MOMENT),
    )
    op.create_index("api_keys_by_user", "api_keys", ["user_id"])
    op.create_table(
        "sessions",
        Column("hash", BYTES, primary_key=True),
        some("csrf_hash", BYTES),
        of("user_id", "users"),
        some("created_at", MOMENT),
        some("expires_at", MOMENT),
    )
    op.create_index("sessions_by_user", "sessions", ["user_id"])
    op.create_index("sessions_by_end", "sessions", ["expires_at"])
    op.create_table(
        "login_attempts",
        key(),
        some("name", short(128)),
        some("address", TEXT),
        some("at", MOMENT),
    )
    op.create_index("login_attempts_by_address", "login_attempts", ["address", "at"])
    op.create_index("login_attempts_by_time", "login_attempts", ["at"])


def _record() -> None:
    op.create_table(
        "audit_log",
        key(),
        some("at", MOMENT),
        some("user", TEXT),
        some("key_prefix", short(16)),
        some("address", TEXT),
        some("request_id", TEXT),
        some("operation", short(128)),
        some("subject", TEXT),
        some("outcome", short(16)),
        some("why", TEXT),
        Column("before", JSON_TEXT),
        Column("after", JSON_TEXT),
        sqlite_autoincrement=True,
    )
    op.create_index("audit_log_by_time", "audit_log", ["at", "id"])
    for name in ("user", "subject", "operation"):
        op.create_index(f"audit_log_by_{name}", "audit_log", [name, "id"])
    op.create_table(
        "blob_holders",
        Column("digest", BYTES, primary_key=True),
        Column("kind", SMALL, primary_key=True),
        Column("holder", ID, primary_key=True),
        sqlite_with_rowid=False,
    )
