"""Where the boxes of a graph stand on a page: in columns, left to right, with room for every edge to pass.

The classical way in four steps (Sugiyama, Tagawa and Toda, 1981): turn around the edges that close a cycle;
give each node the column after its last source; order each column so that few edges cross; then move a
column's boxes as near to their neighbours as they can come without touching. An edge that passes a column
keeps a lane of its own there and bends only between columns, so it never runs through a box.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from lineal.lineage.model import Graph

Point = tuple[float, float]
_SWEEPS = 8
_ROW_GAP = 18.0
_LANE_HEIGHT = 10.0


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle by its upper left corner, in pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Layout:
    """The boxes by node id, a route for each edge of the graph (empty if it lacks an end), and the extent."""

    boxes: Mapping[str, Box]
    routes: tuple[tuple[Point, ...], ...]
    width: float
    height: float


@dataclass(slots=True)
class _Plan:
    """The graph under work: cells are nodes and, in each column that an edge passes, a lane for it."""

    sizes: dict[int, tuple[float, float]]
    columns: list[list[int]] = field(default_factory=list)
    left: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    right: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    chains: list[list[int]] = field(default_factory=list)
    middle: dict[int, float] = field(default_factory=dict)


def layered(graph: Graph, sizes: Mapping[str, tuple[float, float]], *, gap: float = 84.0) -> Layout:
    """The layout of a graph whose boxes have these `sizes` (width, height), with `gap` between columns."""
    number = {node.id: at for at, node in enumerate(graph.nodes)}
    ends = [(number.get(edge.source, -1), number.get(edge.target, -1)) for edge in graph.edges]
    real = sorted({(a, b) for a, b in ends if a >= 0 and b >= 0 and a != b})
    forward = _acyclic(len(number), real)
    plan = _Plan({at: sizes[name] for name, at in number.items()})
    chains = _fill(plan, _column_of(len(number), sorted(set(forward.values()))), forward)
    _order(plan)
    _settle(plan)
    return _measured(plan, list(number), [chains.get(pair, []) for pair in ends], gap)


# ---- columns -----------------------------------------------------------------------------------------------


def _acyclic(count: int, edges: Sequence[tuple[int, int]]) -> dict[tuple[int, int], tuple[int, int]]:
    """Each edge and the way it is laid out: turned around where it leads back into its own path."""
    below: dict[int, list[int]] = defaultdict(list)
    for a, b in edges:
        below[a].append(b)
    entered = {b for _, b in edges}
    state = dict.fromkeys(range(count), 0)
    turned: set[tuple[int, int]] = set()
    for root in sorted(range(count), key=lambda at: at in entered):
        if state[root] == 0:
            _search(root, below, state, turned)
    return {(a, b): (b, a) if (a, b) in turned else (a, b) for a, b in edges}


def _search(root: int, below: Mapping[int, list[int]], state: dict[int, int], turned: set[tuple[int, int]]) -> None:
    state[root] = 1
    stack = [(root, iter(below.get(root, ())))]
    while stack:
        here, rest = stack[-1]
        for other in rest:
            if state[other] == 1:
                turned.add((here, other))
            elif state[other] == 0:
                state[other] = 1
                stack.append((other, iter(below.get(other, ()))))
                break
        else:
            state[here] = 2
            stack.pop()


def _column_of(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """Each node's column: one past its last source, or, without sources, just before its first use."""
    below: dict[int, list[int]] = defaultdict(list)
    waiting = [0] * count
    for a, b in edges:
        below[a].append(b)
        waiting[b] += 1
    column = [0] * count
    sources = [at for at in range(count) if not waiting[at]]
    ready = list(sources)
    while ready:
        here = ready.pop()
        for other in below[here]:
            column[other] = max(column[other], column[here] + 1)
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
    for at in sources:
        if below[at]:
            column[at] = min(column[other] for other in below[at]) - 1
    return column


def _fill(
    plan: _Plan, column: Sequence[int], forward: Mapping[tuple[int, int], tuple[int, int]]
) -> dict[tuple[int, int], list[int]]:
    """The cells that each edge touches, from its own start on; puts all cells into their columns."""
    plan.columns = [[] for _ in range(max(column, default=-1) + 1)]
    for at in range(len(column)):
        plan.columns[column[at]].append(at)
    laid: dict[tuple[int, int], list[int]] = {}
    chains: dict[tuple[int, int], list[int]] = {}
    for edge, (a, b) in forward.items():
        if (a, b) not in laid:
            laid[a, b] = _chain(plan, a, b, column)
        chains[edge] = laid[a, b] if edge == (a, b) else laid[a, b][::-1]
    return chains


def _chain(plan: _Plan, a: int, b: int, column: Sequence[int]) -> list[int]:
    chain = [a]
    for at in range(column[a] + 1, column[b]):
        lane = len(plan.sizes)
        plan.sizes[lane] = (0.0, _LANE_HEIGHT)
        plan.columns[at].append(lane)
        chain.append(lane)
    chain.append(b)
    for here, other in pairwise(chain):
        plan.right[here].append(other)
        plan.left[other].append(here)
    return chain


# ---- order within columns ----------------------------------------------------------------------------------


def _order(plan: _Plan) -> None:
    best, fewest = [list(cells) for cells in plan.columns], _crossings(plan)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        rightward = sweep % 2 == 0
        side = plan.left if rightward else plan.right
        span = range(1, len(plan.columns)) if rightward else range(len(plan.columns) - 2, -1, -1)
        for at in span:
            beside = plan.columns[at - 1 if rightward else at + 1]
            _sort_by(plan.columns[at], side, {cell: rank for rank, cell in enumerate(beside)})
        if (now := _crossings(plan)) < fewest:
            best, fewest = [list(cells) for cells in plan.columns], now
    plan.columns = best


def _sort_by(cells: list[int], side: Mapping[int, list[int]], rank: Mapping[int, int]) -> None:
    """Sorts by the mean rank of the neighbours; a cell without any keeps about the height it has."""
    stretch = len(rank) / max(1, len(cells))
    mean = {cell: at * stretch for at, cell in enumerate(cells)}
    for cell in cells:
        if near := side.get(cell):
            mean[cell] = sum(rank[other] for other in near) / len(near)
    cells.sort(key=mean.__getitem__)


def _crossings(plan: _Plan) -> int:
    total = 0
    for cells, beside in pairwise(plan.columns):
        rank = {cell: at for at, cell in enumerate(beside)}
        passed: list[int] = []
        for cell in cells:
            arrivals = sorted(rank[other] for other in plan.right.get(cell, ()))
            total += sum(len(passed) - bisect_right(passed, arrival) for arrival in arrivals)
            for arrival in arrivals:
                insort(passed, arrival)
    return total


# ---- heights -----------------------------------------------------------------------------------------------


def _settle(plan: _Plan) -> None:
    """Moves each column's cells toward the mean of their neighbours, on the left and right in turn."""
    for cells in plan.columns:
        _place(plan, cells, dict.fromkeys(cells, 0.0))
    for sweep in range(2 * _SWEEPS):
        rightward = sweep % 2 == 0
        side = plan.left if rightward else plan.right
        for cells in plan.columns if rightward else reversed(plan.columns):
            wish = {
                cell: sum(plan.middle[other] for other in near) / len(near)
                if (near := side.get(cell))
                else plan.middle[cell]
                for cell in cells
            }
            _place(plan, cells, wish)


def _place(plan: _Plan, cells: Sequence[int], wish: Mapping[int, float]) -> None:
    """Sets middles as near to the wishes as order and gaps allow: least squares by pooling neighbours."""
    offsets: list[float] = []
    blocks: list[tuple[float, int]] = []
    for at, cell in enumerate(cells):
        offsets.append(offsets[-1] + _distance(plan, cells[at - 1], cell) if at else 0.0)
        total, size = wish[cell] - offsets[-1], 1
        while blocks and blocks[-1][0] / blocks[-1][1] >= total / size:
            total, size = total + blocks[-1][0], size + blocks[-1][1]
            blocks.pop()
        blocks.append((total, size))
    start = 0
    for total, size in blocks:
        for at in range(start, start + size):
            plan.middle[cells[at]] = total / size + offsets[at]
        start += size


def _distance(plan: _Plan, upper: int, lower: int) -> float:
    return (plan.sizes[upper][1] + plan.sizes[lower][1]) / 2 + _ROW_GAP


def _measured(plan: _Plan, names: Sequence[str], chains: Sequence[Sequence[int]], gap: float) -> Layout:
    top = min((plan.middle[cell] - plan.sizes[cell][1] / 2 for cell in plan.sizes), default=0.0)
    boxes: dict[int, Box] = {}
    spans: dict[int, tuple[float, float]] = {}
    x = 0.0
    for cells in plan.columns:
        widest = max(plan.sizes[cell][0] for cell in cells)
        for cell in cells:
            width, height = plan.sizes[cell]
            y = plan.middle[cell] - height / 2 - top
            boxes[cell] = Box(round(x + (widest - width) / 2, 1), round(y, 1), width, height)
            spans[cell] = (x, x + widest)
        x += widest + gap
    return Layout(
        boxes={name: boxes[at] for at, name in enumerate(names)},
        routes=tuple(_route([(boxes[cell], spans[cell]) for cell in chain]) for chain in chains),
        width=max(0.0, x - gap),
        height=max((box.y + box.height for box in boxes.values()), default=0.0),
    )


def _route(chain: Sequence[tuple[Box, tuple[float, float]]]) -> tuple[Point, ...]:
    """The points an edge passes: out of its first box, level through each column, into its last box."""
    points: list[Point] = []
    for at, (box, span) in enumerate(chain):
        middle = round(box.y + box.height / 2, 1)
        ahead = chain[0][1] < chain[-1][1]
        near, far = span if ahead else span[::-1]
        entry, leave = (box.x, box.x + box.width) if ahead else (box.x + box.width, box.x)
        level = [leave, far] if at == 0 else [near, entry] if at == len(chain) - 1 else [near, far]
        points += [(x, middle) for x in level]
    return tuple(points)
