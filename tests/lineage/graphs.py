"""Builders of the graphs that the tests of the lineage room draw."""

from datetime import UTC, datetime, timedelta

from lineal.lineage.model import Edge, Graph, Node

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def version(name: str, number: int, kind: str, *aliases: str, **fields: object) -> Node:
    return Node(
        id=f"version:local/digits/{name}:v{number}",
        kind="version",
        name=f"{name}:v{number}",
        type=kind,
        aliases=aliases,
        created_at=NOON + timedelta(hours=number),
        **fields,
    )


def run(name: str, job: str = "train", **fields: object) -> Node:
    return Node(id=f"run:{name}", kind="run", name=name, type=job, **fields)


def joined(*pairs: tuple[Node, Node]) -> Graph:
    nodes = dict.fromkeys(node.id for pair in pairs for node in pair)
    by_id = {node.id: node for pair in pairs for node in pair}
    return Graph(tuple(by_id[name] for name in nodes), tuple(Edge(above.id, below.id) for above, below in pairs))
