"""The lineage graph as one web page that needs nothing else: no server, no network, no other file.

The page carries the graph as JSON that can't end its own script element, its script puts names on the page as
text only, and its policy (a CSP) forbids every request. Without scripts a plain list stands in for it.
"""

from __future__ import annotations

import html as markup
import json
import re
import unicodedata
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from lineal.core.display import moment
from lineal.lineage.groups import grouped
from lineal.lineage.layout import Box, layered
from lineal.lineage.look import (
    Colour,
    badges,
    caption,
    clean,
    colour,
    facts,
    is_group,
    shorten,
    subtitle,
    type_colour,
)
from lineal.lineage.model import Edge, Graph, Node

_MARK = re.compile(r"@@(title|data|list)@@")
_CODED = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}
_NARROW = frozenset("fijlrtI.,:;'|!()[]- ")
_SIDES = {"sweep": 60}  # room at the left and right of a text; a sweep's box ends in points
_BROAD = frozenset("mwMW@%…")


def html(graph: Graph, title: str = "Lineage", *, fold: bool = True) -> str:
    """A self-contained, interactive page of the graph, folded above `groups.READABLE` nodes."""
    total = len(graph.nodes)
    graph = grouped(graph) if fold else graph
    title = clean(title) or "Lineage"
    parts = {
        "title": markup.escape(title),
        "data": _embedded(_data(graph, title, total)),
        "list": _list(graph),
    }
    template = files("lineal.lineage").joinpath("page.html").read_text(encoding="utf-8")
    return _MARK.sub(lambda mark: parts[mark[1]], template)


def _embedded(document: Mapping[str, Any]) -> str:
    """JSON that HTML and JavaScript both leave alone: `<`, `>`, `&` and the two line separators are coded."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).translate(_CODED)


# ---- what the script draws ---------------------------------------------------------------------------------


def _data(graph: Graph, title: str, total: int) -> dict[str, Any]:
    roles = [shorten(clean(edge.role), 18) for edge in graph.edges]
    gap = max([84.0, *(_text_width(role, 10.5) + 24 for role in roles)])
    layout = layered(graph, {node.id: _size(node) for node in graph.nodes}, gap=gap)
    place = {node.id: at for at, node in enumerate(graph.nodes)}
    return {
        "title": title,
        "total": total,
        "truncated": graph.truncated,
        "width": layout.width,
        "height": layout.height,
        "nodes": [_node_data(node, layout.boxes[node.id]) for node in graph.nodes],
        "edges": [
            {"source": place[edge.source], "target": place[edge.target], "role": role, "points": points}
            for edge, role, points in zip(graph.edges, roles, layout.routes, strict=True)
            if points
        ],
        "legend": _legend(graph),
    }


def _node_data(node: Node, box: Box) -> dict[str, Any]:
    return {
        "kind": node.kind,
        "name": clean(node.name) or clean(node.id),
        "type": clean(node.type),
        "caption": caption(node),
        "subtitle": subtitle(node),
        "badges": [[badge, round(_badge_width(badge))] for badge in badges(node)],
        "aliases": [clean(alias) for alias in node.aliases],
        "time": moment(node.created_at) if node.created_at else "",
        "deleted": node.deleted,
        "focus": node.focus,
        "group": is_group(node),
        "facts": facts(node),
        "id": "" if is_group(node) else clean(node.id),
        "colour": _colour_data(colour(node)),
        "box": [box.x, box.y, box.width, box.height],
    }


def _colour_data(paint: Colour) -> list[str]:
    return [paint.fill, paint.line, paint.ink, paint.dark_fill, paint.dark_line, paint.dark_ink]


def _legend(graph: Graph) -> list[list[Any]]:
    types = sorted({node.type for node in graph.nodes if node.kind == "version"})
    return [[clean(kind) or "version", _colour_data(type_colour(kind))] for kind in types]


def _size(node: Node) -> tuple[float, float]:
    """The width and height of the node's box, by the widest of usual fonts; the script cuts the rest."""
    row = sum(_badge_width(badge) + 5 for badge in badges(node))
    width = max(_text_width(caption(node), 13), _text_width(subtitle(node), 11), row) + _SIDES.get(node.kind, 36)
    return float(round(max(132.0, width))), 72.0 if node.aliases else 48.0


def _badge_width(badge: str) -> float:
    return _text_width(badge, 10) + 14


def _text_width(text: str, size: float) -> float:
    return size * sum(map(_character_width, text))


def _character_width(character: str) -> float:
    if character in _NARROW:
        return 0.46
    if character in _BROAD or unicodedata.east_asian_width(character) in "WF":
        return 1.08
    return 0.8 if character.isupper() else 0.72


# ---- what stands in without scripts ------------------------------------------------------------------------


def _list(graph: Graph) -> str:
    names = {node.id: clean(node.name) or clean(node.id) for node in graph.nodes}
    above: dict[str, list[Edge]] = {}
    for edge in graph.edges:
        if edge.source in names:
            above.setdefault(edge.target, []).append(edge)
    return "\n".join(_list_line(node, above.get(node.id, []), names) for node in graph.nodes)


def _list_line(node: Node, above: list[Edge], names: Mapping[str, str]) -> str:
    text = f"{names[node.id]} ({subtitle(node)})"
    if node.aliases:
        text += f" [{', '.join(badges(node, most=len(node.aliases)))}]"
    if above:
        sources = dict.fromkeys(names[edge.source] for edge in above)
        text += f", from {', '.join(sources)}"
    return f"<li>{markup.escape(text)}</li>"
