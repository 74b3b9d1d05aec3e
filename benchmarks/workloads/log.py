"""Logging: what a step of 10 scalars costs the training, how long until all steps are durable, and their bytes."""

from __future__ import annotations

import math
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cell

_KEYS = 10
_DIFFERENT = 10_000  # rows that differ; a longer run repeats them, so that making them takes no memory


class Adapter:
    """A system that keeps a run below `folder`: open, log each step, close when everything is durable."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self) -> None:
        raise NotImplementedError

    def log(self, values: dict[str, float], step: int) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class Lineal(Adapter):
    def open(self) -> None:
        import lineal

        os.environ |= {"LINEAL_URL": str(self.folder / "store"), "LINEAL_DIR": str(self.folder / "runs")}
        self._run = lineal.init(project="p", settings={"system": False, "console": "off"})

    def log(self, values: dict[str, float], step: int) -> None:
        self._run.log(values, step=step)

    def close(self) -> None:
        self._run.finish()


class Trackio(Adapter):
    def open(self) -> None:
        import trackio

        self._trackio: Any = trackio
        trackio.init(project="p", embed=False, auto_log_gpu=False, auto_log_cpu=False)

    def log(self, values: dict[str, float], step: int) -> None:
        self._trackio.log(values, step=step)

    def close(self) -> None:
        self._trackio.finish()


class Wandb(Adapter):
    """Offline: it writes its own log file, and no server stores the rows."""

    def open(self) -> None:
        import wandb

        settings = wandb.Settings(x_disable_stats=True, console="off")
        self._run: Any = wandb.init(project="p", dir=str(self.folder), settings=settings)

    def log(self, values: dict[str, float], step: int) -> None:
        self._run.log(values, step=step)

    def close(self) -> None:
        self._run.finish()


class Aim(Adapter):
    def open(self) -> None:
        import aim

        self._run: Any = aim.Run(repo=str(self.folder), system_tracking_interval=None, capture_terminal_logs=False)

    def log(self, values: dict[str, float], step: int) -> None:
        self._run.track(values, step=step)

    def close(self) -> None:
        self._run.close()


ADAPTERS: dict[str, Callable[[Path], Adapter]] = {"lineal": Lineal, "trackio": Trackio, "wandb": Wandb, "aim": Aim}


def main() -> None:
    """Logs as fast as the system lets it."""
    here = cell.parse()
    long = here.form == "long"
    steps = here.choose(full=100_000 if long else 10_000, quick=200)
    chance = random.Random(0)
    rows = [
        {f"m{key}": math.exp(-step / steps) + chance.gauss(0, 0.01) for key in range(_KEYS)}
        for step in range(min(steps, _DIFFERENT))
    ]
    adapter = ADAPTERS[here.system](here.folder)
    adapter.open()
    before = cell.disk_usage(here.folder)
    taken = [0.0] * steps
    clock = time.perf_counter
    start = clock()
    for step in range(steps):
        values = rows[step % len(rows)]
        began = clock()
        adapter.log(values, step)
        taken[step] = clock() - began
    adapter.close()
    total = clock() - start
    os.sync()
    name = "log.long" if long else "log"
    here.record(f"{name}.durable", total, bytes=cell.disk_usage(here.folder) - before)
    taken.sort()
    here.record(f"{name}.step", taken[steps // 2], p99=taken[steps * 99 // 100], most=taken[-1])


if __name__ == "__main__":
    main()
