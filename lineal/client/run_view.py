"""A run as it is read back, under the names that W&B's public API has for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any, TypeVar

from lineal.client import frames
from lineal.client.artifact import Artifact
from lineal.client.connection import Connection
from lineal.client.run_file import File
from lineal.core.clock import format_time
from lineal.core.errors import EntryNotFound, InvalidArgument
from lineal.core.names import texts
from lineal.tracking.model import Alert, Event, Run, RunState, Stream

Row = dict[str, Any]
T = TypeVar("T")

_STREAMS: Mapping[str, Stream] = {
    "default": "history",
    "history": "history",
    "system": "system",
    "events": "system",
    "console": "console",
}
_TIME = "_timestamp"


class Summary(dict[str, Any]):
    """The run's summary; `update()` stores it."""

    def __init__(self, values: Mapping[str, Any], run: RunView) -> None:
        super().__init__(values)
        self._run = run

    def update(self, *others: Any, **more: Any) -> None:
        """Sets many at once and stores the whole."""
        super().update(*others, **more)
        self._run.update()


class RunView:
    """A run as last read. `name`, `notes`, `tags`, `group`, `job_type`, `config` and `summary` may be changed, then
    `update()` stores them.
    """

    def __init__(self, record: Run, conn: Connection) -> None:
        self._connection = conn
        self._bind(record)

    def _bind(self, record: Run) -> None:
        self._record = record
        self.name, self.notes = record.name, record.notes
        self.group, self.job_type = record.group, record.job_type
        self.tags: list[str] = list(record.tags)
        self._config: dict[str, Any] | None = None
        self._summary: Summary | None = None

    @property
    def config(self) -> dict[str, Any]:
        """May be changed in place, at any depth."""
        if self._config is None:
            self._config = deepcopy(dict(self._record.config))
        return self._config

    @config.setter
    def config(self, values: Mapping[str, Any]) -> None:
        self._config = dict(values)

    @property
    def summary(self) -> Summary:
        """May be changed in place, at any depth."""
        if self._summary is None:
            self._summary = Summary(deepcopy(dict(self._record.summary)), self)
        return self._summary

    @summary.setter
    def summary(self, values: Mapping[str, Any]) -> None:
        self._summary = Summary(values, self)

    def __repr__(self) -> str:
        return f"<Run {self.path} ({self.state})>"

    # ---- what it is --------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        return self._record.id

    @property
    def display_name(self) -> str:
        """The name that people gave it."""
        return self.name

    @property
    def entity(self) -> str:
        return self._record.entity

    @property
    def project(self) -> str:
        return self._record.project

    @property
    def path(self) -> str:
        """`entity/project/id`."""
        return self._record.path

    @property
    def url(self) -> str | None:
        """The run's page; None where no server shows it."""
        return self._connection.page_of(self._record)

    @property
    def state(self) -> RunState:
        """When it was read; a run that has fallen silent reads as crashed."""
        return self._record.state

    @property
    def user(self) -> str:
        return self._record.user

    @property
    def created_at(self) -> str:
        """RFC 3339, in UTC."""
        return format_time(self._record.created_at)

    @property
    def finished_at(self) -> str | None:
        """RFC 3339, in UTC; None while it runs."""
        return format_time(self._record.finished_at) if self._record.finished_at else None

    @property
    def heartbeat_at(self) -> str:
        """When it was last heard of."""
        return format_time(self._record.seen_at or self._record.created_at)

    @property
    def lastHistoryStep(self) -> int:  # noqa: N802 - W&B's name
        """The step of the last row; -1 before the first."""
        return self._record.last_step

    @property
    def exit_code(self) -> int | None:
        return self._record.exit_code

    @property
    def message(self) -> str:
        """Why it failed: the traceback, if there was one."""
        return self._record.message

    @property
    def code(self) -> Mapping[str, Any]:
        """What is known of the source: commit, branch, remote, dirty, program."""
        return self._record.code

    @property
    def metadata(self) -> dict[str, Any]:
        """What is known of the machine, the program and its code."""
        record, code = self._record, self._record.code
        git = {"git": {"commit": code.get("commit"), "remote": code.get("remote")}} if code.get("commit") else {}
        return {"host": record.host, "username": record.user, **git, **code, **record.environment}

    def load(self, force: bool = True) -> RunView:
        """The run, read again; changes that were not stored are lost."""
        if force:
            self._bind(self._connection.backend.runs.get(self.id))
        return self

    # ---- rows --------------------------------------------------------------------------------------------------

    def history(
        self,
        samples: int = 500,
        keys: Sequence[str] | None = None,
        x_axis: str = "_step",
        pandas: bool = True,
        stream: str = "default",
    ) -> Any:
        """Up to `samples` rows, evenly picked, as a DataFrame (or a list of mappings without `pandas`).

        With `keys`, only rows that have all of them (and the `x_axis`). `stream="system"` gives the machine's.
        """
        if samples < 1:
            raise InvalidArgument(f"samples is {samples}; ask for 1 row at least")
        asked = None if keys is None else texts(keys, [] if x_axis == "_step" else [x_axis], what="keys")
        rows = self._sampled(asked, _stream(stream), samples)
        return frames.to_pandas(frames.of_rows(rows)) if pandas else rows

    def scan_history(
        self,
        keys: Sequence[str] | None = None,
        page_size: int = 10_000,
        min_step: int | None = None,
        max_step: int | None = None,
        stream: str = "default",
    ) -> Iterator[Row]:
        """Every row from `min_step` up to, not with, `max_step`; with `keys`, only rows that have all of them."""
        chosen, step = _stream(stream), min_step or 0
        asked = None if keys is None else [key for key in texts(keys, what="keys") if key != "_step"] or [_TIME]
        shown = None if keys is None else {"_step", *keys}
        while True:
            rows = self._connection.backend.runs.rows(
                self.id, stream=chosen, keys=asked, min_step=step, max_step=max_step, limit=page_size
            )
            for row in rows:
                yield dict(row) if shown is None else {key: row[key] for key in row if key in shown}
            if not rows:
                return
            step = rows[-1]["_step"] + 1

    def follow(
        self,
        streams: Sequence[str] = ("history",),
        keys: Sequence[str] | None = None,
        last: int | None = None,
        interval_s: float = 1.0,
        *,
        _pause: Callable[[float], Any] = time.sleep,
    ) -> Iterator[Event]:
        """Everything that becomes known of the run, as it does, until it has ended.

        Each stream begins with its `last` rows (None: all); of an event, `kind` says what its `data` holds. After
        `reset` all rows of its stream come anew. The view itself is as it was read. Raises not_found.run.
        """
        asked, after = [_stream(stream) for stream in texts(streams, what="streams")], None
        while True:
            page = self._connection.backend.runs.events(
                self.id, streams=asked, keys=keys, after=after, last=None if after else last
            )
            yield from page.events
            if page.ended:
                return
            after = page.after
            if not page.more:
                _pause(interval_s)

    def _sampled(self, keys: list[str] | None, stream: Stream, most: int) -> list[Row]:
        """Rows picked from columns, which is many times as fast as row by row."""
        runs = self._connection.backend.runs
        named = (
            [key for key in keys if key != "_step"] if keys is not None else runs.list_keys(self.id, stream=stream)
        )
        asked = list(dict.fromkeys(named if keys is not None and named else [*named, _TIME]))
        columns = runs.columns(self.id, asked, stream=stream)
        values = {key: dict(zip(steps, found, strict=True)) for key, (steps, found) in columns.items()}
        if any(len(values[key]) < len(steps) for key, (steps, _) in columns.items()):  # of several writers
            return _thinned(list(self.scan_history(keys, stream=stream)), most)
        every = set.union if keys is None else set.intersection
        steps = _thinned(sorted(every(*map(set, values.values()))), most)
        shown = [key for key in asked if keys is None or key in named]
        return [{"_step": step} | {key: values[key][step] for key in shown if step in values[key]} for step in steps]

    # ---- files, artifacts, alerts ------------------------------------------------------------------------------

    def files(self, names: Sequence[str] | None = None, **_: Any) -> list[File]:
        """Its files by path, or those with the given paths."""
        found = self._connection.backend.runs.list_files(self.id)
        return [File(file, self._connection) for file in found if names is None or file.path in names]

    def file(self, name: str) -> File:
        """The file with that path. Raises not_found.entry."""
        for file in self.files([name]):
            return file
        raise EntryNotFound(f"run {self.id} has no file {name[:200]!r}")

    def logged_artifacts(self, **_: Any) -> list[Artifact]:
        """The versions that it made."""
        return self._artifacts(output=True)

    def used_artifacts(self, **_: Any) -> list[Artifact]:
        """The versions that it used."""
        return self._artifacts(output=False)

    def _artifacts(self, *, output: bool) -> list[Artifact]:
        found = self._connection.backend.lineage.artifacts_of(self.id, output=output)
        return [Artifact._logged_as(version, self._connection) for version in found]

    def alerts(self) -> Sequence[Alert]:
        """What it wanted to be known, oldest first."""
        return self._connection.backend.runs.list_alerts(self.id)

    # ---- changing ----------------------------------------------------------------------------------------------

    def update(self) -> RunView:
        """The run, with what was changed here stored, and read again."""
        record = self._record
        ours: dict[str, tuple[Any, Any]] = {
            "name": (self.name, record.name),
            "notes": (self.notes or "", record.notes),
            "tags": (list(texts(self.tags, what="tags")), list(record.tags)),
            "group": (self.group or "", record.group),
            "job_type": (self.job_type or "", record.job_type),
            "config": (self.config, dict(record.config)),
            "summary": (dict(self.summary), dict(record.summary)),
        }
        changed = {key: now for key, (now, before) in ours.items() if now != before}
        if changed:
            self._bind(self._connection.backend.runs.change(self.id, **changed))
        return self

    save = update

    def stop(self) -> None:
        """Asks it to stop: its process hears of it with its next word. Raises conflict.run_finished."""
        self._bind(self._connection.backend.runs.stop(self.id))

    def delete(self) -> None:
        """Deletes it with everything it recorded. Raises conflict.run_in_use where versions or forks came from it."""
        self._connection.backend.runs.delete(self.id)


def _stream(name: str) -> Stream:
    if name not in _STREAMS:
        raise InvalidArgument(f"{name[:40]!r} is no stream of a run; say default, system or console")
    return _STREAMS[name]


def _thinned(items: list[T], most: int) -> list[T]:
    """`most` of the items at even distances, the last one always among them."""
    if len(items) <= most:
        return items
    if most == 1:
        return items[-1:]
    return [items[place * (len(items) - 1) // (most - 1)] for place in range(most)]
