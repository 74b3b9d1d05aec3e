"""The command that sends what runs have left on this machine."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lineal.cli.options import here, json_option
from lineal.cli.output import as_json, line, table
from lineal.core.display import count, size

if TYPE_CHECKING:
    from lineal.client.leftovers import Left
    from lineal.client.sync import Synced


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--all", "every", is_flag=True, help="Send all that waits on this machine.")
@click.option("--keep", is_flag=True, help="Keep the folders of what was sent.")
@click.option("--dry-run", is_flag=True, help="Only say what would be sent.")
@json_option
def sync(paths: tuple[Path, ...], every: bool, keep: bool, dry_run: bool, json_: bool) -> int:
    """Send runs that are still on this machine: offline ones, and what a process that died left behind.

    PATHS are folders of runs, or folders that hold such; without any, it says what waits. Sending twice, or again
    after half a sending, leaves one copy of everything.
    """
    from lineal.client import leftovers
    from lineal.client import sync as sending

    conn = here(mode="online")
    places = list(paths) or [conn.settings.runs_dir]
    if dry_run or not (paths or every):
        found = leftovers.find(leftovers.folders(paths) or places)
        as_json([_plain(left) for left in found]) if json_ else _print_waiting(found, conn.settings.runs_dir)
        return 0
    sent = sending.sync([place for place in places if paths or place.exists()], conn, keep=keep)
    as_json([_plain(one) for one in sent]) if json_ else _print_sent(sent)
    return next((done.problem.exit_code for done in sent if done.problem is not None), 0)


def _plain(record: Left | Synced) -> dict[str, Any]:
    from lineal.backend.wire import error_to_json

    facts = {field.name: getattr(record, field.name) for field in fields(record)}
    problem = facts.get("problem")
    if problem is not None:
        facts["problem"] = error_to_json(problem)["error"]
    return {**facts, "folder": str(record.folder)}


def _print_waiting(found: list[Left], runs_dir: Path) -> None:
    rows = [
        (left.run_id, left.project, left.started_at, left.rows, size(left.size_bytes), left.state) for left in found
    ]
    table(("RUN", "PROJECT", "STARTED", "ROWS", "SIZE", "STATE"), rows, empty=f"Nothing waits in {runs_dir}.")
    if any(left.state != "under way" for left in found):
        line()
        line("Send them all with: lineal sync --all")
        line(f"Or one of them with: lineal sync {found[0].folder}")


def _print_sent(sent: list[Synced]) -> None:
    if not sent:
        line("Nothing waits.")
    for done in sent:
        if done.state == "in use":
            line(f"{done.run_id} is under way in another process; it is left alone.")
        elif done.state == "sent":
            line(f"Sent {done.run_id} to {done.project}: {count(done.rows, 'new row')}.")
        else:
            line(f"{done.run_id} stays in {done.folder}.", err=True)
        for note in done.notes:
            line(f"  {note}", err=True)
        if done.problem is not None:
            line(f"  Error: {done.problem.message} [{done.problem.code}]", err=True)
