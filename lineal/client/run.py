"""Runs in the SDK: `init` starts one, artifacts hang on it, `finish` ends it."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from types import TracebackType
from typing import Any

from lineal.client.artifact import Artifact
from lineal.client.connection import Connection, connection
from lineal.client.entry import PathLike
from lineal.core import names
from lineal.core.clock import new_run_id
from lineal.core.errors import InvalidArgument, RunNotFound
from lineal.tracking.model import Run as RunRecord
from lineal.tracking.model import RunState

_current: Run | None = None
_end_state: RunState = "finished"


class Config(MutableMapping[str, Any]):
    """The run's settings, as items and as attributes; every change is recorded."""

    def __init__(self, run: Run, values: Mapping[str, Any]) -> None:
        object.__setattr__(self, "_run", run)
        object.__setattr__(self, "_values", dict(values))

    _run: Run
    _values: dict[str, Any]

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __delitem__(self, key: str) -> None:
        self._record({k: v for k, v in self._values.items() if k != key})

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __getattr__(self, key: str) -> Any:
        try:
            return self.__dict__["_values"][key]  # not by attribute: a copy under way has none yet
        except KeyError:
            raise AttributeError(f"the run's config has no {key!r}") from None

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value

    def update(self, *others: Any, **more: Any) -> None:
        """Sets many at once."""
        self._record(self._values | dict(*others, **more))

    def _record(self, values: dict[str, Any]) -> None:
        run = self._run
        run._record = run._connection.backend.runs.change(run.id, config=values)
        object.__setattr__(self, "_values", dict(run._record.config))


class Run:
    """A run under way; a context manager that ends it: as failed when an exception leaves the block."""

    def __init__(self, record: RunRecord, conn: Connection) -> None:
        self._record = record
        self._connection = conn
        self.config = Config(self, record.config)

    def __repr__(self) -> str:
        return f"<Run {self.path} ({self.state})>"

    @property
    def id(self) -> str:
        """8 characters, unique in the store."""
        return self._record.id

    @property
    def name(self) -> str:
        return self._record.name

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
    def path(self) -> str:
        """`entity/project/id`."""
        return self._record.path

    @property
    def state(self) -> RunState:
        """As this process last knew it."""
        return self._record.state

    def use_artifact(
        self, artifact_or_name: Artifact | str, type: str | None = None, use_as: str | None = None
    ) -> Artifact:
        """The version, pinned, recorded as an input of the run in the role `use_as`. Raises not_found.*."""
        ref = artifact_or_name._pinned.ref if isinstance(artifact_or_name, Artifact) else artifact_or_name
        if use_as is not None:
            names.check_name(use_as, "role")
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
        artifact._log(self._connection, project=self.project, run_id=self.id, aliases=aliases or (), tags=tags or ())
        return artifact

    def link_artifact(self, artifact: Artifact, target_path: str, aliases: Sequence[str] | None = None) -> Artifact:
        """The version as `registry/<collection>` shows it; a draft is logged first."""
        if not artifact.logged:
            self.log_artifact(artifact)
        return artifact.link(target_path, aliases or ())

    def finish(self, exit_code: int | None = None) -> None:
        """Ends the run: finished, or failed for an exit code other than 0. Ending it again does nothing."""
        self._end("finished" if not exit_code else "failed")

    def _end(self, state: RunState) -> None:
        global _current  # noqa: PLW0603 - the process has one current run
        if self.state == "running":
            self._record = self._connection.backend.runs.finish(self.id, state)
        if _current is self:
            _current = None

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(_state_after(exc))


def init(
    project: str | None = None,
    entity: str | None = None,
    *,
    name: str | None = None,
    id: str | None = None,
    job_type: str | None = None,
    config: Mapping[str, Any] | None = None,
    url: str | None = None,
) -> Run:
    """A new run, which is the process's current one until it ends; one that is current already ends first.

    `url` names the store (default: the setting). Raises invalid.name, unavailable.*.
    """
    global _current  # noqa: PLW0603 - the process has one current run
    from lineal.client.capture.git import code_facts

    conn = connection(project=project, entity=entity, url=url)
    if _current is not None:
        _current.finish()
    run_id = id or new_run_id()
    record = conn.backend.runs.start(
        run_id,
        project=conn.settings.project,
        name=name or f"{job_type or 'run'}-{run_id}",
        job_type=job_type or "",
        config=config,
        code=code_facts(),
    )
    _current = Run(record, conn)
    _watch_exit()
    return _current


def current() -> Run | None:
    """The process's current run."""
    return _current


def need_current() -> Run:
    """The process's current run. Raises not_found.run where there is none."""
    if _current is None:
        raise RunNotFound("there is no current run; call lineal.init() first")
    return _current


def use_artifact(artifact_or_name: Artifact | str, type: str | None = None, use_as: str | None = None) -> Artifact:
    """`use_artifact` of the current run."""
    return need_current().use_artifact(artifact_or_name, type, use_as)


def log_artifact(
    artifact_or_path: Artifact | PathLike,
    name: str | None = None,
    type: str | None = None,
    aliases: Sequence[str] | None = None,
    tags: Sequence[str] | None = None,
) -> Artifact:
    """`log_artifact` of the current run."""
    return need_current().log_artifact(artifact_or_path, name, type, aliases, tags)


def link_artifact(artifact: Artifact, target_path: str, aliases: Sequence[str] | None = None) -> Artifact:
    """`link_artifact` of the current run."""
    return need_current().link_artifact(artifact, target_path, aliases)


def finish(exit_code: int | None = None) -> None:
    """Ends the current run, if there is one."""
    if _current is not None:
        _current.finish(exit_code)


def as_artifact(artifact_or_path: Artifact | PathLike, name: str | None, type: str | None) -> Artifact:
    """The artifact given, or one made of the file or folder given. Raises invalid.argument without a type."""
    if isinstance(artifact_or_path, Artifact):
        return artifact_or_path
    if type is None:
        raise InvalidArgument("a file or folder needs a type, such as type='dataset'")
    path = os.path.abspath(artifact_or_path)
    artifact = Artifact(name or os.path.splitext(os.path.basename(path))[0], type)
    if os.path.isdir(path):
        artifact.add_dir(path)
    else:
        artifact.add_file(path)
    return artifact


def check_type(conn: Connection, ref: str, type: str) -> None:
    """Raises invalid.argument unless the version that `ref` names has that type."""
    found = conn.backend.artifacts.resolve(ref)
    if found.type != type:
        raise InvalidArgument(f"{found.name} is a {found.type!r}, not a {type!r}")


def _state_after(problem: BaseException | None) -> RunState:
    """How a run ends that this exception ends, or none."""
    if problem is None or (isinstance(problem, SystemExit) and not problem.code):
        return "finished"
    return "killed" if isinstance(problem, KeyboardInterrupt) else "failed"


def _watch_exit() -> None:
    """Ends the run with the process: as failed when an exception is why it ends."""
    if getattr(_watch_exit, "done", False):
        return
    _watch_exit.done = True  # type: ignore[attr-defined]
    before = sys.excepthook

    def hook(kind: type[BaseException], exc: BaseException, trace: TracebackType | None) -> None:
        global _end_state  # noqa: PLW0603 - told to the exit handler
        _end_state = _state_after(exc)
        before(kind, exc, trace)

    sys.excepthook = hook
    atexit.register(lambda: _current._end(_end_state) if _current else None)
