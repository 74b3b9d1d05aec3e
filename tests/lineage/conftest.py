"""Graphs that the tests of the lineage room share."""

import pytest

from lineal.lineage.model import Graph
from tests.lineage.graphs import joined, run, version


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
