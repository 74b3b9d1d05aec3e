"""The port: every operation that a face may ask for, declared once, grouped by noun.

A declaration's signature and docstring are its contract; its HTTP method, path and permission are data on it, from
which the server's routes and the HTTP client follow. All operations are thread-safe and atomic: an error leaves
everything as it was. Refs are texts; where one leaves out entity or project, the backend's defaults stand in, and
without a default project the collection's name must be unique. Moments are aware UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from lineal.backend.operation import operation
from lineal.backend.port_access import Access
from lineal.backend.port_runs import Runs
from lineal.backend.port_sweeps import Sweeps

if TYPE_CHECKING:  # named in signatures only; a training process doesn't load what it doesn't use
    from lineal.lineage.model import Direction, Graph
    from lineal.lineage.report import Audit, Impact
    from lineal.registry.model import AliasEvent, AliasInterval, Collection, Link, Version
    from lineal.registry.retention import Decision
    from lineal.storage.blobs import Blobs
    from lineal.storage.manifest import Manifest
    from lineal.tracking.model import Run

# ---- records that only operations make -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Logged:
    """What logging an artifact came to; `made` is false where the collection had that content already."""

    version: Version
    made: bool


@dataclass(frozen=True, slots=True)
class EntryChange:
    """A file in two versions; None: it is not there. Sizes in bytes."""

    path: str
    kind: Literal["added", "removed", "changed"]
    size_before: int | None = None
    size_after: int | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """How `after` differs from `before`; `metadata` maps dotted keys to (before, after), None for absent."""

    before: Version
    after: Version
    entries: tuple[EntryChange, ...]
    unchanged_count: int
    metadata: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GcPlan:
    """What garbage collection would do: each version's fate, and the blobs and objects that would go.

    The counts and bytes are of what would go, but for `waiting_*`: unreferenced blobs inside the grace period.
    `fingerprint` tells one plan from another, so that only the plan that was seen is carried out.
    """

    decisions: tuple[Decision, ...]
    blob_count: int
    object_count: int
    rewrite_count: int
    stray_count: int
    waiting_count: int
    waiting_bytes: int
    freed_bytes: int
    grace_s: int
    made_at: datetime
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that fsck found: `code` says what kind, `repaired` whether it is mended."""

    code: str
    subject: str
    text: str
    repaired: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """What fsck read and found. `garbage`: keys of unreferenced objects, which are no damage."""

    version_count: int
    blob_count: int
    size_bytes: int
    problems: tuple[Problem, ...]
    garbage: tuple[str, ...]


# ---- operations ----------------------------------------------------------------------------------------------


class Artifacts:
    """Collections, versions, aliases and links."""

    @operation("POST", "/artifacts/log", needs="write")
    def log(
        self,
        collection: str,
        type: str,
        digest: str,
        *,
        project: str | None = None,
        run_id: str | None = None,
        aliases: Sequence[str] = (),
        description: str = "",
        metadata: Mapping[str, Any] | None = None,
        tags: Sequence[str] = (),
        ttl_s: int | None = None,
        role: str | None = None,
    ) -> Logged:
        """The collection's version of the manifest `digest`, made unless the collection has that content already.

        The manifest and all its blobs are in the store; the manifest is read and checked again here. The aliases
        move to the version either way, and the run's output edge is recorded. Raises conflict.blobs_missing
        (`details["digests"]`), conflict.type, conflict.run_finished, invalid.*.
        """
        raise NotImplementedError

    @operation("POST", "/artifacts/use", needs="write")
    def use(self, ref: str, run_id: str, *, role: str | None = None) -> Version:
        """The version that `ref` names now, recorded as an input of the run; it stays pinned to number and digest."""
        raise NotImplementedError

    @operation("GET", "/artifacts/resolve", needs="read")
    def resolve(self, ref: str, *, at: datetime | None = None) -> Version:
        """The version that `ref` names now, or named at that moment. Raises not_found.*, invalid.ambiguous_ref."""
        raise NotImplementedError

    @operation("GET", "/artifacts/manifest", needs="read")
    def manifest(self, digest: str) -> Manifest:
        """The manifest with that digest, verified. Raises not_found.blob, corrupt.manifest."""
        raise NotImplementedError

    @operation("GET", "/artifacts/collections", needs="read", cursor=lambda c: f"{c.project}/{c.name}")
    def list_collections(
        self,
        *,
        project: str | None = None,
        type: str | None = None,
        deleted: bool = False,
        limit: int | None = None,
        after: str | None = None,
    ) -> list[Collection]:
        """The collections by project and name; without `project`, those of every project.

        At most `limit`, behind the collection `after` (`project/name`).
        """
        raise NotImplementedError

    @operation("GET", "/artifacts/types", needs="read")
    def list_types(self, *, project: str | None = None) -> list[str]:
        """The types of the collections, sorted."""
        raise NotImplementedError

    @operation("GET", "/artifacts/versions", needs="read", cursor=lambda version: version.version)
    def list_versions(
        self, collection: str, *, deleted: bool = False, limit: int | None = None, after: str | None = None
    ) -> list[Version]:
        """The collection's versions, newest first; with `deleted`, tombstones too.

        At most `limit`, behind (older than) the version `after` (`vN`).
        """
        raise NotImplementedError

    @operation("PUT", "/artifacts/alias", needs="promote")
    def move_alias(self, ref: str, alias: str, *, expected: str | None = None, why: str = "") -> Version:
        """The version that now bears `alias`, with an event appended unless it stood there already.

        `expected` (`vN`, or `none` for nowhere) makes it a compare-and-swap: of many at once, one wins. Raises
        conflict.alias_moved, invalid.alias.
        """
        raise NotImplementedError

    @operation("DELETE", "/artifacts/alias", needs="promote")
    def remove_alias(self, ref: str, *, why: str = "") -> Version:
        """The version that bore the alias of `ref` (`name:alias`) until now. Raises not_found.alias."""
        raise NotImplementedError

    @operation("POST", "/artifacts/alias/rollback", needs="promote")
    def rollback(self, ref: str, *, why: str = "") -> Version:
        """The version that stood at the alias of `ref` before the present one, and does so again.

        Each rollback goes one further back. Raises not_found.alias where nothing stood there before,
        not_found.version where that version is deleted.
        """
        raise NotImplementedError

    @operation("GET", "/artifacts/alias/events", needs="read", cursor=lambda event: str(event.id))
    def list_alias_events(self, ref: str, *, limit: int | None = None, after: str | None = None) -> list[AliasEvent]:
        """Every move of the collection's aliases, or of the one that `ref` (`name:alias`) names, oldest first.

        At most `limit`, behind the event with the id `after`.
        """
        raise NotImplementedError

    @operation("GET", "/artifacts/alias/intervals", needs="read")
    def list_alias_intervals(self, ref: str) -> list[AliasInterval]:
        """The stretches of time in which each version bore the alias of `ref` (`name:alias`), oldest first."""
        raise NotImplementedError

    @operation("PATCH", "/artifacts/version", needs="write")
    def change(
        self,
        ref: str,
        *,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        tags: Sequence[str] | None = None,
        ttl_s: int | None = None,
        hold: str | None = None,
    ) -> Version:
        """The version with what is given set. `ttl_s` -1 takes the ttl away, `hold` "" ends a hold."""
        raise NotImplementedError

    @operation("DELETE", "/artifacts/version", needs="delete")
    def delete(self, ref: str, *, force: bool = False) -> Version:
        """The version's tombstone. Its bytes stay until gc, and it can be restored until then.

        Raises conflict.version_in_use while it has aliases or links, unless `force` removes them.
        """
        raise NotImplementedError

    @operation("POST", "/artifacts/version/restore", needs="delete")
    def restore(self, ref: str) -> Version:
        """The deleted version (`name:vN`), there again. Raises conflict.version_purged after gc took its bytes."""
        raise NotImplementedError

    @operation("DELETE", "/artifacts/collection", needs="delete")
    def delete_collection(self, collection: str, *, force: bool = False) -> list[Version]:
        """The tombstones of the collection's versions, all of them deleted with it, or none."""
        raise NotImplementedError

    @operation("POST", "/artifacts/link", needs="promote")
    def link(self, ref: str, target: str, *, aliases: Sequence[str] = ()) -> Version:
        """The version as `target` (`registry/<collection>`) shows it, with its own number and aliases there.

        No bytes are copied. Raises conflict.type, invalid.ref.
        """
        raise NotImplementedError

    @operation("DELETE", "/artifacts/link", needs="promote")
    def unlink(self, ref: str) -> Version:
        """The version that `ref` (`registry/<collection>:…`) named, which is no longer linked there."""
        raise NotImplementedError

    @operation("GET", "/artifacts/links", needs="read")
    def list_links(self, ref: str) -> list[Link]:
        """Where the version is linked now."""
        raise NotImplementedError

    @operation("GET", "/artifacts/diff", needs="read")
    def diff(self, before: str, after: str) -> Difference:
        """How two versions differ: files added, removed and changed, and metadata."""
        raise NotImplementedError

    @operation("GET", "/artifacts/search", needs="read", cursor=lambda v: f"{v.project}/{v.collection}:{v.version}")
    def search(
        self,
        text: str = "",
        *,
        type: str | None = None,
        tag: str | None = None,
        metadata: Mapping[str, str] | None = None,
        digest: str | None = None,
        project: str | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> list[Version]:
        """The versions that meet every condition, by collection, newest first.

        At most `limit`, behind the version `after` (`project/collection:vN`). `text` is part of a collection's name
        or description, or a pattern with `*`; `metadata` maps dotted keys to values as text; `digest` is that of a
        version, or of a file in it.
        """
        raise NotImplementedError


class Lineage:
    """What made what. A subject is a ref, `run:<id>`, or `sweep:<id>`, which stands for the runs of its trials."""

    @operation("GET", "/lineage/graph", needs="read")
    def graph(self, subject: str, *, direction: Direction = "both", depth: int | None = None) -> Graph:
        """The subgraph around the subject; `depth` counts runs to pass."""
        raise NotImplementedError

    @operation("GET", "/lineage/reach", needs="read")
    def reach(self, subject: str, *, up: bool = True, depth: int | None = None) -> list[str]:
        """The node ids of all ancestors (or descendants) of the subject, in one query, in no order. They are versions
        and runs; those of a sweep have the runs of its trials with them either way.
        """
        raise NotImplementedError

    @operation("GET", "/lineage/inputs", needs="read")
    def used_by(self, ref: str) -> list[Run]:
        """The runs that used the version, oldest first."""
        raise NotImplementedError

    @operation("GET", "/lineage/run", needs="read")
    def artifacts_of(self, run_id: str, *, output: bool) -> list[Version]:
        """The versions that the run made (`output`) or used, by name."""
        raise NotImplementedError

    @operation("GET", "/lineage/audit", needs="read")
    def audit(self, ref: str, *, verify: bool = False) -> Audit:
        """Everything on record that made the version; with `verify`, every byte it names is hashed again."""
        raise NotImplementedError

    @operation("GET", "/lineage/impact", needs="read")
    def impact(self, subject: str) -> Impact:
        """Everything downstream of a version, or of every version that holds the file `sha256:<hex>`."""
        raise NotImplementedError


class Stores:
    """The store's own upkeep."""

    @operation("GET", "/store/gc", needs="admin")
    def plan_gc(self, *, grace_s: int = 86_400) -> GcPlan:
        """What gc would delete and why the rest stays; unreferenced blobs younger than `grace_s` always stay.

        Objects that the index doesn't know (half written, or left behind by a crash) stay for three hours at least.
        """
        raise NotImplementedError

    @operation("POST", "/store/gc", needs="admin")
    def gc(self, plan: GcPlan) -> GcPlan:
        """The plan, carried out exactly. Raises conflict.plan_outdated when the store is no longer as it was."""
        raise NotImplementedError

    @operation("POST", "/store/fsck", needs="admin")
    def fsck(self, *, repair: bool = False, rebuild: bool = False) -> Check:
        """What a re-reading of everything finds. `rebuild` first makes the index anew from the store alone;
        `repair` forgets damaged blobs, so that logging their files again heals them, and adopts blobs that
        the index had lost.
        """
        raise NotImplementedError


class Backend:
    """The operations of one store, by noun, and its blobs. `close` frees what it holds open."""

    artifacts: Artifacts
    runs: Runs
    sweeps: Sweeps
    lineage: Lineage
    store: Stores
    access: Access
    blobs: Blobs
    url: str

    def close(self) -> None:
        raise NotImplementedError
