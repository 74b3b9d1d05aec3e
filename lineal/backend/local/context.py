"""What the local use cases share: the rows, the blobs, and who acts with which defaults."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from lineal.backend.local.again import repeating
from lineal.core import clock
from lineal.core.errors import CorruptManifest, DigestMismatch, InvalidManifest, VersionNotFound
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
    from lineal.registry import collections
    from lineal.registry.aliases import Mover
    from lineal.registry.versions import Placed

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
    caller: Caller | None = None  # None: opened by folder or database, where everything is allowed

    def mover(self, why: str = "", at: datetime | None = None) -> Mover:
        from lineal.registry.aliases import Mover

        return Mover(self.user, self.host, at or clock.now(), check_text(why, "why"))

    def project_for(self, given: str | None) -> str:
        """The project that something new goes into."""
        return given or self.project or DEFAULT_PROJECT

    def collection(
        self, session: Session, ref: Ref, *, deleted: bool = False, locked: bool = False
    ) -> collections.Found:
        """The collection of `ref`, with the defaults standing in, its row locked if asked."""
        from lineal.registry import collections

        return collections.get(session, ref, entity=self.entity, project=self.project, deleted=deleted, locked=locked)

    def hold(self, session: Session, text: str) -> Placed:
        """The version that the ref names, the row of the collection that it is in locked, so that it stays there."""
        from lineal.registry import collections

        placed = self.resolve(session, text)
        while collections.hold(session, [placed.collection_id]):
            again = self.resolve(session, text)
            if again.collection_id == placed.collection_id:
                return again
            placed = again
        return placed

    def resolve(self, session: Session, text: str, *, at: datetime | None = None, deleted: bool = False) -> Placed:
        """The version that the ref names, now or then; with `deleted`, a number may name a tombstone."""
        from lineal.registry import aliases, versions

        ref = parse_ref(text)
        project = ref.project or self.project
        if at is None and project is not None and ref.digest_prefix is None:
            placed = versions.find(session, ref, entity=ref.entity or self.entity, project=project)
            if placed is not None:
                return placed
        found = self.collection(session, ref, deleted=deleted or at is not None)
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
