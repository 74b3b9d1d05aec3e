"""The command that lists runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

from lineal.cli.drawing import number, sparkline
from lineal.cli.options import here, json_option
from lineal.cli.output import as_json, json_text, table
from lineal.core.errors import InvalidArgument
from lineal.tracking.filters import Field, field, parse_order
from lineal.tracking.model import Run, RunState

STYLES: dict[RunState, str] = {
    "running": "cyan",
    "finished": "green",
    "failed": "red",
    "crashed": "red",
    "killed": "yellow",
    "preempted": "yellow",
}
_COLUMNS = ("id", "name", "state", "created_at")
_ATTRIBUTES = {"display_name": "name", "updated_at": "seen_at"}
_TITLES = {"created_at": "CREATED", "finished_at": "ENDED", "updated_at": "HEARD OF", "display_name": "NAME"}
_SPARK_POINTS = 20


@click.command()
@click.option("--filter", "-f", "filter_", default="", help="Only these, such as 'config.lr > 0.01 and tags has a'.")
@click.option("--sort", "-s", default="-created_at", help="+ or - and a key, such as -summary.acc (default: newest).")
@click.option("--columns", "-c", help="What to show, such as name,state,config.lr,summary.acc.")
@click.option("--spark", multiple=True, metavar="KEY", help="Draw this metric of each run; may be given again.")
@click.option("--limit", "-n", type=click.IntRange(1, 10_000), default=50, help="At most so many (default: 50).")
@click.option("--csv", "csv_", is_flag=True, help="Print CSV for programs.")
@json_option
def runs(
    filter_: str, sort: str, columns: str | None, spark: tuple[str, ...], limit: int, csv_: bool, json_: bool
) -> None:
    """List the runs of the project, or of all where none is set."""
    from lineal.tracking import filter_text

    conn = here()
    asked = {"project": conn.settings.project, "filters": filter_text.parse(filter_), "order": sort}
    shown = _fields(columns, sort, every=conn.settings.project is None)
    page = conn.backend.runs.list(**asked, limit=limit)
    if json_:
        as_json(page.runs)
        return
    if csv_:
        _print_csv(shown, page.runs)
        return
    curves = _curves(conn, page.runs, spark)
    table(
        [*(title for title, _ in shown), *spark],
        [
            [*(_cell(found, run) for _, found in shown), *(curves.get((run.id, key), "") for key in spark)]
            for run in page.runs
        ],
        empty="No run fits." if filter_ else _nothing(conn),
    )
    if page.after is not None:
        click.echo(f"There are more than {limit}; --limit shows more, --filter fewer.", err=True)


def value_of(found: Field, run: Run) -> Any:
    """What the run has in the field; None where it lacks it."""
    if found.kind != "value":
        return getattr(run, _ATTRIBUTES.get(found.name, found.name))
    kind, _, key = found.name.partition(".")
    return _reach(run.config if kind == "config" else run.summary, key)


def _reach(values: Any, key: str) -> Any:
    """The value under a dotted key, parts of which may have dots themselves."""
    if not isinstance(values, dict):
        return None
    if key in values:
        return values[key]
    parts = key.split(".")
    for count in range(1, len(parts)):
        found = _reach(values.get(".".join(parts[:count])), ".".join(parts[count:]))
        if found is not None:
            return found
    return None


def _fields(columns: str | None, sort: str, *, every: bool) -> list[tuple[str, Field]]:
    """The columns asked for; or the usual ones with what runs are sorted by."""
    if columns is not None:
        names = [name.strip() for name in columns.split(",") if name.strip()]
        if not names:
            raise InvalidArgument("--columns names none; write it like name,state,summary.acc")
    else:
        names = [*(("project",) if every else ()), *_COLUMNS]
        order = parse_order(sort).field
        names += [order.name] if order.kind == "value" else []
        names.append("tags")
    return [_titled(name, field(name)) for name in names]


def _titled(name: str, found: Field) -> tuple[str, Field]:
    if found.kind == "value":
        return name, found
    shown = Field("text", "display_name") if found.name == "name" else found
    return _TITLES.get(found.name, found.name.replace("_", " ").upper()), shown


def _cell(found: Field, run: Run) -> Any:
    from rich.text import Text

    value = value_of(found, run)
    if found.name == "state":
        return Text(run.state, STYLES.get(run.state, ""))
    if isinstance(value, dict | list):
        return json_text(value)
    if isinstance(value, datetime):
        return value
    return ", ".join(value) if isinstance(value, tuple) else number(value) if value is not None else "-"


def _curves(conn: Any, found: Sequence[Run], keys: Sequence[str]) -> dict[tuple[str, str], str]:
    if not keys or not found:
        return {}
    samples = conn.backend.runs.samples([run.id for run in found], keys, points=_SPARK_POINTS)
    return {(one.run, one.key): sparkline(one.last, _SPARK_POINTS) for one in samples}


def _print_csv(shown: Sequence[tuple[str, Field]], found: Sequence[Run]) -> None:
    import csv

    from lineal.backend.wire import to_json

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([_ATTRIBUTES.get(what.name, what.name) for _, what in shown])
    for run in found:
        cells = [to_json(value_of(what, run)) for _, what in shown]
        writer.writerow([json_text(cell) if isinstance(cell, dict | list) else cell for cell in cells])


def _nothing(conn: Any) -> str:
    project = conn.settings.project
    elsewhere = conn.backend.runs.list_projects()
    if project and elsewhere:
        return f"The project {project!r} has no runs yet; there are {', '.join(elsewhere[:10])} (--project)."
    return "There are no runs yet; lineal.init() in a script starts one."
