"""A backup becomes a store: rows in one transaction, after every object that they need was found to be there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DataError, IntegrityError

from lineal.backend.archive import VERSION, Archive, Member, is_key
from lineal.backend.backup import Backup, open_local
from lineal.core.errors import BlobNotFound, CorruptBackup, NewerFormat, OlderFormat, StoreNotEmpty
from lineal.core.settings import Settings
from lineal.db import dump, schema
from lineal.db.session import Session
from lineal.storage.blobs import BlobStore


def restore(settings: Settings, source: Path) -> Backup:
    """What was restored from the backup at `source` into the empty store of `settings`.

    The whole file is checked before anything is written. Where it holds bytes, those that the store lacks are written
    first; where it doesn't, the store must have them. Raises corrupt.backup, conflict.store_not_empty,
    not_found.blob, unavailable.newer_format, unavailable.older_format.
    """
    with Archive(source) as archive:
        head, seal = archive.check()
        _check_format(head)
        objects = _check_rows(archive, seal)
        told = Backup(schema.FORMAT, sum(seal["rows"].values()), len(objects), sum(objects.values()), head["bytes"])
        if head["bytes"] is True:
            _check_bytes(archive, objects)
        with closing(open_local(settings)) as here:
            with here.context.database.read() as session:
                _refuse_unless_empty(session)
            _complete(archive, here.blobs.store, objects)
            with here.context.database.begin(alone=True) as session:
                _refuse_unless_empty(session)
                _load(archive, session, seal["counters"])
    return told


def _check_format(head: Mapping[str, Any]) -> None:
    if head.get("backup") != VERSION or type(head.get("format")) is not int or type(head.get("bytes")) is not bool:
        raise NewerFormat("the backup is of another kind than this Lineal reads: install the newest one")
    found = head["format"]
    if found > schema.FORMAT:
        raise NewerFormat(
            f"the backup has format {found}; this Lineal reads up to {schema.FORMAT}: install a newer one"
        )
    if found < schema.FORMAT:
        raise OlderFormat(
            f"the backup has the former format {found}, this Lineal reads {schema.FORMAT}: "
            "restore it with the Lineal that made it, then upgrade the store with this one"
        )
    if head.get("columns") != dump.columns():
        raise CorruptBackup(f"the backup says that it has format {found}, but has not its tables")


def _check_rows(archive: Archive, seal: Mapping[str, Any]) -> dict[str, int]:
    """The objects that the rows list, with their sizes, once every row was found to be readable."""
    known = {table.name: table for table in dump.tables()}
    counts, counters = seal.get("rows"), seal.get("counters")
    if not _numbers(counts, known) or not _numbers(counters, known) or counts is None:
        raise CorruptBackup("the backup's seal can't be read")
    found, order = dict.fromkeys(known, 0), list(known)
    objects: dict[str, int] = {}
    last = 0
    for member in _parts(archive):
        if member.table not in known or order.index(member.table) < last:
            raise CorruptBackup(f"the backup has a table that Lineal doesn't, or not where it belongs: {member.name}")
        last, table = order.index(member.table), known[member.table]
        for row in dump.check(table, archive.lines(member)):
            found[table.name] += 1
            if table is schema.objects:
                _note_object(objects, row[1], row[2])
            elif table is schema.meta and row[0] == "format" and row[1] != str(schema.FORMAT):
                raise CorruptBackup("the backup's rows are of another format than it says")
    if found != {name: counts.get(name, 0) for name in known}:
        raise CorruptBackup("the backup lacks rows, or has too many")
    return objects


def _note_object(objects: dict[str, int], key: Any, size: Any) -> None:
    if not isinstance(key, str) or not is_key(key) or key in objects or type(size) is not int or size < 0:
        raise CorruptBackup(f"the backup lists an object that can't be: {ascii(key)[:100]}")
    objects[key] = size


def _numbers(found: Any, known: Mapping[str, Any]) -> bool:
    return isinstance(found, dict) and all(
        name in known and type(number) is int and 0 <= number < 2**63 for name, number in found.items()
    )


def _parts(archive: Archive) -> Iterator[Member]:
    return (member for member in archive.members() if member.table is not None)


def _check_bytes(archive: Archive, objects: Mapping[str, int]) -> None:
    there = {member.key: member.size for member in archive.members() if member.key is not None}
    if wrong := [key for key, size in objects.items() if there.get(key) != size]:
        raise CorruptBackup(f"the backup lacks the bytes of {len(wrong)} objects that its rows need: {_shown(wrong)}")


def _complete(archive: Archive, store: BlobStore, objects: Mapping[str, int]) -> None:
    """Writes the objects that the store lacks and the backup has."""
    there = {stored.key: stored.size for stored in store.list() if stored.key in objects}
    for member in archive.members():
        key = member.key
        if key is not None and key in objects and there.get(key) != member.size:
            writer = store.create()
            try:
                for chunk in archive.chunks(member):
                    writer.write(chunk)
                writer.commit(key)
            except BaseException:
                writer.abort()
                raise
            there[key] = member.size
    if lost := [key for key, size in objects.items() if there.get(key) != size]:
        raise BlobNotFound(
            f"the store at {store.url} lacks {len(lost)} objects that the backup's rows need: {_shown(lost)}; "
            "bring them there first, or restore a backup that was made with --bytes"
        )


def _refuse_unless_empty(session: Session) -> None:
    if not dump.is_empty(session):
        raise StoreNotEmpty("the store to restore into holds something already; name an empty folder or database")


def _load(archive: Archive, session: Session, counters: Mapping[str, int]) -> None:
    dump.prepare(session)
    known = {table.name: table for table in dump.tables()}
    for member in _parts(archive):
        assert member.table is not None
        try:
            dump.load(session, known[member.table], archive.lines(member))
        except IntegrityError:
            raise CorruptBackup(f"the backup's rows of {member.table} don't go together with the others") from None
        except DataError:
            raise CorruptBackup(f"the backup's {member.table} hold a value that the database refuses") from None
    dump.set_counters(session, counters)


def _shown(keys: list[str]) -> str:
    return ", ".join(keys[:3]) + (", …" if len(keys) > 3 else "")
