"""How many bytes a row takes, and what gc and batches cost, on both databases: `python benchmarks/rows.py [COUNT]`.

The numbers of docs/decisions/0017-scale.md. COUNT blobs (default 1,000,000) in packs of 500, each held by one project;
a tenth as many of what there is for each version, run and act. A row's bytes are those by which the database grew,
its indexes with it; what vacuuming would win is not taken off. PostgreSQL is one of the tests' own (fsync on).
Not run in CI.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psutil
from sqlalchemy import func, insert, select, text

from lineal.backend.connect import connect
from lineal.core import settings
from lineal.core.clock import new_id
from lineal.db import schema
from lineal.db.session import insert_many
from lineal.storage import digest as digests
from lineal.storage.cache import Cache
from lineal.storage.manifest import Entry, Manifest
from lineal.storage.transfer import Push
from lineal.tracking.model import Batch
from lineal.tracking.rows import encode
from tests.postgres import own_server

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
CHANCE = random.Random(0)
IN_ONE = 10_000


class Filled:
    """A store that is filled table by table, and how much it grew by each."""

    def __init__(self, folder: Path, url: str | None) -> None:
        given = {"url": url, "store": str(folder / "bytes")} if url else {"url": str(folder / "store")}
        self.name = "PostgreSQL" if url else "SQLite"
        self.folder = folder
        self.backend: Any = connect(settings.load(folder, user="ada", project="p", **given))
        self.database = self.backend.context.database

    def bytes(self) -> int:
        """How large the database is, with everything written back."""
        if self.name == "SQLite":
            with self.database._engine.connect() as session:
                session.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            return os.stat(self.folder / "store/lineal.db").st_size
        with self.database.read() as session:
            return int(
                session.scalar(
                    text(
                        "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c "
                        "JOIN pg_namespace n ON n.oid = relnamespace "
                        "WHERE nspname = 'public' AND relkind = 'r'"
                    )
                )
            )

    def grow(self, what: str, count: int, add: Callable[[Any, range], None]) -> None:
        before, started = self.bytes(), time.perf_counter()
        for first in range(0, count, IN_ONE):
            with self.database.begin() as session:
                add(session, range(first, min(first + IN_ONE, count)))
        took = time.perf_counter() - started
        say(f"| {self.name} | {what} | {count:,} | {(self.bytes() - before) / count:.0f} | {took:.1f} s |")


def say(line: str) -> None:
    print(line, flush=True)


def digest(number: int) -> bytes:
    return digests.of_bytes(str(number).encode())


def fill(store: Filled, count: int) -> None:
    tenth = count // 10

    def table(where: Any, make: Callable[[int], dict[str, Any]]) -> Callable[[Any, range], None]:
        return lambda session, numbers: session.execute(insert(where), [make(n) for n in numbers])

    key = {"size": 32 << 20, "created_at": NOON}
    store.grow(
        "pack (objects)",
        max(count // 500, 1),
        table(schema.objects, lambda n: {"key": f"packs/{new_id()}.pack", **key}),
    )
    with store.database.read() as session:
        packs = list(session.scalars(select(schema.objects.c.id)))
    store.grow(
        "blob (blobs)",
        count,
        lambda s, ns: insert_many(
            s,
            schema.blobs,
            sorted(
                (digest(n), packs[n // 500], n % 500 * 60_000, 60_000, 60_000, CHANCE.randbytes(16), 0) for n in ns
            ),
        ),
    )
    store.grow(
        "holder (blob_holders)",
        count,
        lambda s, ns: insert_many(s, schema.blob_holders, sorted((digest(n), 0, n % 20 + 1) for n in ns)),
    )
    line = {"entity": "vision", "project": "digits", "type": "model", "created_at": NOON, "description": ""}
    lines = max(tenth // 20, 1)
    store.grow(
        "collection",
        lines,
        table(schema.collections, lambda n: {**line, "name": f"classifier-{n}", "next_number": 20}),
    )
    config = {
        "lr": 0.001,
        "batch": 64,
        "model": {"name": "resnet50", "depth": 50, "dropout": 0.1},
        "seed": 7,
        "epochs": 90,
    }
    run = {
        "entity": "vision",
        "project": "digits",
        "state": "finished",
        "config": config,
        "user": "ada",
        "host": "gpu-17",
        "code": {"commit": "a" * 40, "branch": "main", "program": "train.py"},
        "environment": {"python": "3.12.4", "packages": {f"package{n}": "1.2.3" for n in range(60)}},
        "summary": {f"metric{n}": 0.123456 + n for n in range(10)},
        "metrics": [{"name": f"metric{n}"} for n in range(10)],
    }
    store.grow(
        "run (runs)",
        tenth,
        table(
            schema.runs,
            lambda n: {
                **run,
                "run_id": f"r{n:08d}",
                "name": f"quiet-sun-{n}",
                "created_at": NOON + timedelta(seconds=n),
            },
        ),
    )
    with store.database.begin() as session:
        insert_many(session, schema.run_keys, [(f"summary.metric{n}",) for n in range(20)])
        keys = list(session.scalars(select(schema.run_keys.c.id)))
        line_ids = list(session.scalars(select(schema.collections.c.id)))
        run_ids = list(session.scalars(select(schema.runs.c.id)))
    store.grow(
        "value of a run to search by (run_values)",
        tenth * 2,
        lambda s, ns: insert_many(
            s, schema.run_values, [(run_ids[n // 20], keys[n % 20], CHANCE.random(), None) for n in ns]
        ),
    )
    version = {
        "size": 10**9,
        "file_count": 12,
        "metadata": {"accuracy": 0.97, "framework": "torch"},
        "tags": ["nightly"],
        "created_at": NOON,
        "created_by": "ada",
        "held": 1,
    }
    store.grow(
        "version (versions)",
        tenth,
        table(
            schema.versions,
            lambda n: {
                **version,
                "collection_id": line_ids[n // 20 % lines],
                "number": n % 20,
                "digest": digest(-n - 1),
                "run_id": run_ids[n],
            },
        ),
    )
    with store.database.read() as session:
        version_ids = list(session.scalars(select(schema.versions.c.id)))
    store.grow(
        "place of a version (memberships)",
        tenth,
        table(
            schema.memberships,
            lambda n: {
                "collection_id": line_ids[n // 20 % lines],
                "number": n % 20,
                "version_id": version_ids[n],
                "linked_at": NOON,
                "linked_by": "ada",
            },
        ),
    )
    store.grow(
        "edge (edges)",
        tenth * 2,
        table(
            schema.edges,
            lambda n: {
                "run_id": run_ids[n // 2],
                "output": n % 2,
                "version_id": version_ids[n // 2 - n % 2],
                "role": "output" if n % 2 else "input",
                "recorded_at": NOON,
            },
        ),
    )
    act = {
        "key_prefix": "wgx2ghqg3o4i",
        "address": "10.1.2.3",
        "outcome": "done",
        "why": "",
        "before": {"version": "v6"},
        "after": {"version": "v7"},
    }
    store.grow(
        "act (audit_log)",
        tenth,
        table(
            schema.audit_log,
            lambda n: {
                **act,
                "at": NOON + timedelta(seconds=n),
                "user": f"user{n % 50}",
                "request_id": new_id(),
                "operation": "artifacts.move_alias",
                "subject": f"vision/digits/classifier-{n % lines}",
            },
        ),
    )


def collect(store: Filled, count: int) -> None:
    """What a plan of gc costs whose live versions name all the blobs."""
    per = min(count, 100_000)
    with store.database.begin() as session:  # those made up so far have no manifests
        session.execute(schema.versions.update().values(deleted_at=NOON, purged_at=NOON))
    with closing(Cache(store.folder / "cache")) as cache:
        started = time.perf_counter()
        for first in range(0, count, per):
            with Push(store.backend.blobs, cache) as push:
                named = [
                    Entry(f"train/{n:09d}.png", digest(n), 60_000) for n in range(first, min(first + per, count))
                ]
                made = push.manifest(Manifest(named))
            store.backend.artifacts.log(f"data{first}", "dataset", digests.format(made))
    logged = time.perf_counter() - started
    before, started = psutil.Process().memory_info().rss, time.perf_counter()
    peak = Peak()
    plan = store.backend.store.plan_gc(grace_s=0)
    took = time.perf_counter() - started
    say(
        f"{store.name}: logging {count:,} entries, {per:,} a version, took {logged:.1f} s; a plan of gc over them {took:.1f} s "
        f"and {(peak.end() - before) / 1e6:.0f} MB; {plan.blob_count:,} dead blobs"
    )


class Peak(threading.Thread):
    """The most memory that this process had."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._done, self._most = threading.Event(), 0
        self.start()

    def run(self) -> None:
        me = psutil.Process()
        while not self._done.wait(0.02):
            self._most = max(self._most, me.memory_info().rss)

    def end(self) -> int:
        self._done.set()
        self.join()
        return self._most


def record(store: Filled, seconds: float = 10, writers: int = 8) -> None:
    """Batches of half a second, 5 rows of 10 scalars, from several threads of one process, each with a run of its own."""

    def rows_at(step: int) -> list[Any]:
        return [
            (step + n, (step + n) * 0.1, {f"metric{key}": CHANCE.gauss(0, 1) for key in range(10)}) for n in range(5)
        ]

    counts, ids = [0] * writers, [f"w{n}" for n in range(writers)]
    for id_ in ids:
        store.backend.runs.start(id_, name=id_, project="p")
    before, until = store.bytes(), time.perf_counter() + seconds

    def write(number: int) -> None:
        while time.perf_counter() < until:
            step = counts[number] * 5
            rows = rows_at(step)
            batch = Batch({"history": encode(rows)}, last_step=step + 4, summary=rows[-1][2])
            store.backend.runs.append(ids[number], "w", counts[number] + 1, batch)
            counts[number] += 1

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    batches = sum(counts)
    with store.database.read() as session:
        chunks, held = session.execute(select(func.count(), func.sum(schema.run_chunks.c.size))).one()
        parts, rows_, size = session.execute(
            select(func.count(), func.sum(schema.run_parts.c.rows), func.sum(schema.run_parts.c.size))
        ).one()
    say(
        f"{store.name}: {batches / seconds:,.0f} batches a second by {writers} writers; the database grew by {(store.bytes() - before) / batches:,.0f} bytes a batch; "
        f"a batch is {len(encode(rows_at(0)))} bytes; {chunks:,} chunks of {held or 0:,} bytes left; {parts:,} parts of {rows_ or 0:,} rows, {size or 0:,} bytes"
    )


@contextmanager
def stores(folder: Path) -> Iterator[Iterator[Filled]]:
    with own_server() as server:
        yield (Filled(folder / name, server.url if name == "p" else None) for name in ("s", "p"))


def main(count: int) -> None:
    with tempfile.TemporaryDirectory(prefix="lineal-rows-") as name:
        for part in "sp":
            (Path(name) / part).mkdir()
        with stores(Path(name)) as made:
            say("| database | a row of | rows | bytes | to write |\n|---|---|---|---|---|")
            for store in made:
                fill(store, count)
                collect(store, count)
                record(store)
                store.backend.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
