"""Walks: what lies up- or downstream of versions and runs, to any depth, in one query.

Runs are intervals, so that a run may use what another made from its own earlier output: the graph has cycles.
`UNION` keeps the visited set, and a depth limit bounds the walk. A step leads over one run: version → run → version.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import TextClause, bindparam, text

from lineal.db.session import Session
from lineal.lineage import edges

# CROSS JOIN keeps SQLite from walking all edges where it should start from the few that were reached; to others it
# is a plain join. `toward` and `onward` are the value of `output` on the way into a run and out of it.
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
    CROSS JOIN edges e WHERE e.run_id = x.run AND e.output = :onward"""
_VERSION = r"'version\:' || c.entity || '/' || c.project || '/' || c.name || '\:v' || CAST(v.number AS VARCHAR)"
# A row for each collection, not for each node: its versions' numbers in one text, which Python cuts up far faster.
_NAMES = """ SELECT 'run\\:' AS head, {joined}(r.run_id, ' ') AS tails FROM reached x JOIN runs r ON r.id = x.run
    UNION ALL SELECT 'version\\:' || c.entity || '/' || c.project || '/' || c.name || '\\:v', {joined}(n.number, ' ')
    FROM (SELECT v.collection_id, CAST(v.number AS VARCHAR) AS number FROM
        (SELECT DISTINCT e.version_id AS id FROM reached x CROSS JOIN edges e
        WHERE e.run_id = x.run AND e.output = :onward) d CROSS JOIN versions v WHERE v.id = d.id) n
    JOIN collections c ON c.id = n.collection_id GROUP BY c.id, c.entity, c.project, c.name"""
_VERSION_NAME = f"SELECT {_VERSION} FROM versions v JOIN collections c ON c.id = v.collection_id WHERE v.id IN :ids"  # noqa: S608
_RUN_NAME = "SELECT 'run\\:' || r.run_id FROM runs r WHERE r.id IN :ids"
# PostgreSQL can't know how little a walk reaches, and would read whole tables into hashes for most of them.
_BY_INDEX = text("SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)")
_DEEPEST_COUNTED = 24
_CHUNK = 10_000


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
    reached = _walk(session, versions, runs, (toward, onward), depth)
    across = edges.forks(session, up=up)
    while across:  # a fork goes on from another run's history: what made that is upstream too
        new = {other for run in reached.runs & across.keys() for other in across[run]} - reached.runs
        if not new:
            break
        more = _walk(session, (), new, (toward, onward), depth)
        reached = Reached(reached.versions | more.versions, reached.runs | new | more.runs)
    entered = {e.run for e in edges.of_runs(session, runs) if e.output == toward and e.version in reached.versions}
    return Reached(reached.versions, reached.runs - (set(runs) - entered))


def _walk(
    session: Session,
    versions: Collection[int],
    runs: Collection[int],
    ways: tuple[int, int],
    depth: int | None,
) -> Reached:
    if depth is not None and depth > _DEEPEST_COUNTED:
        return _stepwise(session, set(versions), set(runs), ways, depth)
    return _at_once(session, versions, runs, ways, depth)


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
    statement = _statement(bool(versions), depth is not None, _NODES)
    rows = _follow(session, statement, _asked(versions or runs, ways, depth))
    return Reached({id_ for is_run, id_ in rows if not is_run}, {id_ for is_run, id_ in rows if is_run})


def _follow(session: Session, statement: TextClause, asked: dict[str, object]) -> Sequence[Any]:
    if session.dialect.name != "sqlite":
        session.execute(_BY_INDEX)
    return session.execute(statement, asked).all()


@cache
def _statement(from_versions: bool, counted: bool, answer: str) -> TextClause:
    """The walk from versions or from runs, with or without a count of steps, and what it answers with."""
    start = (_FROM_VERSIONS if from_versions else _FROM_RUNS).format(depth=", 1" if counted else "")
    walk = (_RUNS_WITHIN if counted else _RUNS).format(start=start)
    return text(walk + answer).bindparams(bindparam("starts", expanding=True))


def _asked(starts: Collection[int], ways: tuple[int, int], depth: int | None) -> dict[str, object]:
    return {"starts": list(starts), "toward": ways[0], "onward": ways[1], "depth": depth}


def reach_names(session: Session, *, version: int, up: bool, depth: int | None = None) -> list[str]:
    """The node ids (`version:…`, `run:…`) of what `reach` finds from one version, in no order; in one query."""
    if edges.forks(session, up=up) or (depth is not None and (depth < 1 or depth > _DEEPEST_COUNTED)):
        return names(session, reach(session, versions=[version], up=up, depth=depth))
    joined = "group_concat" if session.dialect.name == "sqlite" else "string_agg"
    statement = _statement(True, depth is not None, _NAMES.format(joined=joined))
    ways = (1, 0) if up else (0, 1)
    rows = _follow(session, statement, _asked([version], ways, depth))
    return [head + tail for head, tails in rows if tails for tail in tails.split(" ")]


def names(session: Session, reached: Reached) -> list[str]:
    """The node ids of what was reached, in no order."""
    return [*_names_of(session, _VERSION_NAME, reached.versions), *_names_of(session, _RUN_NAME, reached.runs)]


def _names_of(session: Session, wanted: str, ids: set[int]) -> Iterator[str]:
    statement = text(wanted).bindparams(bindparam("ids", expanding=True))
    waiting = sorted(ids)
    for start in range(0, len(waiting), _CHUNK):
        yield from session.scalars(statement, {"ids": waiting[start : start + _CHUNK]})
