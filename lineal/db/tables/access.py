"""Tables of access: users, teams, projects, grants, keys, sessions, protected aliases, the record, blobs' holders."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from lineal.db.tables.columns import UtcTime, metadata, row_id

users = Table(
    "users",
    metadata,
    Column("id", row_id, primary_key=True),
    Column("name", String(128), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("email", Text, nullable=False, default=""),
    Column("password_hash", Text),
    Column("issuer", Text),
    Column("subject", Text),
    Column("is_admin", Boolean, nullable=False, default=False),
    Column("created_at", UtcTime, nullable=False),
    Column("disabled_at", UtcTime),
    UniqueConstraint("issuer", "subject"),
)

# A team's name is an entity, and so is a user's: no name is both.
teams = Table(
    "teams",
    metadata,
    Column("id", row_id, primary_key=True),
    Column("name", String(128), nullable=False, unique=True),
    Column("created_at", UtcTime, nullable=False),
)

team_members = Table(
    "team_members",
    metadata,
    Column("user_id", row_id, ForeignKey("users.id"), primary_key=True),
    Column("team_id", row_id, ForeignKey("teams.id"), primary_key=True),
    Column("role", String(16), nullable=False),
    Index("team_members_by_team", "team_id"),
    sqlite_with_rowid=False,
)

_PUBLIC = text("visibility = 'public'")
projects = Table(
    "projects",
    metadata,
    Column("id", row_id, primary_key=True),
    Column("entity", String(128), nullable=False),
    Column("project", String(128), nullable=False),
    Column("visibility", String(16), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    UniqueConstraint("entity", "project"),
    Index("projects_public", "id", sqlite_where=_PUBLIC, postgresql_where=_PUBLIC),
)

# A role of a user or of a team, for a project, or for one collection of a registry (`collection` is "" otherwise).
roles = Table(
    "roles",
    metadata,
    Column("id", row_id, primary_key=True),
    Column("user_id", row_id, ForeignKey("users.id")),
    Column("team_id", row_id, ForeignKey("teams.id")),
    Column("entity", String(128), nullable=False),
    Column("project", String(128), nullable=False),
    Column("collection", String(128), nullable=False),
    Column("role", String(16), nullable=False),
    UniqueConstraint("user_id", "entity", "project", "collection"),
    UniqueConstraint("team_id", "entity", "project", "collection"),
    Index("roles_by_project", "entity", "project"),
)

# `prefix` is the part of a key that may be seen; of the rest, 256 bits of chance, only the sha256 is kept.
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", row_id, primary_key=True),
    Column("prefix", String(16), nullable=False, unique=True),
    Column("hash", LargeBinary(32), nullable=False),
    Column("name", Text, nullable=False),
    Column("user_id", row_id, ForeignKey("users.id"), nullable=False),
    Column("scopes", JSON(none_as_null=True)),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
    Column("last_used_at", UtcTime),
    Column("revoked_at", UtcTime),
    Index("api_keys_by_user", "user_id"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("hash", LargeBinary(32), primary_key=True),
    Column("csrf_hash", LargeBinary(32), nullable=False),
    Column("user_id", row_id, ForeignKey("users.id"), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Index("sessions_by_user", "user_id"),
    Index("sessions_by_end", "expires_at"),
)

login_attempts = Table(
    "login_attempts",
    metadata,
    Column("id", row_id, primary_key=True),
    Column("name", String(128), nullable=False),
    Column("address", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Index("login_attempts_by_address", "address", "at"),
    Index("login_attempts_by_time", "at"),
)

# The least role that may move the aliases that `alias`, a pattern, names; `collection` "" means all of the project.
protected_aliases = Table(
    "protected_aliases",
    metadata,
    Column("entity", String(128), primary_key=True),
    Column("project", String(128), primary_key=True),
    Column("collection", String(128), primary_key=True),
    Column("alias", String(128), primary_key=True),
    Column("role", String(16), nullable=False),
    sqlite_with_rowid=False,
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", row_id, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("user", Text, nullable=False),
    Column("key_prefix", String(16), nullable=False),
    Column("address", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("operation", String(128), nullable=False),
    Column("subject", Text, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("why", Text, nullable=False),
    Column("before", JSON(none_as_null=True)),
    Column("after", JSON(none_as_null=True)),
    Index("audit_log_by_time", "at", "id"),
    Index("audit_log_by_user", "user", "id"),
    Index("audit_log_by_subject", "subject", "id"),
    Index("audit_log_by_operation", "operation", "id"),
    sqlite_autoincrement=True,
)

# `kind` 0: the project of that id holds the blob; 1: the user of that id has sent it. A holder keeps nothing alive.
blob_holders = Table(
    "blob_holders",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("kind", SmallInteger, primary_key=True),
    Column("holder", row_id, primary_key=True),
    sqlite_with_rowid=False,
)
