"""A lineage graph for other programs: as JSON, and as a networkx graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

from lineal.core.clock import format_time, parse_time
from lineal.core.errors import InvalidArgument
from lineal.core.plain import plain
from lineal.lineage.model import Edge, Graph, Node, NodeKind

if TYPE_CHECKING:
    import networkx


def to_json(graph: Graph) -> dict[str, Any]:
    """The graph as a JSON-able dict of `nodes`, `edges` and `truncated`; times in RFC 3339."""
    return {
        "nodes": [_node_json(node) for node in graph.nodes],
        "edges": [{"source": edge.source, "target": edge.target, "role": edge.role} for edge in graph.edges],
        "truncated": graph.truncated,
    }


def from_json(document: Mapping[str, Any]) -> Graph:
    """The graph that `to_json` wrote down. Raises invalid.argument for anything else."""
    try:
        nodes = tuple(_node(each) for each in document["nodes"])
        edges = tuple(_edge(each) for each in document["edges"])
        return Graph(nodes, edges, bool(document["truncated"]))
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise InvalidArgument(f"that is not a lineage graph in JSON: {problem!r}") from None


def networkx_graph(graph: Graph) -> networkx.DiGraph[str]:
    """A `networkx.DiGraph` over node ids that bears a node's other fields as attributes.

    An edge's attribute `role` is its role, or all of them joined by `, ` where there are several.
    """
    import networkx

    drawn: networkx.DiGraph[str] = networkx.DiGraph(truncated=graph.truncated)
    for node in graph.nodes:
        fields = {key: getattr(node, key) for key in Node.__dataclass_fields__ if key != "id"}
        drawn.add_node(node.id, **fields)
    roles: dict[tuple[str, str], dict[str, None]] = {}
    for edge in graph.edges:
        roles.setdefault((edge.source, edge.target), {})[edge.role] = None
    for (source, target), names in roles.items():
        drawn.add_edge(source, target, role=", ".join(name for name in names if name))
    return drawn


def _node_json(node: Node) -> dict[str, Any]:
    return {
        "id": node.id,
        "kind": node.kind,
        "name": node.name,
        "type": node.type,
        "aliases": list(node.aliases),
        "created_at": format_time(node.created_at) if node.created_at else None,
        "depth": node.depth,
        "deleted": node.deleted,
        "focus": node.focus,
        "detail": plain(node.detail),
    }


def _node(fields: Mapping[str, Any]) -> Node:
    if fields["kind"] not in get_args(NodeKind):
        raise ValueError(f"unknown kind {fields['kind']!r}")
    return Node(
        id=str(fields["id"]),
        kind=fields["kind"],
        name=str(fields["name"]),
        type=str(fields["type"]),
        aliases=tuple(str(alias) for alias in fields["aliases"]),
        created_at=parse_time(fields["created_at"]) if fields["created_at"] else None,
        depth=int(fields["depth"]),
        deleted=bool(fields["deleted"]),
        focus=bool(fields["focus"]),
        detail=dict(fields["detail"]),
    )


def _edge(fields: Mapping[str, Any]) -> Edge:
    return Edge(str(fields["source"]), str(fields["target"]), str(fields["role"]))
