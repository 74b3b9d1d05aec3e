"""Use cases of runs: their life and what is known of them. Rows of their history are in `history.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, get_args

from lineal.backend.local.again import repeating_operations
from lineal.backend.local.events import LocalEvents
from lineal.backend.local.record import MAX_SUMMARY_BYTES, LocalRecord
from lineal.backend.local.run_search import LocalRunSearch
from lineal.core import clock
from lineal.core.errors import BlobNotFound, CorruptRows, InvalidArgument, InvalidRef, RunExists, RunNotFound
from lineal.core.metadata import check_metadata, check_text
from lineal.core.names import REGISTRY, check_name, texts
from lineal.tracking import runs, streams, values
from lineal.tracking.model import Resume, Run, RunState
from lineal.tracking.runs import Started

_MAX_SHORT = 128
_AHEAD = timedelta(days=1)  # so far another machine's clock may be wrong


@repeating_operations
class LocalRuns(LocalEvents, LocalRecord, LocalRunSearch):
    def start(
        self,
        run_id: str,
        *,
        project: str | None = None,
        name: str = "",
        job_type: str = "",
        group: str = "",
        tags: Sequence[str] = (),
        notes: str = "",
        config: Mapping[str, Any] | None = None,
        code: Mapping[str, Any] | None = None,
        resume: Resume | None = None,
        created_at: datetime | None = None,
        writer: str | None = None,
        sweep: str | None = None,
    ) -> Run:
        if resume not in (None, *get_args(Resume)):
            raise InvalidArgument(f"{ascii(resume)[:40]} is no way to resume; say allow, must or never")
        if writer is not None:
            check_name(writer, "writer")
        place = self._here.project_for(project)
        if place == REGISTRY:
            raise InvalidRef("the project 'registry' holds links only; give the run another project")
        run = Run(
            run_id,
            self._here.entity,
            place,
            check_text(name, "name") or run_id,
            _short(job_type, "job_type"),
            "running",
            _settings(config or {}),
            check_metadata(code or {}, "code"),
            self._here.user,
            self._here.host,
            _moment(created_at),
            group=_short(group, "group"),
            tags=_tags(tags),
            notes=check_text(notes, "notes"),
        )
        with self._here.database.begin() as session:
            self._here.check_new(session, run.entity, run.project, f"run:{run_id}")
            found = runs.find(session, run_id, locked=True)
            if sweep is not None:
                from lineal.backend.local import trials

                run = trials.begin(session, run, sweep, begun=found is not None and found.run.sweep == sweep)
            if found is not None and not self._here.check(session, found.run.entity, found.run.project):
                raise RunExists(f"the id {run_id} is taken; give the run another one")
            if found is None:
                if resume == "must":
                    raise RunNotFound(f"there is no run {run_id[:80]!r} to resume")
                found = runs.add(session, run)
                if found.made:  # else another process was first
                    values.record(session, found.id, "config", run.config)
                    if writer is not None:
                        streams.take(session, found.id, writer, 0)
                    if created_at is None:
                        return found.run
                    runs.see(session, found.id, at=clock.now())
                    return runs.get(session, run_id).run
            new = writer is None or streams.take(session, found.id, writer, 0)
            if resume == "never" and new:
                raise RunExists(f"run {run_id} is there already; resume='allow' goes on with it")
            if resume in ("allow", "must"):
                self._again(session, found, run, named=bool(name))
            return runs.get(session, run_id).run

    def _again(self, session: Any, found: Started, given: Run, *, named: bool) -> None:
        config = {**_settings(found.run.config), **given.config}
        more = {"name": given.name} if named else {}
        more |= {k: v for k, v in (("notes", given.notes), ("job_type", given.job_type), ("group", given.group)) if v}
        now = clock.now()
        cleared = {"state": "running", "finished_at": None, "exit_code": None, "message": "", "stop_asked_by": None}
        if found.run.finished_at is not None and found.run.finished_at > given.created_at:
            cleared = {}
        runs.change(session, given.id, {"config": config, "seen_at": now, **cleared, **more})
        if given.tags:
            runs.change(session, given.id, {"tags": list(given.tags)})
        if given.config:
            values.record(session, found.id, "config", config)

    def finish(
        self,
        run_id: str,
        state: RunState = "finished",
        *,
        exit_code: int | None = None,
        message: str = "",
        at: datetime | None = None,
    ) -> Run:
        moment = _moment(at)
        if state == "running" or state not in get_args(RunState):
            raise InvalidArgument(
                f"{ascii(state)[:40]} is no way to end a run; say finished, failed, killed, preempted or crashed"
            )
        try:
            self.settle(run_id)
        except (CorruptRows, BlobNotFound):  # a run ends even if not all of its rows can be read any more
            pass
        with self._here.database.begin() as session:
            begun = self._here.run(session, run_id, locked=True).run.created_at
            at = max(moment, begun)  # a clock may have gone back meanwhile
            told = check_text(message, "message")
            new = runs.finish(session, run_id, state, at=at, exit_code=exit_code, message=told)
            ended = runs.get(session, run_id).run
            if new and ended.sweep:
                from lineal.backend.local import trials

                trials.ended(session, ended)
            return ended

    def change(
        self,
        run_id: str,
        *,
        name: str | None = None,
        notes: str | None = None,
        tags: Sequence[str] | None = None,
        group: str | None = None,
        job_type: str | None = None,
        config: Mapping[str, Any] | None = None,
        summary: Mapping[str, Any] | None = None,
    ) -> Run:
        new: dict[str, Any] = {}
        if name is not None:
            new["name"] = check_text(name, "name") or run_id
        if notes is not None:
            new["notes"] = check_text(notes, "notes")
        if tags is not None:
            new["tags"] = list(_tags(tags))
        if group is not None:
            new["group"] = _short(group, "group")
        if job_type is not None:
            new["job_type"] = _short(job_type, "job_type")
        if config is not None:
            new["config"] = _settings(config)
        if summary is not None:
            new["summary"] = check_metadata(summary, "summary", finite=False, max_bytes=MAX_SUMMARY_BYTES)
        with self._here.database.begin() as session:
            started = self._here.run(session, run_id, locked=True)
            self._here.note({key: getattr(started.run, key) for key in new})
            if new:
                runs.change(session, run_id, new)
            for kind in ("config", "summary"):
                if kind in new:
                    values.record(session, started.id, kind, new[kind])
            return runs.get(session, run_id).run

    def get(self, run_id: str) -> Run:
        with self._here.database.read() as session:
            return self._here.run(session, run_id).run

    def stop(self, run_id: str) -> Run:
        with self._here.database.begin() as session:
            self._here.run(session, run_id, running=True, locked=True)
            runs.change(session, run_id, {"stop_asked_by": self._here.user})
            return runs.get(session, run_id).run


def _moment(given: datetime | None) -> datetime:
    """The moment that is told, or now. Raises invalid.argument for one that can't have been."""
    now = clock.now()
    if given is not None and given > now + _AHEAD:
        raise InvalidArgument(f"{clock.format_time(given)} is still to come; set the clock of that machine")
    return given or now


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    return check_metadata(config, "config", finite=False, max_bytes=MAX_SUMMARY_BYTES)


def _short(text: str, what: str) -> str:
    if len(check_text(text, what)) > _MAX_SHORT:
        raise InvalidArgument(f"{what} has {len(text)} characters; at most {_MAX_SHORT} are kept")
    return text


def _tags(tags: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_short(tag, "a tag") for tag in texts(tags, what="tags")))
