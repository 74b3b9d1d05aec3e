"""What the local use cases share: the rows, the blobs, and who acts with which defaults."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from lineal.backend.local.again import repeating
from lineal.core import clock
from lineal.core.errors import (
    CollectionNotFound,
    CorruptManifest,
    DigestMismatch,
    InvalidManifest,
    RoleTooSmall,
    VersionNotFound,
)
from lineal.core.metadata import check_text
from lineal.core.names import Ref, parse_ref
from lineal.core.settings import DEFAULT_PROJECT
from lineal.db.session import Database, Session
from lineal.storage import digest as digests
from lineal.storage import index
from lineal.storage.blobs import BlobStore, Place, read_blob
from lineal.storage.digest import Digest
from lineal.storage.manifest import Manifest

if TYPE_CHECKING:  # loaded when a ref is first looked up: a process that only logs needs none of it
    from lineal.access.model import Caller
    from lineal.access.roles import Permission, Role
    from lineal.access.sight import Sight
    from lineal.registry import collections
    from lineal.registry.aliases import Mover
    from lineal.registry.versions import Placed
    from lineal.sweeps.sweeps import Found as Sweeping
    from lineal.tracking.runs import Started

_KEPT_ENTRIES = 200_000


@dataclass(slots=True)
class Context:
    """One store, as one user on one host sees it."""

    database: Database
    blobs: LocalBlobs
    entity: str
    project: str | None
    user: str
    host: str
    manifests: Manifests
    served: bool = False  # by a server, so that what is done is an act of the caller's
    caller: Caller | None = None  # None: everything is allowed, since nobody was made a user, or by who opened it

    def mover(self, why: str = "", at: datetime | None = None) -> Mover:
        from lineal.registry.aliases import Mover

        return Mover(self.user, self.host, at or clock.now(), check_text(why, "why"))

    def project_for(self, given: str | None) -> str:
        """The project that something new goes into."""
        return given or self.project or DEFAULT_PROJECT

    def collection(
        self,
        session: Session,
        ref: Ref,
        *,
        deleted: bool = False,
        locked: bool = False,
        needs: Permission | None = None,
    ) -> collections.Found:
        """The collection of `ref`, with the defaults standing in, its row locked if asked; one that the caller may
        use as the act, or `needs`, takes."""
        from lineal.registry import collections

        more: dict[str, Any] = {"deleted": deleted, "locked": locked}
        if not self.sees_all:
            more["seen"] = self._reader(session, ref)
        found = collections.get(session, ref, entity=self.entity, project=self.project, **more)
        if not self.check(session, found.entity, found.project, found.name, needs=needs):
            raise _unseen(found.entity, found.project, found.name)
        return found

    def _reader(self, session: Session, ref: Ref) -> Callable[[str, str, str], bool]:
        """Whether the caller may read a collection that `ref` may mean: by one query where it says the project."""
        if (ref.project or self.project) is None or self.caller is None:
            return self.sight(session).collection
        from lineal.access import grants

        self.note_look()
        me = self.caller.user_id
        return lambda *place: grants.role_of(session, me, *place) is not None

    def hold(self, session: Session, text: str, *, needs: Permission | None = None) -> Placed:
        """The version that the ref names, the row of the collection that it is in locked, so that it stays there."""
        from lineal.registry import collections

        placed = self.resolve(session, text, needs=needs)
        while collections.hold(session, [placed.collection_id]):
            again = self.resolve(session, text, needs=needs)
            if again.collection_id == placed.collection_id:
                return again
            placed = again
        return placed

    def resolve(
        self,
        session: Session,
        text: str,
        *,
        at: datetime | None = None,
        deleted: bool = False,
        needs: Permission | None = None,
    ) -> Placed:
        """The version that the ref names, now or then; with `deleted`, a number may name a tombstone."""
        from lineal.registry import aliases, versions

        ref = parse_ref(text)
        project = ref.project or self.project
        if at is None and project is not None and ref.digest_prefix is None:
            placed, role = self._found(session, ref, project)
            if placed is not None:
                seen = placed.version
                if not self.check(session, seen.entity, seen.project, seen.collection, needs=needs, role=role):
                    raise _unseen(seen.entity, seen.project, seen.collection)
                return placed
        found = self.collection(session, ref, deleted=deleted or at is not None, needs=needs)
        if deleted and ref.number is not None:
            return versions.get(session, found, ref.number, deleted=True)
        if at is None or ref.pinned:
            return versions.resolve(session, found, ref)
        if ref.alias is None:
            number = versions.latest_at(session, found, at)
        else:
            number = aliases.stood(session, found, ref.alias, at)
        if number is None:
            raise VersionNotFound(f"nothing stood at {text} on {clock.format_time(at)}")
        return versions.get(session, found, number, deleted=True)

    def _found(self, session: Session, ref: Ref, project: str) -> tuple[Placed | None, Role | Literal["ask"] | None]:
        """The version that `ref` names in the project, if any, and the caller's role for it where that decides."""
        from lineal.registry import versions

        place = {"entity": ref.entity or self.entity, "project": project}
        if self.caller is None or self.caller.admin:
            return versions.find(session, ref, **place), "ask"
        from lineal.access import grants

        me: dict[str, Any] = {"me": self.caller.user_id, "named": ref.collection}
        found = versions.find_with(session, ref, grants.ROLE_RANK, **place, **me)
        return (found[0], grants.role_at(found[1])) if found else (None, "ask")

    def run(
        self,
        session: Session,
        run_id: str,
        *,
        running: bool = False,
        locked: bool = False,
        needs: Permission | None = None,
    ) -> Started:
        """The run with that id, as `tracking.runs.get` has it; one that the caller may use so."""
        from lineal.tracking import runs

        found = runs.get(session, run_id, locked=locked)
        if not self.check(session, found.run.entity, found.run.project, subject=f"run:{run_id}", needs=needs):
            raise runs.absent(run_id)
        return runs.check_running(found) if running else found

    def sweep(self, session: Session, sweep_id: str, *, locked: bool = False) -> Sweeping:
        """The sweep with that id, its row locked if asked; one that the caller may use as the act takes."""
        from lineal.sweeps import sweeps

        found = sweeps.get(session, sweep_id, locked=locked)
        if not self.check(session, found.sweep.entity, found.sweep.project, subject=f"sweep:{sweep_id}"):
            raise sweeps.absent(sweep_id)
        return found

    # ---- what the caller may do; all, where a store was opened by its folder or database ---------------------

    @property
    def sees_all(self) -> bool:
        """Whether nothing is hidden from the caller, if there is one."""
        return self.caller is None or self.caller.admin

    def check(self, session: Session, entity: str, project: str, collection: str = "", **more: Any) -> bool:
        """As `guard.check` for the caller; without one nothing is asked."""
        if not self.served:
            return True
        from lineal.backend.local import guard

        return guard.check(session, self.caller, entity, project, collection, **more)

    def check_new(self, session: Session, entity: str, project: str, subject: str) -> None:
        """Refuses a caller who may not make the subject in the project, be that there or not. Raises forbidden.*."""
        if not self.check(session, entity, project, subject=subject):
            who = self.caller.name if self.caller else self.user
            raise RoleTooSmall(f"{who} may make nothing in {entity}/{project}; ask an admin of it")

    def check_server(self) -> None:
        """Refuses a caller who doesn't administer the server. Raises forbidden.*."""
        if self.served:
            from lineal.backend.local import guard

            guard.check_server(self.caller)

    def check_aliases(self, session: Session, found: collections.Found, *aliases: str) -> None:
        """Refuses a caller who may not move these aliases. Raises forbidden.*."""
        if self.caller is not None:
            from lineal.backend.local import guard

            guard.check_aliases(session, self.caller, found.entity, found.project, found.name, *aliases)

    def note_look(self) -> None:
        """Notes that the act shows only what the caller may read. Raises forbidden.scope."""
        if self.served:
            from lineal.backend.local import guard

            guard.note_look(self.caller)

    def sight(self, session: Session) -> Sight:
        """What the caller may see of lists and walks."""
        from lineal.access import sight

        self.note_look()
        return sight.of(session, self.caller)

    def unknown(self, session: Session, digests_: Collection[Digest]) -> set[Digest]:
        """Those that the store lacks, or that the caller can't know to be there."""
        if self.sees_all:
            return index.missing(session, digests_)
        from lineal.backend.local import holding

        return holding.unknown(session, self, digests_)

    def note(self, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None = None) -> None:
        """What the act under way changes, for the record."""
        if self.served:
            from lineal.backend.local import guard

            guard.note(before, after)


def _unseen(entity: str, project: str, name: str) -> CollectionNotFound:
    return CollectionNotFound(f"there is no collection {name!r} in {entity}/{project}")


class LocalBlobs:
    """The Blobs port over a store and the index in the database."""

    def __init__(self, database: Database, store: BlobStore) -> None:
        self.store = store
        self._database = database

    def missing(self, digests_: Collection[Digest]) -> set[Digest]:
        if not digests_:
            return set()
        with self._database.read() as session:
            return index.missing(session, digests_)

    def find(self, digests_: Collection[Digest]) -> dict[Digest, Place]:
        if not digests_:
            return {}
        with self._database.read() as session:
            return index.find(session, digests_)

    def has_object(self, key: str) -> bool:
        """Whether the object is in the store and known."""
        with self._database.read() as session:
            return index.has_object(session, key)

    @repeating
    def add(self, places: Collection[Place], objects: Mapping[str, int]) -> None:
        with self._database.begin() as session:
            redundant = index.add(session, places, objects, at=clock.now())
        for key in redundant:
            self.store.delete(key)


class Manifests:
    """Manifests by digest, verified; the most recent ones are kept, up to 200,000 entries in all."""

    def __init__(self, blobs: LocalBlobs) -> None:
        self._blobs = blobs
        self._lock = threading.Lock()
        self._kept: OrderedDict[Digest, Manifest] = OrderedDict()

    def forget(self) -> None:
        """What was read is read again, as by a new process."""
        with self._lock:
            self._kept.clear()

    def get(self, text: str) -> Manifest:
        """The manifest with that digest. Raises not_found.blob, corrupt.manifest, invalid.manifest."""
        digest = digests.parse(text)
        with self._lock:
            if digest in self._kept:
                self._kept.move_to_end(digest)
                return self._kept[digest]
        manifest = Manifest.parse(read_blob(self._blobs, digest))
        with self._lock:
            self._kept[digest] = manifest
            while len(self._kept) > 1 and sum(map(len, self._kept.values())) > _KEPT_ENTRIES:
                self._kept.popitem(last=False)
        return manifest

    def stored(self, text: str) -> Manifest:
        """The manifest of a version that exists: one that can't be read any more is corrupt."""
        try:
            return self.get(text)
        except (DigestMismatch, InvalidManifest) as problem:
            raise CorruptManifest(f"the manifest {text} is damaged; run `lineal fsck` ({problem})") from None
