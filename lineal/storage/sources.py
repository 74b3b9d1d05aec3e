"""Files on this machine that are to become entries: found, named and looked at, but not yet read."""

from __future__ import annotations

import fnmatch
import os
import stat
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from lineal.core import names
from lineal.core.errors import InvalidSource
from lineal.storage.records import uncollected

_Step = tuple[str, str, str, tuple[str, ...]]


class State(NamedTuple):
    """What tells one content of a file from the next without reading it: bytes, times in ns, inode."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class Source(NamedTuple):
    """A regular file at `file` that is to be the entry `path`; `state` is what it looked like when found."""

    path: str
    file: str
    state: State


def state_of(facts: os.stat_result) -> State:
    """The state in a stat result."""
    return State(facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino)


def find_file(file: str | os.PathLike[str], path: str | None = None) -> Source:
    """The file as a source, named `path` (default: its own name). Raises invalid.source, invalid.path."""
    given = os.path.abspath(os.fspath(file))
    real, facts = _look(given)
    if not stat.S_ISREG(facts.st_mode):
        raise InvalidSource(f"{given} is not a regular file; use add_dir for a folder")
    return Source(names.check_path(path or os.path.basename(given)), real, state_of(facts))


def find_files(folder: str | os.PathLike[str], prefix: str = "", *, ignore: Sequence[str] = ()) -> list[Source]:
    """Every regular file below `folder`, named by its path from there, below `prefix`; in no promised order.

    `ignore` holds shell patterns, each matched against a path, and against every single name in it; one that ends
    with `/` is for folders. Symbolic links are followed inside the folder and refused where they lead out of it or
    in a circle. Raises invalid.source, invalid.path.
    """
    given = os.path.abspath(os.fspath(folder))
    root, facts = _look(given)
    if not stat.S_ISDIR(facts.st_mode):
        raise InvalidSource(f"{given} is not a folder; use add_file for a file")
    walk = _Walk(root, _Ignored(ignore))
    with uncollected():
        walk.enter_all(root, f"{prefix.strip('/')}/" if prefix.strip("/") else "")
    names.check_each([source.path for source in walk.found])
    return walk.found


class _Ignored:
    def __init__(self, patterns: Iterable[str]) -> None:
        self._any = [p for p in patterns if not p.endswith("/")]
        self._folders = [p.rstrip("/") for p in patterns if p.endswith("/")]
        self.empty = not (self._any or self._folders)

    def matches(self, path: str, name: str, *, folder: bool) -> bool:
        patterns = self._any + self._folders if folder else self._any
        return any(fnmatch.fnmatchcase(path, p) or fnmatch.fnmatchcase(name, p) for p in patterns)


class _Walk:
    def __init__(self, root: str, ignored: _Ignored) -> None:
        self._root, self._ignored = root, ignored
        self.found: list[Source] = []

    def enter_all(self, folder: str, prefix: str) -> None:
        """Adds what lies in `folder` and below, however deep; entries are named from `prefix`."""
        waiting: list[_Step] = [(folder, prefix, "", (folder,))]
        while waiting:
            waiting += self._enter(*waiting.pop())

    def _enter(self, folder: str, prefix: str, relative: str, above: tuple[str, ...]) -> list[_Step]:
        """The folders in `folder`, whose files it adds: named from `prefix`, ignored by the path from `relative`."""
        deeper: list[_Step] = []
        add = self.found.append
        try:
            with os.scandir(folder) as items:
                for item in items:
                    name = item.name
                    is_link = item.is_symlink()
                    is_folder = item.is_dir(follow_symlinks=is_link)
                    if not self._ignored.empty and self._ignored.matches(relative + name, name, folder=is_folder):
                        continue
                    file = self._inside(item.path) if is_link else item.path
                    if is_folder:
                        if file in above:
                            raise InvalidSource(f"{item.path} is a symbolic link to a folder around it")
                        deeper.append((file, f"{prefix}{name}/", f"{relative}{name}/", (*above, file)))
                    else:
                        facts = os.stat(file) if is_link else item.stat(follow_symlinks=False)
                        if not stat.S_ISREG(facts.st_mode):
                            raise InvalidSource(f"{file} is no file but a pipe, a socket or a device; ignore it")
                        add(Source(prefix + name, file, state_of(facts)))
        except OSError as problem:
            raise InvalidSource(f"{problem.filename or folder} can't be read: {problem.strerror}") from None
        return deeper

    def _inside(self, link: str) -> str:
        real = os.path.realpath(link)
        if real != self._root and not real.startswith(self._root.rstrip("/") + "/"):
            raise InvalidSource(
                f"{link} is a symbolic link that leads out of the folder; copy the file, or ignore it"
            )
        if not os.path.exists(real):
            raise InvalidSource(f"{link} is a symbolic link to nothing")
        return real


def _look(given: str) -> tuple[str, os.stat_result]:
    """Where the path really leads, and what is there."""
    try:
        real = os.path.realpath(given)
        return real, os.stat(real)
    except (OSError, ValueError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "no path"
        raise InvalidSource(f"{ascii(given)[:200]} can't be read: {reason}") from None
