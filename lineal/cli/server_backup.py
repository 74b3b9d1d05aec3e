"""Commands that take a store into a file, and back."""

from __future__ import annotations

from pathlib import Path

import click

from lineal.cli.options import json_option, store_options, store_settings
from lineal.cli.output import as_json, line
from lineal.core.display import count, size


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--bytes", "with_bytes", is_flag=True, help="With the bytes of all files too, not only their list.")
@store_options
@json_option
def backup(target: Path, with_bytes: bool, url: str | None, store: str | None, json_: bool) -> None:
    """Write all rows of a store, as of one moment, to the new file TARGET.

    Others may write meanwhile. Without --bytes keep a copy of the store's objects as well, made after this one and
    before the next `lineal gc`.
    """
    from lineal.backend.backup import backup as carry_out

    done = carry_out(store_settings(url, store), target, with_bytes=with_bytes)
    if json_:
        as_json(done)
        return
    kept = "with" if done.with_bytes else "without"
    line(f"{target}: {count(done.rows, 'row')}, {kept} {count(done.objects, 'object')} of {size(done.size_bytes)}.")


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@store_options
@json_option
def restore(source: Path, url: str | None, store: str | None, json_: bool) -> None:
    """Make a store from the backup SOURCE, in an empty folder or database.

    The backup is checked whole before anything is written. It brings users and what they may do with it: restore only
    what you trust.
    """
    from lineal.backend.restore import restore as carry_out

    done = carry_out(store_settings(url, store), source)
    if json_:
        as_json(done)
        return
    line(f"Restored {count(done.rows, 'row')} and {count(done.objects, 'object')} of {size(done.size_bytes)}.")
    line("Run `lineal fsck` to have every file read and checked.")
