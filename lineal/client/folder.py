"""Folders that hold a version's files: what differs in one, and what in it is too much."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from lineal.core.errors import InvalidTarget
from lineal.storage import digest as digests
from lineal.storage.manifest import Entry
from lineal.storage.pull import expected


def differences(where: str, wanted: Mapping[str, Entry]) -> list[str]:
    """The paths below `where` that are missing, changed or not part of `wanted`, sorted; every byte is read."""
    wrong = [path for path, entry in wanted.items() if _digest_of(os.path.join(where, path)) != expected(entry)]
    found = (os.path.join(folder, name) for folder, _, files in os.walk(where) for name in files)
    return sorted([*wrong, *(path for file in found if (path := os.path.relpath(file, where)) not in wanted)])


def check_own(where: str) -> None:
    """Refuses the home or working folder and those above them. Raises invalid.target."""
    for kept in (os.path.realpath(Path.home()), os.path.realpath(os.getcwd())):
        if kept == where or kept.startswith(where.rstrip("/") + "/"):
            raise InvalidTarget(f"{where} holds your home or working folder; check out into a folder of its own")


def prune(where: str, wanted: Mapping[str, Entry]) -> None:
    """Deletes what lies below `where` and is not part of `wanted`: files, links and then empty folders."""
    for folder, folders, files in os.walk(where, topdown=False):
        for name in files:
            path = os.path.join(folder, name)
            if os.path.relpath(path, where) not in wanted:
                os.unlink(path)
        for name in folders:
            path = os.path.join(folder, name)
            if os.path.islink(path):
                os.unlink(path)
                continue
            with suppress(OSError):
                os.rmdir(path)


def _digest_of(path: str) -> digests.Digest | None:
    try:
        return digests.of_file(path)[0]
    except OSError:
        return None
