"""What the machine is, for the reader of the numbers."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path


def facts(folder: Path) -> dict[str, str]:
    """Cores, processor, memory, system, Python, and the file system and disk that `folder` lies on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    device, kind = _mount(folder)
    return {
        "cores": str(os.cpu_count()),
        "processor": _processor(),
        "memory": f"{memory / 2**30:.0f} GiB",
        "system": platform.platform(terse=True),
        "Python": platform.python_version(),
        "file system": kind,
        "disk": f"{_disk(device)}, {shutil.disk_usage(folder).total / 1e9:.0f} GB",
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def _mount(folder: Path) -> tuple[str, str]:
    """The device and the kind of file system that the folder is on."""
    table = Path("/proc/mounts")
    mounts = [line.split()[:3] for line in table.read_text().splitlines()] if table.exists() else []
    above = {str(place) for place in (folder.resolve(), *folder.resolve().parents)}
    on = [(len(point), device, kind) for device, point, kind in mounts if point in above]
    return max(on)[1:] if on else ("unknown", "unknown")


def _disk(device: str) -> str:
    name = Path(device).name
    for block in (name, name.rstrip("0123456789"), name.rstrip("0123456789").removesuffix("p")):
        spins = Path("/sys/block") / block / "queue/rotational"
        if block and spins.exists():
            return f"{block} ({'reports as rotating' if spins.read_text().strip() == '1' else 'solid state'})"
    return name
