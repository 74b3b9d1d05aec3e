"""Records of runs and of what they record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

RunState = Literal["running", "finished", "failed", "killed", "preempted", "crashed"]
Stream = Literal["history", "system", "console"]
Resume = Literal["allow", "must", "never"]

# Steps of system and console rows are moments, in microseconds since 1970.
STREAMS: tuple[Stream, ...] = ("history", "system", "console")
CRASHED_AFTER_S = 60  # without a word from any writer; they send one every HEARTBEAT_S at least
HEARTBEAT_S = 10
MAX_ALERT_TITLE_CHARS, MAX_ALERT_CHARS = 200, 16_000


@dataclass(frozen=True, slots=True)
class Run:
    """One run as last read. A run that says nothing for CRASHED_AFTER_S while it is running reads as crashed.

    `code` holds what is known of its source (commit, branch, remote, dirty, program), `environment` of the machine
    and the packages; `metrics` are the definitions of `define_metric`. `last_step` is -1 before the first row. A run
    of a sweep has the sweep's id in `sweep` and the trial's number in `trial`.
    """

    id: str
    entity: str
    project: str
    name: str
    job_type: str
    state: RunState
    config: Mapping[str, Any]
    code: Mapping[str, Any]
    user: str
    host: str
    created_at: datetime
    finished_at: datetime | None = None
    group: str = ""
    tags: tuple[str, ...] = ()
    notes: str = ""
    summary: Mapping[str, Any] = field(default_factory=dict)
    metrics: Sequence[Mapping[str, Any]] = ()
    environment: Mapping[str, Any] = field(default_factory=dict)
    exit_code: int | None = None
    message: str = ""
    seen_at: datetime | None = None
    stop_asked_by: str | None = None
    parent: str | None = None
    parent_step: int | None = None
    last_step: int = -1
    sweep: str = ""
    trial: int | None = None

    @property
    def path(self) -> str:
        """`entity/project/id`."""
        return f"{self.entity}/{self.project}/{self.id}"


@dataclass(frozen=True, slots=True)
class RunFile:
    """A file of a run: media, a table, or what `save` was given. `digest` is `sha256:<hex>`."""

    path: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that a run wanted to be known; `channels` maps each channel to `sent`, `waiting` or `failed: why`.

    `repeats` counts how often it was said again while it was not to be sent again.
    """

    id: str
    title: str
    text: str
    level: Literal["info", "warn", "error"]
    at: datetime
    channels: Mapping[str, str] = field(default_factory=dict)
    repeats: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """What a writer has to say at once. None or empty: nothing new.

    `rows` maps streams to rows encoded by `tracking.rows`; `config` replaces the whole, `summary` the keys it has,
    `metrics`, `environment` and `code` the whole; `files` must be in the store already.
    """

    rows: Mapping[Stream, bytes] = field(default_factory=dict)
    last_step: int = -1
    config: Mapping[str, Any] | None = None
    summary: Mapping[str, Any] = field(default_factory=dict)
    metrics: Sequence[Mapping[str, Any]] | None = None
    environment: Mapping[str, Any] | None = None
    code: Mapping[str, Any] | None = None
    files: Sequence[RunFile] = ()
    alerts: Sequence[Alert] = ()


@dataclass(frozen=True, slots=True)
class Heard:
    """What a writer hears back: the run's state, and who asked it to stop."""

    state: RunState
    stop_asked_by: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the runs that were asked for, in order; `after` is the cursor of the next page, None at the end."""

    runs: tuple[Run, ...]
    after: str | None
    total: int | None = None


EventKind = Literal["rows", "reset", "state", "summary", "alert"]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that became known of a run; `after` is the cursor behind it.

    `data` is of `rows`: `rows`, by step; of `reset`: nothing, but all rows of the stream are told anew; of `state`:
    `state`, `exit_code`, `message`, `finished_at`, `stop_asked_by`; of `summary`: `summary`, whole; of `alert`: the
    fields of Alert.
    """

    kind: EventKind
    after: str
    stream: Stream | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Events:
    """What became known of a run behind a cursor. `after` is the next cursor, `more` whether there is more at once,
    `ended` whether the run has ended and everything was told.
    """

    events: tuple[Event, ...]
    after: str
    more: bool
    ended: bool


@dataclass(frozen=True, slots=True)
class Samples:
    """One key of one run, thinned out to buckets: `steps` (of its last point), `low`, `high`, `mean`, `last` of each.

    Where no thinning was needed every bucket holds one point. `count` is the number of points behind it.
    """

    run: str
    key: str
    count: int
    steps: Sequence[int]
    low: Sequence[float]
    high: Sequence[float]
    mean: Sequence[float]
    last: Sequence[float]
