"""connect(settings) -> Backend; the only place where parts are joined."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from lineal.backend.port import Backend
from lineal.core.errors import InvalidSettings, MissingDependency, ReadOnly, StoreUnavailable
from lineal.core.settings import Settings, shown

if TYPE_CHECKING:
    from lineal.db.session import Database, Session
    from lineal.storage.blobs import BlobStore

DATABASES = ("postgresql://", "postgresql+psycopg://")
HTTP = ("http://", "https://")
_memory: dict[str, tuple[Database, BlobStore]] = {}
_lock = threading.Lock()


def connect(settings: Settings) -> Backend:
    """The backend at `settings.url`: a folder, a server (`https://`), a PostgreSQL database, or `memory:`, which
    ends with the process.

    A database holds the rows alone; its bytes are at `settings.store`. What isn't there yet is made. Raises
    invalid.settings, unavailable.*, corrupt.database.
    """
    url = settings.url
    if url.startswith(DATABASES):
        return _in_database(settings)
    if url.startswith("memory:"):
        return _in_memory(settings)
    if url.startswith(HTTP):
        return _at_server(settings)
    if "://" in url and not url.startswith("file://"):
        raise InvalidSettings(f"{shown(url)} is not a store that can hold rows too; set LINEAL_URL to a folder")
    return _in_folder(Path(url.removeprefix("file://")).expanduser(), settings)


def _at_server(settings: Settings) -> Backend:
    try:
        from lineal.backend.remote import RemoteBackend
    except ImportError:
        raise MissingDependency("speaking to a server needs httpx: pip install httpx") from None
    return RemoteBackend(settings)


def _in_database(settings: Settings) -> Backend:
    from lineal.db.session import open_postgres

    store = settings.store
    if not store:
        raise InvalidSettings(f"{shown(settings.url)} holds rows only; set LINEAL_STORE to a place for the bytes")
    blobs = _store(store)
    return _joined(open_postgres(settings.url), blobs, shown(settings.url), settings)


def _store(url: str) -> BlobStore:
    from lineal.storage.blobs import BlobStore, FolderStore

    store = BlobStore.at(url)
    if isinstance(store, FolderStore):
        _make(Path(store.root), "LINEAL_STORE")
    return store


def _make(folder: Path, setting: str) -> None:
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise InvalidSettings(f"{folder} is a file, not a folder; set {setting} to a folder") from None
    except PermissionError:
        raise ReadOnly(f"{folder} can't be made: no permission; set {setting} to another folder") from None
    except OSError as problem:
        raise StoreUnavailable(f"{folder} can't be used: {problem.strerror}") from None


def _in_folder(folder: Path, settings: Settings) -> Backend:
    from lineal.db.session import open_file
    from lineal.storage.blobs import FolderStore

    folder = folder.absolute()
    _make(folder, "LINEAL_URL")
    database = open_file(str(folder / "lineal.db"), upgraded=upgraded)
    return _joined(database, FolderStore(folder), str(folder), settings)


def upgraded(session: Session, found: int) -> None:
    """Fills in what rows of the former format `found` lacked, once their tables are today's."""
    if found < 2:
        from lineal.tracking import runs, values

        runs.see_all(session)
        values.record_all(session)
    if found < 3:
        from lineal.access import projects
        from lineal.core import clock

        projects.record_all(session, at=clock.now())


def _in_memory(settings: Settings) -> Backend:
    from lineal.db.session import open_temporary
    from lineal.storage.blobs import BlobStore

    name = settings.url.removeprefix("memory:").strip("/") or "default"
    with _lock:
        if name not in _memory:
            _memory[name] = (open_temporary(), BlobStore(f"memory://{name}"))
    return _joined(*_memory[name], settings.url, settings)


def _joined(database: Database, store: BlobStore, url: str, settings: Settings) -> Backend:
    from lineal.backend.local.backend import LocalBackend
    from lineal.backend.local.context import Context, LocalBlobs, Manifests

    blobs = LocalBlobs(database, store)
    context = Context(
        database, blobs, settings.entity, settings.project, settings.user, settings.host, Manifests(blobs)
    )
    return LocalBackend(context, url=url)
