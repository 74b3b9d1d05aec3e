"""The command that upgrades a store."""

from __future__ import annotations

import click

from lineal.cli.options import json_option, store_options, store_settings
from lineal.cli.output import as_json, line
from lineal.core.errors import OlderFormat


@click.command()
@click.option("--check", is_flag=True, help="Only tell whether there is something to upgrade; exits with 7 if so.")
@store_options
@json_option
def migrate(check: bool, url: str | None, store: str | None, json_: bool) -> None:
    """Upgrade a store to the format of this Lineal.

    A folder upgrades itself when it is opened; a shared database waits for this command. Make a backup first, and
    stop the servers of the former version.
    """
    from lineal.backend.migrate import migrate as carry_out
    from lineal.backend.migrate import pending

    settings = store_settings(url, store)
    before, now = pending(settings) if check else carry_out(settings)
    if check and before != now:
        raise OlderFormat(f"the store has the former format {before}; `lineal server migrate` makes it {now}")
    if json_:
        as_json({"before": before, "now": now})
    else:
        line(f"The store has format {now}." if before == now else f"Upgraded from format {before} to {now}.")
