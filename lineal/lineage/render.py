"""Pictures of a lineage graph: a tree for the terminal, Graphviz, Mermaid, images, and the interactive page.

Edges from a sweep to its runs are dashed, since nothing flows there. Whatever a name contains, it is shown as text:
every notation here escapes it in its own way. Pictures of more than `groups.READABLE` nodes fold what is alike (see
`groups`); `fold=False` draws every node.
"""

from __future__ import annotations

import html as markup
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, get_args

from lineal.core.errors import InvalidArgument, MissingDependency, Unavailable
from lineal.lineage.exchange import from_json, networkx_graph, to_json
from lineal.lineage.groups import READABLE, grouped
from lineal.lineage.look import Colour, badges, caption, clean, colour, is_group, subtitle
from lineal.lineage.model import Graph, Node, NodeKind
from lineal.lineage.page import html
from lineal.lineage.tree import rich_tree, tree

if TYPE_CHECKING:
    import graphviz

ImageFormat = Literal["svg", "png", "pdf"]

__all__ = [
    "READABLE",
    "ImageFormat",
    "dot",
    "from_json",
    "grouped",
    "html",
    "image",
    "mermaid",
    "networkx_graph",
    "rich_tree",
    "to_json",
    "tree",
]

_FONT = "Helvetica,Arial,sans-serif"
_MORE = "The walk stopped at its depth limit; there is more."
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _.-")
_MERMAID_SHAPES: Mapping[NodeKind, tuple[str, str]] = {
    "version": ("[", "]"),
    "run": ("([", "])"),
    "sweep": ("{{", "}}"),
}
_GRAPHVIZ_LIBRARY = threading.Lock()  # the C library keeps its state in globals


# ---- Graphviz ----------------------------------------------------------------------------------------------


def dot(graph: Graph, *, fold: bool = True) -> str:
    """The graph in Graphviz's language, left to right; nodes are named `n0`, `n1`, … in the graph's order."""
    return str(_digraph(graph, fold=fold).source)


def image(graph: Graph, format: ImageFormat = "svg", *, fold: bool = True) -> bytes:
    """The picture as the bytes of an SVG, PNG or PDF file, drawn by `dot` from PATH, else by pygraphviz.

    Raises unavailable.dependency if neither is there, and unavailable if Graphviz is there but fails.
    """
    if format not in get_args(ImageFormat):
        raise InvalidArgument(f"{format!r} is no image format; use svg, png or pdf")
    import shutil

    drawing = _digraph(graph, fold=fold)
    if format == "png":
        drawing.graph_attr["dpi"] = "144"
    return _piped(drawing, format) if shutil.which("dot") else _drawn(str(drawing.source), format)


def _piped(drawing: graphviz.Digraph, kind: ImageFormat) -> bytes:
    import subprocess

    try:
        return bytes(drawing.pipe(format=kind, quiet=True))
    except subprocess.CalledProcessError as problem:
        said = clean((problem.stderr or b"").decode("utf-8", "replace"))
        raise Unavailable(
            f"Graphviz's dot could not draw the {kind}: {said or 'it gave no reason'}",
            exit_status=problem.returncode,
        ) from None
    except (OSError, RuntimeError) as problem:
        raise Unavailable(f"Graphviz's dot could not be run: {problem}") from None


def _drawn(source: str, kind: ImageFormat) -> bytes:
    try:
        import pygraphviz
    except ImportError:
        raise MissingDependency(
            "Images need Graphviz: install its `dot` program, or run: pip install 'lineal[render]'"
        ) from None
    try:
        with _GRAPHVIZ_LIBRARY, _without_font_warnings(), pygraphviz.AGraph(string=source) as drawing:
            return bytes(drawing.draw(format=kind, prog="dot"))
    except (OSError, ValueError) as problem:
        raise Unavailable(f"pygraphviz could not draw the {kind}: {problem}") from None


@contextmanager
def _without_font_warnings() -> Iterator[None]:
    """Holds back what the wheel's own fontconfig says of a newer system's settings; all else is passed on."""
    import os
    import tempfile

    stderr = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            said.seek(0)
            os.write(2, b"".join(line for line in said if not line.startswith(b"Fontconfig warning")))


def _digraph(graph: Graph, *, fold: bool) -> graphviz.Digraph:
    import graphviz

    graph = grouped(graph) if fold else graph
    drawing = graphviz.Digraph("lineage", graph_attr=_graph_look(graph), node_attr=_NODE_LOOK, edge_attr=_EDGE_LOOK)
    names = {node.id: f"n{at}" for at, node in enumerate(graph.nodes)}
    sweeps = {node.id for node in graph.nodes if node.kind == "sweep"}
    for node in graph.nodes:
        drawing.node(names[node.id], f"<{_table(node)}>", _attributes=_node_look(node))
    for edge in graph.edges:
        if edge.source in names and edge.target in names:
            label = f"<{_words(edge.role)}>" if clean(edge.role) else None
            look = {"style": "dashed"} if edge.source in sweeps else {}
            drawing.edge(names[edge.source], names[edge.target], label, _attributes=look)
    return drawing


_NODE_LOOK = {"fontname": _FONT, "fontsize": "12", "margin": "0.12,0.06"}
_EDGE_LOOK = {
    "color": "#8a94a3",
    "fontname": _FONT,
    "fontsize": "9",
    "fontcolor": "#5c6673",
    "arrowsize": "0.7",
    "penwidth": "1.2",
}


def _graph_look(graph: Graph) -> dict[str, str]:
    look = {"rankdir": "LR", "bgcolor": "white", "pad": "0.25", "nodesep": "0.22", "ranksep": "0.6"}
    if graph.truncated:
        look |= {"label": _MORE, "fontname": _FONT, "fontsize": "10", "fontcolor": "#5c6673"}
    return look


def _node_look(node: Node) -> dict[str, str]:
    paint = colour(node)
    style = ["filled", "rounded"] if node.kind == "run" else ["filled"]
    form = {"shape": "hexagon", "margin": "0,0"} if node.kind == "sweep" else {"shape": "box"}
    return {
        **form,
        "style": ",".join([*style, "dashed"] if node.deleted else style),
        "fillcolor": paint.fill,
        "color": paint.line,
        "fontcolor": paint.ink,
        "penwidth": "3.2" if node.focus else "1.2",
        "peripheries": "2" if is_group(node) else "1",
        "tooltip": _quotable(clean(node.name)),
    }


def _table(node: Node) -> str:
    """An HTML-like label: the name, the type under it, and a row of badges."""
    paint = colour(node)
    rows = [
        f"<TR><TD><B>{_words(caption(node))}</B></TD></TR>",
        f'<TR><TD><FONT POINT-SIZE="9">{_words(subtitle(node))}</FONT></TD></TR>',
    ]
    if shown := badges(node):
        rows.append(f"<TR><TD>{_badge_row(shown, paint)}</TD></TR>")
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1">{"".join(rows)}</TABLE>'


def _badge_row(shown: Iterable[str], paint: Colour) -> str:
    cells = "".join(
        f'<TD STYLE="ROUNDED" BGCOLOR="{paint.line}"><FONT POINT-SIZE="8" COLOR="white"> {_words(badge)} </FONT></TD>'
        for badge in shown
    )
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="3" CELLPADDING="1"><TR>{cells}</TR></TABLE>'


def _words(text: str) -> str:
    """Text for an HTML-like label; a word joiner after a backslash keeps Graphviz from reading an escape."""
    return markup.escape(clean(text)).replace("\\", "\\\u2060")


def _quotable(text: str) -> str:
    """Text for a quoted attribute: backslashes doubled, `&` as an entity, and never taken for HTML."""
    import graphviz

    return str(graphviz.escape(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")))


# ---- Mermaid -----------------------------------------------------------------------------------------------


def mermaid(graph: Graph, *, fold: bool = True) -> str:
    """The graph as a Mermaid flowchart, left to right; unusual characters of names are entity codes."""
    graph = grouped(graph) if fold else graph
    names = {node.id: f"n{at}" for at, node in enumerate(graph.nodes)}
    sweeps = {node.id for node in graph.nodes if node.kind == "sweep"}
    lines = ["flowchart LR"]
    lines += [f"  {names[node.id]}{_mermaid_shape(node)}" for node in graph.nodes]
    for edge in graph.edges:
        if edge.source in names and edge.target in names:
            label = f'|"{_coded(edge.role)}"|' if clean(edge.role) else ""
            arrow = "-.->" if edge.source in sweeps else "-->"
            lines.append(f"  {names[edge.source]} {arrow}{label} {names[edge.target]}")
    if graph.truncated:
        lines.append(f"  %% {_MORE}")
    return "\n".join([*lines, *_mermaid_classes(graph.nodes, names)]) + "\n"


def _mermaid_shape(node: Node) -> str:
    parts = [_coded(caption(node)), _coded(subtitle(node))]
    if shown := badges(node):
        parts.append(" ".join(_coded(f"[{badge}]") for badge in shown))
    label = "<br/>".join(parts)
    if is_group(node):
        return f'[["{label}"]]'
    opened, closed = _MERMAID_SHAPES[node.kind]
    return f'{opened}"{label}"{closed}'


def _mermaid_classes(nodes: Sequence[Node], names: dict[str, str]) -> list[str]:
    members: dict[str, list[str]] = {}
    for node in nodes:
        paint = colour(node)
        look = f"fill:{paint.fill},stroke:{paint.line},color:{paint.ink}"
        members.setdefault(look, []).append(names[node.id])
    members["stroke-width:4px"] = [names[node.id] for node in nodes if node.focus]
    members["stroke-dasharray:5 4"] = [names[node.id] for node in nodes if node.deleted]
    lines: list[str] = []
    for at, (look, inside) in enumerate(members.items()):
        if inside:
            lines += [f"  classDef look{at} {look}", f"  class {','.join(inside)} look{at}"]
    return lines


def _coded(text: str) -> str:
    """Text for a Mermaid label: all ASCII punctuation but `_.-` is coded, as most of it means something.

    Mermaid looks for icons such as `fa:fa-car` in what it has decoded; a word joiner spoils that.
    """
    shown = clean(text).replace(":fa-", ":\u2060fa-")
    return "".join(c if c in _PLAIN or not c.isascii() else f"#{ord(c)};" for c in shown)
