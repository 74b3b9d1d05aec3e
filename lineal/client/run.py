"""Runs in the SDK: what a training script tells of itself while it is under way."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from lineal.client import ending, metrics
from lineal.client.artifact import Artifact
from lineal.client.config import Config
from lineal.client.connection import Connection
from lineal.client.entry import PathLike
from lineal.client.files import Policy, RunFiles
from lineal.client.history import History
from lineal.client.outbox import End, Outbox
from lineal.client.summary import Summary
from lineal.core import names
from lineal.core.errors import InvalidArgument, RunFinished, RunNotFound, RunStopped, StoreUnavailable
from lineal.core.settings import environment
from lineal.tracking.model import Run as RunRecord
from lineal.tracking.model import RunState

if TYPE_CHECKING:
    from lineal.client.alerts import Alerts, Wait


class Run:
    """A run under way; a context manager that ends it: as failed when an exception leaves the block."""

    def __init__(
        self,
        record: RunRecord,
        conn: Connection,
        outbox: Outbox,
        files: RunFiles,
        parts: tuple[Config, Summary, metrics.Metrics],
        *,
        offline: bool = False,
        primary: bool = True,
    ) -> None:
        self._record, self._connection = record, conn
        self._outbox, self._files = outbox, files
        self.config, self._summary, self._metrics = parts
        self._history = History(outbox, self._metrics, files, record.last_step + 1)
        self._log = self._history.log
        self._offline, self._primary = offline, primary
        self._before_end: list[Callable[[], None]] = []
        self._alerts: Alerts | None = None
        self._pid = os.getpid()
        self._preempting = self._asked_to_stop = False
        self._ending = threading.RLock()
        self._is_ending = False

    def __repr__(self) -> str:
        return f"<Run {self.path} ({self.state})>"

    # ---- who it is ---------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """8 characters unless you chose it, unique in the store."""
        return self._record.id

    @property
    def name(self) -> str:
        """For people; it can be set."""
        return self._record.name

    @name.setter
    def name(self, name: str) -> None:
        self._change(name=name)

    @property
    def entity(self) -> str:
        return self._record.entity

    @property
    def project(self) -> str:
        return self._record.project

    @property
    def job_type(self) -> str:
        return self._record.job_type

    @property
    def group(self) -> str:
        return self._record.group

    @property
    def tags(self) -> tuple[str, ...]:
        """It can be set."""
        return self._record.tags

    @tags.setter
    def tags(self, tags: Sequence[str]) -> None:
        self._change(tags=list(names.texts(tags, what="tags")))

    @property
    def notes(self) -> str:
        """It can be set."""
        return self._record.notes

    @notes.setter
    def notes(self, notes: str) -> None:
        self._change(notes=notes)

    @property
    def path(self) -> str:
        """`entity/project/id`."""
        return self._record.path

    @property
    def url(self) -> str | None:
        """The run's page; None where no server shows it."""
        return self._connection.page_of(self._record)

    @property
    def dir(self) -> str:
        """A folder of the run's own; files put there are stored with it when it ends."""
        os.makedirs(self._files.folder, mode=0o700, exist_ok=True)
        return str(self._files.folder)

    @property
    def state(self) -> RunState:
        """As this process last knew it."""
        return self._record.state

    @property
    def step(self) -> int:
        """The step that the next `log` without one is for."""
        return self._history.step

    @property
    def start_time(self) -> float:
        """Seconds since 1970."""
        return self._record.created_at.timestamp()

    @property
    def created_at(self) -> datetime:
        return self._record.created_at

    @property
    def resumed(self) -> bool:
        """Whether it had rows already when this process took it up."""
        return self._record.last_step >= 0

    @property
    def offline(self) -> bool:
        """Whether it stays on this machine until `lineal sync`."""
        return self._offline

    disabled = False

    # ---- what it tells -----------------------------------------------------------------------------------------

    @property
    def summary(self) -> Summary:
        """What the run came to: the last value of each key unless `define_metric` or you say otherwise."""
        return self._summary

    def log(
        self, data: Mapping[str, Any], step: int | None = None, commit: bool | None = None, sync: bool | None = None
    ) -> None:
        """Records values at a step: numbers, texts, lists, media. See the guide on steps.

        `commit=False` leaves the step open for more; with `step` it stays open anyway. `sync` is taken and ignored.
        """
        self._log(data, step, commit)

    def define_metric(
        self,
        name: str,
        step_metric: str | metrics.Metric | None = None,
        step_sync: bool | None = None,
        hidden: bool | None = None,
        summary: str | Sequence[str] | None = None,
        goal: str | None = None,
        overwrite: bool | None = None,
    ) -> metrics.Metric:
        """Says of a key, or a pattern such as `val/*`, which step it has and how it is summed up (min, mean …)."""
        self._check_open()
        metric = metrics.define(name, step_metric, step_sync, hidden, summary, goal)
        self._outbox.drain()
        self._metrics.add(metric)
        self._outbox.change(metrics=self._metrics.to_json())
        return metric

    def save(
        self,
        glob_str: str | os.PathLike[str],
        base_path: str | os.PathLike[str] | None = None,
        policy: Policy = "live",
    ) -> list[str]:
        """Stores the files that fit the pattern with the run: now, when it ends, or both (`live`); their paths."""
        self._check_open()
        return self._files.save(glob_str, base_path, policy)

    def watch(
        self,
        models: Any,
        criterion: Any = None,
        log: Any = "gradients",
        log_freq: int = 1000,
        idx: int | None = None,
        log_graph: bool = False,
    ) -> None:
        """Logs histograms of a torch model's gradients, parameters or both ("all") with every `log_freq`th pass."""
        from lineal.client.watch import watch

        started = watch(models, criterion, log, log_freq, idx, log_graph, run=self)
        self._before_end += [watching.stop for watching in started]

    def unwatch(self, models: Any = None) -> None:
        """Ends `watch` of these models, or of all."""
        from lineal.client.watch import unwatch

        unwatch(models)

    def alert(self, title: str, text: str = "", level: str = "INFO", wait_duration: Wait = None) -> None:
        """Records an alert, and sends it to the channels that are configured; INFO, WARN or ERROR.

        The same title within `wait_duration` (seconds, default 60) is counted, not sent. See the page on alerts.
        """
        from lineal.client import alerts

        self._check_open()
        alerts.of_run(self).add(title, text, level, wait_duration)

    def mark_preempting(self) -> None:
        """Says that the machine will be taken away: a run that is asked to end now ends as preempted."""
        self._preempting = True

    # ---- artifacts ---------------------------------------------------------------------------------------------

    def use_artifact(
        self, artifact_or_name: Artifact | str, type: str | None = None, use_as: str | None = None
    ) -> Artifact:
        """The version, pinned, recorded as an input of the run in the role `use_as`. Raises not_found.*."""
        ref = artifact_or_name._pinned.ref if isinstance(artifact_or_name, Artifact) else artifact_or_name
        if use_as is not None:
            names.check_name(use_as, "role")
        if self._offline:
            from lineal.client import offline

            return offline.use(self, ref, type, use_as)
        if not isinstance(artifact_or_name, Artifact) and environment("LINEAL_LOCKED"):
            from lineal.client.locked import locked

            ref = locked(ref, self._connection.settings)
        if type is not None:
            check_type(self._connection, ref, type)
        version = self._connection.backend.artifacts.use(ref, self.id, role=use_as)
        return Artifact._logged_as(version, self._connection)

    def log_artifact(
        self,
        artifact_or_path: Artifact | PathLike,
        name: str | None = None,
        type: str | None = None,
        aliases: Sequence[str] | None = None,
        tags: Sequence[str] | None = None,
    ) -> Artifact:
        """The artifact, logged as an output of the run; a file or folder becomes an artifact first.

        Content that the collection has already stays the version it is; the aliases move to it all the same.
        """
        artifact = as_artifact(artifact_or_path, name, type)
        if artifact.logged:
            raise InvalidArgument(f"{artifact.name} is logged already; use_artifact records it as an input")
        if self._offline:
            from lineal.client import offline

            return offline.log(self, artifact, aliases or (), tags or ())
        artifact._log(self._connection, project=self.project, run_id=self.id, aliases=aliases or (), tags=tags or ())
        return artifact

    def link_artifact(self, artifact: Artifact, target_path: str, aliases: Sequence[str] | None = None) -> Artifact:
        """The version as `registry/<collection>` shows it; a draft is logged first."""
        if self._offline:
            raise StoreUnavailable(
                "linking needs the store, and this run is offline; link the version after `lineal sync`"
            )
        if not artifact.logged:
            self.log_artifact(artifact)
        return artifact.link(target_path, aliases or ())

    def log_code(
        self,
        root: PathLike | None = None,
        name: str | None = None,
        include_fn: Callable[[str], bool] | None = None,
        exclude_fn: Callable[[str], bool] | None = None,
    ) -> Artifact | None:
        """The source below `root` (default: the working folder) as an artifact of type `code`; None without any.

        What git ignores stays out; `include_fn` and `exclude_fn` choose by path.
        """
        from lineal.client.capture.code import EXCLUDE, INCLUDE, code_files

        top = Path(os.path.abspath(root or "."))
        files = code_files(top, include_fn or INCLUDE, exclude_fn or EXCLUDE)
        if not files:
            return None
        artifact = Artifact(name or f"source-{self.project}", "code")
        for file in files:
            artifact.add_file(file, name=file.relative_to(top).as_posix())
        return self.log_artifact(artifact)

    # ---- its end -----------------------------------------------------------------------------------------------

    def finish(self, exit_code: int | None = None, quiet: bool | None = None) -> None:
        """Ends the run: finished, or failed for an exit code other than 0. Ending it again does nothing.

        Everything that was logged is in the store when it returns; `quiet` is taken and ignored.
        """
        self._end(ending.of_code(exit_code))

    def _end(self, end: End) -> None:
        from lineal.client import current

        if self._pid != os.getpid():
            return
        with self._ending:
            if self.state == "running" and not self._is_ending:  # a signal's handler may end it while it ends
                self._is_ending = True
                try:
                    taken_away = self._preempting and end.state == "killed" and not self._asked_to_stop
                    self._close(end._replace(state="preempted") if taken_away else end)
                finally:
                    self._is_ending = False
        current.left(self)

    def _close(self, end: End) -> None:
        import logging

        while self._before_end:
            try:
                self._before_end.pop()()
            except Exception:  # the end of a part must not keep the run from its own
                logging.getLogger("lineal").debug("a part of run %s did not end well", self.id, exc_info=True)
        told = self._outbox.close(end if self._primary else end._replace(state=None))
        self._history.halt = self._refuse
        self._record = ending.ended(self._record, end)
        ending.farewell(self, told)

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(ending.of(exc))

    # ---- inside ------------------------------------------------------------------------------------------------

    def _change(self, **new: Any) -> None:
        self._check_open()
        if self._offline:
            self._outbox.say("change", new)
        else:
            self._connection.backend.runs.change(self.id, **new)
        self._show(new)

    def _show(self, new: Mapping[str, Any]) -> None:
        """Makes the record in this process say what was changed."""
        from dataclasses import replace

        shown: dict[str, Any] = {key: tuple(value) if key == "tags" else value for key, value in new.items()}
        self._record = replace(self._record, **shown)

    def _check_open(self) -> None:
        if self._history.halt is not None:
            self._history.halt()

    def _refuse(self) -> None:
        raise RunFinished(f"run {self.id} has ended ({self.state}); start another one with lineal.init()")

    def _forked(self) -> None:
        """What becomes of the run in a forked child: its rows are the parent's to log."""
        import logging

        self._outbox.journal.close()  # or its lock would outlive the parent
        told: list[bool] = []
        self._outbox.abandon()

        def log(data: Mapping[str, Any], step: int | None = None, commit: bool | None = None) -> None:
            if not told:
                told.append(True)
                logging.getLogger("lineal").warning(
                    "a forked process can't log into run %s of its parent; start it with lineal.init(id=…, "
                    "settings=lineal.Settings(mode='shared')) there. What it logs is left out",
                    self.id,
                )

        self._log = log

    def _stopped(self, by: str) -> None:
        """What `log` does once somebody asked the run to stop."""

        def stop() -> None:
            self._history.halt = None
            self._asked_to_stop = True
            raise RunStopped(f"run {self.id} was asked to stop by {by}")

        self._history.halt = stop


def as_artifact(artifact_or_path: Artifact | PathLike, name: str | None, type: str | None) -> Artifact:
    """The artifact given, or one made of the file or folder given. Raises invalid.argument without a type."""
    if isinstance(artifact_or_path, Artifact):
        return artifact_or_path
    if type is None:
        raise InvalidArgument("a file or folder needs a type, such as type='dataset'")
    path = Path(os.path.abspath(artifact_or_path))
    artifact = Artifact(name or path.stem, type)
    if path.is_dir():
        artifact.add_dir(path)
    else:
        artifact.add_file(path)
    return artifact


def check_type(conn: Connection, ref: str, type: str) -> None:
    """Raises invalid.argument unless the version that `ref` names has that type."""
    found = conn.backend.artifacts.resolve(ref)
    if found.type != type:
        raise InvalidArgument(f"{found.name} is a {found.type!r}, not a {type!r}")


def need(run: Run | None) -> Run:
    """The run. Raises not_found.run where there is none."""
    if run is None:
        raise RunNotFound("there is no current run; call lineal.init() first")
    return run
