"""Use cases of lineage: graphs, audits and impacts, joined from edges, versions, runs and aliases."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from lineal.backend.local import subgraph
from lineal.backend.local.again import repeating_operations
from lineal.backend.local.context import Context
from lineal.backend.local.finding import holds
from lineal.backend.local.subgraph import Rows, Start
from lineal.backend.local.upkeep import verify_blobs
from lineal.backend.port import Lineage
from lineal.core import clock
from lineal.core.errors import Corrupt, InvalidDigest, NotFound, VersionNotFound
from lineal.core.names import format_number, parse_ref
from lineal.db.session import Session
from lineal.lineage import edges, walks
from lineal.lineage.model import Direction, Graph
from lineal.lineage.report import (
    Audit,
    Finding,
    Impact,
    Promotion,
    RunFacts,
    Standing,
    Verification,
    VersionFacts,
)
from lineal.registry import aliases, collections, links, versions
from lineal.registry.model import Version
from lineal.storage import digest as digests
from lineal.storage.manifest import Manifest
from lineal.tracking import runs
from lineal.tracking.model import Run

RUN_PREFIX, SWEEP_PREFIX = "run:", "sweep:"


@repeating_operations
class LocalLineage(Lineage):
    def __init__(self, context: Context) -> None:
        self._here = context

    def graph(self, subject: str, *, direction: Direction = "both", depth: int | None = None) -> Graph:
        with self._here.database.read() as session:
            start = self._start(session, subject)
            rows, seen = subgraph.find_rows(session, start, direction, depth), self._here.sight(session)
            return subgraph.graph(rows, start, seen.has)

    def reach(self, subject: str, *, up: bool = True, depth: int | None = None) -> list[str]:
        with self._here.database.read() as session:
            start, seen = self._start(session, subject), self._here.sight(session)
            if not seen.everything:
                rows = subgraph.find_rows(session, start, "up" if up else "down", depth)
                shown = subgraph.graph(subgraph.visible(rows, seen.has), start)
                return [node.id for node in shown.nodes if not node.focus and node.kind != "sweep"]
            if start.versions:
                return walks.reach_names(session, version=start.versions[0], up=up, depth=depth)
            reached = walks.reach(session, runs=start.runs, up=up, depth=depth)
            if start.sweep:
                reached.runs.update(start.runs)
            return walks.names(session, reached)

    def used_by(self, ref: str) -> list[Run]:
        with self._here.database.read() as session:
            placed = self._here.resolve(session, ref, deleted=True)
            users = {edge.run for edge in edges.of_version(session, placed.id) if not edge.output}
            found, seen = runs.list_by_id(session, users).values(), self._here.sight(session)
        return sorted(filter(seen.has, found), key=lambda run: run.created_at)

    def artifacts_of(self, run_id: str, *, output: bool) -> list[Version]:
        with self._here.database.read() as session:
            run = self._here.run(session, run_id)
            touched = {edge.version for edge in edges.of_run(session, run.id) if edge.output == output}
            found, seen = versions.list_by_id(session, touched).values(), self._here.sight(session)
        return sorted(filter(seen.has, found), key=lambda version: version.ref)

    def audit(self, ref: str, *, verify: bool = False) -> Audit:
        with self._here.database.read() as session:
            placed = self._here.resolve(session, ref, deleted=True)
            start = Start((placed.id,), ())
            every, seen = subgraph.find_rows(session, start, "up", None), self._here.sight(session)
            promotions = self._promotions(session, placed)
        rows = subgraph.visible(every, seen.has)
        order = subgraph.causes_first(rows)
        facts = {id_: self._facts(version) for id_, version in rows.versions.items()}
        others = [facts[id_] for is_run, id_ in order if not is_run and id_ != placed.id]
        ordered = [*others, facts[placed.id]]  # a cycle may have put the subject before its causes
        run_facts = [_run_facts(rows, id_) for is_run, id_ in order if is_run]
        made = {edge.version for edge in every.edges if edge.output}
        raw = tuple(facts[id_].ref for is_run, id_ in order if not is_run and id_ not in made)
        checked = self._verify([rows.versions[id_] for is_run, id_ in order if not is_run]) if verify else None
        return Audit(
            subject=facts[placed.id],
            versions=tuple(ordered),
            runs=tuple(run_facts),
            raw=raw,
            promotions=promotions,
            findings=tuple(
                _findings(ordered, run_facts, self._unchecked(rows), set(raw), _purged(rows), rows.truncated)
            )
            + tuple(checked.problems if checked else self._damaged(rows))
            + tuple(_hidden(every, rows)),
            graph=subgraph.graph(every, start, seen.has),
            made_at=clock.now(),
            made_by=f"{self._here.user}@{self._here.host}",
            verification=checked,
        )

    def impact(self, subject: str) -> Impact:
        subjects = self._holding(subject)
        with self._here.database.read() as session:
            start = Start(tuple(subjects), ())
            every, seen = subgraph.find_rows(session, start, "down", None), self._here.sight(session)
            rows = subgraph.visible(every, seen.has)
            linked = [
                (version.ref, link.ref)
                for id_, version in rows.versions.items()
                for link in links.of_version(session, id_)
                if seen.ref(link.ref)
            ]
            standing = self._standing(session, rows.versions)
        order = subgraph.causes_first(rows)
        facts = {id_: self._facts(version, read=False) for id_, version in rows.versions.items()}
        return Impact(
            asked=subject,
            subjects=tuple(facts[id_] for id_ in subjects),
            versions=tuple(facts[id_] for is_run, id_ in order if not is_run and id_ not in subjects),
            runs=tuple(_run_facts(rows, id_) for is_run, id_ in order if is_run),
            links=tuple(sorted(linked)),
            standing=standing,
            graph=subgraph.graph(every, start, seen.has),
            made_at=clock.now(),
        )

    # ---- parts -----------------------------------------------------------------------------------------------

    def _start(self, session: Session, subject: str) -> Start:
        if subject.startswith(RUN_PREFIX):
            return Start((), (self._here.run(session, subject.removeprefix(RUN_PREFIX)).id,))
        if subject.startswith(SWEEP_PREFIX):
            found = self._here.sweep(session, subject.removeprefix(SWEEP_PREFIX))
            it, most = found.sweep, subgraph.MAX_NODES + 1
            return Start((), tuple(runs.list_of_sweep(session, it.entity, it.project, it.id, limit=most)), found)
        return Start((self._here.resolve(session, subject, deleted=True).id,), ())

    def _holding(self, subject: str) -> dict[int, Version]:
        """The version that the ref names, or every version that holds the file with that digest."""
        try:
            wanted = digests.parse(subject)
        except InvalidDigest:
            if subject.startswith("sha256:"):
                raise
            with self._here.database.read() as session:
                return versions.list_by_id(session, [self._here.resolve(session, subject, deleted=True).id])
        with self._here.database.read() as session:
            seen = self._here.sight(session)
            every = [placed for placed in versions.list_everywhere(session) if seen.has(placed.version)]
        found = {
            placed.id: placed.version
            for placed in every
            if placed.version.digest == subject or holds(self._here.manifests.stored(placed.version.digest), wanted)
        }
        if not found:
            raise VersionNotFound(f"no version holds {subject}")
        return found

    def _facts(self, version: Version, *, read: bool = True) -> VersionFacts:
        manifest = self._manifest(version) if read else None
        uris = [e.reference.uri for e in manifest or () if e.reference is not None]
        return VersionFacts(
            ref=version.ref,
            name=version.name,
            type=version.type,
            digest=version.digest,
            size_bytes=version.size_bytes,
            file_count=version.file_count,
            created_at=version.created_at,
            created_by=version.created_by,
            made_by=version.run_id,
            aliases=version.aliases,
            tags=version.tags,
            description=version.description,
            metadata=version.metadata,
            references=tuple(uris),
            deleted_at=version.deleted_at,
        )

    def _manifest(self, version: Version) -> Manifest | None:
        """The version's manifest; None where it is gone or damaged."""
        try:
            return None if version.purged_at is not None else self._here.manifests.stored(version.digest)
        except (Corrupt, NotFound):
            return None

    def _unchecked(self, rows: Rows) -> dict[str, list[str]]:
        """The references without checksum, ETag or version id, by the ref of their version."""
        return {
            version.ref: [
                e.reference.uri
                for e in self._manifest(version) or ()
                if e.reference is not None and not e.reference.checked
            ]
            for version in rows.versions.values()
        }

    def _damaged(self, rows: Rows) -> Iterator[Finding]:
        for version in rows.versions.values():
            if version.purged_at is None and self._manifest(version) is None:
                text = (
                    f"the manifest of {version.name} is damaged or gone, so its files are unknown; run `lineal fsck`"
                )
                yield Finding("corrupt", version.ref, text)

    def _promotions(self, session: Session, placed: versions.Placed) -> tuple[Promotion, ...]:
        """Every move of an alias onto or off the version, in any collection that shows it or did, oldest first."""
        found = []
        for collection, numbers in self._shown(session, placed.id):
            events = aliases.events(session, collection)
            last = {event.alias: event for event in events}
            found += [
                Promotion(
                    collection=event.collection,
                    alias=event.alias,
                    kind=event.kind,
                    at=event.at,
                    user=event.user,
                    host=event.host,
                    from_version=None if event.from_number is None else format_number(event.from_number),
                    to_version=None if event.to_number is None else format_number(event.to_number),
                    why=event.why,
                    current=last[event.alias] is event and event.to_number in numbers,
                )
                for event in events
                if not numbers.isdisjoint((event.from_number, event.to_number))
            ]
        return tuple(sorted(found, key=lambda p: p.at))

    def _shown(self, session: Session, id_: int) -> list[tuple[collections.Found, set[int]]]:
        """The collections that show the version, or did, each with the numbers it had there."""
        shown: dict[str, set[int]] = {}
        for placed in versions.places_of(session, id_, unlinked=True):
            shown.setdefault(placed.version.ref.rpartition(":")[0], set()).add(placed.version.number)
        seen = self._here.sight(session)
        visible = {ref: numbers for ref, numbers in shown.items() if seen.ref(ref)}
        return [(self._here.collection(session, parse_ref(ref), deleted=True), visible[ref]) for ref in visible]

    def _standing(self, session: Session, found: Mapping[int, Version]) -> tuple[Standing, ...]:
        standing = []
        for id_, version in found.items():
            for collection, numbers in self._shown(session, id_):
                events = aliases.events(session, collection)
                for alias in sorted({event.alias for event in events}):
                    standing += [
                        Standing(version.ref, stretch.collection, alias, stretch.since, stretch.until, stretch.user)
                        for stretch in aliases.intervals([e for e in events if e.alias == alias])
                        if stretch.number in numbers
                    ]
        return tuple(sorted(standing, key=lambda s: (s.until is not None, s.since)))

    def _verify(self, found: Iterable[Version]) -> Verification:
        wanted: dict[digests.Digest, str] = {}
        for version in found:
            if version.purged_at is None:
                wanted[digests.parse(version.digest)] = version.ref
                for entry in self._manifest(version) or ():
                    if entry.digest is not None:
                        wanted.setdefault(entry.digest, f"{version.ref} {entry.path}")
        size, problems = verify_blobs(self._here, wanted)
        return Verification(len(wanted), size, tuple(Finding("corrupt", s, t) for s, t in problems))


def _run_facts(rows: Rows, id_: int) -> RunFacts:
    run = rows.runs[id_]
    sweep = subgraph.sweep_of(rows, run)
    touched = sorted(
        (rows.versions[e.version].ref, e.role, e.output)
        for e in rows.edges
        if e.run == id_ and e.version in rows.versions
    )
    dirty = run.code.get("dirty")
    return RunFacts(
        id=run.id,
        name=run.name,
        project=run.project,
        job_type=run.job_type,
        state=run.state,
        user=run.user,
        host=run.host,
        created_at=run.created_at,
        finished_at=run.finished_at,
        commit=run.code.get("commit"),
        branch=run.code.get("branch"),
        remote=run.code.get("remote"),
        dirty=None if dirty is None else bool(dirty),
        program=run.code.get("program"),
        config=run.config,
        inputs=tuple((ref, role) for ref, role, output in touched if not output),
        outputs=tuple((ref, role) for ref, role, output in touched if output),
        parent=run.parent,
        parent_step=run.parent_step,
        sweep=run.sweep,
        sweep_name=sweep.name if sweep else "",
        trial=run.trial,
    )


def _hidden(every: Rows, rows: Rows) -> Iterator[Finding]:
    """What the report doesn't show, since whoever asks may not read it."""
    count = len(every.versions) + len(every.runs) - len(rows.versions) - len(rows.runs)
    if count:
        yield Finding("hidden", "", f"{count} versions and runs lie in projects that you may not read")


def _purged(rows: Rows) -> set[str]:
    return {version.ref for version in rows.versions.values() if version.purged_at is not None}


def _findings(
    found: Iterable[VersionFacts],
    found_runs: Iterable[RunFacts],
    unchecked: Mapping[str, list[str]],
    raw: Collection[str],
    purged: Collection[str],
    truncated: bool,
) -> Iterable[Finding]:
    for version in found:
        if version.ref in raw:
            text = f"{version.name} was added by {version.created_by} outside any run; how it arose is not on record"
            yield Finding("no_run", version.ref, text)
        uris = unchecked.get(version.ref, [])
        if uris:
            text = f"{len(uris)} references have no checksum, so a change would go unseen; the first is {uris[0]}"
            yield Finding("reference_without_checksum", version.ref, text)
        if version.ref in purged:
            yield Finding("purged_version", version.ref, f"{version.name} was deleted and its bytes are gone")
        elif version.deleted_at is not None:
            yield Finding("deleted_version", version.ref, f"{version.name} has been deleted since")
    for run in found_runs:
        if run.commit is None:
            yield Finding("run_without_commit", run.id, f"run {run.name} is not tied to a code commit")
        if run.dirty:
            yield Finding("dirty_tree", run.id, f"run {run.name} ran from a tree with uncommitted changes")
        if run.state not in ("finished", "running"):
            yield Finding("run_unfinished", run.id, f"run {run.name} {run.state}")
    if truncated:
        yield Finding(
            "walk_truncated", "", f"the graph is larger than {subgraph.MAX_NODES} nodes; the farthest are left out"
        )
