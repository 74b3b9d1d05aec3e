"""The source files that a `code` artifact holds."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from lineal.client.capture.git import git_root, streamed

INCLUDE = (
    *("*.py", "*.pyi", "*.pyx", "*.ipynb", "*.r", "*.R", "*.jl", "*.rs", "*.go", "*.lua", "*.js", "*.ts", "*.sql"),
    *("*.c", "*.cc", "*.cpp", "*.cu", "*.cuh", "*.h", "*.hpp", "*.proto", "*.cmake", "*.sh", "*.bash", "*.sbatch"),
    *("*.yaml", "*.yml", "*.toml", "*.cfg", "*.ini", "*.gin", "*.md", "*.rst", "*.lock"),
    *("requirements*.txt", "Makefile", "Dockerfile", "Dockerfile.*", "CMakeLists.txt", ".gitignore"),
)
"""Names that are taken for source."""
EXCLUDE = (
    *(".env*", "*.env", "*.pem", "*.key"),
    *(f"*{word}*.{suffix}" for word in ("secret", "credential") for suffix in ("y*ml", "toml", "ini", "cfg")),
)
"""Names that are left out all the same, as they tend to hold secrets."""

MAX_FILE_BYTES = 5 << 20
MAX_FILES = 10_000
_ENVIRONMENT_MARKS = ("pyvenv.cfg", "conda-meta")
_NEVER = {"__pycache__", "node_modules", "site-packages", "mlruns"}
_TIMEOUT_S = 30.0
_log = logging.getLogger("lineal")

Choice = Sequence[str] | Callable[[str], object]


def code_files(root: Path, include: Choice = INCLUDE, exclude: Choice = EXCLUDE) -> list[Path]:
    """The source files below `root`, sorted: those that git does not ignore, or, without git, those of a walk.

    `include` and `exclude` are patterns of file names or of paths relative to `root`, or functions of the whole path.
    A walk passes over hidden folders, environments and caches. Files above 5 MiB, those after the first 10,000,
    and links that lead out of `root` are left out.
    """
    real = os.path.realpath(root)
    found: list[Path] = []
    for name in _listed(root):
        path = root / name
        if _chosen(include, path, name) and not _chosen(exclude, path, name) and _belongs(path, real):
            found.append(path)
            if len(found) > MAX_FILES:
                _log.warning("the code in %s is recorded up to %d files; narrow it down", root, MAX_FILES)
                return sorted(found[:MAX_FILES])
    return sorted(found)


def _listed(root: Path) -> Iterable[str]:
    if git_root(root) is not None and (names := _from_git(root)) is not None:
        return dict.fromkeys(names)  # a file in conflict is listed once per side
    return _walked(root)


def _from_git(root: Path) -> list[str] | None:
    words = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    with streamed(root, *words, timeout_s=_TIMEOUT_S) as running:
        listed = running.stream.read()
    return [os.fsdecode(name) for name in listed.split(b"\0") if name] if running.succeeded else None


def _walked(root: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if _may_hold_source(os.path.join(folder, name)))
        place = os.path.relpath(folder, root)
        for name in sorted(files):
            yield name if place == "." else Path(place, name).as_posix()


def _may_hold_source(folder: str) -> bool:
    name = os.path.basename(folder)
    if name.startswith(".") or name in _NEVER or name.endswith(".egg-info"):
        return False
    return not any(os.path.exists(os.path.join(folder, mark)) for mark in _ENVIRONMENT_MARKS)


def _chosen(choice: Choice, path: Path, name: str) -> bool:
    if callable(choice):
        return bool(choice(str(path)))
    last = name.rpartition("/")[2]
    return any(fnmatchcase(last, pattern) or fnmatchcase(name, pattern) for pattern in choice)


def _belongs(path: Path, root: str) -> bool:
    """Whether it is a file, not too large, that lies below `root` where links lead to in the end."""
    try:
        real = os.path.realpath(path, strict=True)
        inside = os.path.commonpath((real, root)) == root
        return inside and os.path.isfile(real) and os.path.getsize(real) <= MAX_FILE_BYTES
    except (OSError, ValueError):  # deleted, a loop, or on another drive
        return False
