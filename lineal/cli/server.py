"""Commands of whoever runs a server."""

from __future__ import annotations

import click

from lineal.cli.server_backup import backup, restore
from lineal.cli.server_migrate import migrate


@click.group()
def server() -> None:
    """Look after a server's store: upgrades, backups."""


for command in (migrate, backup, restore):
    server.add_command(command)
