"""connect(settings) -> Backend; the only place where parts are joined."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from lineal.backend.port import Backend
from lineal.core.errors import InvalidSettings, ReadOnly, StoreUnavailable
from lineal.core.settings import Settings

if TYPE_CHECKING:
    from lineal.db.session import Database, Session
    from lineal.storage.blobs import BlobStore

_memory: dict[str, tuple[Database, BlobStore]] = {}
_lock = threading.Lock()


def connect(settings: Settings) -> Backend:
    """The backend at `settings.url`: a folder, `file://` one, or `memory:` for one that ends with the process.

    A folder's store is made on first use. Raises invalid.settings, unavailable.*, corrupt.database.
    """
    url = settings.url
    if url.startswith("memory:"):
        return _in_memory(settings)
    if url.startswith(("http://", "https://")):
        raise InvalidSettings(f"{url}: this Lineal can't speak to servers yet; set LINEAL_URL to a folder")
    if "://" in url and not url.startswith("file://"):
        raise InvalidSettings(f"{url} is not a store that can hold rows too; set LINEAL_URL to a folder")
    return _in_folder(Path(url.removeprefix("file://")).expanduser(), settings)


def _in_folder(folder: Path, settings: Settings) -> Backend:
    from lineal.db.session import open_file
    from lineal.storage.blobs import FolderStore

    folder = folder.absolute()
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise InvalidSettings(f"{folder} is a file, not a folder; set LINEAL_URL to a folder") from None
    except PermissionError:
        raise ReadOnly(f"{folder} can't be made: no permission; set LINEAL_URL to another folder") from None
    except OSError as problem:
        raise StoreUnavailable(f"{folder} can't be used: {problem.strerror}") from None
    database = open_file(str(folder / "lineal.db"), upgraded=_upgraded)
    return _joined(database, FolderStore(folder), str(folder), settings)


def _upgraded(session: Session) -> None:
    from lineal.tracking import runs, values

    runs.see_all(session)
    values.record_all(session)


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

    return LocalBackend(
        database,
        store,
        url=url,
        entity=settings.entity,
        project=settings.project,
        user=settings.user,
        host=settings.host,
    )
