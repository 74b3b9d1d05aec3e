"""The lineage graph around some nodes: its rows, its order, and its records for drawing."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from lineal.db.session import Session
from lineal.lineage import edges, walks
from lineal.lineage.edges import RowEdge
from lineal.lineage.model import Direction, Edge, Graph, Node
from lineal.registry import versions
from lineal.registry.model import Version
from lineal.tracking import runs
from lineal.tracking.model import Run

MAX_NODES = 20_000


class Start(NamedTuple):
    """Where a walk begins: row ids of versions, or of runs."""

    versions: tuple[int, ...]
    runs: tuple[int, ...]


class Rows(NamedTuple):
    """A subgraph by row ids, with the records of its nodes and how far each lies from the start."""

    versions: Mapping[int, Version]
    runs: Mapping[int, Run]
    edges: tuple[RowEdge, ...]
    forks: tuple[tuple[int, int], ...]  # of a run (the first) another one was forked
    depths: Mapping[tuple[bool, int], int]
    truncated: bool


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
    return Rows(
        versions.list_by_id(session, [id_ for is_run, id_ in depths if not is_run]),
        runs.list_by_id(session, [id_ for is_run, id_ in depths if is_run]),
        tuple(between),
        tuple(forks),
        depths,
        truncated,
    )


def visible(rows: Rows, seen: Callable[[Version | Run], bool]) -> Rows:
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
    )


def _depths(
    start: Start, between: Collection[RowEdge], forks: Collection[tuple[int, int]]
) -> dict[tuple[bool, int], int]:
    """How many edges each node lies from the start, whichever way they point."""
    beside: dict[tuple[bool, int], list[tuple[bool, int]]] = {}
    for edge in between:
        beside.setdefault((True, edge.run), []).append((False, edge.version))
        beside.setdefault((False, edge.version), []).append((True, edge.run))
    for parent, child in forks:
        beside.setdefault((True, parent), []).append((True, child))
        beside.setdefault((True, child), []).append((True, parent))
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


def graph(rows: Rows, start: Start, seen: Callable[[Version | Run], bool] = lambda _: True) -> Graph:
    """The rows as a graph for faces, those of the start in focus; what isn't `seen` is a node without a name."""
    first = {(False, id_) for id_ in start.versions} | {(True, id_) for id_ in start.runs}
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
