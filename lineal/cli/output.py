"""What commands print: tables and lines for people, JSON for programs; nothing that a name could fool."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from lineal.core.display import moment
from lineal.lineage.look import clean


def line(text: str = "", *, err: bool = False) -> None:
    """Prints one line, control characters made harmless."""
    click.echo(clean(text) if text.strip() else "", err=err)


def lines(texts: Iterable[str]) -> None:
    """Prints lines whose leading blanks matter."""
    for text in texts:
        indent = len(text) - len(text.lstrip())
        click.echo(text[:indent] + clean(text[indent:]))


def as_json(value: Any) -> None:
    """Prints the record, or list of them, as JSON."""
    from lineal.backend.wire import to_json

    click.echo(json_text(to_json(value), indent=2))


def json_text(value: Any, indent: int | None = None) -> str:
    """The value as JSON that any program reads: NaN and infinities as the texts `nan`, `inf` and `-inf`."""
    ascii_ = not _unicode()
    try:
        return json.dumps(value, indent=indent, ensure_ascii=ascii_, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), indent=indent, ensure_ascii=ascii_)


def table(titles: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """Prints the rows under their titles, or the sentence `empty` where there are none; a rich Text is as it is."""
    from rich.table import Table
    from rich.text import Text

    found = [[cell if isinstance(cell, Text) else Text(clean(_shown(cell))) for cell in row] for row in rows]
    if not found:
        line(empty)
        return
    grid = Table(box=None, pad_edge=False, header_style="bold", show_edge=False, padding=(0, 2, 0, 0))
    for title in titles:
        grid.add_column(title, overflow="fold")
    for row in found:
        grid.add_row(*row)
    report(grid, 4000)


def console(width: int = 4000) -> Any:
    """A rich console on standard output: as wide as the terminal, or `width` columns where there is none."""
    from rich.console import Console

    if sys.stdout.isatty():
        return Console(highlight=False)
    return Console(highlight=False, width=width, soft_wrap=True, no_color=True, file=sys.stdout)


def report(body: Any, width: int = 100) -> None:
    """Prints what rich lays out: as wide as the terminal; else `width` columns at most, without trailing blanks."""
    out = console(width)
    if sys.stdout.isatty():
        out.print(body)
        return
    with out.capture() as captured:
        out.print(body)
    click.echo("\n".join(text.rstrip() for text in captured.get().rstrip("\n").split("\n")))


def _shown(cell: Any) -> str:
    if cell is None:
        return "-"
    return moment(cell) if isinstance(cell, datetime) else str(cell)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _unicode() -> bool:
    return (sys.stdout.encoding or "").lower().startswith("utf")
