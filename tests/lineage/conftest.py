"""Graphs that the tests of the lineage room share."""

from datetime import UTC, datetime, timedelta

import pytest

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


@pytest.fixture
def demo() -> Graph:
    """Two datasets, a training run and a model of each, one evaluation of both, and its predictions."""
    data = [version("digits", 0, "dataset"), version("digits", 1, "dataset", "latest")]
    runs = [run("train-a"), run("train-b")]
    models = [
        version("classifier", 0, "model", detail={"size_bytes": 2048, "digest": "sha256:00ff"}),
        version("classifier", 1, "model", "latest", "production", focus=True),
    ]
    evaluation, guesses = run("evaluate", "evaluation"), version("predictions", 0, "table", deleted=True)
    return joined(
        (data[0], runs[0]),
        (data[1], runs[1]),
        (runs[0], models[0]),
        (runs[1], models[1]),
        (models[0], evaluation),
        (models[1], evaluation),
        (evaluation, guesses),
    )


@pytest.fixture
def sweep() -> Graph:
    """One dataset, 250 trials of a sweep and a model of each, of which the 78th is in production."""
    data = version("digits", 0, "dataset", "latest", focus=True)
    pairs = []
    for number in range(250):
        trial = run(f"trial-{number:03}", "sweep-trial")
        aliases = ("production",) if number == 77 else ()
        pairs += [(data, trial), (trial, version("classifier", number + 3, "model", *aliases))]
    return joined(*pairs)
