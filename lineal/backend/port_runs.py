"""The port's operations on runs: what a training process tells, and what others read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from lineal.backend.operation import operation
from lineal.tracking.model import Alert, Batch, Events, Heard, Page, Resume, Run, RunFile, RunState, Samples, Stream

Row = Mapping[str, Any]


class Runs:
    """Runs. Filters are the mongo-like mappings of `tracking.filters`; a run is named by its id."""

    @operation("POST", "/runs", needs="write")
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
        """The run with that id, made unless it is there already.

        With `resume` a run that has ended runs again: `must` raises not_found.run unless it is there, `never` raises
        conflict.run_exists where it is. A resumed run keeps what isn't given here; its config is updated.
        `created_at` is when it really began, where that is told later: a run that ended after that stays ended. What
        `writer` began is its own, also with `never`, so that it may begin again what it can't know to have begun.
        With `sweep` it is the trial of that sweep which bears the run's id, and has the trial's parameters in its
        config. Raises not_found.trial where another run has taken its place.
        """
        raise NotImplementedError

    @operation("POST", "/runs/{run_id}/batches", needs="write")
    def append(self, run_id: str, writer: str, seq: int, batch: Batch) -> Heard:
        """Records the batch, durably; the answer tells the writer whether the run should stop.

        A writer numbers its batches from 1; one that was taken already changes nothing. An empty batch is a
        heartbeat. A run that has ended still takes what its writers had to say. Raises not_found.run, invalid.rows,
        conflict.blobs_missing.
        """
        raise NotImplementedError

    @operation("GET", "/runs/{run_id}/writers/{writer}", needs="read")
    def last_seq(self, run_id: str, writer: str) -> int:
        """The number of the last batch taken from the writer, 0 where it has only begun, -1 where it never did."""
        raise NotImplementedError

    @operation("POST", "/runs/{run_id}/finish", needs="write")
    def finish(
        self,
        run_id: str,
        state: RunState = "finished",
        *,
        exit_code: int | None = None,
        message: str = "",
        at: datetime | None = None,
    ) -> Run:
        """The run, ended, with its rows in one file per stream; one that has ended stays as it was.

        `message` says why it failed, `at` when it ended where that is told later. Raises not_found.run.
        """
        raise NotImplementedError

    @operation("PATCH", "/runs/{run_id}", needs="write")
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
        """The run (in any state) with what is given set, `config` and `summary` as wholes. Raises not_found.run."""
        raise NotImplementedError

    @operation("GET", "/runs/{run_id}", needs="read")
    def get(self, run_id: str) -> Run:
        """The run with that id. Raises not_found.run."""
        raise NotImplementedError

    @operation("POST", "/runs/search", needs="read")
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
        """A page of the runs that meet `filters`, by `order` (`+` or `-` and a key such as `summary_metrics.acc`).

        Runs without the key come last, ties newest first. `after` is the cursor of the page before; with `count`
        the page tells how many there are in all. Raises invalid.filter, invalid.argument.
        """
        raise NotImplementedError

    @operation("GET", "/projects", needs="read")
    def list_projects(self, *, entity: str | None = None) -> Sequence[str]:
        """The projects that have runs or collections, by name."""
        raise NotImplementedError

    @operation("POST", "/runs/{run_id}/stop", needs="write")
    def stop(self, run_id: str) -> Run:
        """The run, asked to stop: its process hears of it with the next batch. Raises conflict.run_finished."""
        raise NotImplementedError

    @operation("DELETE", "/runs/{run_id}", needs="delete")
    def delete(self, run_id: str) -> Run:
        """The run as it was, with everything it recorded gone; the versions that it made stay.

        Raises conflict.run_in_use where versions or other runs came from it.
        """
        raise NotImplementedError

    @operation("POST", "/runs/{run_id}/rewind", needs="write")
    def rewind(self, run_id: str, step: int, *, writer: str | None = None) -> Run:
        """The run, running again from `step`: later rows leave its history but stay in the record.

        A `writer` begins with it: it rewinds once, and doing it again changes nothing.
        """
        raise NotImplementedError

    @operation("POST", "/runs/{run_id}/fork", needs="write")
    def fork(self, run_id: str, parent: str, step: int) -> Run:
        """The run (just started, without rows), with the parent's history up to and with `step` as its own.

        Doing it again changes nothing. Raises not_found.run, conflict.run_exists where it has rows already.
        """
        raise NotImplementedError

    @operation("GET", "/runs/{run_id}/keys", needs="read", cursor=lambda key: key)
    def list_keys(
        self, run_id: str, *, stream: Stream = "history", limit: int | None = None, after: str | None = None
    ) -> Sequence[str]:
        """The keys that the stream has rows for, sorted, without those that start with `_`.

        At most `limit`, behind the key `after`.
        """
        raise NotImplementedError

    @operation("GET", "/runs/{run_id}/rows", needs="read")
    def rows(
        self,
        run_id: str,
        *,
        stream: Stream = "history",
        keys: Sequence[str] | None = None,
        min_step: int = 0,
        max_step: int | None = None,
        limit: int = 10_000,
    ) -> Sequence[Row]:
        """Rows by step from `min_step` up to, not with, `max_step`: `_step`, `_timestamp` (s since 1970), the keys.

        With `keys`, only rows that have all of them. `limit` counts rows; the next call starts behind the last step
        that came whole.
        """
        raise NotImplementedError

    @operation("POST", "/runs/columns", needs="read")
    def columns(
        self,
        run_id: str,
        keys: Sequence[str],
        *,
        stream: Stream = "history",
        min_step: int = 0,
        max_step: int | None = None,
    ) -> Mapping[str, tuple[Sequence[int], Sequence[Any]]]:
        """For each key its steps and values, oldest first, whole."""
        raise NotImplementedError

    @operation("POST", "/runs/samples", needs="read")
    def samples(
        self,
        run_ids: Sequence[str],
        keys: Sequence[str],
        *,
        stream: Stream = "history",
        points: int = 1000,
        min_step: int = 0,
        max_step: int | None = None,
    ) -> Sequence[Samples]:
        """Each key of each run, thinned out to at most `points` buckets of equal width in steps; numbers only.

        A bucket keeps its lowest and highest value, so that no spike is lost. Keys that a run lacks are left out.
        """
        raise NotImplementedError

    @operation("POST", "/runs/{run_id}/events/page", needs="read")
    def events(
        self,
        run_id: str,
        *,
        streams: Sequence[Stream] = ("history",),
        keys: Sequence[str] | None = None,
        after: str | None = None,
        last: int | None = None,
        limit: int = 1000,
    ) -> Events:
        """What became known of the run behind the cursor `after`, without it from the beginning, at once.

        Rows are told by stream, up to about `limit` of them; with `keys`, of each row those that it has. Without
        `after` each stream begins with its `last` rows (None: all). Every row is told once, in the order in which
        rows came in and by step among those that came together; a row that gets more values later is told again
        with these. Where rows that were told are gone, as a rewind takes them, or where late ones were mixed with
        them before they could be told, `reset` says so, and all rows of the stream follow. A page may be empty.
        Raises not_found.run, invalid.argument.
        """
        raise NotImplementedError

    @operation("GET", "/runs/{run_id}/files", needs="read", cursor=lambda file: file.path)
    def list_files(self, run_id: str, *, limit: int | None = None, after: str | None = None) -> Sequence[RunFile]:
        """The files of the run, by path; at most `limit`, behind the path `after`."""
        raise NotImplementedError

    @operation("GET", "/runs/{run_id}/alerts", needs="read", cursor=lambda alert: alert.id)
    def list_alerts(self, run_id: str, *, limit: int | None = None, after: str | None = None) -> Sequence[Alert]:
        """The alerts of the run, oldest first; at most `limit`, behind the alert with the id `after`."""
        raise NotImplementedError
