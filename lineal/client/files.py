"""Files of a run: media, and what `save` was given, stored as blobs under their digests by the outbox's thread."""

from __future__ import annotations

import logging
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

from lineal.client.connection import Connection
from lineal.core import clock
from lineal.core.errors import Error, InvalidArgument, Unavailable
from lineal.core.names import check_path
from lineal.storage import digest as digests
from lineal.storage import sources
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
        self._at_end: list[_Waiting] = []
        self._stored: dict[str, tuple[int, int, int, int]] = {}
        self._lock = threading.Lock()

    def save(self, pattern: str | os.PathLike[str], base: str | os.PathLike[str] | None, policy: Policy) -> list[str]:
        """The paths in the run of the files that fit the shell pattern, each to be stored at the moment that fits.

        A path is what follows `base` (default: the working folder, else the file's own name). Raises
        invalid.argument, invalid.path.
        """
        if policy not in ("now", "live", "end"):
            raise InvalidArgument(f"{str(policy)[:40]!r} is no policy; say now, live or end")
        if policy != "now":
            self._at_end += self._found(pattern, base)
        found = list(self._found(pattern, base))
        if policy != "end":
            with self._lock:
                self._waiting += found
        if not found and policy == "now":
            raise InvalidArgument(f"no file fits {os.fspath(pattern)!r}")
        return [path for path, _ in found]

    def _found(self, pattern: str | os.PathLike[str], base: str | os.PathLike[str] | None) -> Iterator[_Waiting]:
        import glob

        top = os.path.abspath(base) if base is not None else os.getcwd()
        for file in sorted(glob.glob(os.path.abspath(pattern), recursive=True)):
            if os.path.isfile(file):
                inside = os.path.commonpath([top, file]) == top
                yield _Waiting(check_path(os.path.relpath(file, top) if inside else os.path.basename(file)), file)

    def add(self, path: str, data: bytes) -> None:
        """Puts a small file into the run's folder, to be stored with the next batch. Raises unavailable.*."""
        from lineal.storage.blobs import translated

        file = self.folder / check_path(path)
        with translated(f"the run's file {path}"):
            os.makedirs(file.parent, mode=0o700, exist_ok=True)
            file.write_bytes(data)

    def take(self, final: bool = False) -> list[RunFile]:
        """Stores what waits, and media as soon as they are written; with `final` all that is there.

        Files that can't be stored now wait for the next time; those that can't be read are left out with a warning.
        """
        with self._lock:
            waiting, self._waiting = self._waiting, []
        if final:
            waiting += self._at_end
        waiting += self._own(final)
        changed = [item for item in dict.fromkeys(waiting) if self._changed(item)]
        if not changed:
            return []
        try:
            return self._store(changed)
        except Unavailable as problem:
            _log.warning("files of the run wait, since the store can't be reached: %s", problem.message)
            with self._lock:
                self._waiting += changed
            return []

    def _own(self, final: bool) -> list[_Waiting]:
        """The files in the run's folder: only media while it runs, which are written once and whole."""
        top = self.folder if final else self.folder / "media"
        found = []
        if top.is_dir():
            for folder, _, names in os.walk(top):
                for name in names:
                    file = os.path.join(folder, name)
                    if not name.startswith(".new-"):
                        found.append(_Waiting(os.path.relpath(file, self.folder), file))
        return found

    def _changed(self, item: _Waiting) -> bool:
        with suppress(OSError):
            return self._stored.get(item.path) != sources.state_of(os.stat(item.file))
        return True

    def _store(self, waiting: list[_Waiting]) -> list[RunFile]:
        found: list[sources.Source] = []
        for path, file in waiting:
            try:
                found.append(sources.find_file(file, path))
            except Error as problem:
                _log.warning("the run's file %s is not stored: %s", ascii(path), problem.message)
        if self._connection is None:
            return [kept for source in found if (kept := self._keep(source))]
        with Push(self._connection.backend.blobs, self._connection.cache) as push:
            entries = push.files(found, trust=False)
        self._stored |= {source.path: source.state for source in found}
        return [RunFile(e.path, digests.format(e.digest), e.size or 0) for e in entries if e.digest is not None]

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
        self._stored[source.path] = source.state
        return RunFile(source.path, digests.format(digest), size)
