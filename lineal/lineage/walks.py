"""Walks: what lies up- or downstream of versions and runs, to any depth, in one query.

Runs are intervals, so that a run may use what another made from its own earlier output: the graph has cycles.
`UNION` keeps the visited set, and a depth limit bounds the walk. A step leads over one run: version → run → version.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from sqlalchemy import Column, Select, bindparam, select, text

from lineal.db.schema import collections, runs, versions
from lineal.db.session import Session

# `toward` and `onward` are the value of `output` on the way into a run and out of it.
_RUNS = """WITH RECURSIVE reached(run) AS (
    {start}
    UNION SELECT n.run_id FROM reached x
    JOIN edges o ON o.run_id = x.run AND o.output = :onward
    JOIN edges n ON n.version_id = o.version_id AND n.output = :toward)"""
_RUNS_WITHIN = """WITH RECURSIVE steps(run, depth) AS (
    {start}
    UNION SELECT n.run_id, x.depth + 1 FROM steps x
    JOIN edges o ON o.run_id = x.run AND o.output = :onward
    JOIN edges n ON n.version_id = o.version_id AND n.output = :toward
    WHERE x.depth < :depth), reached(run) AS (SELECT DISTINCT run FROM steps)"""
_FROM_VERSIONS = "SELECT run_id{depth} FROM edges WHERE version_id IN :starts AND output = :toward"
_FROM_RUNS = "SELECT id{depth} FROM runs WHERE id IN :starts"
_NODES = """ SELECT 1 AS is_run, run AS id FROM reached
    UNION ALL SELECT DISTINCT 0, e.version_id FROM reached x
    JOIN edges e ON e.run_id = x.run AND e.output = :onward"""
_DEEPEST_COUNTED = 24
_FEW = 1000


class Reached(NamedTuple):
    """Row ids of what a walk reached, without where it began unless it came round to it."""

    versions: set[int]
    runs: set[int]


def reach(
    session: Session,
    *,
    versions: Collection[int] = (),
    runs: Collection[int] = (),
    up: bool,
    depth: int | None = None,
) -> Reached:
    """What lies upstream (`up`) or downstream of the versions or of the runs, at most `depth` steps away.

    Beyond 24 steps a limit is as good as none: the walk goes on to the end.
    """
    if not versions and not runs:
        return Reached(set(), set())
    toward, onward = (1, 0) if up else (0, 1)
    counted = depth is not None and depth <= _DEEPEST_COUNTED
    start = (_FROM_VERSIONS if versions else _FROM_RUNS).format(depth=", 1" if counted else "")
    walk = (_RUNS_WITHIN if counted else _RUNS).format(start=start)
    asked = {"starts": list(versions or runs), "toward": toward, "onward": onward, "depth": depth}
    statement = text(walk + _NODES).bindparams(bindparam("starts", expanding=True))
    rows = session.execute(statement, asked).all()
    return Reached({id_ for is_run, id_ in rows if not is_run}, {id_ for is_run, id_ in rows if is_run})


def names(session: Session, reached: Reached) -> list[str]:
    """The node ids (`version:…`, `run:…`) of what was reached, in no order."""
    return [*_version_names(session, reached.versions), *_run_names(session, reached.runs)]


def _version_names(session: Session, ids: set[int]) -> list[str]:
    wanted = select(
        collections.c.entity, collections.c.project, collections.c.name, versions.c.number, versions.c.id
    ).join(collections, collections.c.id == versions.c.collection_id)
    return [
        f"version:{entity}/{project}/{name}:v{number}"
        for entity, project, name, number, _ in _by_id(session, wanted, versions.c.id, ids)
    ]


def _run_names(session: Session, ids: set[int]) -> list[str]:
    return [f"run:{run_id}" for run_id, _ in _by_id(session, select(runs.c.run_id, runs.c.id), runs.c.id, ids)]


def _by_id(session: Session, wanted: Select[Any], column: Column[int], ids: set[int]) -> Iterator[Any]:
    """The rows with these ids: one by one where few are wanted, else in one sweep over their range."""
    if len(ids) <= _FEW:
        yield from session.execute(wanted.where(column.in_(ids)))
    elif ids:
        for row in session.execute(wanted.where(column.between(min(ids), max(ids)))):
            if row[-1] in ids:
                yield row
