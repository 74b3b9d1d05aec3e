"""Backups: the rows of one moment in a file that any engine can take back, with or without the bytes they need.

Objects never change and their keys are used once, so that copying them needs no lock. What was there at the start is
copied before the rows' snapshot is taken, what came since after it: gc spares all that is younger than its grace,
and so can't take away what the snapshot lists unless the backup takes longer than that. If it does, the backup fails.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from lineal.backend.archive import HEAD, VERSION, ArchiveWriter
from lineal.backend.connect import HTTP, connect
from lineal.backend.local.backend import LocalBackend
from lineal.core import clock
from lineal.core.errors import BlobNotFound, DigestMismatch, InvalidSettings
from lineal.core.settings import Settings, shown
from lineal.db import dump, schema
from lineal.storage import index
from lineal.storage.blobs import BlobStore


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds: rows in all, the objects that they need and the bytes of these, which may be left out."""

    format: int
    rows: int
    objects: int
    size_bytes: int
    with_bytes: bool


def backup(settings: Settings, target: Path, *, with_bytes: bool = False) -> Backup:
    """What was written to the new file `target`, with everything that was committed when its rows were read.

    Writers go on meanwhile. Without `with_bytes` the objects in the list (the tables `objects` and `blobs`) must be
    kept elsewhere. Raises invalid.target, not_found.blob where the store lacks an object.
    """
    with closing(open_local(settings)) as here:
        writer = ArchiveWriter(target.absolute())
        try:
            return _write(here, writer, with_bytes)
        except BaseException:
            writer.abort()
            raise


def open_local(settings: Settings) -> LocalBackend:
    """The backend whose rows and bytes this process reaches by itself. Raises invalid.settings for a server's."""
    if settings.url.startswith(HTTP):
        raise InvalidSettings(f"{shown(settings.url)} is a server; name the folder or database that it serves")
    here = connect(settings)
    assert isinstance(here, LocalBackend)
    return here


def _write(here: LocalBackend, writer: ArchiveWriter, with_bytes: bool) -> Backup:
    head = {
        "backup": VERSION,
        "format": schema.FORMAT,
        "made_at": clock.format_time(clock.now()),
        "bytes": with_bytes,
        "columns": dump.columns(),
    }
    writer.add_object(HEAD, head)
    copied: set[str] = set()
    if with_bytes:
        with here.context.database.read() as session:
            known = index.list_objects(session)
        copied = _copy(here.blobs.store, writer, [(o.key, o.size) for o in known.values()], early=True)
    with here.context.database.read() as session:
        objects = [(o.key, o.size) for o in index.list_objects(session).values()]
        counts = {table.name: writer.add_lines(table.name, dump.lines(session, table)) for table in dump.tables()}
        counters = dump.counters(session)
    if with_bytes:
        _copy(here.blobs.store, writer, [o for o in objects if o[0] not in copied], early=False)
    size = sum(size for _, size in objects)
    writer.commit({"rows": counts, "counters": counters, "objects": len(objects), "size_bytes": size})
    return Backup(schema.FORMAT, sum(counts.values()), len(objects), size, with_bytes)


def _copy(store: BlobStore, writer: ArchiveWriter, objects: Iterable[tuple[str, int]], *, early: bool) -> set[str]:
    """The keys of the objects that were copied; `early` leaves out those that have gone since they were listed."""
    copied = set()
    for key, size in objects:
        try:
            with store.open(key) as source:
                whole = writer.add_stream(f"bytes/{key}", size, source)
        except BlobNotFound:
            if early:
                continue  # gc took it; if the rows still need it, it is missed once more
            raise BlobNotFound(
                f"{key} is not in the store: run `lineal fsck`; or `lineal gc` took it away meanwhile: "
                "run the backup again, with nobody running gc"
            ) from None
        if not whole:
            raise DigestMismatch(f"{key} does not have the {size} bytes it was written with; run `lineal fsck`")
        copied.add(key)
    return copied
