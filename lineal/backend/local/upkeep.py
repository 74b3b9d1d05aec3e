"""Use cases of the store's upkeep: garbage collection, checking, repair, and the index made anew."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from lineal.access import holders
from lineal.backend.local.again import repeating_operations
from lineal.backend.local.context import Context
from lineal.backend.port import Check, GcPlan, Problem, Stores
from lineal.core import clock
from lineal.core.errors import BlobNotFound, Corrupt, Error, InvalidArgument, NotFound, PlanOutdated
from lineal.db.session import Session
from lineal.lineage import edges
from lineal.registry import retention, versions
from lineal.registry.model import Version
from lineal.registry.retention import Decision
from lineal.storage import digest as digests
from lineal.storage import gc, index
from lineal.storage.blobs import Place, is_temporary
from lineal.storage.digest import Digest
from lineal.storage.gc import Garbage
from lineal.storage.packs import PackWriter
from lineal.tracking import runs, streams

_WRITING = timedelta(
    hours=3
)  # longer than a writer takes to make an object known, with clocks that differ by an hour
_LONGEST_GRACE_S = 1_000_000_000


@repeating_operations
class LocalStores(Stores):
    def __init__(self, context: Context) -> None:
        self._here = context

    # ---- gc --------------------------------------------------------------------------------------------------

    def plan_gc(self, *, grace_s: int = 86_400) -> GcPlan:
        self._here.check_server()
        return self._plan(grace_s)[0]

    def gc(self, plan: GcPlan) -> GcPlan:
        self._here.check_server()
        fresh, garbage, ids = self._plan(plan.grace_s)
        if fresh.fingerprint != plan.fingerprint:
            raise PlanOutdated("the store has changed since the plan was made; look at a new plan")
        store = self._here.blobs.store
        packs = self._rewritten(garbage)
        at = clock.now()
        with self._here.database.begin(alone=True) as session:
            gone = {*garbage.objects, *garbage.rewrites} - index.list_objects(session).keys()
            dead = {place.digest for place in garbage.dead}
            if gone or _state(session) != ids.state or streams.unreferenced(session, dead) != dead:
                for pack in packs.values():
                    store.delete(pack.key)
                raise PlanOutdated("something was logged or changed meanwhile; run gc again")
            index.forget(session, dead)
            holders.forget(session, dead)
            for pack in packs.values():
                index.move(session, pack.places, pack.key, pack.size, at=at)
            index.forget_objects(session, [*garbage.objects, *packs])
            for decision in fresh.decisions:  # as the plan's are; they may have come from far
                self._purge(session, decision, ids.by_ref[decision.version.ref], at)
        for key in (*garbage.objects, *packs, *garbage.strays):
            store.delete(key)
        return plan

    def _plan(self, grace_s: int) -> tuple[GcPlan, Garbage, _Ids]:
        if not 0 <= grace_s <= _LONGEST_GRACE_S:
            raise InvalidArgument(f"a grace period has 0 to {_LONGEST_GRACE_S:,} seconds, not {grace_s}")
        now = clock.now()
        older_than = now - timedelta(seconds=grace_s)
        with self._here.database.read() as session:
            state = _state(session)
            decisions, by_ref = self._decide(session)
            recorded = streams.live(session)
        kept = {digests.parse(d.version.digest) for d in decisions if d.fate == "keep"}
        live = recorded | kept
        for digest in kept:
            live |= self._here.manifests.stored(digests.format(digest)).blobs.keys()
        with self._here.database.read() as session:
            garbage = gc.find_garbage(
                live,
                index.list_places(session),
                index.list_objects(session),
                self._here.blobs.store.list(),
                older_than=older_than,
                strays_older_than=min(older_than, now - _WRITING),
            )
        shown = [d for d in decisions if d.fate != "purge" or d.version.purged_at is None]
        plan = GcPlan(
            decisions=tuple(shown),
            blob_count=len(garbage.dead),
            object_count=len(garbage.objects),
            rewrite_count=len(garbage.rewrites),
            stray_count=len(garbage.strays),
            waiting_count=garbage.waiting_count,
            waiting_bytes=garbage.waiting_bytes,
            freed_bytes=garbage.freed_bytes,
            grace_s=grace_s,
            made_at=now,
            fingerprint=_fingerprint(shown, garbage),
        )
        return plan, garbage, _Ids(state, by_ref)

    def _decide(self, session: Session) -> tuple[list[Decision], dict[str, int]]:
        used, linked = edges.used_versions(session), versions.links_by_id(session)
        every = versions.list_everywhere(session)
        newest: dict[int, int] = {}
        for placed in every:
            if placed.version.deleted_at is None:
                newest[placed.collection_id] = placed.version.number
        now = clock.now()
        decisions = []
        for placed in every:
            decisions.append(
                retention.decide(
                    placed.version,
                    linked=linked.get(placed.id, ()),
                    newest=newest.get(placed.collection_id) == placed.version.number,
                    used=placed.id in used,
                    now=now,
                )
            )
        return decisions, {placed.version.ref: placed.id for placed in every}

    def _rewritten(self, garbage: Garbage) -> dict[str, PackWriter]:
        """The new packs, each by the key of the old one. Raises conflict.plan_outdated where another gc was first."""
        packs: dict[str, PackWriter] = {}
        try:
            for key, live in self._live_in(garbage).items():
                if live:
                    packs[key] = gc.rewrite(self._here.blobs.store, live)
        except BlobNotFound:
            for pack in packs.values():
                self._here.blobs.store.delete(pack.key)
            raise PlanOutdated("another gc is at work; look at a new plan when it is done") from None
        return packs

    def _live_in(self, garbage: Garbage) -> dict[str, list[Place]]:
        dead = {place.digest for place in garbage.dead}
        found: dict[str, list[Place]] = {key: [] for key in garbage.rewrites}
        if found:
            with self._here.database.read() as session:
                for place, _ in index.list_places(session):
                    if place.key in found and place.digest not in dead:
                        found[place.key].append(place)
        return found

    def _purge(self, session: Session, decision: Decision, id_: int, at: datetime) -> None:
        values = {"purged_at": at}
        if decision.fate == "expire":
            values["deleted_at"] = at
            versions.change(session, id_, {"deleted_by": "gc: ttl"})
        if decision.fate != "keep":
            versions.change(session, id_, values)

    # ---- fsck ------------------------------------------------------------------------------------------------

    def fsck(self, *, repair: bool = False, rebuild: bool = False) -> Check:
        self._here.check_server()
        problems = [Problem("database", "lineal.db", text) for text in self._here.database.check()]
        if rebuild:
            problems += self._rebuild()
        places = self._places()
        bad, described, size = self._read_all(places)
        garbage, adopted = self._strays()
        if repair:
            problems += self._repair(bad, described, adopted)
            (garbage, _), sound = self._strays(), set(self._places())
        else:
            problems += bad.values()
            sound = places.keys() - bad.keys()
        count, missing = self._check_versions(sound)
        missing += self._check_runs(sound)
        return Check(count, len(places), size, (*problems, *missing), tuple(sorted(garbage)))

    def _places(self) -> dict[Digest, Place]:
        with self._here.database.read() as session:
            return {place.digest: place for place, _ in index.list_places(session)}

    def _read_all(self, places: Mapping[Digest, Place]) -> tuple[dict[Digest, Problem], list[Place], int]:
        """What is wrong with which blob, the blobs that are only described wrongly, as they are, and bytes read."""
        bad: dict[Digest, Problem] = {}
        described: list[Place] = []
        size = 0
        for digest, place in places.items():
            try:
                seen = gc.verify(self._here.blobs.store, place)
                size += seen.size
                if seen != place._replace(fast=place.fast or seen.fast):
                    text = f"{place.key} holds the blob, but the index describes it wrongly"
                    bad[digest] = Problem("index_mismatch", digests.format(digest), text)
                    described.append(seen)
            except (Corrupt, NotFound) as problem:
                code = "damaged_blob" if isinstance(problem, Corrupt) else "lost_blob"
                bad[digest] = Problem(code, digests.format(digest), problem.message)
        return bad, described, size

    def _strays(self) -> tuple[list[str], dict[str, list[Place]]]:
        """Objects that no row knows: mere garbage, and those that hold blobs which the index has lost."""
        with self._here.database.read() as session:
            known = index.list_objects(session)
        garbage, adopted = [], {}
        for stored in self._here.blobs.store.list():
            if stored.key in known:
                continue
            try:
                places = gc.places_in(self._here.blobs.store, stored)
            except Error:
                places = []
            wanted = self._here.blobs.missing([p.digest for p in places])
            garbage.append(stored.key)
            if wanted:
                adopted[stored.key] = [p for p in places if p.digest in wanted]
        return garbage, adopted

    def _repair(
        self, bad: Mapping[Digest, Problem], described: list[Place], adopted: Mapping[str, list[Place]]
    ) -> list[Problem]:
        again = bad.keys() - {place.digest for place in described}
        with self._here.database.begin(alone=True) as session:
            index.forget(session, list(again))
            index.describe(session, described)
        mended = [Problem(p.code, p.subject, p.text, repaired=True) for p in bad.values()]
        for stored in self._here.blobs.store.list():
            try:
                places = gc.places_in(self._here.blobs.store, stored)
                again_here = [p for p in places if p.digest in again or stored.key in adopted]
                whole = [gc.verify(self._here.blobs.store, place) for place in again_here]
            except Error:
                continue
            if whole:
                self._adopt(stored.key, stored.size, whole)
        return mended

    def _adopt(self, key: str, size: int, places: list[Place]) -> None:
        with self._here.database.begin(alone=True) as session:
            known = key in index.list_objects(session)
            if not known:
                index.add(session, places, {key: size}, at=clock.now())

    def _rebuild(self) -> list[Problem]:
        """Makes the index anew from what the store's objects say they hold, every blob verified."""
        problems, found = [], []
        for stored in self._here.blobs.store.list():
            if is_temporary(stored.key):
                continue
            try:
                places = gc.places_in(self._here.blobs.store, stored)
            except Error as problem:
                problems.append(Problem("damaged_pack", stored.key, problem.message))
                continue
            whole = []
            for place in places:
                try:
                    whole.append(gc.verify(self._here.blobs.store, place))
                except Error as problem:
                    problems.append(Problem("damaged_blob", digests.format(place.digest), problem.message))
            if whole:
                found.append((stored, whole))
        at = clock.now()
        with self._here.database.begin(alone=True) as session:
            index.clear(session)
            for stored, whole in found:
                index.add(session, whole, {stored.key: stored.size}, at=at)
        return problems

    def _check_versions(self, sound: set[Digest]) -> tuple[int, list[Problem]]:
        with self._here.database.read() as session:
            every = [p.version for p in versions.list_everywhere(session) if p.version.deleted_at is None]
        return len(every), [problem for version in every for problem in self._check_version(version, sound)]

    def _check_version(self, version: Version, sound: set[Digest]) -> list[Problem]:
        if digests.parse(version.digest) not in sound:
            return [Problem("lost_manifest", version.ref, f"{version.name}: its manifest is damaged or gone")]
        try:
            manifest = self._here.manifests.stored(version.digest)
        except Error as problem:
            return [Problem("damaged_manifest", version.ref, f"{version.name}: {problem.message}")]
        lost = [entry.path for entry in manifest if entry.digest is not None and entry.digest not in sound]
        if not lost:
            return []
        return [Problem("damaged_version", version.ref, f"{version.name}: damaged or gone: {_shown(lost)}")]

    def _check_runs(self, sound: set[Digest]) -> list[Problem]:
        lost: dict[int, dict[str, None]] = {}
        with self._here.database.read() as session:
            for id_, what, digest in streams.list_everywhere(session):
                if digest not in sound:
                    lost.setdefault(id_, {})[what] = None
            for id_, what in streams.list_unreadable(session):
                lost.setdefault(id_, {})[what] = None
            known = runs.list_by_id(session, lost)
        found = {known[id_].path: _shown(list(what)) for id_, what in lost.items()}
        return [Problem("damaged_run", path, f"{path}: damaged or gone: {what}") for path, what in found.items()]


def _shown(lost: Sequence[str]) -> str:
    return ", ".join(lost[:5]) + (f" and {len(lost) - 5} more" if len(lost) > 5 else "")


class _Ids:
    def __init__(self, state: str, by_ref: Mapping[str, int]) -> None:
        self.state, self.by_ref = state, by_ref


def verify_blobs(here: Context, wanted: Mapping[Digest, str]) -> tuple[int, list[tuple[str, str]]]:
    """Bytes read, and (what, what is wrong with it), after hashing every blob of `wanted` (digest → its name)."""
    places = here.blobs.find(wanted.keys())
    problems: list[tuple[str, str]] = []
    size = 0
    for digest, name in wanted.items():
        if digest not in places:
            problems.append((name, f"{name}: its bytes are not in the store"))
            continue
        try:
            size += gc.verify(here.blobs.store, places[digest]).size
        except Error as problem:
            problems.append((name, f"{name}: {problem.message}"))
    return size, problems


def _state(session: Session) -> str:
    """A text that differs whenever something happened that may decide which versions are needed."""
    return f"{versions.state(session)}/{edges.count_uses(session)}"


def _fingerprint(decisions: list[Decision], garbage: Garbage) -> str:
    text = hashlib.sha256()
    for decision in decisions:
        if decision.fate != "keep":
            text.update(f"{decision.fate} {decision.version.ref}\n".encode())
    for place in sorted(garbage.dead):
        text.update(place.digest)
    for key in sorted({*garbage.objects, *garbage.strays, *garbage.rewrites}):
        text.update(key.encode())
    return text.hexdigest()
