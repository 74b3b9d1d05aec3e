"""A connection: settings, the backend they lead to, and this machine's cache, each made when first needed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from lineal.backend.port import Backend
from lineal.client.progress import shown
from lineal.core import settings as _settings
from lineal.core.settings import Settings
from lineal.storage.cache import Cache
from lineal.storage.manifest import Entry
from lineal.storage.pull import Mode, pull
from lineal.sweeps.model import Sweep
from lineal.tracking.model import Run


class Connection:
    """One store as this process sees it. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def backend(self) -> Backend:
        from lineal.backend.connect import connect

        return connect(self.settings)

    @cached_property
    def cache(self) -> Cache:
        return Cache(self.settings.cache_dir, self.settings.cache_size_bytes)

    def pull(self, entries: Sequence[Entry], root: str, *, mode: Mode = "copy", what: str = "download") -> int:
        """How many files had to be written to make `root` hold the entries."""
        with shown(what, sum(entry.size or 0 for entry in entries)) as progress:
            return pull(entries, self.backend.blobs, root, self.cache, mode=mode, progress=progress)

    def page_of(self, run: Run) -> str | None:
        """The address of the run's page; None where no server shows it."""
        url = self.settings.url
        return f"{url.rstrip('/')}/{run.entity}/{run.project}/runs/{run.id}" if url.startswith("http") else None

    def page_of_sweep(self, sweep: Sweep) -> str | None:
        """The address of the sweep's page; None where no server shows it."""
        url = self.settings.url
        return (
            f"{url.rstrip('/')}/{sweep.entity}/{sweep.project}/sweeps/{sweep.id}" if url.startswith("http") else None
        )

    def close(self) -> None:
        """Frees what it holds open; it can't be used afterwards."""
        made = self.__dict__
        if "backend" in made:
            self.backend.close()
        if "cache" in made:
            self.cache.close()


_open: dict[Settings, Connection] = {}
_lock = threading.Lock()


def connection(**given: Any) -> Connection:
    """The process's connection for the settings in force, with what is `given` overriding them."""
    settings = _settings.load(**given)
    with _lock:
        if settings not in _open:
            _open[settings] = Connection(settings)
        return _open[settings]


def close_all() -> None:
    """Closes the process's connections and forgets them; the next use opens a fresh one."""
    with _lock:
        for open_ in _open.values():
            open_.close()
        _open.clear()
