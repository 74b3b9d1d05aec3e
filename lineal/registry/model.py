"""Records of the registry, as every face sees them. All moments are in UTC; digests are `sha256:<hex>` texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from lineal.core.names import format_number

EventKind = Literal["move", "rollback", "remove"]


@dataclass(frozen=True, slots=True)
class Version:
    """A version as seen through one collection: its own, or a registry collection that it is linked into.

    `number` and `aliases` are the collection's; `source` is the ref in its own collection, equal to `ref` there.
    `run_id` is the run that made it, None when no run did.
    """

    entity: str
    project: str
    collection: str
    type: str
    number: int
    digest: str
    size_bytes: int
    file_count: int
    description: str
    metadata: Mapping[str, Any]
    tags: tuple[str, ...]
    aliases: tuple[str, ...]
    source: str
    run_id: str | None
    ttl_s: int | None
    hold: str | None
    created_at: datetime
    created_by: str
    deleted_at: datetime | None = None
    purged_at: datetime | None = None

    @property
    def version(self) -> str:
        """`v3`."""
        return format_number(self.number)

    @property
    def ref(self) -> str:
        """The full ref, pinned: `entity/project/collection:v3`."""
        return f"{self.entity}/{self.project}/{self.collection}:{self.version}"

    @property
    def name(self) -> str:
        """`collection:v3`."""
        return f"{self.collection}:{self.version}"

    @property
    def linked(self) -> bool:
        """Whether it is seen through a registry collection rather than its own."""
        return self.source != self.ref


@dataclass(frozen=True, slots=True)
class Collection:
    """A named line of versions of one type; `latest` is None where none is left."""

    entity: str
    project: str
    name: str
    type: str
    description: str
    version_count: int
    latest: int | None
    aliases: Mapping[str, int]
    created_at: datetime
    deleted_at: datetime | None = None

    @property
    def ref(self) -> str:
        return f"{self.entity}/{self.project}/{self.name}"


@dataclass(frozen=True, slots=True)
class AliasEvent:
    """One move of an alias: who, when, from which version to which (None: from or to nowhere), why, on which host."""

    collection: str
    alias: str
    kind: EventKind
    at: datetime
    user: str
    host: str
    from_number: int | None
    to_number: int | None
    why: str = ""
    id: int = 0  # of the event, in order


@dataclass(frozen=True, slots=True)
class AliasInterval:
    """A stretch of time in which `number` bore the alias; `until` is None while it still does."""

    collection: str
    alias: str
    number: int
    since: datetime
    until: datetime | None
    user: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """A version's place in a registry collection."""

    ref: str
    aliases: tuple[str, ...]
    linked_at: datetime
    linked_by: str


@dataclass(frozen=True, slots=True)
class NewVersion:
    """What a version is to be made of."""

    digest: str
    size_bytes: int
    file_count: int
    description: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    ttl_s: int | None = None
