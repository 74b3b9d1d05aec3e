"""A lineage graph as a tree for the terminal, from the node where the walk began."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lineal.lineage.look import badges, clean, subtitle
from lineal.lineage.model import Direction, Graph, Node

if TYPE_CHECKING:
    from rich.tree import Tree

_TITLES = {"up": "comes from", "down": "goes to"}
_MORE = "… the walk stopped at its depth limit; there is more"
_RICH_COLOURS = {"dataset": "blue", "model": "magenta", "result": "green", "code": "yellow"}


@dataclass(slots=True)
class _Branch:
    """One line of the tree: a node, or a heading, and the branches below it."""

    node: Node | None
    text: str = ""
    role: str = ""
    again: bool = False
    below: list[_Branch] = field(default_factory=list)


def tree(graph: Graph, *, direction: Direction = "both") -> list[str]:
    """The lines of the tree that grows from the focus; empty for an empty graph.

    A node met a second time is named once more with `(see above)` and not followed again, so cycles end. A sweep
    comes from what its runs come from, and goes to its runs.
    """
    root = _grown(graph, direction)
    return [] if root is None else list(_lines(root))


def rich_tree(graph: Graph, *, direction: Direction = "both") -> Tree:
    """The same tree for a rich console, in colour; nothing in a name is taken for markup."""
    from rich.markup import escape
    from rich.tree import Tree

    root = _grown(graph, direction)
    if root is None:
        return Tree("[dim]no lineage[/dim]")
    top = Tree(_marked_up(root, escape(_line(root))), guide_style="dim")
    stack = [(top, root)]
    while stack:
        place, branch = stack.pop()
        stack += [(place.add(_marked_up(each, escape(_line(each)))), each) for each in branch.below]
    return top


# ---- growing -----------------------------------------------------------------------------------------------


def _grown(graph: Graph, direction: Direction) -> _Branch | None:
    root = _root(graph)
    if root is None:
        return None
    branch = _Branch(root)
    if direction == "both":
        branch.below = [_Branch(None, title) for title in _TITLES.values()]
        for heading, way in zip(branch.below, _TITLES, strict=True):
            _grow(heading, root, _steps(graph, up=way == "up"))
        branch.below = [heading for heading in branch.below if heading.below]
    else:
        _grow(branch, root, _steps(graph, up=direction == "up"))
    if graph.truncated:
        branch.below.append(_Branch(None, _MORE))
    return branch


def _root(graph: Graph) -> Node | None:
    shallow = sorted(graph.nodes, key=lambda node: (not node.focus, node.depth))
    return shallow[0] if shallow else None


def _steps(graph: Graph, *, up: bool) -> dict[str, list[tuple[Node, str]]]:
    nodes = {node.id: node for node in graph.nodes}
    steps: dict[str, list[tuple[Node, str]]] = defaultdict(list)
    for edge in graph.edges:
        here, there = (edge.target, edge.source) if up else (edge.source, edge.target)
        if there in nodes:
            steps[here].append((nodes[there], edge.role))
    for sweep in (node.id for node in graph.nodes if node.kind == "sweep" and not up):
        steps[sweep].sort(key=lambda step: number if isinstance(number := step[0].detail.get("trial"), int) else -1)
    root = _root(graph)
    return _through_runs(steps, graph, root) if up and root and root.kind == "sweep" else steps


def _through_runs(
    steps: dict[str, list[tuple[Node, str]]], graph: Graph, sweep: Node
) -> dict[str, list[tuple[Node, str]]]:
    """The steps up, of the sweep itself those of its runs; each of them once, by each of its roles."""
    runs = [edge.target for edge in graph.edges if edge.source == sweep.id]
    every = [step for run in runs for step in steps.get(run, ()) if step[0].id != sweep.id]
    firsts = {(node.id, role): (node, role) for node, role in every}
    return {here: [step for step in there if step[0].id != sweep.id] for here, there in steps.items()} | {
        sweep.id: list(firsts.values())
    }


def _grow(top: _Branch, root: Node, steps: dict[str, list[tuple[Node, str]]]) -> None:
    """Grows depth first, in the order in which the lines are read, so that `above` is true."""
    shown = {root.id}
    stack = [(top, iter(steps.get(root.id, ())))]
    while stack:
        branch, rest = stack[-1]
        node, role = next(rest, (None, ""))
        if node is None:
            stack.pop()
            continue
        follows = steps.get(node.id, ())
        child = _Branch(node, role=role, again=node.id in shown)
        branch.below.append(child)
        if not child.again:
            shown.add(node.id)
            stack.append((child, iter(follows)))


# ---- writing -----------------------------------------------------------------------------------------------


def _lines(root: _Branch) -> Iterator[str]:
    yield _line(root)
    stack = [("", branch, at == 0) for at, branch in enumerate(reversed(root.below))]
    while stack:
        indent, branch, last = stack.pop()
        yield f"{indent}{'└── ' if last else '├── '}{_line(branch)}"
        deeper = indent + ("    " if last else "│   ")
        stack += [(deeper, each, at == 0) for at, each in enumerate(reversed(branch.below))]


def _line(branch: _Branch) -> str:
    if branch.node is None:
        return branch.text
    node = branch.node
    parts = [clean(node.name) or clean(node.id), f"({subtitle(node)})"]
    if node.aliases and not branch.again:
        parts.append(f"[{', '.join(badges(node, most=len(node.aliases)))}]")
    if role := clean(branch.role):
        parts.append(f"as {role}")
    if branch.again:
        parts.append("(see above)")
    return "  ".join(parts)


def _marked_up(branch: _Branch, text: str) -> str:
    """The escaped line in the style of its node."""
    if branch.node is None:
        return f"[italic dim]{text}[/]"
    node = branch.node
    style = "cyan" if node.kind == "version" else "default"
    style = _RICH_COLOURS.get(node.type, style) if node.kind == "version" else style
    if node.deleted or branch.again:
        style = "dim"
    return f"[{'bold ' if node.focus else ''}{style}]{text}[/]"
