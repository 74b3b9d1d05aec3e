"""Records of access, as every face sees them, and the caller as use cases see one. Moments are in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from lineal.access.roles import Permission, Role, Visibility

UserKind = Literal["person", "service"]
Outcome = Literal["done", "refused"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who acts. `permissions` is what their key is limited to, None for all that they may do.

    `key_prefix` is "" for who signed in otherwise; `address` and `request_id` are for the record.
    """

    user_id: int
    name: str
    admin: bool = False
    permissions: frozenset[Permission] | None = None
    key_prefix: str = ""
    address: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class User:
    """A person, or a service that acts for none. `has_password`: whether they can sign in by one."""

    name: str
    kind: UserKind
    email: str
    is_admin: bool
    has_password: bool
    created_at: datetime
    disabled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Me:
    """Who asks, as the store sees them: `user` is None where it has no users or was opened past them."""

    name: str
    user: User | None
    is_admin: bool
    key_prefix: str
    scopes: tuple[Permission, ...] | None
    teams: Mapping[str, Role] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Team:
    """A team, whose name is an entity, and the role of each member in its projects."""

    name: str
    created_at: datetime
    members: Mapping[str, Role] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Key:
    """An API key without its secret. `scopes`: the permissions it is limited to, None for all of its user's."""

    prefix: str
    name: str
    user: str
    scopes: tuple[Permission, ...] | None
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made, with the one text that is it; nobody can show that again."""

    key: Key
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Project:
    """A project and who may read it."""

    entity: str
    project: str
    visibility: Visibility
    created_at: datetime

    @property
    def path(self) -> str:
        """`entity/project`."""
        return f"{self.entity}/{self.project}"


@dataclass(frozen=True, slots=True)
class Grant:
    """A role that a user or a team has in a project, or for one of its collections; "" means all of it."""

    subject_kind: Literal["user", "team"]
    subject: str
    entity: str
    project: str
    collection: str
    role: Role

    @property
    def path(self) -> str:
        """`entity/project[/collection]`."""
        return "/".join(part for part in (self.entity, self.project, self.collection) if part)


@dataclass(frozen=True, slots=True)
class Protection:
    """The least role that may move the aliases named `alias` (a pattern); `collection` "" means any."""

    entity: str
    project: str
    collection: str
    alias: str
    role: Role

    @property
    def path(self) -> str:
        """`entity/project[/collection]`."""
        return "/".join(part for part in (self.entity, self.project, self.collection) if part)


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One act: when, who, by which key, from where, what, on what, whether it was done, and what it changed."""

    id: int
    at: datetime
    user: str
    key_prefix: str
    address: str
    request_id: str
    operation: str
    subject: str
    outcome: Outcome
    why: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Rows of the record, newest first; `cursor` leads to the ones before, None where there are none."""

    rows: tuple[AuditRow, ...]
    cursor: str | None
