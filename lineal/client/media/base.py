"""What every medium is: content that is written as a file now, and a value in the history that points to it."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from lineal.core.clock import new_id
from lineal.core.errors import DiskFull, InvalidArgument, InvalidSource, MissingDependency, ReadOnly, StoreUnavailable

MAX_FILE_BYTES = 256 << 20
MAX_CAPTION_CHARACTERS = 10_000
PART = ".new-"  # how the name of a file begins that is not whole yet
_CHUNK_BYTES = 1 << 20
_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")

Fetch = Callable[[str], Path]
Source = bytes | memoryview | Path | Callable[[], Path]


@dataclass(frozen=True, slots=True)
class Kept:
    """A file below the run's folder: `path` is relative to it, `sha256` in hex."""

    path: str
    sha256: str
    size: int

    def value(self) -> dict[str, Any]:
        """The three as the history keeps them."""
        return {"path": self.path, "sha256": self.sha256, "size": self.size}


class Media:
    """Something that is stored as a file and shown by its type. Its content is fixed when it is made or bound."""

    kind: ClassVar[str] = "media"
    type: ClassVar[str] = "media-file"

    _source: Source = b""
    _extension: str = "bin"

    def bind(self, folder: Path, key: str, step: int) -> dict[str, Any]:
        """The JSON value that stands for it in the history; its files are below `folder` when this returns.

        Safe in any thread. Raises invalid.argument for a file over 256 MiB, invalid.source, unavailable.*.
        """
        kept = keep(self._content(), folder, self.kind, key, step, self._extension)
        facts = {name: fact for name, fact in self._facts(folder, kept, key, step).items() if fact is not None}
        return {"_type": self.type, **kept.value(), **facts}

    def _facts(self, folder: Path, kept: Kept, key: str, step: int) -> dict[str, Any]:
        """What else the value says; facts that are None are left out."""
        return {}

    def _content(self) -> bytes | memoryview | Path:
        return self._source() if callable(self._source) else self._source

    def _bytes(self) -> bytes:
        content = self._content()
        return read(content) if isinstance(content, Path) else bytes(content)


# ---- files ---------------------------------------------------------------------------------------------------


def keep(source: bytes | memoryview | Path, folder: Path, kind: str, key: str, step: int, extension: str) -> Kept:
    """The file `media/<kind>/<key>_<step>_<digest>.<extension>` below `folder`, holding what `source` holds now.

    A file appears whole or not at all; the same content under the same key and step is one file.
    """
    with _disk(folder):
        home = folder / "media" / kind
        home.mkdir(parents=True, exist_ok=True)
        part = home / f"{PART}{new_id()}"
        try:
            sha, size = _copy(source, part, key) if isinstance(source, Path) else _write(source, part, key)
            name = f"{safe(key)}_{step}_{sha[:20]}.{extension}"
            os.replace(part, home / name)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
    return Kept(f"media/{kind}/{name}", sha, size)


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A path below `folder` for a file that is written in pieces; it is gone afterwards."""
    with _disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{PART}{new_id()}"
        try:
            yield part
        finally:
            part.unlink(missing_ok=True)


def safe(key: str) -> str:
    """`key` as a part of a file's name: at most 80 plain characters."""
    return _UNSAFE.sub("_", key[:200])[:80].strip("._") or "key"


def shown(key: str) -> str:
    """`key` for a message."""
    return ascii(key if len(key) <= 100 else key[:100] + "…")


def regular(path: str | os.PathLike[str]) -> Path:
    """The absolute path of the regular file there. Raises invalid.source."""
    try:
        found = Path(os.path.abspath(os.path.expanduser(path)))
        regular_ = stat.S_ISREG(found.stat().st_mode)
    except (OSError, ValueError) as problem:
        raise InvalidSource(f"{_cut(path)} can't be read: {getattr(problem, 'strerror', problem)}") from None
    if not regular_:
        raise InvalidSource(f"{_cut(path)} is no regular file")
    return found


def read(path: Path, limit: int = MAX_FILE_BYTES) -> bytes:
    """The first `limit` bytes of the file. Raises invalid.source."""
    try:
        with path.open("rb") as file:
            return file.read(limit)
    except OSError as problem:
        raise InvalidSource(f"{_cut(path)} can't be read: {problem.strerror}") from None


def check_size(size: int, key: str) -> None:
    """Raises invalid.argument for more bytes than a medium may have."""
    if size > MAX_FILE_BYTES:
        raise InvalidArgument(
            f"{shown(key)}: a file of {size:,} bytes is over the {MAX_FILE_BYTES >> 20} MiB that a medium may have; "
            "log it as an artifact: run.log_artifact(path, type='dataset')"
        )


def _copy(source: Path, target: Path, key: str) -> tuple[str, int]:
    check_size(regular(source).stat().st_size, key)
    try:
        file = source.open("rb", buffering=0)
    except OSError as problem:
        raise InvalidSource(f"{_cut(source)} can't be read: {problem.strerror}") from None
    sha, size = hashlib.sha256(), 0
    with file, target.open("wb") as out:
        while chunk := file.read(_CHUNK_BYTES):
            size += len(chunk)
            check_size(size, key)  # it may grow while it is read
            sha.update(chunk)
            out.write(chunk)
    return sha.hexdigest(), size


def _write(source: bytes | memoryview, target: Path, key: str) -> tuple[str, int]:
    with memoryview(source) as view:
        check_size(view.nbytes, key)
        target.write_bytes(view)
        return hashlib.sha256(view).hexdigest(), view.nbytes


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    """Says a failing disk's problem in our words."""
    try:
        yield
    except OSError as problem:
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"no space left in {folder}; free some, and log again") from None
        if problem.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise ReadOnly(f"no permission to write in {folder}") from None
        raise StoreUnavailable(f"{folder} can't be written: {problem.strerror or problem}") from None


def kept_in(value: Any) -> Iterator[Kept]:
    """Every file that a stored value names, however deep."""
    if isinstance(value, dict):
        if isinstance(value.get("path"), str) and isinstance(value.get("sha256"), str):
            yield Kept(value["path"], value["sha256"], value.get("size", 0))
        for part in value.values():
            yield from kept_in(part)
    elif isinstance(value, list):
        for part in value:
            if isinstance(part, dict | list):
                yield from kept_in(part)


# ---- arguments -----------------------------------------------------------------------------------------------


def need(module: str, package: str, what: str) -> Any:
    """The module. Raises unavailable.dependency with what to install."""
    try:
        return import_module(module)
    except ImportError:
        raise MissingDependency(f"{what} needs {package}, which is missing: pip install {package}") from None


def text(value: object, what: str, limit: int = MAX_CAPTION_CHARACTERS) -> str | None:
    """`value`, if it is None or a text. Raises invalid.argument."""
    if value is not None and not isinstance(value, str):
        raise InvalidArgument(f"{what} must be a text, not {type(value).__name__}; write str(...)")
    if value is not None and len(value) > limit:
        raise InvalidArgument(f"{what} has {len(value):,} characters; {limit:,} are possible")
    return value


def utf8(value: str, what: str) -> bytes:
    """The text as bytes. Raises invalid.argument for half a surrogate pair."""
    try:
        return value.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidArgument(f"{what} holds half a surrogate pair, which no file can; clean it first") from None


def is_path(value: object) -> bool:
    """Whether it names a file."""
    return isinstance(value, str | os.PathLike)


def _cut(path: object) -> str:
    return ascii(str(path))[:200]
