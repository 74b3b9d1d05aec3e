"""What several rooms' tests share: child processes, with no more rights than an ordinary user where they matter."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NOBODY = 65534

# `drop()` ends root's exemption from permission bits; a child calls it once its imports are done.
PRELUDE = f"""
import os, sys
def drop():
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid({NOBODY})
        os.setuid({NOBODY})
"""

Child = Callable[..., "subprocess.Popen[str]"]
RunChild = Callable[..., str]


@pytest.fixture
def start_child() -> Iterator[Child]:
    """Starts Python source in a process of its own, which has `drop()`, `os`, `sys` and the arguments in sys.argv."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: object, prefix: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [*prefix, sys.executable, "-W", "error", "-c", PRELUDE + code, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(child)
        return child

    yield start
    for child in started:
        if child.poll() is None:
            child.kill()
        child.communicate()


@pytest.fixture
def run_child(start_child: Child) -> RunChild:
    """Runs Python source in a process of its own and returns what it printed; it must end well."""

    def run(code: str, *arguments: object, prefix: tuple[str, ...] = ()) -> str:
        child = start_child(code, *arguments, prefix=prefix)
        out, err = child.communicate(timeout=120)
        assert child.returncode == 0, err
        return out.strip()

    return run


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A folder like tmp_path that also a child which has dropped its rights may enter, and owns."""
    folder = Path(tempfile.mkdtemp(prefix="lineal-test-"))
    if os.getuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    yield folder
    for place, folders, _ in os.walk(folder):
        for name in folders:
            os.chmod(os.path.join(place, name), 0o700)
    shutil.rmtree(folder)
