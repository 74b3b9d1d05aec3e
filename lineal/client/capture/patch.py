"""The uncommitted changes, as a patch that brings them back."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from lineal.client.capture.git import streamed

_TIMEOUT_S = 30.0
_PIECE_BYTES = 1 << 16
_HEADER = b"diff --git "
_DIFF = (  # what a user's own settings of `git diff` could change is set, so that the patch always applies
    *("diff", "HEAD", "--binary", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--no-relative"),
    *("--src-prefix=a/", "--dst-prefix=b/", "--submodule=short", "--ignore-submodules=dirty", f"-O{os.devnull}"),
)


@dataclass(frozen=True, slots=True)
class Patch:
    """What differs from HEAD in tracked files, as `git apply` takes it.

    `cut`: whole files were left out to keep to the limit or the time, `left_out_bytes` of those that were seen.
    """

    data: bytes
    cut: bool
    left_out_bytes: int


class _Section:
    """The change of one file; its bytes are held only while they fit into the room that is left."""

    def __init__(self, room_bytes: int) -> None:
        self._room_bytes = room_bytes
        self.pieces: list[bytes] = []
        self.size_bytes = 0

    def add(self, piece: bytes) -> None:
        self.size_bytes += len(piece)
        if self.fits or len(self.pieces) < 2:
            self.pieces.append(piece)
        else:
            del self.pieces[2:]

    def leave_out(self) -> None:
        self._room_bytes = -1

    @property
    def fits(self) -> bool:
        return self.size_bytes <= self._room_bytes

    @property
    def path(self) -> PurePosixPath:
        """As git quotes it: the header names it twice, since renames are not looked for."""
        names = self.pieces[0][len(_HEADER) :].rstrip(b"\n")
        return PurePosixPath(os.fsdecode(names[: len(names) // 2].strip(b'"')[2:]))

    def makes_file(self) -> bool:
        return len(self.pieces) > 1 and self.pieces[1].startswith(b"new file")

    def deletes_file(self) -> bool:
        return len(self.pieces) > 1 and self.pieces[1].startswith(b"deleted file")


def patch(folder: Path, *, limit_bytes: int = 5 << 20, timeout_s: float = _TIMEOUT_S) -> Patch | None:
    """The uncommitted changes of tracked files in the whole checkout; None without any, and without git or a commit.

    Files beyond `limit_bytes` are left out whole, so that what is kept applies; no more than that is held in memory.
    """
    with streamed(folder, *_DIFF, timeout_s=timeout_s) as running:
        sections = _read(running.stream, limit_bytes)
    if not running.succeeded and sections:
        sections[-1].leave_out()  # git ended in the middle of it
    if not sections and not running.late:
        return None
    kept = _that_apply(sections)
    data = b"".join(piece for section in kept for piece in section.pieces)
    left_out = sum(section.size_bytes for section in sections) - len(data)
    return Patch(data, cut=left_out > 0 or not running.succeeded, left_out_bytes=left_out)


def _read(stream: IO[bytes], limit_bytes: int) -> list[_Section]:
    sections: list[_Section] = []
    line_starts = True
    while piece := stream.readline(_PIECE_BYTES):
        # No line of a change starts like a header: those of text have a sign before them, those of binaries no space.
        if line_starts and piece.startswith(_HEADER):
            if sections and sections[-1].fits:
                limit_bytes -= sections[-1].size_bytes
            sections.append(_Section(limit_bytes))
        if sections:
            sections[-1].add(piece)
        line_starts = piece.endswith(b"\n")
    return sections


def _that_apply(sections: Iterable[_Section]) -> list[_Section]:
    """Those that fit, less those that make a file where one stands whose deletion did not fit."""
    standing = {section.path for section in sections if section.deletes_file() and not section.fits}
    folders = {folder for path in standing for folder in path.parents}
    kept = []
    for section in sections:
        path = section.path
        in_the_way = path in standing or path in folders or not standing.isdisjoint(path.parents)
        if section.fits and not (section.makes_file() and in_the_way):
            kept.append(section)
    return kept
