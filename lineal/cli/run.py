"""Commands for one run, or two."""

from __future__ import annotations

from typing import Any

import click

from lineal.cli.drawing import number, plot
from lineal.cli.options import RUN, here, json_option, run_named
from lineal.cli.output import as_json, console, line
from lineal.core.display import count
from lineal.core.errors import EntryNotFound

_SECTIONS = {
    "config": "config",
    "summary": "metrics",
    "code": "git and code",
    "environment": "environment",
    "packages": "packages",
    "inputs": "input artifacts",
}


@click.group()
def run() -> None:
    """Show, compare, follow, stop, export and delete runs; RUN is an id, entity/project/id, or a name."""


@run.command()
@click.argument("run_", metavar="RUN", type=RUN)
@json_option
def show(run_: str, json_: bool) -> None:
    """Show what is known of RUN: how it ended, config, metrics, code, environment, inputs, outputs, files, alerts."""
    from lineal.cli import run_page

    view = run_named(here(), run_)
    if json_:
        as_json(run_page.facts(view))
    else:
        run_page.show(view)


@run.command()
@click.argument("before", type=RUN)
@click.argument("after", type=RUN)
@json_option
def diff(before: str, after: str, json_: bool) -> None:
    """Show how the run AFTER differs from BEFORE: config, metrics, code, packages, input artifacts."""
    from lineal.cli.run_diff import run_differences

    conn = here()
    old, new = run_named(conn, before), run_named(conn, after)
    found = run_differences(old, new)
    if json_:
        as_json({"before": old.path, "after": new.path, **found})
        return
    line(f"{old.name} ({old.id}) → {new.name} ({new.id})")
    out = console()
    for section, pairs in found.items():
        if pairs:
            out.print(_SECTIONS[section], style="bold")
        for key, (was, is_) in pairs.items():
            out.print(*_difference(key, was, is_), markup=False)
    if not any(found.values()):
        line("Nothing that was recorded differs.")


@run.command()
@click.argument("run_", metavar="RUN", type=RUN)
@click.option("--lines", "-n", type=click.IntRange(0), default=20, help="Begin with so many (default: 20).")
@click.option("--only", type=click.Choice(["console", "metrics"]), help="Only one of the two.")
@click.option("--interval", type=click.FloatRange(0.05), default=1.0, help="Seconds between looks (default: 1).")
def tail(run_: str, lines: int, only: str | None, interval: float) -> None:
    """Follow what RUN prints and logs, until it ends."""
    from lineal.cli.run_tail import follow

    follow(run_named(here(), run_), lines=lines, only=only, interval_s=interval)


@run.command()
@click.argument("run_", metavar="RUN", type=RUN)
@json_option
def stop(run_: str, json_: bool) -> None:
    """Ask RUN to stop; its process hears of it within seconds."""
    view = run_named(here(), run_)
    view.stop()
    as_json(view._record) if json_ else line(f"Asked {view.name} ({view.id}) to stop.")


@run.command()
@click.argument("runs", metavar="RUN…", type=RUN, nargs=-1, required=True)
@click.option("--yes", "-y", is_flag=True, help="Don't ask.")
@json_option
def delete(runs: tuple[str, ...], yes: bool, json_: bool) -> None:
    """Delete each RUN with everything it recorded; refused where versions or forks came from it."""
    conn = here()
    views = [run_named(conn, name) for name in runs]
    if not yes:
        for view in views:
            line(f"{view.path}  {view.name}  {view.state}, {count(view.lastHistoryStep + 1, 'step')}", err=True)
        click.confirm(f"Delete {count(len(views), 'run')} for ever?", abort=True, err=True)
    for view in views:
        view.delete()
    as_json([view._record for view in views]) if json_ else line(f"Deleted {', '.join(view.id for view in views)}.")


@run.command()
@click.argument("run_", metavar="RUN", type=RUN)
@click.option(
    "--format", "format_", type=click.Choice(["csv", "jsonl", "parquet"]), help="By default the file's, else csv."
)
@click.option("--output", "-o", type=click.Path(dir_okay=False), help="Write to this file.")
@click.option("--key", "-k", "keys", multiple=True, help="Only rows that have this key, and it; may be given again.")
@click.option("--stream", type=click.Choice(["history", "system", "console"]), default="history", help="Which rows.")
def export(run_: str, format_: Any, output: str | None, keys: tuple[str, ...], stream: str) -> None:
    """Write the rows of RUN as CSV, JSON lines or Parquet."""
    from lineal.cli.run_export import write

    view = run_named(here(), run_)
    rows, path = write(view, format_, output, keys=list(keys) or None, stream=stream)
    if path is not None:
        line(f"Wrote {count(rows, 'row')} to {path}")


@run.command(name="plot")
@click.argument("run_", metavar="RUN", type=RUN)
@click.argument("keys", metavar="KEY…", nargs=-1, required=True)
@click.option("--width", type=click.IntRange(20, 500), help="In characters (default: the terminal's, else 72).")
@click.option("--height", type=click.IntRange(3, 100), default=12, help="In lines (default: 12).")
@click.option("--stream", type=click.Choice(["history", "system"]), default="history", help="Whose rows.")
def plot_(run_: str, keys: tuple[str, ...], width: int | None, height: int, stream: str) -> None:
    """Draw each KEY of RUN over its steps."""
    conn = here()
    view = run_named(conn, run_)
    wide = width or (min(console(72).width, 120))
    found = conn.backend.runs.samples([view.id], list(keys), stream=stream, points=2 * wide)
    by_key = {one.key: one for one in found}
    for key in keys:
        if key not in by_key:
            known = ", ".join(conn.backend.runs.list_keys(view.id, stream=stream)[:20])
            raise EntryNotFound(f"run {view.id} has no numbers under {key[:80]!r}; it has {known or 'no rows'}")
        one = by_key[key]
        line(f"{key}  {view.name} ({view.id}), {count(one.count, 'point')}")
        points = list(zip(map(float, one.steps), one.low, one.high, one.last, strict=True))
        for text in plot(points, wide, height):
            click.echo(text)


def _difference(key: str, was: Any, is_: Any) -> tuple[Any]:
    from rich.text import Text

    from lineal.lineage.look import clean

    if was is None or is_ is None:
        mark, style = ("+", "green") if was is None else ("-", "red")
        return (Text(f"  {mark} {clean(key)}: {_brief(is_ if was is None else was)}", style),)
    return (Text(f"  ~ {clean(key)}: {_brief(was)} → {_brief(is_)}", "yellow"),)


def _brief(value: Any) -> str:
    from lineal.cli.output import json_text
    from lineal.lineage.look import clean, shorten

    text = json_text(value) if isinstance(value, dict | list | tuple | bool) else number(value)
    return shorten(clean(text), 80) or "''"
