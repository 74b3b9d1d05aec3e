"""Logs as fast as it can for a while and tells whether memory stays flat: `python benchmarks/soak.py [SECONDS]`.

Not run in CI. It ends with exit code 1 where memory grew by more than 10 % and 20 MB between the first fifth of the
time, when all is loaded, and the end; and where rows are missing from the store.
"""

from __future__ import annotations

import math
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psutil

import lineal
from lineal.client.connection import connection

SAMPLES = 20


def main(seconds: float) -> int:
    me = psutil.Process()
    chance = random.Random(0)
    rows = [{f"m{key}": math.exp(-n / 1000) + chance.gauss(0, 0.01) for key in range(10)} for n in range(1000)]
    with tempfile.TemporaryDirectory(prefix="lineal-soak-") as folder:
        run = lineal.init(project="soak", url=f"{folder}/store", dir=f"{folder}/runs")
        memory, slowest, steps, started = [], 0.0, 0, time.perf_counter()
        for sample in range(1, SAMPLES + 1):
            until = started + seconds * sample / SAMPLES
            while (before := time.perf_counter()) < until:
                run.log(rows[steps % 1000])
                slowest = max(slowest, time.perf_counter() - before)
                steps += 1
            memory.append(me.memory_info().rss / 1e6)
            print(
                f"{time.perf_counter() - started:6.0f} s {steps:>12,} steps {memory[-1]:7.0f} MB {size(folder):7.0f} MB on disk",
                flush=True,
            )
        logged = time.perf_counter() - started
        run.finish()
        whole = time.perf_counter() - started
        found = connection(url=f"{folder}/store", project="soak").backend.runs
        last = found.get(run.id).last_step
        missing = steps - found.samples([run.id], ["m0"], points=1)[0].count
        print(
            f"{steps:,} steps of 10 numbers: {steps / logged:,.0f} a second in the loop, {steps / whole:,.0f} until durable; "
            f"slowest log {slowest * 1e3:.0f} ms; {size(folder) * 1e6 / steps / 10:.2f} bytes a point; peak {max(memory):.0f} MB"
        )
    settled = max(memory[: SAMPLES // 5])
    grew = memory[-1] > settled * 1.1 and memory[-1] > settled + 20
    print(
        f"memory {'grew' if grew else 'stayed flat'}: {settled:.0f} MB, then {memory[-1]:.0f} MB; last step {last:,}, {missing} missing"
    )
    return int(grew or missing != 0 or last != steps - 1)


def size(folder: str) -> float:
    """MB of the files below `folder`."""
    total = 0
    for path in Path(folder).rglob("*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # merged into another meanwhile
            pass
    return total / 1e6


if __name__ == "__main__":
    raise SystemExit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 600))
