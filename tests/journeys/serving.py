"""`lineal server` as a real process, on a port of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

PATIENCE_S = 120
_ADDRESS = re.compile(r"at (http://\S+?);? ")


class Serving:
    """One server: its address, what it prints, its log."""

    def __init__(self, folder: Path, *options: str, **variables: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.store = folder / "store"
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "lineal", "server", "--db", str(self.store), "--port", "0", *options],
                env={**os.environ, "PYTHONWARNINGS": "error", **variables},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        self.told = ""
        while "Stop it" not in self.told:
            said = self.process.stdout.readline()
            assert said, self.log.read_text()
            self.told += said
        match = _ADDRESS.search(self.told.replace("\n", " "))
        assert match, self.told
        self.url = match[1]
        self.port = int(self.url.rpartition(":")[2])

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def ended(self) -> int:
        """The exit code, once it has ended."""
        return self.process.wait(PATIENCE_S)

    def stop(self) -> int:
        self.signal()
        return self.ended()

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def lines(self) -> list[dict[str, Any]]:
        """The log, each line of it JSON."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@contextmanager
def serving(folder: Path, *options: str, **variables: str) -> Iterator[Serving]:
    """A server that has ended when the block does."""
    server = Serving(folder, *options, **variables)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
        server.process.communicate()


def until(what: Callable[[], Any]) -> Any:
    """What `what` says, once it is something."""
    end = time.monotonic() + PATIENCE_S
    while not (found := what()):
        assert time.monotonic() < end, what
        time.sleep(0.01)
    return found
