"""Logging over HTTP: steps of 10 scalars, as fast as the client takes them, until the server has them all durably.

Both servers have one worker and PostgreSQL. mlflow's client logs in the background; Lineal's always does.
"""

from __future__ import annotations

import math
import os
import random
import socket
import time
from pathlib import Path
from typing import Any

import cell
import databases
import members
import servers

_KEYS = 10


class Lineal:
    """A run of the client's: opened, logged to, ended."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder = folder
        self._secret = members.make(database, folder, "writer")
        self.serving = servers.lineal(folder, database)

    def open(self, server: servers.Server) -> None:
        import lineal

        members.turn_to(server.url, self._secret)
        os.environ["LINEAL_DIR"] = str(self.folder / "runs")
        self._lineal = lineal
        self._run = lineal.init(project=members.PROJECT, settings={"system": False, "console": "off"})

    def log(self, values: dict[str, float], step: int) -> None:
        self._run.log(values, step=step)

    def close(self) -> None:
        self._run.finish()

    def count(self, key: str) -> int:
        """How many points of the key the server has."""
        return len(self._lineal.Api().run(self._run.path).history(keys=[key], samples=1_000_000))


class Mlflow:
    """As `Lineal`; the 40 ms that it waits for an acknowledgement with each request are taken out."""

    def __init__(self, folder: Path, database: str) -> None:
        self.serving = servers.mlflow(folder, database)

    def open(self, server: servers.Server) -> None:
        import mlflow

        _acknowledge_at_once()
        mlflow.set_tracking_uri(server.url)
        mlflow.config.enable_async_logging()
        self._mlflow: Any = mlflow
        self._run = mlflow.start_run()

    def log(self, values: dict[str, float], step: int) -> None:
        self._mlflow.log_metrics(values, step=step)

    def close(self) -> None:
        self._mlflow.flush_async_logging()
        self._mlflow.end_run()

    def count(self, key: str) -> int:
        return len(self._mlflow.MlflowClient().get_metric_history(self._run.info.run_id, key))


def _acknowledge_at_once() -> None:
    """Has every connection that Python's HTTP client reads from do so (TCP_QUICKACK lasts for a moment only)."""
    readinto: Any = socket.SocketIO.readinto

    def read(self: Any, buffer: Any) -> Any:
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return readinto(self, buffer)

    socket.SocketIO.readinto = read  # type: ignore[method-assign]


def main() -> None:
    """Logs as fast as the system lets it."""
    here = cell.parse()
    steps = here.choose(full=10_000, quick=100)
    chance = random.Random(0)
    rows = [
        {f"m{key}": math.exp(-step / steps) + chance.gauss(0, 0.01) for key in range(_KEYS)} for step in range(steps)
    ]
    with databases.database(here.lineal) as database:
        adapter = {"lineal": Lineal, "mlflow": Mlflow}[here.system](here.folder, database)
        with adapter.serving as server:
            adapter.open(server)
            before = server.cpu_s()
            began = time.perf_counter()
            for step, values in enumerate(rows):
                adapter.log(values, step)
            logged = time.perf_counter() - began
            adapter.close()
            total = time.perf_counter() - began
            facts = {"peak_mb": server.peak_mb(), "cpu_s": server.cpu_s() - before}
            if (found := adapter.count("m0")) != steps:
                raise RuntimeError(f"{found} of {steps} steps are there")
    here.record("http.log.durable", total, **facts)
    here.record("http.log.step", logged / steps, **facts)


if __name__ == "__main__":
    main()
