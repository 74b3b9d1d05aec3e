"""A run's journal: what it has to say, in a file of frames, until its store has taken it.

    <length: 8 bytes> <xxh3-64 of the payload: 8 bytes> <payload>

The payload is a line of JSON, then the rows it speaks of. A process that dies leaves a journal of whole frames, the
last one perhaps cut off; `lineal sync` sends what such a journal holds. Its writer holds a lock on the file.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import xxhash

from lineal.core.errors import InvalidSource
from lineal.storage.blobs import translated
from lineal.tracking.model import CRASHED_AFTER_S

NAME = "run.journal"
_HEAD_BYTES = 16
_MAX_FRAME_BYTES = 1 << 31


class Frame(NamedTuple):
    """One thing that was said: `kind`, JSON facts, rows by stream; `end` is where the next frame starts."""

    kind: str
    facts: Mapping[str, Any]
    rows: Mapping[str, bytes]
    end: int


class Journal:
    """The journal in `folder`, open for appending by one process at a time."""

    def __init__(self, folder: Path, *, new: bool = True) -> None:
        """Unless `new` it must be there. Raises unavailable.* where it can't be written, invalid.source where another
        process writes it or it is gone.
        """
        self.folder = folder
        if not new and not (folder / NAME).is_file():
            raise InvalidSource(f"{folder} has no journal of a run")
        with translated(f"the run's folder {folder}"):
            if new:
                os.makedirs(folder, mode=0o700, exist_ok=True)
            flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | (os.O_CREAT if new else 0)
            self._file = os.open(folder / NAME, flags, 0o600)
        try:
            taken = _locked(self._file, fcntl.LOCK_EX)
            if taken or (taken is None and not new and _just_written(self._file)):
                raise InvalidSource(f"{folder} belongs to a run that is still under way")
        except BaseException:
            os.close(self._file)
            raise
        self.size = os.fstat(self._file).st_size

    def append(self, kind: str, facts: Mapping[str, Any], rows: Mapping[Any, bytes] | None = None) -> None:
        """Adds a frame; it survives the death of this process when this returns. Raises unavailable.*."""
        rows = rows or {}
        head = {"kind": kind, "facts": facts, "rows": [[stream, len(data)] for stream, data in rows.items()]}
        payload = b"".join([json.dumps(head, separators=(",", ":")).encode(), b"\n", *rows.values()])
        frame = len(payload).to_bytes(8, "little") + xxhash.xxh3_64_digest(payload) + payload
        with translated("the run's journal"):
            try:
                written = 0
                while written < len(frame):
                    written += os.write(self._file, memoryview(frame)[written:])
            except OSError:
                os.ftruncate(self._file, self.size)
                raise
        self.size += len(frame)

    def sync(self) -> None:
        """Makes what was appended survive a power cut."""
        with translated("the run's journal"):
            os.fsync(self._file)

    def clear(self, keep: int) -> None:
        """Forgets all but the first `keep` bytes."""
        os.ftruncate(self._file, keep)
        self.size = keep

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """The whole frames from `start` on."""
        return read(self.folder, start)

    def close(self) -> None:
        """Lets another process have it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def in_use(folder: Path) -> bool:
    """Whether a process that lives writes the journal in `folder`, or sends it."""
    with open(folder / NAME, "rb") as file:
        taken = _locked(file.fileno(), fcntl.LOCK_SH)
        return _just_written(file.fileno()) if taken is None else taken


def _locked(file: int, how: int) -> bool | None:
    """Whether another process has the lock, which is ours otherwise; None on a file system that has no locks."""
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    return False


def _just_written(file: int) -> bool:
    """Whether the file was written so lately that its process must be taken to live."""
    return time.time() - os.fstat(file).st_mtime < CRASHED_AFTER_S


def left_over(folder: Path, end: int) -> int:
    """How many bytes behind `end`, where the whole frames stop, are damaged; 0 where the last was only cut off."""
    with open(folder / NAME, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(end)
        head = file.read(_HEAD_BYTES)
    length = int.from_bytes(head[:8], "little")
    cut_off = len(head) < _HEAD_BYTES or (length <= _MAX_FRAME_BYTES and end + _HEAD_BYTES + length > size)
    return 0 if cut_off else size - end


def read(folder: Path, start: int = 0) -> Iterator[Frame]:
    """The whole frames of the journal in `folder` from `start` on, up to one that was cut off or is damaged."""
    with open(folder / NAME, "rb") as file:
        file.seek(start)
        while len(head := file.read(_HEAD_BYTES)) == _HEAD_BYTES:
            length = int.from_bytes(head[:8], "little")
            if length > _MAX_FRAME_BYTES:
                return
            payload = file.read(length)
            if len(payload) != length or xxhash.xxh3_64_digest(payload) != head[8:]:
                return
            frame = _parsed(payload, file.tell())
            if frame is None:
                return
            yield frame


def _parsed(payload: bytes, end: int) -> Frame | None:
    line, _, rest = payload.partition(b"\n")
    try:
        head = json.loads(line)
        rows, at = {}, 0
        for stream, length in head["rows"]:
            rows[str(stream)] = rest[at : at + length]
            at += length
        facts = head["facts"]
        return Frame(str(head["kind"]), facts if isinstance(facts, dict) else {}, rows, end)
    except (ValueError, KeyError, TypeError):
        return None
