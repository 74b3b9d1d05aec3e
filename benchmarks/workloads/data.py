"""The files that are logged: one large one of random bytes, and a folder of many small ones. Made once, then kept."""

from __future__ import annotations

import os
import random
from pathlib import Path

_MIB = 1 << 20
_FILES_IN_A_FOLDER = 200


def large_file(data: Path, mib: int) -> Path:
    """A file of `mib` MiB of random bytes."""
    path = data / f"big_{mib}.bin"
    if not path.exists() or path.stat().st_size != mib * _MIB:
        data.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for _ in range(mib):
                file.write(os.urandom(_MIB))
        os.sync()
    return path


def small_files(data: Path, count: int) -> Path:
    """A folder of `count` files of 1 to 8 KiB of random bytes, 200 in each of its folders."""
    folder, made = data / f"small_{count}", data / f"small_{count}.done"
    if not made.exists():
        source = random.Random(0)
        for number in range(count):
            place = folder / f"d{number // _FILES_IN_A_FOLDER:04d}"
            place.mkdir(parents=True, exist_ok=True)
            (place / f"f{number:06d}.bin").write_bytes(source.randbytes(source.randint(1024, 8192)))
        made.touch()
        os.sync()
    return folder


def change(folder: Path, count: int) -> None:
    """Gives `count` of the files new content of the same size, as new files: what was linked to stays as it was."""
    source = random.Random(1)
    for path in source.sample(sorted(folder.rglob("*.bin")), count):
        size = path.stat().st_size
        path.unlink()
        path.write_bytes(source.randbytes(size))
