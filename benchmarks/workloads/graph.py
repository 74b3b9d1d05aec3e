"""The lineage graph that is walked: each run writes two artifacts and reads up to three of the last 400 before it."""

from __future__ import annotations

import random
from typing import NamedTuple

_REACH_BACK = 400


class Graph(NamedTuple):
    """Edges as (run, artifact); the walks start at the last artifact."""

    runs: int
    inputs: list[tuple[int, int]]
    outputs: list[tuple[int, int]]

    @property
    def artifacts(self) -> int:
        return 2 * self.runs

    @property
    def last(self) -> int:
        return self.artifacts - 1


def build(runs: int) -> Graph:
    """The same graph for the same number of runs, always."""
    source = random.Random(0)
    inputs = []
    for run in range(1, runs):
        read = {source.randrange(max(0, 2 * run - _REACH_BACK), 2 * run) for _ in range(3)}
        inputs += [(run, artifact) for artifact in sorted(read)]
    return Graph(runs, inputs, [(artifact // 2, artifact) for artifact in range(2 * runs)])


def count_ancestors(graph: Graph, *, runs_deep: int | None = None) -> int:
    """What networkx finds upstream of the last artifact, runs and artifacts together."""
    import networkx

    upstream = networkx.DiGraph()
    upstream.add_edges_from((("run", run), ("artifact", artifact)) for run, artifact in graph.inputs)
    upstream.add_edges_from((("artifact", artifact), ("run", run)) for run, artifact in graph.outputs)
    hops = None if runs_deep is None else 2 * runs_deep
    reached = networkx.single_source_shortest_path_length(upstream, ("artifact", graph.last), cutoff=hops)
    return len(reached) - 1
