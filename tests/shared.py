"""A server that all workers of a test session share: started by the first, stopped when the last has gone."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def told(name: str, start: Callable[[Path], str], *, mode: int) -> str:
    """What `start` told of the server that it started in a folder, here or in another worker.

    This process counts as its user from now on. `python -m tests.<name> FOLDER` is to call `keep`.
    """
    session = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    folder = Path(f"/tmp/lineal-{name}-{os.getuid()}-{session[:16]}")
    folder.mkdir(exist_ok=True, mode=mode)
    users = os.open(folder / "users", os.O_RDWR | os.O_CREAT)  # open, and so locked, as long as this process lives
    with (folder / "lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)
        if not (folder / "told").exists():
            (folder / "told").write_text(start(folder))
            nothing = subprocess.DEVNULL
            command = [sys.executable, "-m", f"tests.{name}", str(folder)]
            subprocess.run(
                command, cwd=ROOT, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True, check=True
            )
    return (folder / "told").read_text()


def keep(folder: Path, stop: Callable[[], object]) -> None:
    """Leaves a process behind that waits until nobody uses the server any more, however they ended, and stops it."""
    if os.fork():
        return
    with (folder / "users").open() as users:
        fcntl.flock(users, fcntl.LOCK_EX)
    stop()
    shutil.rmtree(folder, ignore_errors=True)
