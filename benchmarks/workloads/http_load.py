"""A server under load, over PostgreSQL with one worker: many runs at once, many that resolve, many that log versions.

It is measured for Lineal alone; what was acknowledged must be there afterwards, and versions be without gaps.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cell
import clients
import databases
import members
import servers

_PROCESSES = 4
_KEYS = 10
_SECOND = 1.0


def main() -> None:
    """One after another on one server."""
    here = cell.parse()
    with databases.database(here.lineal) as database:
        secret = members.make(database, here.folder, "maintainer")
        with servers.lineal(here.folder, database) as server:
            members.turn_to(server.url, secret)
            _runs(here, server)
            _versions(here, server)
            _resolving(here, server, secret)


# ---- runs ------------------------------------------------------------------------------------------------------


def _runs(here: cell.Cell, server: servers.Server) -> None:
    """Each run appends a step of 10 scalars a second, and every one is acknowledged and found afterwards."""
    runs, seconds = here.choose(full=200, quick=8), here.choose(full=60, quick=2)
    before = server.cpu_s()
    began = time.perf_counter()
    taken = _spread(runs, _log_runs, seconds)
    lasted = time.perf_counter() - began
    delays = sorted(delay for _, each in taken for delay in each)
    facts = {
        "p99": delays[len(delays) * 99 // 100],
        "most": delays[-1],
        "count": len(delays),
        "cpu_share": (server.cpu_s() - before) / lasted,
        "peak_mb": server.peak_mb(),
    }
    from lineal.client.connection import connection

    runs_ = connection().backend.runs
    for run_id, each in taken:
        there = [row["_step"] for row in runs_.rows(run_id, keys=[f"m{key}" for key in range(_KEYS)])]
        if there != list(range(seconds)) or len(each) != seconds:
            raise RuntimeError(f"run {run_id}: {len(each)} steps acknowledged, {len(there)} there")
    cell.note(f"{runs} runs of {seconds} s: all {len(delays)} acknowledged steps are there")
    here.record("http.runs.acknowledged", delays[len(delays) // 2], **facts)
    here.record("http.runs.acknowledged.p99", facts["p99"], **facts)


def _log_runs(numbers: Sequence[int], seconds: int) -> list[tuple[str, list[float]]]:
    """The run of each number, in threads, with the delay of each acknowledgement."""
    with ThreadPoolExecutor(len(numbers)) as pool:
        return list(pool.map(lambda number: _log_run(number, seconds), numbers))


def _log_run(number: int, seconds: int) -> tuple[str, list[float]]:
    from lineal.client.connection import connection
    from lineal.core.clock import new_id
    from lineal.tracking.model import Batch
    from lineal.tracking.rows import encode

    runs, run_id, delays = connection().backend.runs, new_id(), []
    runs.start(run_id, project=members.PROJECT, name=f"load-{number}")
    pause, due = threading.Event(), time.monotonic() + number % 100 / 100  # spread over the second, as runs are
    for step in range(seconds):
        pause.wait(max(0.0, due - time.monotonic()))
        values = {f"m{key}": step + key / 10 for key in range(_KEYS)}
        began = time.perf_counter()
        runs.append(run_id, "w", step + 1, Batch({"history": encode([(step, time.time(), values)])}, step))
        delays.append(time.perf_counter() - began)
        due += _SECOND
    runs.finish(run_id)
    return run_id, delays


# ---- versions and aliases ----------------------------------------------------------------------------------------


def _versions(here: cell.Cell, server: servers.Server) -> None:
    """16 clients log different content into one collection; its numbers have no gaps, and every one is its logger's."""
    versions, clients_ = here.choose(full=1000, quick=20), here.choose(full=16, quick=4)
    before = server.cpu_s()
    began = time.perf_counter()
    logged = _spread(clients_, _log_versions, str(here.folder), versions, clients_)
    lasted = time.perf_counter() - began
    from lineal.client.connection import connection

    found = {
        each.number: each.digest for each in connection().backend.artifacts.list_versions(f"{members.PROJECT}/model")
    }
    if sorted(found) != list(range(len(logged))) or found != dict(logged):
        raise RuntimeError("versions are missing, or have gaps")
    cell.note(f"{len(found)} versions by {clients_} clients: v0 to v{max(found)} without a gap")
    facts = {"count": len(found), "cpu_share": (server.cpu_s() - before) / lasted, "peak_mb": server.peak_mb()}
    here.record("http.versions", lasted / len(logged), **facts)


def _log_versions(numbers: Sequence[int], folder: str, versions: int, clients_: int) -> list[tuple[int, str]]:
    def some(number: int) -> list[tuple[int, str]]:
        return _log_some(number, Path(folder), len(range(number, versions, clients_)))

    with ThreadPoolExecutor(len(numbers)) as pool:
        return [pair for made in pool.map(some, numbers) for pair in made]


def _log_some(number: int, folder: Path, each: int) -> list[tuple[int, str]]:
    from lineal.client.connection import connection
    from lineal.storage import digest as digests
    from lineal.storage import sources
    from lineal.storage.cache import Cache
    from lineal.storage.manifest import Manifest
    from lineal.storage.transfer import Push

    backend, made = connection().backend, []
    file, cache = folder / f"weights-{number}", Cache(folder / f"cache-{number}")
    for version in range(each):
        file.write_text(f"weights {number} {version}")
        with Push(backend.blobs, cache) as push:
            manifest = push.manifest(Manifest(push.files([sources.find_file(str(file), "weights")])))
        logged = backend.artifacts.log(
            "model", "model", digests.format(manifest), project=members.PROJECT, aliases=["production"]
        )
        made.append((logged.version.number, logged.version.digest))
    cache.close()
    return made


def _resolving(here: cell.Cell, server: servers.Server, secret: str) -> None:
    """64 clients ask what stands at `production`."""
    count, clients_ = here.choose(full=5000, quick=100), here.choose(full=64, quick=8)
    query = {"ref": f"{members.TEAM}/{members.PROJECT}/model:production"}
    request = clients.get("/api/v1/artifacts/resolve", query, {"Authorization": f"Bearer {secret}"})
    before = server.cpu_s()
    taken = clients.ask(server.port, [request] * count, clients=clients_)
    facts = {"count": count, "cpu_share": (server.cpu_s() - before) / taken.seconds, "peak_mb": server.peak_mb()}
    here.record("http.resolving", taken.seconds / count, **facts)
    here.record("http.resolving.p99", taken.p99, **facts)


# ---- processes ---------------------------------------------------------------------------------------------------


def _spread(count: int, work: Callable[..., list[Any]], *more: Any) -> list[Any]:
    """What `work` gives for the numbers below `count`, some of them in each of a few processes of their own."""
    processes = min(_PROCESSES, count)
    parts = [range(start, count, processes) for start in range(processes)]
    os.environ["LINEAL_CACHE_DIR"] = os.environ.get("LINEAL_CACHE_DIR", str(Path.cwd() / "cache"))
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        return [one for made in [pool.submit(work, part, *more) for part in parts] for one in made.result()]


if __name__ == "__main__":
    main()
