"""Following a run: what it prints and logs, as it comes, until it ends."""

from __future__ import annotations

import time
from typing import Any

import click

from lineal.cli.drawing import number
from lineal.cli.output import line
from lineal.cli.output import lines as print_lines
from lineal.client.run_view import RunView
from lineal.tracking.model import Stream

_MOST_KEYS = 12


def follow(view: RunView, *, lines: int, only: str | None, interval_s: float, pause: Any = time.sleep) -> None:
    """Prints what the run has and gets, and how it ended once it has."""
    streams: dict[Stream, int] = {}
    for stream in ("console", "history"):
        if only in (None, "console" if stream == "console" else "metrics"):
            streams[stream] = _start(view, stream, lines)
    while True:
        running = view.load().state == "running"  # asked first: what came before the end is printed below
        for stream, step in list(streams.items()):
            streams[stream] = _print(view, stream, step)
        if not running:
            break
        pause(interval_s)
    code = f", exit code {view.exit_code}" if view.exit_code else ""
    line(f"{view.name} ({view.id}) {view.state}{code}", err=True)
    if view.message:
        print_lines(view.message.splitlines())


def _start(view: RunView, stream: Stream, lines: int) -> int:
    """The step at which the last `lines` rows of the stream begin."""
    steps, _ = view._connection.backend.runs.columns(view.id, ["_timestamp"], stream=stream)["_timestamp"]
    if not steps or lines >= len(steps):
        return 0
    return steps[-lines] if lines else steps[-1] + 1


def _print(view: RunView, stream: Stream, step: int) -> int:
    """The step behind the rows that were printed."""
    for row in view.scan_history(min_step=step, stream=stream):
        _print_row(row, stream)
        step = row["_step"] + 1
    return step


def _print_row(row: dict[str, Any], stream: Stream) -> None:
    values = {key: value for key, value in row.items() if not key.startswith("_")}
    if stream == "console":
        print_lines(click.unstyle(str(text)) for text in values.values())
        return
    shown = [f"{key}={number(value)}" for key, value in values.items() if not isinstance(value, dict | list)]
    more = f" … {len(shown) - _MOST_KEYS} more" if len(shown) > _MOST_KEYS else ""
    line(f"step {row['_step']}  {'  '.join(shown[:_MOST_KEYS])}{more}")
