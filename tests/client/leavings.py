"""What tests of offline runs share: runs that leave something, a line that breaks, and all that a store holds."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import lineal
from lineal.client.connection import Connection, connection
from lineal.client.journal import NAME, Journal, read
from lineal.core import clock
from lineal.core.errors import StoreUnavailable

ROOT = Path(__file__).parent.parent.parent
QUIET = lineal.Settings(console=False, system=False, packages=False, environment=False, git=False)


def offline(**given: Any) -> lineal.Run:
    """A run that stays on this machine and records nothing unasked."""
    return lineal.init(**{"mode": "offline", "settings": QUIET, **given})


def runs_dir() -> Path:
    """Where this test's runs leave what is not sent."""
    return connection().settings.runs_dir


def left() -> list[Path]:
    """The folders that wait, by name."""
    return sorted(file.parent for file in runs_dir().glob("*/run.journal"))


def python(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """What became of a process of its own that ran the code."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    start = "import os, lineal\nfrom tests.client.leavings import QUIET, offline\n"
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", start + code],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def move(folder: Path, by: timedelta) -> None:
    """Makes the journal in the folder one of another time."""
    frames = list(read(folder))
    (folder / NAME).unlink()
    journal = Journal(folder)
    for frame in frames:
        facts = dict(frame.facts)
        if "at" in facts:
            facts["at"] = clock.format_time(clock.parse_time(facts["at"]) + by)
        journal.append(frame.kind, facts, frame.rows)
    journal.close()
    moment = clock.now() + by
    os.utime(folder / NAME, times=(moment.timestamp(), moment.timestamp()))


DIE = "\nrun._outbox.flush()\nos.kill(os.getpid(), 9)\n"


class Line:
    """The connection over a line that breaks at one call, before or after the store has heard it, and stays down."""

    def __init__(self, conn: Connection, breaks_at: int, *, heard: bool) -> None:
        self.calls, self._breaks_at, self._heard = 0, breaks_at, heard
        self.conn = Connection(conn.settings)
        self.conn.__dict__["cache"] = conn.cache
        self.conn.__dict__["backend"] = _Nouns(conn.backend, self)

    def call(self, operation: Any, *given: Any, **more: Any) -> Any:
        self.calls += 1
        if self.calls > self._breaks_at or (self.calls == self._breaks_at and not self._heard):
            raise StoreUnavailable("the line is down")
        answer = operation(*given, **more)
        if self.calls == self._breaks_at:
            raise StoreUnavailable("the line broke before the answer came")
        return answer


class _Nouns:
    def __init__(self, backend: Any, line: Line) -> None:
        self.runs, self.artifacts = _Noun(backend.runs, line), _Noun(backend.artifacts, line)
        self.blobs = backend.blobs

    def close(self) -> None: ...


class _Noun:
    def __init__(self, noun: Any, line: Line) -> None:
        self._noun, self._line = noun, line

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._noun, name)
        return lambda *given, **more: self._line.call(operation, *given, **more)


def everything(conn: Connection) -> dict[str, Any]:
    """All that the store holds of runs and artifacts, but for when it was told."""
    backend, found = conn.backend, {}
    for run in backend.runs.list(limit=100).runs:
        rows = {stream: list(backend.runs.rows(run.id, stream=stream)) for stream in ("history", "system", "console")}
        used, made = (backend.lineage.artifacts_of(run.id, output=output) for output in (False, True))
        found[run.id] = {
            "run": repr(replace(run, seen_at=None)),  # a text, since NaN is no NaN's equal
            **rows,
            "files": list(backend.runs.list_files(run.id)),
            "alerts": list(backend.runs.list_alerts(run.id)),
            "used": [version.ref for version in used],
            "made": [(version.ref, version.digest, version.aliases, version.tags) for version in made],
        }
    for collection in backend.artifacts.list_collections():
        ref = f"{collection.project}/{collection.name}"
        events = [
            (event.alias, event.kind, event.from_number, event.to_number)
            for event in backend.artifacts.list_alias_events(ref)
        ]
        versions = [(v.ref, v.digest, v.run_id, dict(v.metadata)) for v in backend.artifacts.list_versions(ref)]
        found[ref] = {"events": events, "versions": versions}
    return found
