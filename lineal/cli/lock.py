"""The command that pins refs for the day without a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lineal.cli.options import REF, here
from lineal.cli.output import line
from lineal.core.display import count
from lineal.core.errors import DigestMismatch, InvalidArgument, NotFound

if TYPE_CHECKING:
    from lineal.client.lock import Pin

_MOVED = 4


@click.command()
@click.argument("refs", nargs=-1, type=REF, metavar="REF...")
@click.option(
    "--file", type=click.Path(path_type=Path), help="The lock (default: the nearest lineal.lock, else here)."
)
@click.option("--check", is_flag=True, help="Only say which refs have moved since; exit code 4 if any has.")
def lock(refs: tuple[str, ...], file: Path | None, check: bool) -> int:
    """Pin REFs in lineal.lock to the versions that they name now, and get their files into this machine's cache.

    Offline runs use exactly these. Without REFs, get the files of what is locked already.
    """
    from lineal.client import lock as locks

    where = file or locks.nearest() or Path(locks.NAME)
    pins = locks.read(where) if where.exists() else {}
    if not refs and not pins:
        raise InvalidArgument(f"{where.absolute()} locks nothing yet; name the refs: lineal lock digits:latest")
    if check:
        return _check(refs, pins, where)
    return _lock(refs, pins, where)


def _lock(refs: tuple[str, ...], pins: dict[str, Pin], where: Path) -> int:
    from lineal.client import lock as locks
    from lineal.client.serving import fetch

    conn = here(mode="online")
    for ref in refs:
        version = fetch(conn, ref)
        pins = locks.put(pins, ref, locks.Pin(version.ref, version.digest), conn.settings)
        line(f"{ref} is {version.ref}.")
    if refs:
        locks.write(where, pins)
        line(f"Wrote {where.absolute()}; their files are in the cache.")
        return 0
    for ref, pin in pins.items():
        if fetch(conn, pin.ref).digest != pin.digest:
            raise DigestMismatch(f"{pin.ref} is not what {ref} was locked to; lock it again: lineal lock {ref}")
    line(f"The files of {count(len(pins), 'ref')} are in the cache.")
    return 0


def _check(refs: tuple[str, ...], pins: dict[str, Pin], where: Path) -> int:
    from lineal.client.lock import key

    store = here(mode="online").backend.artifacts
    moved = 0
    for ref in map(key, refs or pins):
        if ref not in pins:
            raise InvalidArgument(f"{ref} is not in {where.absolute()}; lock it: lineal lock {ref}")
        pin = pins[ref]
        try:
            version = store.resolve(ref)
            now = version.ref if (version.ref, version.digest) != pin else ""
        except NotFound as problem:
            now = f"gone: {problem.message}"
        moved += bool(now)
        line(f"{ref} was {pin.ref} and is {now}." if now else f"{ref} is still {pin.ref}.")
    return _MOVED if moved else 0
