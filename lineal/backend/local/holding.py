"""Blobs as a caller may know of them: through what they may read, or by having sent them; a digest is no oracle."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from sqlalchemy import select

from lineal.access import holders, projects, sight
from lineal.access.sight import Sight
from lineal.backend.local import guard
from lineal.backend.local.granting import Granting
from lineal.backend.local.tickets import Tickets
from lineal.core import clock
from lineal.core.errors import BlobNotFound, Corrupt, NotFound
from lineal.core.names import REGISTRY
from lineal.db import schema
from lineal.db.session import Session
from lineal.storage import digest as digests
from lineal.storage import index
from lineal.storage.blobs import BlobStore, Place, parse_object_key
from lineal.storage.digest import Digest

if TYPE_CHECKING:
    from lineal.access.roles import Permission
    from lineal.backend.local.context import Context

_AT_ONCE = 100


class HeldBlobs:
    """The Blobs port as the context's caller sees it."""

    def __init__(self, here: Context) -> None:
        self._here = here
        self.store: BlobStore = here.blobs.store

    def missing(self, digests_: Collection[Digest]) -> set[Digest]:
        absent = self._here.blobs.missing(digests_)
        there = [digest for digest in digests_ if digest not in absent]
        return absent | (set(there) - self._seen(there))

    def find(self, digests_: Collection[Digest]) -> dict[Digest, Place]:
        found = self._here.blobs.find(digests_)
        seen = self._seen(found.keys())
        return {digest: place for digest, place in found.items() if digest in seen}

    def add(self, places: Collection[Place], objects: Mapping[str, int]) -> None:
        """Makes the blobs known, and that the caller has sent them."""
        self.sent([place.digest for place in places])  # first, so that who is known to be done needn't do it again
        self._here.blobs.add(places, objects)

    @property
    def granting(self) -> Granting:
        """Uploads and downloads past the server."""
        caller = self._here.caller
        return Granting(self, Tickets(self._here.database), caller.user_id if caller else 0)

    def sent(self, digests_: Collection[Digest]) -> None:
        """Notes that the caller has had the bytes of these blobs."""
        if self._here.caller is not None:
            with self._here.database.begin() as session:
                holders.add(session, digests_, holders.USER, self._here.caller.user_id)

    def check_readable(self, key: str, start: int = 0, end: int | None = None) -> None:
        """Refuses bytes of an object that are of blobs that the caller can't know, or of none. Raises not_found.blob.

        A pack may hold blobs of somebody else, and lists all that it holds.
        """
        if not self.has_object(key):  # a stray, or what somebody put there past us
            raise BlobNotFound(f"there is no object {key} in the store")
        if self._here.sees_all:
            return
        if (named := parse_object_key(key)) is not None:  # all of it is that blob
            wanted, allowed = {named[0]}, True
        else:
            with self._here.database.read() as session:
                found = index.blobs_between(session, key, start, end)
            wanted, covered = {digest for digest, _, _ in found}, start
            for _, offset, length in found:
                if offset <= covered:
                    covered = max(covered, offset + length)
            allowed = bool(found) and end is not None and covered >= end
        if not allowed or self._seen(wanted) != wanted:
            raise BlobNotFound(f"object {key} holds nothing there that you may read")

    def check(self, permission: Permission) -> None:
        """Refuses a caller whose key is limited to less. Raises forbidden.scope."""
        if self._here.caller is not None:
            guard.scope(self._here.caller, permission)

    def has_object(self, key: str) -> bool:
        """Whether the object is in the store and known."""
        return self._here.blobs.has_object(key)

    def _seen(self, asked: Collection[Digest]) -> set[Digest]:
        if self._here.sees_all:
            return set(asked)
        with self._here.database.read() as session:
            seen = known(session, self._here, asked)
            if len(seen) == len(set(asked)) or not holders.unheld_versions(session, 1):
                return seen
        catch_up(self._here)
        with self._here.database.read() as session:
            return known(session, self._here, asked)


def unknown(session: Session, here: Context, asked: Collection[Digest]) -> set[Digest]:
    """Those of `asked` that the store lacks, or that the caller can't know to be there."""
    absent = index.missing(session, asked)
    there = [digest for digest in asked if digest not in absent]
    return absent | (set(there) - known(session, here, there))


def known(session: Session, here: Context, asked: Collection[Digest]) -> set[Digest]:
    """Those of `asked`, all in the store, that the caller may know of: all, unless there is a caller who may not."""
    caller = here.caller
    if caller is None or caller.admin or not asked:
        return set(asked)
    seen = sight.of(session, caller)
    found = holders.held(session, asked, seen.ids, caller.user_id)
    for look in (_as_manifests, _as_files, _in_the_registry):
        if left := set(asked) - found:
            found |= look(session, here, seen, left)
    return found


def _as_manifests(session: Session, _here: Context, seen: Sight, asked: Collection[Digest]) -> set[Digest]:
    """Manifests of versions in projects that are to be seen."""
    table, place = schema.versions.c, schema.collections.c
    wanted = select(table.digest, place.entity, place.project).join(
        schema.collections, place.id == table.collection_id
    )
    rows = [row for part in _parts(asked) for row in session.execute(wanted.where(table.digest.in_(part)))]
    return {Digest(digest) for digest, entity, project in rows if seen.project(entity, project)}


def _as_files(session: Session, _here: Context, seen: Sight, asked: Collection[Digest]) -> set[Digest]:
    """Files of runs in projects that are to be seen."""
    table, run = schema.run_files.c, schema.runs.c
    wanted = select(table.digest, run.entity, run.project).join(schema.runs, run.id == table.run_id)
    rows = [row for part in _parts(asked) for row in session.execute(wanted.where(table.digest.in_(part)))]
    return {Digest(digest) for digest, entity, project in rows if seen.project(entity, project)}


def _in_the_registry(session: Session, here: Context, seen: Sight, asked: Collection[Digest]) -> set[Digest]:
    """Manifests and files of versions that are linked into registry collections that are to be seen."""
    place, member, table = schema.collections.c, schema.memberships.c, schema.versions.c
    wanted = (
        select(place.entity, place.name, table.digest)
        .join(schema.memberships, member.collection_id == place.id)
        .join(schema.versions, table.id == member.version_id)
        .where(place.project == REGISTRY, member.unlinked_at.is_(None), table.purged_at.is_(None))
        .order_by(member.linked_at.desc())
    )
    left, found = set(asked), set()
    for entity, name, digest in session.execute(wanted):
        if not left:
            break
        if seen.collection(entity, REGISTRY, name):
            try:
                blobs = here.manifests.get(digests.format(digest)).blobs.keys()
            except (Corrupt, NotFound):
                continue
            found |= left & {Digest(digest), *blobs}
            left -= found
    return found


def _parts(asked: Collection[Digest]) -> list[list[Digest]]:
    every = sorted(asked)
    return [every[start : start + 10_000] for start in range(0, len(every), 10_000)]


def enter(session: Session, here: Context, version_id: int, place: tuple[str, str], held: Collection[Digest]) -> None:
    """The project holds the version's blobs, so that whoever reads the project knows of them."""
    project_id = projects.get_or_add(session, *place, at=clock.now())
    holders.add(session, held, holders.PROJECT, project_id)
    holders.mark_held(session, [version_id])


def catch_up(here: Context) -> None:
    """Enters the versions that were logged past the server: by whoever opened the database itself."""
    while True:
        with here.database.read() as session:
            waiting = holders.unheld_versions(session, _AT_ONCE)
        for version in waiting:
            held: set[Digest] = set()
            if not version.purged:
                try:
                    manifest = here.manifests.get(digests.format(version.digest))
                    held = {version.digest, *manifest.blobs}
                except (Corrupt, NotFound):  # nobody can read them, so nobody need know of them
                    held = set()
            with here.database.begin() as session:
                enter(session, here, version.id, (version.entity, version.project), held)
        if len(waiting) < _AT_ONCE:
            return
