"""A cell: one system doing one family of work once, in a process and a folder of its own.

Only the standard library is imported here and at the top of every workload, so that what a system loads is its own.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

_BLOCK_BYTES = 512


@dataclass(frozen=True)
class Cell:
    """What the process was asked for; `seed` where it only prepares what the next process measures.

    `lineal` is the Python that Lineal is installed for.
    """

    system: str
    form: str
    quick: bool
    seed: bool
    folder: Path
    data: Path
    results: Path
    lineal: Path

    def record(self, work: str, seconds: float, **facts: float) -> None:
        """Appends one measurement to the results."""
        line = {"work": work, "system": self.system, "seconds": seconds, **facts}
        with self.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def choose(self, *, full: int, quick: int) -> int:
        """The size that goes with the asked-for form of the benchmark."""
        return quick if self.quick else full


def parse() -> Cell:
    """The cell that the command line names; its folder becomes the working folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--system", required=True)
    parser.add_argument("--form", default="")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", action="store_true")
    for name in ("folder", "data", "results", "lineal"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    cell = Cell(**vars(parser.parse_args()))
    os.chdir(cell.folder)
    return cell


def timed(action: Callable[[], object]) -> float:
    """The seconds that the action takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def median_of(action: Callable[[], object], *, times: int, limit_s: float = 10) -> tuple[float, int]:
    """The median seconds of the action and how often it was done: `times`, or as often as the limit allows."""
    taken: list[float] = []
    end = time.perf_counter() + limit_s
    while len(taken) < times and (len(taken) < 2 or time.perf_counter() < end):
        taken.append(timed(action))
    return statistics.median(taken), len(taken)


def disk_usage(folder: Path, *, without: Collection[Path] = ()) -> int:
    """The bytes that lie on disk below the folder, hard links counted once, some folders or files left out."""
    seen: dict[tuple[int, int], int] = {}
    waiting = [folder]
    while waiting:
        for item in os.scandir(waiting.pop()):
            if Path(item.path) in without:
                continue
            if item.is_dir(follow_symlinks=False):
                waiting.append(Path(item.path))
            else:
                facts = item.stat(follow_symlinks=False)
                seen[facts.st_dev, facts.st_ino] = facts.st_blocks * _BLOCK_BYTES
    return sum(seen.values())


def warm(*places: Path, above_bytes: int = 64 << 20) -> None:
    """Reads the large files there, so that every system finds them in the page cache."""
    buffer = bytearray(8 << 20)
    for place in places:
        for file in [place] if place.is_file() else place.rglob("*"):
            if file.is_file() and not file.is_symlink() and file.stat().st_size > above_bytes:
                with file.open("rb", buffering=0) as stream:
                    while stream.readinto(buffer):
                        pass


def settle(folder: Path, size_bytes: int) -> None:
    """Writes out what earlier steps left, and takes hold of free memory for as many bytes as the next one may write.

    A virtual machine gives memory that lies idle back to its host, and the first touch of a page is then several
    times as slow as copying into it; without this, whoever comes after a pause would pay.
    """
    scratch, zeros = folder / "scratch", bytes(8 << 20)
    with scratch.open("wb", buffering=0) as file:
        for _ in range(0, size_bytes, len(zeros)):
            file.write(zeros)
    scratch.unlink()
    os.sync()


def note(text: str) -> None:
    """Says something in the cell's log."""
    print(text, file=sys.stderr, flush=True)
