"""The command that brings a run back."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lineal.cli.options import RUN, here, run_named
from lineal.cli.output import line, lines, table
from lineal.core import clock
from lineal.core.errors import InvalidArgument, NotReproducible

if TYPE_CHECKING:
    from lineal.client.recipe import Recipe
    from lineal.client.reproduce import Place, Step


_PRESENT = ".".join(map(str, sys.version_info[:2]))


@click.command()
@click.argument("run", metavar="RUN", type=RUN)
@click.option("--execute", is_flag=True, help="Carry the steps out, rather than write them.")
@click.option("--into", help="The new folder that all goes into (default: ./reproduce-<run id>).")
@click.option("--output", "-o", help="Write the steps to this file (default: print them).")
@click.option("--this-environment", is_flag=True, help="Run it with the present Python and packages.")
@click.option("--force", is_flag=True, help="Carry them out even though the result can't be the same.")
@click.option("--yes", "-y", is_flag=True, help="Run the recorded command without asking.")
def reproduce(
    run: str, execute: bool, into: str | None, output: str | None, this_environment: bool, force: bool, yes: bool
) -> None:
    """Write the steps that bring RUN back, or carry them out: commit, changes, packages, inputs, command.

    The recorded command is a program of whoever recorded it: it is shown, and only run once you agree.
    """
    from lineal.client.recipe import recipe
    from lineal.client.reproduce import find_clone, script, steps

    if execute and output:
        raise InvalidArgument("--output is for steps that are written; leave it out with --execute")
    conn = here()
    record = run_named(conn, run)._record
    found = recipe(conn.backend, record)
    place = _place(found, into, this_environment, find_clone(found, conn.settings.host), execute)
    losses = [*found.losses, *_losses_here(found, place)]
    made = steps(found, place, _settings(conn, found))
    if not execute:
        _write(script(found, made, place), output)
        return
    lines([*(f"Can't be the same: {text}." for text in losses), *(f"Note: {text}." for text in found.notes)])
    if losses and not force:
        raise NotReproducible("the result can't be the same; --force carries the steps out all the same")
    _carry_out(made, place, yes)
    if losses:
        line("The result was not expected to be the same, as said above.")


def _place(found: Recipe, into: str | None, here_: bool, clone: Path | None, execute: bool) -> Place:
    from lineal.client.recipe import short_version
    from lineal.client.reproduce import Place, find_python

    folder = Path(os.path.abspath(into or f"reproduce-{found.run.id}"))
    if here_:
        return Place(folder, sys.executable, _PRESENT, clone, own=False)
    short = short_version(found.python) or _PRESENT
    python = find_python(found.python) if execute else f"python{short}"
    return Place(folder, python, short, clone) if python else Place(folder, sys.executable, _PRESENT, clone)


def _losses_here(found: Recipe, place: Place) -> list[str]:
    """Why the result can't be the same on this machine."""
    import platform

    from lineal.client.recipe import short_version
    from lineal.client.reproduce import differences_here, find_python

    if place.own:
        missing = bool(found.python) and not find_python(found.python)
        return [f"no Python {short_version(found.python)} is here, only {platform.python_version()}"] * missing
    differing = differences_here(found)
    more = [f"and {len(differing) - 5} more packages"] if len(differing) > 5 else []
    return differing[:5] + more


def _settings(conn: Any, found: Recipe) -> dict[str, str]:
    """Where the run is recorded: in this store, beside the one that it brings back."""
    url = conn.settings.url
    if "://" not in url and not url.startswith("memory:"):
        url = os.path.abspath(os.path.expanduser(url))
    return {"LINEAL_URL": url, "LINEAL_ENTITY": found.run.entity, "LINEAL_PROJECT": found.run.project}


def _write(text: bytes, output: str | None) -> None:
    if output is None:
        stream = sys.stdout.buffer
        if sys.stdout.isatty():
            lines(text.decode("utf-8", "replace").splitlines())
        else:
            stream.write(text)
            stream.flush()
        return
    try:
        with open(output, "xb") as file:
            file.write(text)
    except OSError as problem:
        raise InvalidArgument(f"{output} can't be written: {problem.strerror}") from None
    line(f"Wrote the steps to {output}; read them, then run: sh {shlex.quote(output)}")


def _carry_out(made: list[Step], place: Place, yes: bool) -> None:
    from lineal.client.reproduce import Call, carry_out

    command = made[-1]
    assert isinstance(command, Call)
    line(f"This command was recorded, and is run in {command.folder}:")
    lines([f"  {shlex.join(command.words)}"])
    if not yes:
        if not sys.stdin.isatty():
            raise InvalidArgument("say --yes to have the recorded command run; there is no terminal to ask at")
        click.confirm("Run it?", abort=True)
    began = clock.now()
    for step in carry_out(made, place):
        line(f"- {step.why}")
    _compare(command.variables["LINEAL_REPRODUCES"], command.variables["LINEAL_PROJECT"], began)


def _compare(run_id: str, project: str, began: Any) -> None:
    """Prints the summaries of both runs side by side."""
    from lineal.client.reproduce_result import compared, find_reproduction

    backend = here().backend
    again = find_reproduction(backend, run_id, began)
    if again is None:
        line("It ran to its end, but recorded no run, so there is nothing to compare.")
        return
    rows = compared(backend.runs.get(run_id).summary, again.summary)
    table(
        ["metric", run_id, again.id, ""],
        [[row.key, row.before, row.after, "equal" if row.equal else "differs"] for row in rows],
        empty="Neither run has a summary.",
    )
    equal = sum(row.equal for row in rows)
    line(f"{equal} of {len(rows)} metrics are equal. lineal run diff {run_id} {again.id} shows all that differs.")
