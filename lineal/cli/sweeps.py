"""Commands for sweeps, and the one that runs their trials."""

from __future__ import annotations

from typing import Any

import click

from lineal.cli.options import here, json_option
from lineal.cli.output import as_json, line, table
from lineal.core.errors import InvalidArgument, RunNotFound, VersionNotFound

_STYLES = {"running": "cyan", "paused": "yellow", "finished": "green", "stopped": "yellow", "cancelled": "red"}


@click.group()
def sweep() -> None:
    """Make, watch and end sweeps; SWEEP is an id or entity/project/id."""


@sweep.command()
@click.argument("file", metavar="FILE.yaml", type=click.Path())
@click.option("--name", help="For people (default: the file's, else its id).")
@click.option("--project", help="The project (default: the file's, else as before the command).")
@click.option("--prior-run", "prior", multiple=True, metavar="RUN", help="Learn from this run; may be given again.")
@json_option
def create(file: str, name: str | None, project: str | None, prior: tuple[str, ...], json_: bool) -> None:
    """Make a sweep from FILE.yaml and print its id."""
    from lineal.client import sweep_file
    from lineal.client.sweep import create as create_

    given = click.get_current_context().find_root().params
    config = sweep_file.read(file) | ({"name": name} if name is not None else {})
    place = (project or given.get("project"), given.get("entity"))
    made = create_(config, *place, prior, url=given.get("url"))
    if json_:
        as_json(made)
        return
    click.echo(made.id)
    line(f"Sweep {made.name} is ready in {made.entity}/{made.project}; run its trials with:", err=True)
    line(f"lineal agent {made.path}", err=True)


@sweep.command()
@json_option
def ls(json_: bool) -> None:
    """List the sweeps of the project, or of all where none is set, newest first."""
    from rich.text import Text

    conn = here()
    found = conn.backend.sweeps.list(project=conn.settings.project)
    if json_:
        as_json(found)
        return
    rows = [
        (
            one.id,
            one.project,
            one.name,
            Text(one.state, _STYLES.get(one.state, "")),
            one.config.get("method"),
            _progress(one),
            one.best,
            one.created_at,
        )
        for one in found
    ]
    titles = ("ID", "PROJECT", "NAME", "STATE", "METHOD", "TRIALS", "BEST", "CREATED")
    table(titles, rows, empty="There are no sweeps yet; lineal sweep create FILE.yaml makes one.")


@sweep.command()
@click.argument("sweep_", metavar="SWEEP")
@click.option("--all", "-a", "all_", is_flag=True, help="Every trial, not only the first 20.")
@json_option
def show(sweep_: str, all_: bool, json_: bool) -> None:
    """Show SWEEP: its trials, best first, the best so far, which parameters matter, its agents."""
    from lineal.cli import sweep_page

    view = _view(sweep_)
    if json_:
        as_json(sweep_page.facts(view))
    else:
        sweep_page.show(view, every=all_)


@sweep.command()
@click.argument("sweep_", metavar="SWEEP")
@json_option
def pause(sweep_: str, json_: bool) -> None:
    """Give out no more trials of SWEEP until it is resumed; those that run go on."""
    view = _view(sweep_).pause()
    as_json(view._record) if json_ else line(f"Sweep {view.id} is paused; `lineal sweep resume` goes on with it.")


@sweep.command()
@click.argument("sweep_", metavar="SWEEP")
@json_option
def resume(sweep_: str, json_: bool) -> None:
    """Go on with SWEEP, which was paused or stopped."""
    view = _view(sweep_).resume()
    as_json(view._record) if json_ else line(f"Sweep {view.id} is running.")


@sweep.command()
@click.argument("sweep_", metavar="SWEEP")
@json_option
def stop(sweep_: str, json_: bool) -> None:
    """End SWEEP; the trials that run may end by themselves."""
    view = _view(sweep_).stop()
    as_json(view._record) if json_ else line(f"Sweep {view.id} is stopped; the trials that run come to their end.")


@sweep.command()
@click.argument("sweep_", metavar="SWEEP")
@json_option
def cancel(sweep_: str, json_: bool) -> None:
    """End SWEEP and ask the trials that run to stop."""
    view = _view(sweep_).cancel()
    as_json(view._record) if json_ else line(f"Sweep {view.id} is cancelled; its runs are asked to stop.")


@sweep.command()
@click.argument("sweep_", metavar="SWEEP")
@click.option("--yes", "-y", is_flag=True, help="Don't ask.")
@json_option
def rm(sweep_: str, yes: bool, json_: bool) -> None:
    """Delete SWEEP with its trials; its runs stay, and those that are under way are asked to stop."""
    view = _view(sweep_)
    if not yes:
        line(f"{view.path}  {view.name}  {view.state}, trials: {_progress(view._record)}", err=True)
        click.confirm("Delete the sweep for ever? Its runs stay.", abort=True, err=True)
    view.delete()
    as_json(view._record) if json_ else line(f"Deleted sweep {view.id}; its runs are there still.")


@sweep.command()
@click.argument("sweep_", metavar="SWEEP")
@click.option("--promote", metavar="ALIAS", help="Move this alias to the model that the best run logged.")
@click.option("--collection", help="Which of its models, where it logged several; of one collection, the last.")
@json_option
def best(sweep_: str, promote: str | None, collection: str | None, json_: bool) -> None:
    """Show the best run of SWEEP, its config, its value and the models that it logged."""
    from lineal.cli import sweep_page

    view = _view(sweep_)
    run, trial = _best(view)
    models = [artifact for artifact in run.logged_artifacts() if artifact.type == "model"]
    moved = None
    if promote is not None:
        chosen = _model(run, models, collection)
        why = f"best of sweep {view.id}"
        moved = here().backend.artifacts.move_alias(chosen._version.ref, promote, why=why)
    if json_:
        found = [artifact._version for artifact in models]
        as_json({"run": run._record, "trial": trial, "models": found, "promoted": moved})
        return
    sweep_page.show_best(view, run, trial, models)
    if moved is not None:
        line(f"{moved.project}/{moved.collection}:{promote} is now {moved.version}.")


@click.command()
@click.argument("sweep_", metavar="SWEEP")
@click.option("--count", "-n", type=click.IntRange(1), help="Run so many trials, then leave (default: all).")
@click.option("--parallel", "-p", type=click.IntRange(1, 256), default=1, help="So many at once (default: 1).")
def agent(sweep_: str, count: int | None, parallel: int) -> int:
    """Run the program of SWEEP for one trial after another, until there are none left.

    Any number of agents may work on one sweep, on any machines. On SIGTERM an agent ends its trials, which are
    offered again.
    """
    from lineal.client.agent import agent_of
    from lineal.core.display import count as counted

    worker = agent_of(here(), sweep_, count=count, parallel=parallel, say=_tell)
    done = worker.run()
    _tell(f"The agent ran {counted(done, 'trial')}.")
    if worker.message:
        _tell(f"The agent {worker.message}")
        return 1
    return 0


def _tell(text: str) -> None:
    line(text, err=True)


def _view(text: str) -> Any:
    from lineal.client.query import Api

    return Api(_connection=here()).sweep(text)


def _progress(sweep_: Any) -> str:
    """`7 of 20`, or `7` where there is no end to them."""
    done = sum(number for state, number in sweep_.counts.items() if state not in ("running", "waiting"))
    return f"{done}" if sweep_.expected_run_count is None else f"{done} of {sweep_.expected_run_count}"


def _best(view: Any) -> tuple[Any, Any]:
    """The best run and its trial. Raises not_found.run, and invalid.argument where there are several metrics."""
    from lineal.client.sweep import trial_of

    run = view.best_run()
    if run is not None:
        return run, trial_of(view._connection, view.id, view._record.best)
    if len(view.config.get("metrics") or ()) > 1:
        front = ", ".join(map(str, view.insight().front)) or "none yet"
        raise InvalidArgument(
            f"sweep {view.id} has several metrics, so no run is the best; trials on its Pareto front: {front}. "
            "`lineal sweep show` has their runs, `lineal promote` moves an alias"
        )
    raise RunNotFound(f"no trial of sweep {view.id} has come to a value yet, or the best one's run was deleted")


def _model(run: Any, models: list[Any], collection: str | None) -> Any:
    """The model to promote. Raises not_found.version, invalid.argument where there are several."""
    names = sorted({f"{artifact.project}/{artifact.collection}" for artifact in models})
    if collection is not None:
        models = [one for one in models if collection in (one.collection, f"{one.project}/{one.collection}")]
    elif len(names) > 1:
        raise InvalidArgument(
            f"run {run.id} logged several models: {', '.join(names)}; say which one with --collection"
        )
    if not models:
        known = f"; it logged {', '.join(names)}" if names else ""
        what = f"no model {collection!r}" if collection else "no artifact of type 'model'"
        raise VersionNotFound(f"run {run.id} logged {what}{known}")
    return max(models, key=lambda one: one._version.number)
