"""What a run records without being asked, as far as its settings let it: surroundings, console, system metrics."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lineal.client.options import Settings
from lineal.tracking.model import Stream
from lineal.tracking.rows import Row

if TYPE_CHECKING:
    from lineal.client.capture.console import Console
    from lineal.client.capture.system import System
    from lineal.client.run import Run

Rows = Mapping[Stream, list[Row]]
_log = logging.getLogger("lineal")


def record_surroundings(run: Run, settings: Settings) -> None:
    """Starts recording; all but the console is looked at by the outbox's thread."""
    run._outbox.chores.append(_guarded(_Facts(run, settings)))
    if settings.console:
        console = _Console()
        run._before_end.append(console.stop)
        run._outbox.sources.append(_guarded(console))
    if settings.system:
        run._outbox.chores.append(_guarded(_System(run._files.folder.parent, settings.system_interval_s)))


def _guarded(source: Callable[[bool], Rows]) -> Callable[[bool], Rows]:
    """The source, which is dropped with a note in the log if it fails: the run goes on without it."""
    failed: list[bool] = []

    def ask(final: bool) -> Rows:
        if failed:
            return {}
        try:
            return source(final)
        except Exception:
            failed.append(True)
            _log.debug("%s is not recorded any more", type(source).__name__.strip("_"), exc_info=True)
            return {}

    return ask


class _Facts:
    """The machine, the packages and the uncommitted changes, once; a notebook's cells at the end."""

    def __init__(self, run: Run, settings: Settings) -> None:
        self._run, self._settings = run, settings
        self._told = False

    def __call__(self, final: bool) -> Rows:
        if not self._told:
            self._told = True
            self._tell()
        if final and self._settings.notebook:
            from lineal.client.capture.notebook import notebook

            if (cells := notebook()) is not None:
                self._run._files.add("code/notebook.ipynb", cells)
        return {}

    def _tell(self) -> None:
        from lineal.client.capture import environment, packages

        facts: dict[str, Any] = {}
        try:
            if self._settings.environment:
                facts |= environment.environment_facts((*environment.VARIABLES, *self._settings.variables))
            if self._settings.packages:
                facts["packages"] = packages.packages()
                if conda := packages.conda_packages():
                    facts["conda_packages"] = conda
            if self._settings.git and "commit" in self._run._record.code:
                facts["git"] = self._changes()
        finally:  # what was found before one of them failed
            if facts:
                self._run._outbox.change(environment=facts)

    def _changes(self) -> dict[str, Any]:
        from lineal.client.capture.git import untracked_facts
        from lineal.client.capture.patch import patch

        here = Path.cwd()
        facts = untracked_facts(here)
        if self._run._record.code.get("dirty") and (found := patch(here)) is not None:
            self._run._files.add("diff.patch", found.data)
            if found.cut:
                facts["patch_left_out_bytes"] = found.left_out_bytes
        return facts


class _Console:
    """Lines that the program prints; a row's step is its moment in microseconds since 1970."""

    def __init__(self) -> None:
        from lineal.client.capture.console import Console

        self._console: Console = Console()
        self._console.start()
        self._step = 0

    def stop(self) -> None:
        self._console.stop()

    def __call__(self, final: bool) -> Rows:
        rows: list[Row] = []
        for line in self._console.take(final=final):
            self._step = max(self._step + 1, int(line.time_s * 1e6))
            rows.append((self._step, self._step / 1e6, {line.stream: line.text}))  # never back, as clocks may go
        if final and self._console.dropped:
            note = f"[lineal: {self._console.dropped} lines came too fast and are not recorded]"
            rows.append((self._step + 1, time.time(), {"stderr": note}))
        return {"console": rows}


class _System:
    """Metrics of the machine at every interval; a row's step is its moment in microseconds since 1970."""

    def __init__(self, folder: Path, interval_s: float) -> None:
        self._folder, self._interval_s = folder, interval_s
        self._next_s = time.monotonic() + interval_s
        self._system: System | None = None
        self._step, self._offset = 0, time.time() - time.monotonic()  # moments don't jump when the clock is set

    def __call__(self, final: bool) -> Rows:
        if time.monotonic() < self._next_s:
            return {}
        if self._system is None:
            from lineal.client.capture.system import System

            self._system = System(self._folder)
        self._next_s = time.monotonic() + self._interval_s
        now = self._offset + time.monotonic()
        self._step = max(self._step + 1, int(now * 1e6))
        sample: dict[str, Any] = dict(self._system.sample())
        return {"system": [(self._step, now, sample)]} if sample else {}
