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
from lineal.lineage import edges

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

    The walk itself counts up to 24 steps, which costs a row for each step; beyond, it is made step by step.
    """
    if not (versions or runs) or (depth is not None and depth < 1):
        return Reached(set(), set())
    toward, onward = (1, 0) if up else (0, 1)
    if depth is not None and depth > _DEEPEST_COUNTED:
        reached = _stepwise(session, set(versions), set(runs), (toward, onward), depth)
    else:
        reached = _at_once(session, versions, runs, (toward, onward), depth)
    entered = {e.run for e in edges.of_runs(session, runs) if e.output == toward and e.version in reached.versions}
    return Reached(reached.versions, reached.runs - (set(runs) - entered))


def _stepwise(session: Session, starts: set[int], first: set[int], ways: tuple[int, int], depth: int) -> Reached:
    toward, onward = ways
    found_versions: set[int] = set()
    found_runs: set[int] = set()
    waiting = first
    for step in range(depth):
        if step or not first:
            waiting = {e.run for e in edges.of_versions(session, starts) if e.output == toward} - found_runs
        if not waiting:
            break
        found_runs |= waiting
        starts = {e.version for e in edges.of_runs(session, waiting) if e.output == onward} - found_versions
        found_versions |= starts
    return Reached(found_versions, found_runs)


def _at_once(
    session: Session,
    versions: Collection[int],
    runs: Collection[int],
    ways: tuple[int, int],
    depth: int | None,
) -> Reached:
    toward, onward = ways
    counted = depth is not None
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
