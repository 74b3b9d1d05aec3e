"""Folding of nodes that are alike, so that a picture of hundreds stays one that people can read.

The rule. Two nodes are alike when they have the same kind, type and collection, are both deleted or both
not, and have the same neighbours in the picture, by the same roles, on either side. "In the picture"
matters: if 300 runs read one dataset and write a version each of one collection, they are alike, and so are
the 300 versions, because each of them comes from the one group of runs. Three or more that are alike fold.

Never folded: the focus, sweeps, whatever bears an alias, and the direct path of the focus, which is the nodes
reached from it up and down for as long as there is only one way to go. Runs of different sweeps are unlike, since a
sweep is a neighbour; but it is no way to go, as nothing flows from it.

If that leaves more than the limit, a second round folds across collections too, and spares no version for
its `latest` alone, since every collection has one. What is unlike stays, even beyond the limit: nothing is
ever left out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from lineal.core.names import LATEST
from lineal.lineage.look import GROUP_PREFIX
from lineal.lineage.model import Edge, Graph, Node

Steps = Mapping[str, Sequence[tuple[str, str]]]

READABLE = 60
_FEWEST = 3
_SAMPLE = 10


def grouped(graph: Graph, *, limit: int = READABLE) -> Graph:
    """The graph itself if it has at most `limit` nodes, else one in which nodes that are alike are one node.

    A group's id is `group:` and its first member's id; its detail holds `count` and a sample of `members`.
    """
    if len(graph.nodes) <= limit:
        return graph
    folded = _folded(graph, across=False)
    return folded if len(folded.nodes) <= limit else _folded(graph, across=True)


def _folded(graph: Graph, *, across: bool) -> Graph:
    classes = _classes(graph, across=across)
    members: dict[int, list[Node]] = defaultdict(list)
    for node in graph.nodes:
        members[classes[node.id]].append(node)
    pictured = {number: _pictured(alike) for number, alike in members.items()}
    new_id = {node.id: pictured[classes[node.id]].id for node in graph.nodes}
    edges = {
        Edge(new_id[edge.source], new_id[edge.target], edge.role): None
        for edge in graph.edges
        if edge.source in new_id and edge.target in new_id
    }
    return replace(graph, nodes=tuple(pictured.values()), edges=tuple(edges))


# ---- who is alike ------------------------------------------------------------------------------------------


def _classes(graph: Graph, *, across: bool) -> dict[str, int]:
    """The number of each node's class: the coarsest division in which the members of a class are alike."""
    apart = _spared(graph, across=across)
    sides = _neighbours(graph)
    classes = _numbered(graph.nodes, lambda node: node.id if node.id in apart else _kind(node, across))
    dirty = set(classes)
    while True:
        _refine(classes, dirty, sides)
        sizes = Counter(classes.values())
        few = [name for name, number in classes.items() if 1 < sizes[number] < _FEWEST]
        if not few:
            return classes
        classes |= dict(zip(few, count(max(sizes) + 1), strict=False))
        dirty = _beside(few, sides)


def _refine(classes: dict[str, int], dirty: set[str], sides: tuple[Steps, Steps]) -> None:
    """Splits classes until all members of one have neighbours in the same classes.

    Only `dirty` nodes, those beside a node whose class has changed, are looked at again: the other members of
    their class still agree with one another and keep its number, so long chains take no longer than they are.
    """
    sizes = Counter(classes.values())
    numbers = count(max(sizes, default=0) + 1)
    while dirty := {name for name in dirty if sizes[classes[name]] > 1}:
        changed: list[str] = []
        for number, parts in _parts(classes, dirty, sides).items():
            if sum(map(len, parts)) == sizes[number]:
                parts.remove(max(parts, key=len))
            for part in parts:
                fresh = next(numbers)
                classes |= dict.fromkeys(part, fresh)
                sizes[number] -= len(part)
                sizes[fresh] = len(part)
                changed += part
        dirty = _beside(changed, sides)


def _parts(
    classes: Mapping[str, int], dirty: Iterable[str], sides: tuple[Steps, Steps]
) -> dict[int, list[list[str]]]:
    """The dirty members of each class, apart where the classes of their neighbours differ."""
    alike: dict[Hashable, list[str]] = defaultdict(list)
    for name in sorted(dirty):
        around = (frozenset((classes[other], role) for other, role in side.get(name, ())) for side in sides)
        alike[(classes[name], *around)].append(name)
    parts: dict[int, list[list[str]]] = defaultdict(list)
    for part in alike.values():
        parts[classes[part[0]]].append(part)
    return parts


def _beside(names: Iterable[str], sides: tuple[Steps, Steps]) -> set[str]:
    return {other for name in names for side in sides for other, _ in side.get(name, ())}


def _numbered(nodes: Iterable[Node], key: Callable[[Node], Hashable]) -> dict[str, int]:
    numbers: dict[Hashable, int] = {}
    return {node.id: numbers.setdefault(key(node), len(numbers)) for node in nodes}


def _kind(node: Node, across: bool) -> Hashable:
    return node.kind, node.type, node.deleted, "" if across or node.kind == "run" else _collection(node)


def _neighbours(graph: Graph) -> tuple[Steps, Steps]:
    """Who is above and who is below each node, and by which role."""
    known = {node.id for node in graph.nodes}
    above: dict[str, list[tuple[str, str]]] = defaultdict(list)
    below: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for edge in graph.edges:
        if edge.source in known and edge.target in known:
            above[edge.target].append((edge.source, edge.role))
            below[edge.source].append((edge.target, edge.role))
    return above, below


# ---- who is spared -----------------------------------------------------------------------------------------


def _spared(graph: Graph, *, across: bool) -> set[str]:
    free = {LATEST} if across else set()
    spared = {node.id for node in graph.nodes if node.focus or node.kind == "sweep" or set(node.aliases) - free}
    sweeps = {node.id for node in graph.nodes if node.kind == "sweep"}
    flow = replace(graph, edges=tuple(edge for edge in graph.edges if edge.source not in sweeps))
    for step in _neighbours(flow):
        for node in graph.nodes:
            if node.focus:
                spared |= _single_file(node.id, step)
    return spared


def _single_file(start: str, step: Steps) -> set[str]:
    path = {start}
    here = start
    while len(following := {other for other, _ in step.get(here, ())}) == 1:
        (here,) = following
        if here in path:
            break
        path.add(here)
    return path


# ---- what a group looks like -------------------------------------------------------------------------------


def _pictured(alike: Sequence[Node]) -> Node:
    first = alike[0]
    if len(alike) == 1:
        return first
    times = sorted(node.created_at for node in alike if node.created_at is not None)
    return replace(
        first,
        id=GROUP_PREFIX + first.id,
        name=_group_name(alike),
        aliases=(),
        created_at=times[0] if times else None,
        depth=min(node.depth for node in alike),
        detail=_group_detail(alike),
    )


def _group_detail(alike: Sequence[Node]) -> Mapping[str, Any]:
    sample = [node.name for node in alike[:_SAMPLE]]
    return {"count": len(alike), "members": [*sample, "…"] if len(alike) > _SAMPLE else sample}


def _group_name(alike: Sequence[Node]) -> str:
    first, size = alike[0], len(alike)
    if first.kind == "run":
        return f"{size} runs ({first.type})" if first.type else f"{size} runs"
    if len({_collection(node) for node in alike}) > 1:
        return f"{size} versions ({first.type})" if first.type else f"{size} versions"
    numbers = sorted(int(tail[1:]) for node in alike if (tail := _tail(node))[1:].isdecimal())
    span = f" v{numbers[0]}…v{numbers[-1]}" if numbers else ""
    return f"{first.name.rpartition(':')[0] or first.name}{span} ({size} versions)"


def _collection(node: Node) -> str:
    return node.id.rpartition(":")[0]


def _tail(node: Node) -> str:
    return node.id.rpartition(":")[2]
