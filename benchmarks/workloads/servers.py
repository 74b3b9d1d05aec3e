"""Servers: each system's own, one worker on a free port of the loopback, with its processes' memory and CPU time."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PATIENCE_S = 120
_LOOK_S = 0.005
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Server:
    """A server that answers at `port`; `started_s` is how long it took until it did."""

    port: int
    started_s: float
    process: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def peak_mb(self) -> float:
        """The most memory that each of its processes has held, added up."""
        return sum(_kilobytes(pid) for pid in self._processes()) / 1024

    def cpu_s(self) -> float:
        """The CPU time that its processes have used."""
        return sum(sum(map(int, _stat(pid)[11:13])) for pid in self._processes()) / _TICKS

    def _processes(self) -> list[int]:
        """Those of its session, which it is the leader of."""
        found = (int(name) for name in os.listdir("/proc") if name.isdecimal())
        return [pid for pid in found if (stat := _stat(pid)) and int(stat[3]) == self.process]


@contextmanager
def lineal(folder: Path, database: str | None = None, store: str | None = None) -> Iterator[Server]:
    """Lineal's over a database and a place for the bytes (a folder); without a database both are in the folder."""
    place = [f"--db={folder / 'store'}"]
    if database:
        place = [f"--db={database}", f"--store={store or folder / 'bytes'}"]
    port = _free_port()
    command = [sys.executable, "-m", "lineal", "server", f"--port={port}", *place]
    with _running(command, port, "/ready", folder) as server:
        yield server


@contextmanager
def mlflow(folder: Path, database: str | None = None) -> Iterator[Server]:
    """mlflow's own over a database and a folder for the bytes; without a database its rows are in SQLite."""
    rows = (database or f"sqlite:///{folder}/mlflow.db").replace("postgresql://", "postgresql+psycopg2://")
    port = _free_port()
    command = [str(Path(sys.executable).parent / "mlflow"), "server", "--workers=1", f"--port={port}"]
    command += [f"--backend-store-uri={rows}", f"--artifacts-destination={folder / 'artifacts'}"]
    with _running(command, port, "/health", folder) as server:
        yield server


@contextmanager
def _running(command: list[str], port: int, path: str, folder: Path) -> Iterator[Server]:
    with (folder / "server.log").open("ab") as log:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)
        try:
            while not _answers(port, path):
                if process.poll() is not None or time.perf_counter() - began > _PATIENCE_S:
                    raise RuntimeError((folder / "server.log").read_text(errors="replace")[-2000:])
                time.sleep(_LOOK_S)
            yield Server(port, time.perf_counter() - began, process.pid)
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def _stat(pid: int) -> list[str]:
    """The fields of the process's `stat`, from its state on; none where it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return []


def _kilobytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)
