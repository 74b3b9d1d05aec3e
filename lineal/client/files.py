"""Files of a run: media, and what `save` was given, stored as blobs under their digests by the outbox's thread."""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

from lineal.client.connection import Connection
from lineal.core import clock
from lineal.core.errors import Error, InvalidArgument, Unavailable
from lineal.core.names import check_path
from lineal.storage import digest as digests
from lineal.storage import sources
from lineal.storage.cache import settled_before
from lineal.storage.transfer import Push
from lineal.tracking.model import RunFile

Policy = Literal["now", "live", "end"]
_log = logging.getLogger("lineal")


class _Waiting(NamedTuple):
    path: str
    file: str


class RunFiles:
    """The files of one run on this machine. Thread-safe."""

    def __init__(self, folder: Path, conn: Connection | None) -> None:
        """`folder` is the run's own: what lies there when the run ends is stored too. No connection: kept there."""
        self.folder = folder
        self._connection = conn
        self._waiting: list[_Waiting] = []
        self._at_end: dict[tuple[str, str, str], None] = {}
        self._stored: dict[str, tuple[int, int, int, int]] = {}
        self._looked_ns = 0
        self._told_waiting = False
        self._lock = threading.RLock()

    def save(self, pattern: str | os.PathLike[str], base: str | os.PathLike[str] | None, policy: Policy) -> list[str]:
        """The paths in the run of the files that fit the shell pattern, each to be stored at the moment that fits.

        A path is what follows `base` (default: the working folder, else the file's own name). Raises
        invalid.argument, invalid.path.
        """
        if policy not in ("now", "live", "end"):
            raise InvalidArgument(f"{str(policy)[:40]!r} is no policy; say now, live or end")
        pattern, top = os.fspath(pattern), os.path.abspath(base if base is not None else os.getcwd())
        if not isinstance(pattern, str) or "\0" in pattern:
            raise InvalidArgument("a pattern is a text without NUL characters")
        where = os.getcwd()
        found = list(_found(pattern, where, top))
        with self._lock:
            if policy != "now":
                self._at_end[pattern, where, top] = None
            if policy != "end":
                self._waiting += found
        if not found and policy == "now":
            raise InvalidArgument(f"no file fits {os.fspath(pattern)!r}")
        return [path for path, _ in found]

    def expect(self, paths: Iterable[str]) -> None:
        """Has files of the run's own folder stored with the next batch: media, whole and never written again."""
        with self._lock:
            self._waiting += [_Waiting(path, os.path.join(self.folder, path)) for path in paths]

    def add(self, path: str, data: bytes) -> None:
        """Puts a small file into the run's folder, to be stored with the next batch. Raises unavailable.*."""
        from lineal.storage.blobs import translated

        file = self.folder / check_path(path)
        with translated(f"the run's file {path}"):
            os.makedirs(file.parent, mode=0o700, exist_ok=True)
            file.write_bytes(data)
        self.expect([path])

    def take(self, final: bool = False) -> list[RunFile]:
        """Stores what waits; with `final` all that is there.

        Files that can't be stored now wait for the next time, and are kept in the run's folder where there is none;
        those that can't be read are left out with a warning.
        """
        with self._lock:
            waiting, self._waiting = self._waiting, []
        if final:  # before what waits: a file of that path in the run's folder is what was kept of it earlier
            waiting = self._last() + waiting
        changed = [item for item in {item.path: item for item in waiting}.values() if self._changed(item)]
        if not changed:
            return []
        try:
            return self._store(self._sources(changed))
        except Unavailable as problem:
            if not self._told_waiting:
                self._told_waiting = True
                _log.warning("files of the run wait, since the store can't be reached: %s", problem.message)
            if final:
                return self._keep_all(self._sources(changed))
            with self._lock:
                self._waiting = changed + self._waiting
            return []

    def _last(self) -> list[_Waiting]:
        """The files in the run's folder, and those that fit a pattern now."""
        found = []
        for folder, _, names in os.walk(self.folder):
            for name in names:
                file = os.path.join(folder, name)
                if not name.startswith(".new-"):
                    found.append(_Waiting(os.path.relpath(file, self.folder), file))
        for pattern, where, top in self._at_end:
            try:
                found += _found(pattern, where, top)
            except Error as problem:
                _log.warning("%s is not saved: %s", ascii(pattern), problem.message)
        return found

    def _changed(self, item: _Waiting) -> bool:
        with suppress(OSError):
            return self._stored.get(item.path) != sources.state_of(os.stat(item.file))
        return True

    def _sources(self, waiting: list[_Waiting]) -> list[sources.Source]:
        found: list[sources.Source] = []
        self._looked_ns = time.time_ns()
        for path, file in waiting:
            try:
                found.append(sources.find_file(file, path))
            except Error as problem:
                _log.warning("the run's file %s is not stored: %s", ascii(path), problem.message)
        return found

    def _store(self, found: list[sources.Source]) -> list[RunFile]:
        if self._connection is None:
            return self._keep_all(found)
        try:
            with Push(self._connection.backend.blobs, self._connection.cache) as push:
                entries = push.files(found, trust=False)
        except Unavailable:
            raise
        except Error as problem:  # such as a file that changes while it is read
            if len(found) > 1:
                return [stored for source in found for stored in self._store([source])]
            _log.warning("the run's file %s is not stored: %s", ascii(found[0].path), problem.message)
            return []
        for source in found:
            self._remember(source)
        return [RunFile(e.path, digests.format(e.digest), e.size or 0) for e in entries if e.digest is not None]

    def _keep_all(self, found: list[sources.Source]) -> list[RunFile]:
        return [kept for source in found if (kept := self._keep(source))]

    def _keep(self, source: sources.Source) -> RunFile | None:
        """The file as it is now, kept in the run's folder until it is sent."""
        target = self.folder / source.path
        try:
            if os.path.abspath(target) != source.file:
                os.makedirs(target.parent, mode=0o700, exist_ok=True)
                half = target.with_name(f".new-{clock.new_id()}")
                shutil.copyfile(source.file, half)
                os.replace(half, target)
            digest, _, size = digests.of_file(str(target))
        except OSError as problem:
            _log.warning("the run's file %s is not kept: %s", ascii(source.path), problem)
            return None
        self._remember(source)
        return RunFile(source.path, digests.format(digest), size)

    def _remember(self, source: sources.Source) -> None:
        """Notes what the stored file looked like, unless it may change within the clock's tick and look the same."""
        if settled_before(source.state, self._looked_ns):
            self._stored[source.path] = source.state
        else:
            self._stored.pop(source.path, None)


def _found(pattern: str, where: str, top: str) -> Iterator[_Waiting]:
    """The files that fit the pattern, seen from the folder `where`, each with what follows `top`, else its name."""
    import glob

    alone = os.path.isfile(os.path.join(where, pattern))  # its name may hold brackets
    paths = [pattern] if alone else glob.glob(pattern, root_dir=where, recursive=True)
    for file in sorted(os.path.abspath(os.path.join(where, path)) for path in paths):
        if os.path.isfile(file):
            inside = os.path.commonpath([top, file]) == top
            yield _Waiting(check_path(os.path.relpath(file, top) if inside else os.path.basename(file)), file)
