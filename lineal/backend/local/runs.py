"""Use cases of runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from lineal.backend.local.context import Context
from lineal.backend.port import Runs
from lineal.core import clock
from lineal.core.errors import InvalidArgument, InvalidRef
from lineal.core.names import REGISTRY
from lineal.registry.metadata import check_metadata, check_text
from lineal.tracking import runs
from lineal.tracking.model import Run, RunState


class LocalRuns(Runs):
    def __init__(self, context: Context) -> None:
        self._here = context

    def start(
        self,
        run_id: str,
        *,
        project: str | None = None,
        name: str = "",
        job_type: str = "",
        config: Mapping[str, Any] | None = None,
        code: Mapping[str, Any] | None = None,
    ) -> Run:
        place = self._here.project_for(project)
        if place == REGISTRY:
            raise InvalidRef("the project 'registry' holds links only; give the run another project")
        run = Run(
            run_id,
            self._here.entity,
            place,
            check_text(name, "name") or run_id,
            check_text(job_type, "job_type"),
            "running",
            check_metadata(config or {}, "config"),
            check_metadata(code or {}, "code"),
            self._here.user,
            self._here.host,
            clock.now(),
        )
        with self._here.database.begin() as session:
            return runs.add(session, run).run

    def finish(self, run_id: str, state: RunState = "finished") -> Run:
        if state == "running" or state not in get_args(RunState):
            raise InvalidArgument(
                f"{ascii(state)[:40]} is no way to end a run; say finished, failed, killed or crashed"
            )
        with self._here.database.begin() as session:
            runs.finish(session, run_id, state, at=clock.now())
            return runs.get(session, run_id).run

    def change(self, run_id: str, *, config: Mapping[str, Any]) -> Run:
        plain = check_metadata(config, "config")
        with self._here.database.begin() as session:
            runs.get(session, run_id, running=True)
            runs.change(session, run_id, {"config": plain})
            return runs.get(session, run_id).run

    def get(self, run_id: str) -> Run:
        with self._here.database.read() as session:
            return runs.get(session, run_id).run
