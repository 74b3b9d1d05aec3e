"""Use cases of collections, versions, aliases and links: one operation, one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from lineal.backend.local.again import repeating_operations
from lineal.backend.local.context import Context
from lineal.backend.local.finding import LocalFinding
from lineal.backend.port import Logged
from lineal.core import clock, names
from lineal.core.errors import (
    AliasNotFound,
    BlobNotFound,
    BlobsMissing,
    EmptyArtifact,
    InvalidArgument,
    InvalidRef,
    VersionInUse,
    VersionPurged,
)
from lineal.core.metadata import check_metadata, check_text
from lineal.core.names import REGISTRY, Ref, parse_ref
from lineal.db.session import Session
from lineal.lineage import edges
from lineal.registry import aliases, collections, links, versions
from lineal.registry.model import AliasEvent, AliasInterval, Collection, Link, NewVersion, Version
from lineal.registry.retention import check_ttl
from lineal.registry.versions import Placed
from lineal.storage import digest as digests
from lineal.storage.manifest import Manifest
from lineal.tracking import runs


@repeating_operations
class LocalArtifacts(LocalFinding):
    def __init__(self, context: Context) -> None:
        self._here = context

    # ---- logging and using -----------------------------------------------------------------------------------

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
        names.check_name(collection, "collection")
        for alias in aliases:
            if alias != names.LATEST:
                names.check_alias(alias)
        plain, tags = check_metadata(metadata or {}), _checked_tags(tags)
        check_text(description, "description")
        if role is not None:
            names.check_name(role, "role")
        if ttl_s is not None:
            check_ttl(ttl_s)
        known = self._known(collection, project, run_id, digest)
        manifest = None if known else self._checked_manifest(digest)
        with self._here.database.begin() as session:
            run = self._here.run(session, run_id, running=True, locked=True) if run_id else None
            place = project or (run.run.project if run else self._here.project_for(None))
            if place == REGISTRY:
                raise InvalidRef("the project 'registry' holds links only; log elsewhere, then link")
            self._here.check_new(session, self._here.entity, place, collection)
            at = clock.now()
            found = collections.get_or_add(session, self._here.entity, place, collection, type, at=at)
            if manifest is None and not versions.has_content(session, found, digest):
                manifest = self._checked_manifest(digest)
            if manifest is not None:
                self._check_present(session, digests.parse(digest), manifest)
            new = NewVersion(
                digest,
                manifest.size_bytes if manifest else 0,
                len(manifest) if manifest else 0,
                description,
                plain,
                tags,
                ttl_s,
            )
            placed, made = versions.add(session, found, new, run=run.id if run else None, user=self._here.user, at=at)
            if made and manifest is not None and self._here.caller is not None:
                from lineal.backend.local import holding

                held = {digests.parse(digest), *manifest.blobs}
                holding.enter(session, self._here, placed.id, (found.entity, found.project), held)
            moved = self._move_all(session, found, aliases, placed, at)
            if run is not None:
                edges.record(session, run.id, placed.id, output=True, role=role, at=at)
            if moved:
                placed = versions.get(session, found, placed.version.number)
        return Logged(placed.version, made)

    def _known(self, collection: str, project: str | None, run_id: str | None, digest: str) -> bool:
        """Whether the collection has a live version of that content, so that its manifest needs no reading."""
        digests.parse(digest)
        with self._here.database.read() as session:
            run = runs.find(session, run_id) if run_id else None
            place = project or (run.run.project if run else self._here.project_for(None))
            self._here.check_new(session, self._here.entity, place, collection)
            found = collections.find(session, self._here.entity, place, collection)
            return found is not None and versions.has_content(session, found, digest)

    def _checked_manifest(self, digest: str) -> Manifest:
        absent = BlobsMissing("the store doesn't hold the manifest (any more); push it first", digests=[digest])
        with self._here.database.read() as session:
            if self._here.unknown(session, [digests.parse(digest)]):
                raise absent
        try:
            manifest = self._here.manifests.get(digest)
        except BlobNotFound:
            raise absent from None
        if not len(manifest):
            raise EmptyArtifact("the artifact has no files; add some before logging it")
        return manifest

    def _check_present(self, session: Session, digest: digests.Digest, manifest: Manifest) -> None:
        """Blobs that a push found in the store may have been collected since; a version never names what isn't there,
        nor what its caller never had."""
        if absent := self._here.unknown(session, {digest, *manifest.blobs}):
            raise BlobsMissing(
                f"{len(absent)} of the files are not in the store (any more); push them and log again",
                digests=[digests.format(digest) for digest in absent],
            )

    def _move_all(
        self,
        session: Session,
        found: collections.Found,
        wanted: Iterable[str],
        placed: Placed,
        at: datetime,
    ) -> bool:
        moved = False
        self._here.check_aliases(session, found, *(alias for alias in wanted if alias != names.LATEST))
        for alias in dict.fromkeys(wanted):
            if alias != names.LATEST:
                mover = self._here.mover("logged", at)
                moved |= aliases.move(session, found, alias, placed.version.number, mover)
        return moved

    def use(self, ref: str, run_id: str, *, role: str | None = None) -> Version:
        if role is not None:
            names.check_name(role, "role")
        with self._here.database.begin() as session:
            run = self._here.run(session, run_id, running=True, locked=True)
            placed = self._here.resolve(session, ref, needs="read")
            edges.record(session, run.id, placed.id, output=False, role=role, at=clock.now())
        return placed.version

    # ---- reading ---------------------------------------------------------------------------------------------

    def resolve(self, ref: str, *, at: datetime | None = None) -> Version:
        if at is not None:
            with self._here.database.read() as session:
                return self._here.resolve(session, ref, at=at).version
        with self._here.database.look() as session:  # the version, then the role: it may be the newer one
            return self._here.resolve(session, ref).version

    def manifest(self, digest: str) -> Manifest:
        if self._here.served:
            with self._here.database.read() as session:
                self._here.sight(session)
                if self._here.unknown(session, [digests.parse(digest)]):
                    raise BlobNotFound(f"the store does not hold {digest}")
        return self._here.manifests.stored(digest)

    def list_collections(
        self,
        *,
        project: str | None = None,
        type: str | None = None,
        deleted: bool = False,
        limit: int | None = None,
        after: str | None = None,
    ) -> list[Collection]:
        names.check_limit(limit)
        last = None if after is None else _place(after)
        found: list[Collection] = []
        with self._here.database.read() as session:
            seen, entity = self._here.sight(session), self._here.entity
            while True:  # a page may hold some that the caller doesn't see
                page = collections.list_all(
                    session, entity, project, type=type, deleted=deleted, limit=limit, after=last
                )
                found += [one for one in page if seen.collection(one.entity, one.project, one.name)]
                if limit is None or len(page) < limit or len(found) >= limit:
                    return found[:limit]
                last = (page[-1].project, page[-1].name)

    def list_types(self, *, project: str | None = None) -> list[str]:
        with self._here.database.read() as session:
            seen, entity = self._here.sight(session), self._here.entity
            found = collections.list_types(session, entity, project)
            return sorted({type_ for place, type_ in found if seen.project(entity, place)})

    def list_versions(
        self, collection: str, *, deleted: bool = False, limit: int | None = None, after: str | None = None
    ) -> list[Version]:
        names.check_limit(limit)
        below = None if after is None else names.parse_number(after)
        with self._here.database.read() as session:
            found = self._here.collection(session, parse_ref(collection), deleted=deleted)
            return [p.version for p in versions.list_all(session, found, deleted=deleted, limit=limit, below=below)]

    # ---- aliases ---------------------------------------------------------------------------------------------

    def move_alias(self, ref: str, alias: str, *, expected: str | None = None, why: str = "") -> Version:
        names.check_alias(alias)
        if expected is not None and expected != aliases.NOWHERE:
            names.parse_number(expected)
        with self._here.database.begin() as session:
            placed = self._here.hold(session, ref, needs="write")
            found, number = versions.collection_of(placed), placed.version.number
            self._here.check_aliases(session, found, alias)
            self._note_move(session, found, alias, number)
            aliases.move(session, found, alias, number, self._here.mover(why), expected=expected)
        return replace(placed.version, aliases=tuple(sorted({*placed.version.aliases, alias})))

    def remove_alias(self, ref: str, *, why: str = "") -> Version:
        parsed = _alias_ref(ref)
        with self._here.database.begin() as session:
            found = self._here.collection(session, parsed, locked=True, needs="write")
            self._here.check_aliases(session, found, parsed.alias or "")
            self._note_move(session, found, parsed.alias or "", None)
            number = aliases.remove(session, found, parsed.alias or "", self._here.mover(why))
            return versions.get(session, found, number, deleted=True).version

    def rollback(self, ref: str, *, why: str = "") -> Version:
        parsed = _alias_ref(ref)
        alias = parsed.alias or ""
        with self._here.database.begin() as session:
            found = self._here.collection(session, parsed, locked=True, needs="write")
            self._here.check_aliases(session, found, alias)
            if aliases.stands(session, found, alias) is None:
                raise AliasNotFound(f"{found.name} has no alias {alias!r} to roll back")
            number = aliases.before_now(aliases.events(session, found, alias))
            if number is None:
                raise AliasNotFound(f"nothing stood at {found.name}:{alias} before; promote a version instead")
            versions.get(session, found, number)
            self._note_move(session, found, alias, number)
            aliases.move(session, found, alias, number, self._here.mover(why), kind="rollback")
            return versions.get(session, found, number).version

    def _note_move(self, session: Session, found: collections.Found, alias: str, to: int | None) -> None:
        """Where the alias stood and stands, for the record."""
        if self._here.served:
            stood = aliases.stands(session, found, alias)
            numbers = [None if number is None else names.format_number(number) for number in (stood, to)]
            self._here.note({alias: numbers[0]}, {alias: numbers[1]})

    def list_alias_events(self, ref: str, *, limit: int | None = None, after: str | None = None) -> list[AliasEvent]:
        parsed = parse_ref(ref)
        names.check_limit(limit)
        if after is not None and not (after.isascii() and after.isdecimal() and len(after) < 19):
            raise InvalidArgument(f"{ascii(after)[:40]} is no id of an event")
        with self._here.database.read() as session:
            found = self._here.collection(session, parsed, deleted=True)
            return aliases.events(session, found, parsed.alias, limit=limit, after=int(after or 0))

    def list_alias_intervals(self, ref: str) -> list[AliasInterval]:
        events = self.list_alias_events(names.format_ref(_alias_ref(ref)))
        if not events:
            raise AliasNotFound(f"{ref} has never stood anywhere")
        return aliases.intervals(events)

    # ---- changing and deleting -------------------------------------------------------------------------------

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
        values: dict[str, Any] = {}
        if description is not None:
            values["description"] = check_text(description, "description")
        if metadata is not None:
            values["metadata"] = check_metadata(metadata)
        if tags is not None:
            values["tags"] = list(_checked_tags(tags))
        if ttl_s is not None:
            values["ttl_s"] = None if ttl_s == -1 else check_ttl(ttl_s)
        if hold is not None:
            values["hold"] = check_text(hold, "hold") or None
        with self._here.database.begin() as session:
            placed = self._here.resolve(session, ref)
            self._here.note({key: getattr(placed.version, key) for key in values}, values)
            if values:
                versions.change(session, placed.id, values)
            return self._here.resolve(session, placed.version.ref).version

    def delete(self, ref: str, *, force: bool = False) -> Version:
        with self._here.database.begin() as session:
            placed = self._here.hold(session, ref)
            if placed.version.linked:
                raise InvalidRef(f"{ref} is a link to {placed.version.source}; unlink it, or delete that version")
            collections.hold(session, versions.collections_of(session, [placed.id]))
            return self._delete(session, placed, force=force)

    def _delete(self, session: Session, placed: Placed, *, force: bool) -> Version:
        standing = versions.places_of(session, placed.id)
        uses = [f"alias {a!r} of {p.version.collection}" for p in standing for a in p.version.aliases]
        uses += [f"link {p.version.ref}" for p in standing if p.version.linked]
        if uses and not force:
            raise VersionInUse(
                f"{placed.version.name} is in use: {', '.join(uses)}; remove these first, or force it",
                uses=uses,
            )
        at = clock.now()
        for p in standing:
            found = self._here.collection(session, parse_ref(p.version.ref))
            self._here.check_aliases(session, found, *p.version.aliases)
            for alias in p.version.aliases:
                aliases.remove(session, found, alias, self._here.mover("version deleted", at))
            if p.version.linked:
                links.remove(session, found, p.version.number, at=at)
        versions.change(session, placed.id, {"deleted_at": at, "deleted_by": self._here.user})
        found = self._here.collection(session, parse_ref(placed.version.ref))
        return versions.get(session, found, placed.version.number, deleted=True).version

    def restore(self, ref: str) -> Version:
        parsed = parse_ref(ref)
        if parsed.number is None:
            raise InvalidRef("only a version named by its number can be restored, such as name:v3")
        with self._here.database.begin() as session:
            found = self._here.collection(session, parsed, deleted=True, locked=True)
            placed = versions.get(session, found, parsed.number, deleted=True)
            if placed.version.purged_at is not None:
                raise VersionPurged(f"{placed.version.name} can't be restored: gc has taken its bytes")
            collections.set_deleted(session, found.id, None)
            versions.change(session, placed.id, {"deleted_at": None, "deleted_by": None})
            return versions.get(session, found, parsed.number).version

    def delete_collection(self, collection: str, *, force: bool = False) -> list[Version]:
        with self._here.database.begin() as session:
            found = self._here.collection(session, parse_ref(collection), locked=True)
            if found.project == REGISTRY:
                raise InvalidRef("a registry collection ends when its last link does; unlink its versions")
            every = versions.list_all(session, found)
            collections.hold(session, versions.collections_of(session, [p.id for p in every]))
            gone = [self._delete(session, p, force=force) for p in every]
            collections.set_deleted(session, found.id, clock.now())
        return gone

    # ---- links -----------------------------------------------------------------------------------------------

    def link(self, ref: str, target: str, *, aliases: Sequence[str] = ()) -> Version:
        goal = parse_ref(target)
        if goal.project != REGISTRY or goal.pinned or goal.alias:
            raise InvalidRef(f"{target!r} is no place to link to; write registry/<collection>")
        with self._here.database.begin() as session:
            placed = self._here.hold(session, ref, needs="read")
            at = clock.now()
            if not self._here.check(session, self._here.entity, REGISTRY, goal.collection):
                self._here.check_new(session, self._here.entity, REGISTRY, goal.collection)
            found = collections.get_or_add(
                session, self._here.entity, REGISTRY, goal.collection, placed.version.type, at=at
            )
            linked = links.add(session, found, placed, user=self._here.user, at=at)
            self._move_all(session, found, aliases, linked, at)
            return versions.get(session, found, linked.version.number).version

    def unlink(self, ref: str) -> Version:
        with self._here.database.begin() as session:
            placed = self._here.hold(session, ref)
            if not placed.version.linked:
                raise InvalidRef(f"{ref} is no link; name it as registry/<collection>:<version or alias>")
            found = self._here.collection(session, parse_ref(placed.version.ref))
            self._here.check_aliases(session, found, *placed.version.aliases)
            at = clock.now()
            for alias in placed.version.aliases:
                aliases.remove(session, found, alias, self._here.mover("unlinked", at))
            links.remove(session, found, placed.version.number, at=at)
        return placed.version

    def list_links(self, ref: str) -> list[Link]:
        with self._here.database.read() as session:
            found, seen = links.of_version(session, self._here.resolve(session, ref).id), self._here.sight(session)
            return [link for link in found if seen.ref(link.ref)]


def _alias_ref(text: str) -> Ref:
    parsed = parse_ref(text)
    if parsed.alias is None:
        raise InvalidRef(f"{text!r} names no alias that moves by hand; write name:alias, such as model:production")
    return parsed


def _place(text: str) -> tuple[str, str]:
    """The project and name in `project/name`."""
    ref = parse_ref(text)
    if ref.project is None or ref.entity is not None:
        raise InvalidArgument(f"{ascii(text)[:80]} is no place in a list; write project/name")
    return ref.project, ref.collection


def _checked_tags(tags: Sequence[str]) -> tuple[str, ...]:
    if isinstance(tags, str):
        raise InvalidArgument("tags are a list of texts, not one text")
    return tuple(dict.fromkeys(names.check_name(tag, "tag") for tag in tags))
