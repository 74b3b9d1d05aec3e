"""Use cases of finding runs, of what is kept beside their rows, and of forgetting them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lineal.backend.local.context import Context
from lineal.backend.port_runs import Runs
from lineal.core import clock
from lineal.core.errors import InvalidArgument, RunInUse
from lineal.core.names import REGISTRY, check_limit
from lineal.lineage import edges
from lineal.tracking import alerts, runs, streams
from lineal.tracking.model import Alert, Page, Run, RunFile

MAX_LIMIT = 10_000


class LocalRunSearch(Runs):
    _here: Context

    def list(
        self,
        *,
        project: str | None = None,
        entity: str | None = None,
        filters: Mapping[str, Any] | None = None,
        order: str = "-created_at",
        limit: int = 50,
        after: str | None = None,
        count: bool = False,
    ) -> Page:
        from lineal.tracking import filters as filters_  # loaded here: a process that only logs never asks
        from lineal.tracking import search
        from lineal.tracking.search import Question

        if not 0 <= limit <= MAX_LIMIT:
            raise InvalidArgument(f"a page has 0 to {MAX_LIMIT:,} runs, not {limit}")
        at = clock.now()
        where, by = filters_.parse(filters), filters_.parse_order(order)
        with self._here.database.read() as session:
            question = Question(where, at, project, entity, self._here.sight(session).where)
            found = search.find(session, question, by, limit=limit, after=after) if limit else search.NONE
            known = runs.list_by_id(session, found.ids, at=at)
            total = search.count(session, question) if count else None
        return Page(tuple(known[id_] for id_ in found.ids), found.after, total)

    def list_projects(self, *, entity: str | None = None) -> Sequence[str]:
        from lineal.registry import collections
        from lineal.tracking import search

        with self._here.database.read() as session:
            seen = self._here.sight(session)
            every = search.list_projects(session, entity) | collections.list_projects(session, entity)
        return sorted({project for of, project in every if seen.project(of, project)} - {REGISTRY})

    def list_files(self, run_id: str, *, limit: int | None = None, after: str | None = None) -> Sequence[RunFile]:
        check_limit(limit)
        with self._here.database.read() as session:
            return streams.list_files(session, self._here.run(session, run_id).id, limit=limit, after=after)

    def list_alerts(self, run_id: str, *, limit: int | None = None, after: str | None = None) -> Sequence[Alert]:
        check_limit(limit)
        with self._here.database.read() as session:
            return alerts.list_of(session, self._here.run(session, run_id).id, limit=limit, after=after)

    def delete(self, run_id: str) -> Run:
        with self._here.database.begin() as session:
            started = self._here.run(session, run_id, locked=True)
            if made := sum(edge.output for edge in edges.of_run(session, started.id)):
                raise RunInUse(f"run {run_id} made {made} version(s), whose record needs it; it stays")
            if forks := runs.children(session, started.id):
                raise RunInUse(f"run {forks[0].id} was forked from run {run_id}; delete it first")
            edges.forget_run(session, started.id)
            runs.forget(session, started.id)
            return started.run
