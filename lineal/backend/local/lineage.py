"""Use cases of lineage: graphs, audits and impacts, joined from edges, versions, runs and aliases."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from lineal.backend.local.artifacts import holds
from lineal.backend.local.context import Context
from lineal.backend.local.upkeep import verify_blobs
from lineal.backend.port import Lineage
from lineal.core import clock
from lineal.core.errors import InvalidDigest, VersionNotFound
from lineal.core.names import format_number, parse_ref
from lineal.db.session import Session
from lineal.lineage import edges, walks
from lineal.lineage.edges import RowEdge
from lineal.lineage.model import Direction, Edge, Graph, Node
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
from lineal.registry import aliases, links, versions
from lineal.registry.collections import Found
from lineal.registry.model import Version
from lineal.storage import digest as digests
from lineal.tracking import runs
from lineal.tracking.model import Run

RUN_PREFIX = "run:"
MAX_NODES = 20_000


class _Start(NamedTuple):
    versions: tuple[int, ...]
    runs: tuple[int, ...]


class _Rows(NamedTuple):
    """A subgraph by row ids, with the records of its nodes and how far each lies from the start."""

    versions: Mapping[int, Version]
    runs: Mapping[int, Run]
    edges: tuple[RowEdge, ...]
    depths: Mapping[tuple[bool, int], int]
    truncated: bool


class LocalLineage(Lineage):
    def __init__(self, context: Context) -> None:
        self._here = context

    def graph(self, subject: str, *, direction: Direction = "both", depth: int | None = None) -> Graph:
        with self._here.database.read() as session:
            start = self._start(session, subject)
            return _graph(_rows(session, start, direction, depth), start)

    def reach(self, subject: str, *, up: bool = True, depth: int | None = None) -> list[str]:
        with self._here.database.read() as session:
            start = self._start(session, subject)
            if start.versions:
                return walks.reach_names(session, version=start.versions[0], up=up, depth=depth)
            return walks.names(session, walks.reach(session, runs=start.runs, up=up, depth=depth))

    def used_by(self, ref: str) -> list[Run]:
        with self._here.database.read() as session:
            placed = self._here.resolve(session, ref, deleted=True)
            users = {edge.run for edge in edges.of_version(session, placed.id) if not edge.output}
            found = runs.list_by_id(session, users).values()
        return sorted(found, key=lambda run: run.created_at)

    def artifacts_of(self, run_id: str, *, output: bool) -> list[Version]:
        with self._here.database.read() as session:
            run = runs.get(session, run_id)
            touched = {edge.version for edge in edges.of_run(session, run.id) if edge.output == output}
            found = versions.list_by_id(session, touched).values()
        return sorted(found, key=lambda version: version.ref)

    def audit(self, ref: str, *, verify: bool = False) -> Audit:
        with self._here.database.read() as session:
            placed = self._here.resolve(session, ref, deleted=True)
            start = _Start((placed.id,), ())
            rows = _rows(session, start, "up", None)
            promotions = self._promotions(session, placed)
        order = _causes_first(rows)
        facts = {id_: self._facts(version) for id_, version in rows.versions.items()}
        others = [facts[id_] for is_run, id_ in order if not is_run and id_ != placed.id]
        ordered = [*others, facts[placed.id]]  # a cycle may have put the subject before its causes
        run_facts = [_run_facts(rows, id_) for is_run, id_ in order if is_run]
        made = {edge.version for edge in rows.edges if edge.output}
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
            + (checked.problems if checked else ()),
            graph=_graph(rows, start),
            made_at=clock.now(),
            made_by=f"{self._here.user}@{self._here.host}",
            verification=checked,
        )

    def impact(self, subject: str) -> Impact:
        subjects = self._holding(subject)
        with self._here.database.read() as session:
            start = _Start(tuple(subjects), ())
            rows = _rows(session, start, "down", None)
            linked = [
                (version.ref, link.ref)
                for id_, version in rows.versions.items()
                for link in links.of_version(session, id_)
            ]
            standing = self._standing(session, rows.versions)
        order = _causes_first(rows)
        facts = {id_: self._facts(version, read=False) for id_, version in rows.versions.items()}
        return Impact(
            asked=subject,
            subjects=tuple(facts[id_] for id_ in subjects),
            versions=tuple(facts[id_] for is_run, id_ in order if not is_run and id_ not in subjects),
            runs=tuple(_run_facts(rows, id_) for is_run, id_ in order if is_run),
            links=tuple(sorted(linked)),
            standing=standing,
            graph=_graph(rows, start),
            made_at=clock.now(),
        )

    # ---- parts -----------------------------------------------------------------------------------------------

    def _start(self, session: Session, subject: str) -> _Start:
        if subject.startswith(RUN_PREFIX):
            return _Start((), (runs.get(session, subject.removeprefix(RUN_PREFIX)).id,))
        return _Start((self._here.resolve(session, subject, deleted=True).id,), ())

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
            every = versions.list_everywhere(session)
        found = {
            placed.id: placed.version
            for placed in every
            if placed.version.digest == subject or holds(self._here.manifests.stored(placed.version.digest), wanted)
        }
        if not found:
            raise VersionNotFound(f"no version holds {subject}")
        return found

    def _facts(self, version: Version, *, read: bool = True) -> VersionFacts:
        uris = []
        if read and version.purged_at is None:
            manifest = self._here.manifests.stored(version.digest)
            uris = [e.reference.uri for e in manifest if e.reference is not None]
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

    def _unchecked(self, rows: _Rows) -> dict[str, list[str]]:
        """The references without checksum, ETag or version id, by the ref of their version."""
        found = {}
        for version in rows.versions.values():
            if version.purged_at is None:
                manifest = self._here.manifests.stored(version.digest)
                found[version.ref] = [
                    e.reference.uri for e in manifest if e.reference is not None and not e.reference.checked
                ]
        return found

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

    def _shown(self, session: Session, id_: int) -> list[tuple[Found, set[int]]]:
        """The collections that show the version, or did, each with the numbers it had there."""
        shown: dict[str, set[int]] = {}
        for seen in versions.places_of(session, id_, unlinked=True):
            shown.setdefault(seen.version.ref.rpartition(":")[0], set()).add(seen.version.number)
        return [(self._here.collection(session, parse_ref(ref), deleted=True), shown[ref]) for ref in shown]

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
                for entry in self._here.manifests.stored(version.digest):
                    if entry.digest is not None:
                        wanted.setdefault(entry.digest, f"{version.ref} {entry.path}")
        size, problems = verify_blobs(self._here, wanted)
        return Verification(len(wanted), size, tuple(Finding("corrupt", s, t) for s, t in problems))


def _rows(session: Session, start: _Start, direction: Direction, depth: int | None) -> _Rows:
    found_versions, found_runs = set(start.versions), set(start.runs)
    for up in (True, False):
        if direction in ("both", "up" if up else "down"):
            reached = walks.reach(session, versions=start.versions, runs=start.runs, up=up, depth=depth)
            found_versions |= reached.versions
            found_runs |= reached.runs
    between = [e for e in edges.of_runs(session, found_runs) if e.version in found_versions]
    depths = _depths(start, between)
    truncated = len(depths) > MAX_NODES
    if truncated:
        kept = dict(sorted(depths.items(), key=lambda pair: pair[1])[:MAX_NODES])
        between = [e for e in between if (True, e.run) in kept and (False, e.version) in kept]
        depths = kept
    return _Rows(
        versions.list_by_id(session, [id_ for is_run, id_ in depths if not is_run]),
        runs.list_by_id(session, [id_ for is_run, id_ in depths if is_run]),
        tuple(between),
        depths,
        truncated,
    )


def _depths(start: _Start, between: Collection[RowEdge]) -> dict[tuple[bool, int], int]:
    """How many edges each node lies from the start, whichever way they point."""
    beside: dict[tuple[bool, int], list[tuple[bool, int]]] = {}
    for edge in between:
        beside.setdefault((True, edge.run), []).append((False, edge.version))
        beside.setdefault((False, edge.version), []).append((True, edge.run))
    first = [(False, id_) for id_ in start.versions] + [(True, id_) for id_ in start.runs]
    depths = dict.fromkeys(first, 0)
    waiting = deque(first)
    while waiting:
        node = waiting.popleft()
        for other in beside.get(node, ()):
            if other not in depths:
                depths[other] = depths[node] + 1
                waiting.append(other)
    return depths


def _causes_first(rows: _Rows) -> list[tuple[bool, int]]:
    """The nodes so that causes come before effects; where a cycle forbids it, the older come first."""
    after: dict[tuple[bool, int], list[tuple[bool, int]]] = {node: [] for node in rows.depths}
    count = dict.fromkeys(rows.depths, 0)
    for edge in {(e.run, e.version, e.output) for e in rows.edges}:
        run, version = (True, edge[0]), (False, edge[1])
        cause, effect = (run, version) if edge[2] else (version, run)
        after[cause].append(effect)
        count[effect] += 1

    def age(node: tuple[bool, int]) -> tuple[object, ...]:
        is_run, id_ = node
        return ((rows.runs if is_run else rows.versions)[id_].created_at, is_run, id_)

    order: dict[tuple[bool, int], None] = {}
    oldest = iter(by_age := sorted(rows.depths, key=age))
    ready = [node for node in by_age if not count[node]]
    while len(order) < len(by_age):
        freed = []
        for node in ready or [next(node for node in oldest if node not in order)]:
            order[node] = None
            for effect in after[node]:
                count[effect] -= 1
                if not count[effect] and effect not in order:
                    freed.append(effect)
        ready = sorted(freed, key=age)
    return list(order)


def _graph(rows: _Rows, start: _Start) -> Graph:
    first = {(False, id_) for id_ in start.versions} | {(True, id_) for id_ in start.runs}
    names = {(False, id_): f"version:{version.ref}" for id_, version in rows.versions.items()}
    names |= {(True, id_): f"run:{run.id}" for id_, run in rows.runs.items()}
    nodes = [
        _run_node(rows.runs[id_], depth, (True, id_) in first)
        if is_run
        else _version_node(rows.versions[id_], depth, (False, id_) in first)
        for (is_run, id_), depth in rows.depths.items()
    ]
    drawn = {
        Edge(names[True, e.run], names[False, e.version], e.role)
        if e.output
        else Edge(names[False, e.version], names[True, e.run], e.role)
        for e in rows.edges
    }
    return Graph(
        tuple(sorted(nodes, key=lambda node: (node.depth, node.id))),
        tuple(sorted(drawn, key=lambda edge: (edge.source, edge.target, edge.role))),
        rows.truncated,
    )


def _version_node(version: Version, depth: int, focus: bool) -> Node:
    detail = {
        "ref": version.ref,
        "digest": version.digest,
        "size_bytes": version.size_bytes,
        "files": version.file_count,
        "created_by": version.created_by,
    }
    return Node(
        id=f"version:{version.ref}",
        kind="version",
        name=version.name,
        type=version.type,
        aliases=version.aliases,
        created_at=version.created_at,
        depth=depth,
        deleted=version.deleted_at is not None,
        focus=focus,
        detail=detail,
    )


def _run_node(run: Run, depth: int, focus: bool) -> Node:
    detail = {"run": run.path, "state": run.state, "by": f"{run.user}@{run.host}"}
    if run.code.get("commit"):
        detail["commit"] = str(run.code["commit"]) + (" (dirty)" if run.code.get("dirty") else "")
    return Node(
        id=f"run:{run.id}",
        kind="run",
        name=run.name,
        type=run.job_type,
        created_at=run.created_at,
        depth=depth,
        focus=focus,
        detail=detail,
    )


def _run_facts(rows: _Rows, id_: int) -> RunFacts:
    run = rows.runs[id_]
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
    )


def _purged(rows: _Rows) -> set[str]:
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
        yield Finding("walk_truncated", "", f"the graph is larger than {MAX_NODES} nodes; the farthest are left out")
