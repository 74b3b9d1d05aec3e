"""Following a run: what it prints and logs, as it comes, until it ends."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import click

from lineal.cli.drawing import number
from lineal.cli.output import line
from lineal.cli.output import lines as print_lines
from lineal.client.run_view import RunView
from lineal.tracking.model import Stream

_MOST_KEYS = 12
_ONLY = {"console": "console", "history": "metrics"}


def follow(view: RunView, *, lines: int, only: str | None, interval_s: float, pause: Any = time.sleep) -> None:
    """Prints what the run has and gets, and how it ended once it has."""
    streams = [stream for stream in ("console", "history") if only in (None, _ONLY[stream])]
    for event in view.follow(streams, last=lines, interval_s=interval_s, _pause=pause):
        if event.kind == "rows":
            for row in event.data["rows"]:
                _print_row(row, event.stream)
        elif event.kind == "reset":
            line(f"(the {_ONLY[event.stream or 'history']} from the beginning, since rows changed)", err=True)
    view.load()
    code = f", exit code {view.exit_code}" if view.exit_code else ""
    line(f"{view.name} ({view.id}) {view.state}{code}", err=True)
    if view.message:
        print_lines(view.message.splitlines())


def _print_row(row: Mapping[str, Any], stream: Stream | None) -> None:
    values = {key: value for key, value in row.items() if not key.startswith("_")}
    if stream == "console":
        print_lines(click.unstyle(str(text)) for text in values.values())
        return
    shown = [f"{key}={number(value)}" for key, value in values.items() if not isinstance(value, dict | list)]
    more = f" … {len(shown) - _MOST_KEYS} more" if len(shown) > _MOST_KEYS else ""
    line(f"step {row['_step']}  {'  '.join(shown[:_MOST_KEYS])}{more}")
