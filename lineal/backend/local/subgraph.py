"""The lineage graph around some nodes: its rows, its order, and its records for drawing.

Walks lead over runs and versions only. A sweep hangs on its runs wherever they are in a graph, so that a model shows
which search it comes from, but not all the other trials of that search.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from lineal.db.session import Session
from lineal.lineage import edges, walks
from lineal.lineage.edges import RowEdge
from lineal.lineage.model import Direction, Edge, Graph, Node
from lineal.registry import versions
from lineal.registry.model import Version
from lineal.sweeps import sweeps
from lineal.sweeps.model import Sweep
from lineal.sweeps.sweeps import Found
from lineal.tracking import runs
from lineal.tracking.model import Run

MAX_NODES = 20_000

Seen = Callable[[Version | Run | Sweep], bool]


class Start(NamedTuple):
    """Where a walk begins: row ids of versions, or of runs, which may be those of a sweep."""

    versions: tuple[int, ...]
    runs: tuple[int, ...]
    sweep: Found | None = None


class Rows(NamedTuple):
    """A subgraph by row ids, with the records of its nodes and how far each lies from the start; sweeps by id."""

    versions: Mapping[int, Version]
    runs: Mapping[int, Run]
    edges: tuple[RowEdge, ...]
    forks: tuple[tuple[int, int], ...]  # of a run (the first) another one was forked
    depths: Mapping[tuple[bool, int], int]
    truncated: bool
    sweeps: Mapping[str, Found]


def find_rows(session: Session, start: Start, direction: Direction, depth: int | None) -> Rows:
    """What lies around the start, at most `depth` runs away; the farthest are left out beyond 20,000 nodes."""
    found_versions, found_runs = set(start.versions), set(start.runs)
    for up in (True, False):
        if direction in ("both", "up" if up else "down"):
            reached = walks.reach(session, versions=start.versions, runs=start.runs, up=up, depth=depth)
            found_versions |= reached.versions
            found_runs |= reached.runs
    between = [e for e in edges.of_runs(session, found_runs) if e.version in found_versions]
    pairs = [(parent, child) for parent, children in edges.forks(session, up=False).items() for child in children]
    forks = [pair for pair in pairs if found_runs.issuperset(pair)]
    depths = _depths(start, between, forks)
    truncated = len(depths) > MAX_NODES
    if truncated:
        kept = dict(sorted(depths.items(), key=lambda pair: pair[1])[:MAX_NODES])
        between = [e for e in between if (True, e.run) in kept and (False, e.version) in kept]
        forks = [(parent, child) for parent, child in forks if (True, parent) in kept and (True, child) in kept]
        depths = kept
    ran = runs.list_by_id(session, [id_ for is_run, id_ in depths if is_run])
    return Rows(
        versions.list_by_id(session, [id_ for is_run, id_ in depths if not is_run]),
        ran,
        tuple(between),
        tuple(forks),
        depths,
        truncated,
        sweeps.list_by_id(session, {run.sweep for run in ran.values() if run.sweep}),
    )


def visible(rows: Rows, seen: Seen) -> Rows:
    """The rows without the nodes that aren't seen."""
    shown_versions = {id_: version for id_, version in rows.versions.items() if seen(version)}
    shown_runs = {id_: run for id_, run in rows.runs.items() if seen(run)}
    return Rows(
        shown_versions,
        shown_runs,
        tuple(e for e in rows.edges if e.run in shown_runs and e.version in shown_versions),
        tuple(pair for pair in rows.forks if shown_runs.keys() >= set(pair)),
        {
            node: depth
            for node, depth in rows.depths.items()
            if node[1] in (shown_runs if node[0] else shown_versions)
        },
        rows.truncated,
        {id_: found for id_, found in rows.sweeps.items() if seen(found.sweep)},
    )


def sweep_of(rows: Rows, run: Run) -> Sweep | None:
    """The sweep that the run is a trial of, unless it is gone; another project's with the same id is another one."""
    found = rows.sweeps.get(run.sweep)
    if found is None or (found.sweep.entity, found.sweep.project) != (run.entity, run.project):
        return None
    return found.sweep


def _depths(
    start: Start, between: Collection[RowEdge], forks: Collection[tuple[int, int]]
) -> dict[tuple[bool, int], int]:
    """How many edges each node lies from the start, whichever way they point; a sweep's runs lie one from it."""
    beside: dict[tuple[bool, int], list[tuple[bool, int]]] = {}
    for edge in between:
        beside.setdefault((True, edge.run), []).append((False, edge.version))
        beside.setdefault((False, edge.version), []).append((True, edge.run))
    for parent, child in forks:
        beside.setdefault((True, parent), []).append((True, child))
        beside.setdefault((True, child), []).append((True, parent))
    first = [(False, id_) for id_ in start.versions] + [(True, id_) for id_ in start.runs]
    depths = dict.fromkeys(first, 0 if start.sweep is None else 1)
    waiting = deque(first)
    while waiting:
        node = waiting.popleft()
        for other in beside.get(node, ()):
            if other not in depths:
                depths[other] = depths[node] + 1
                waiting.append(other)
    return depths


def causes_first(rows: Rows) -> list[tuple[bool, int]]:
    """The nodes so that causes come before effects; where a cycle forbids it, the older come first."""
    after: dict[tuple[bool, int], list[tuple[bool, int]]] = {node: [] for node in rows.depths}
    count = dict.fromkeys(rows.depths, 0)
    for edge in {(e.run, e.version, e.output) for e in rows.edges}:
        run, version = (True, edge[0]), (False, edge[1])
        cause, effect = (run, version) if edge[2] else (version, run)
        after[cause].append(effect)
        count[effect] += 1

    for parent, child in rows.forks:
        after[True, parent].append((True, child))
        count[True, child] += 1

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


def graph(rows: Rows, start: Start, seen: Seen = lambda _: True) -> Graph:
    """The rows as a graph for faces, those of the start in focus; what isn't `seen` is a node without a name."""
    first = {(False, id_) for id_ in start.versions}
    first |= {(True, id_) for id_ in start.runs if start.sweep is None}
    names: dict[tuple[bool, int], str] = {}
    nodes: list[Node] = []
    for (is_run, id_), depth in rows.depths.items():
        record = rows.runs[id_] if is_run else rows.versions[id_]
        if not seen(record):
            node = Node(f"hidden:{len(nodes)}", "run" if is_run else "version", "private", depth=depth)
        elif isinstance(record, Run):
            node = _run_node(record, depth, (True, id_) in first)
        else:
            node = _version_node(record, depth, (False, id_) in first)
        names[is_run, id_] = node.id
        nodes.append(node)
    drawn = {
        Edge(names[True, e.run], names[False, e.version], e.role)
        if e.output
        else Edge(names[False, e.version], names[True, e.run], e.role)
        for e in rows.edges
    }
    drawn |= {Edge(names[True, parent], names[True, child], edges.FORK) for parent, child in rows.forks}
    above, hanging = _swept(rows, start, seen)
    nodes += above
    drawn |= hanging
    return Graph(
        tuple(sorted(nodes, key=lambda node: (node.depth, node.id))),
        tuple(sorted(drawn, key=lambda edge: (edge.source, edge.target, edge.role))),
        rows.truncated,
    )


def _swept(rows: Rows, start: Start, seen: Seen) -> tuple[list[Node], set[Edge]]:
    """The sweeps of the runs that are seen, and the edges to these."""
    found = {} if start.sweep is None else {start.sweep.sweep.id: (start.sweep, 0)}
    hanging = set()
    for id_, run in rows.runs.items():
        sweep = sweep_of(rows, run) if seen(run) else None
        if sweep is not None and seen(sweep):
            depth = rows.depths[True, id_] + 1
            known, nearest = found.get(sweep.id, (rows.sweeps[sweep.id], depth))
            found[sweep.id] = (known, min(nearest, depth))
            hanging.add(Edge(f"sweep:{sweep.id}", f"run:{run.id}", edges.TRIAL))
    focus = start.sweep.sweep.id if start.sweep else None
    return [_sweep_node(one, depth, id_ == focus) for id_, (one, depth) in found.items()], hanging


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
    detail: dict[str, Any] = {"run": run.path, "state": run.state, "by": f"{run.user}@{run.host}"}
    if run.trial is not None:
        detail |= {"sweep": run.sweep, "trial": run.trial}
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


def _sweep_node(found: Found, depth: int, focus: bool) -> Node:
    sweep = found.sweep
    metrics = sweep.config.get("metrics") or [sweep.config.get("metric") or {}]
    detail = {
        "sweep": sweep.path,
        "state": sweep.state,
        "metric": ", ".join(f"{one.get('goal', 'minimize')} {one.get('name', '')}" for one in metrics if one),
        "trials": found.trial_count,
        "by": sweep.user,
    }
    return Node(
        id=f"sweep:{sweep.id}",
        kind="sweep",
        name=sweep.name,
        type=str(sweep.config.get("method", "")),
        created_at=sweep.created_at,
        depth=depth,
        focus=focus,
        detail=detail,
    )
