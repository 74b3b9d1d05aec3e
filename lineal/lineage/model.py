"""Records of the lineage graph.

A node's id is `version:<entity>/<project>/<collection>:v3`, `run:<run id>` or `sweep:<sweep id>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Direction = Literal["up", "down", "both"]
NodeKind = Literal["version", "run", "sweep"]


@dataclass(frozen=True, slots=True)
class Node:
    """A version, a run or a sweep as the graph shows it.

    `name` is the short label (`digits:v1`, or the run's or sweep's name); `type` is the collection's type, the run's
    job type or the sweep's method; `detail` holds facts worth showing (digest, size, state, commit), already safe to
    print but not escaped.
    `depth` counts edges from where the walk began; `deleted` marks a tombstone; `focus` where the walk began.
    """

    id: str
    kind: NodeKind
    name: str
    type: str = ""
    aliases: tuple[str, ...] = ()
    created_at: datetime | None = None
    depth: int = 0
    deleted: bool = False
    focus: bool = False
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Edge:
    """What flowed from `source` to `target` (node ids): version → run for an input, run → version for an output.

    A fork, with the role `fork`, leads from a run to one that goes on with its history; the role `trial` from a sweep
    to the run of one of its trials.
    """

    source: str
    target: str
    role: str = ""


@dataclass(frozen=True, slots=True)
class Graph:
    """A subgraph: nodes ordered by depth then id, edges between them, and whether the walk stopped at its limit."""

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    truncated: bool = False
