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


def sweep(name: str, method: str = "random", **fields: object) -> Node:
    return Node(id=f"sweep:{name}", kind="sweep", name=name, type=method, **fields)


def searched(count: int, *, focus: bool = True) -> Graph:
    """A sweep, in focus or its data, of so many trials, the last of which failed and so made no model."""
    data, search = version("digits", 0, "dataset", focus=not focus), sweep("search", focus=focus)
    trials = [run(f"t{number}", detail={"trial": number}) for number in range(count)]
    made = [(trial, version("model", number, "model")) for number, trial in enumerate(trials[:-1])]
    graph = joined(*((data, trial) for trial in trials), *made)
    hanging = tuple(Edge(search.id, trial.id, "trial") for trial in reversed(trials))
    return Graph((search, *graph.nodes), graph.edges + hanging)


def joined(*pairs: tuple[Node, Node]) -> Graph:
    nodes = dict.fromkeys(node.id for pair in pairs for node in pair)
    by_id = {node.id: node for pair in pairs for node in pair}
    return Graph(tuple(by_id[name] for name in nodes), tuple(Edge(above.id, below.id) for above, below in pairs))
