"""What the processes of the concurrency and crash journeys do.

Each says "ready" when it is about to begin, and "done <something>" after each thing that was acknowledged.
"""

import os
import random
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from lineal.backend.connect import connect
from lineal.backend.local import record
from lineal.backend.port import Backend
from lineal.core import errors, settings
from lineal.registry.model import Version
from lineal.storage import digest as digests
from lineal.storage import sources
from lineal.storage.cache import Cache
from lineal.storage.manifest import Manifest
from lineal.storage.pull import pull
from lineal.storage.transfer import Push
from lineal.tracking.model import Batch, RunFile
from lineal.tracking.rows import Row, encode

PACK_LIMIT = 64 << 10


def opened(folder: Path, user: str = "ada", nth: int = 0) -> Backend:
    """The test's store: a folder, or beside it the database that the file `database` names.

    A file `servers` has the URLs of those that serve it, a line each: then the `nth` of them is asked.
    """
    given = {"url": str(folder / "store"), "cache_dir": str(folder / "cache")}
    if (servers := folder / "servers").exists():
        urls = servers.read_text().split()
        return connect(settings.load(folder, user=user, project="p", **given | {"url": urls[nth % len(urls)]}))
    if (database := folder / "database").exists():
        given |= {"url": database.read_text(), "store": given["url"]}
    return connect(settings.load(folder, user=user, project="p", **given))


class Talk:
    """The line to the process that started this one."""

    line: Connection


def say(text: str) -> None:
    Talk.line.send(text)


def fill(folder: Path, name: str, *, large: bool) -> Path:
    """A folder with content that only `name` decides: small files, and a large one if asked."""
    chance = random.Random(name)
    where = folder / "in" / name
    os.makedirs(where / "d", exist_ok=True)
    for n in range(3):
        (where / f"d/small{n}").write_bytes(chance.randbytes(200))
    (where / "shared").write_bytes(b"the same in all" * 10)
    if large:
        (where / "large").write_bytes(chance.randbytes(3 << 20))
    return where


def log(backend: Backend, cache: Cache, where: Path, collection: str, *, trust: bool = True) -> Version:
    """What a client does: push, log, and once more from scratch where gc took what it counted on."""
    with Push(backend.blobs, cache, pack_limit_bytes=PACK_LIMIT) as push:
        entries = push.files(sources.find_files(where), trust=trust)
        digest = push.manifest(Manifest(entries))
    try:
        return backend.artifacts.log(collection, "dataset", digests.format(digest)).version
    except errors.BlobsMissing:
        if not trust:
            raise
    return log(backend, cache, where, collection, trust=False)


def work_log(folder: Path, backend: Backend, cache: Cache, name: str, count: str, size: str) -> None:
    """Logs `count` versions, each of other content."""
    say("ready")
    for n in range(int(count)):
        where = fill(folder, f"{name}-{n}", large=size == "large")
        try:
            say(f"done {name}-{n} {log(backend, cache, where, 'data').number}")
        except errors.BlobsMissing as problem:
            say(f"refused {problem.code}")


def work_same(folder: Path, backend: Backend, cache: Cache, name: str) -> None:
    """Logs one and the same content."""
    where = fill(folder, "same", large=True)
    say("ready")
    Talk.line.recv()
    say(f"done {log(backend, cache, where, 'data').number}")


def work_promote(folder: Path, backend: Backend, cache: Cache, ref: str, expected: str) -> None:
    """Moves `production` to the ref if it stands at `expected`."""
    say("ready")
    Talk.line.recv()
    try:
        say(f"done {backend.artifacts.move_alias(ref, 'production', expected=expected).number}")
    except errors.Conflict as problem:
        say(f"refused {problem.code}")


def work_race(folder: Path, backend: Backend, cache: Cache, nth: str, ref: str, expected: str) -> None:
    """`promote`, by the server that the number says."""
    work_promote(folder, backend, cache, ref, expected)


def work_persist(folder: Path, backend: Backend, cache: Cache, name: str, count: str) -> None:
    """Logs versions and, into a run of its own, as many batches, again and again until each is acknowledged."""
    say("ready")
    persist(lambda: backend.runs.start(name))
    for n in range(int(count)):
        where = fill(folder, f"{name}-{n}", large=False)
        version = persist(lambda where=where: log(backend, cache, where, "data"))  # type: ignore[misc]
        data = encode([(n, float(n), {"x": n})])
        persist(lambda n=n, data=data: backend.runs.append(name, "w", n + 1, Batch({"history": data}, last_step=n)))
        say(f"done {name}-{n} {version.number}")


def work_batches(folder: Path, backend: Backend, cache: Cache, writer: str, count: str) -> None:
    """Sends batches with keys that all bring at once, in an order of each writer's own."""
    say("ready")
    Talk.line.recv()
    for n in range(int(count)):
        data = encode([(n, float(n), {"by": writer})], writer)
        names = [f"k{k}" for k in range(int(count))]
        random.Random(writer).shuffle(names)
        backend.runs.append("shared", writer, n + 1, Batch({"history": data}, summary=dict.fromkeys(names, 1)))
    say("done")


def work_make(folder: Path, backend: Backend, cache: Cache) -> None:
    """Makes a run, a collection, a version, an alias, an edge and a link that others make at the same time."""
    where = fill(folder, "same", large=False)
    say("ready")
    Talk.line.recv()
    backend.runs.start("one", config={f"c{n}": n for n in range(50)})
    version = log(backend, cache, where, "model")
    backend.artifacts.use("model:v0", "one")
    backend.artifacts.move_alias("model:v0", "best")
    linked = backend.artifacts.link("model:v0", "registry/model")
    say(f"done {version.number} {linked.number}")


def persist(act: Callable[[], Any]) -> Any:
    """What `act` gives in the end, said each time that the database can't be reached meanwhile."""
    while True:
        try:
            return act()
        except errors.Unavailable as problem:
            say(f"refused {problem.code}")
            Talk.line.poll(0.05)


def work_walk(folder: Path, backend: Backend, cache: Cache) -> None:
    """Moves `production` from version to version for ever."""
    say("ready")
    while True:
        for number in range(3):
            say(f"done {backend.artifacts.move_alias(f'data:v{number}', 'production').number}")


def work_gc(folder: Path, backend: Backend, cache: Cache, grace_s: str, name: str = "") -> None:
    """Collects garbage until nobody says anything more, or for ever; makes some each time if it has a `name`."""
    say("ready")
    n = 0
    while True:
        if name:
            where = fill(folder, f"{name}-{n}", large=n % 2 == 0)
            version = log(backend, cache, where, f"waste-{name}")
            log(backend, cache, fill(folder, f"{name}-newest", large=False), f"waste-{name}")
            backend.artifacts.delete(version.ref)
        n += 1
        try:
            backend.store.gc(backend.store.plan_gc(grace_s=int(grace_s)))
            say("done gc")
        except errors.PlanOutdated as problem:
            say(f"refused {problem.code}")
        if (folder / "stop").exists():
            return


def work_read(folder: Path, backend: Backend, cache: Cache, name: str, ref: str) -> None:
    """Downloads the version again and again into new folders."""
    version = backend.artifacts.resolve(ref)
    say("ready")
    n = 0
    while not (folder / "stop").exists():
        target = folder / "out" / f"{name}-{n}"
        n += 1
        pull(backend.artifacts.manifest(version.digest).entries, backend.blobs, target, cache)
        say(f"done {target}")


def merge_often() -> None:
    """Makes rows become files, and files larger ones, many times as soon as they would."""
    record._TAIL_CHUNKS, record._FAN_IN = 12, 3


def work_record(folder: Path, backend: Backend, cache: Cache, run: str, writer: str, count: str) -> None:
    """Appends `count` batches to the run, most of one row, some of many; each step is there once."""
    merge_often()
    say("ready")
    step = 0
    for n in range(int(count)):
        rows: list[Row] = [(step + k, float(n), {writer: step + k}) for k in range(2000 if n % 20 == 7 else 1)]
        step += len(rows)
        backend.runs.append(run, writer, n + 1, Batch({"history": encode(rows, writer)}, last_step=step - 1))
        say(f"done {step}")


def work_end(folder: Path, backend: Backend, cache: Cache, run: str) -> None:
    """Ends the run and resumes it, again and again."""
    merge_often()
    say("ready")
    while not (folder / "stop").exists():
        backend.runs.finish(run)
        say("done finish")
        backend.runs.start(run, resume="must")


def work_watch(folder: Path, backend: Backend, cache: Cache, run: str, writer: str) -> None:
    """Reads what the writer recorded again and again: there is never less of it, and never a gap."""
    say("ready")
    before = 0
    while not (folder / "stop").exists():
        steps, values = backend.runs.columns(run, [writer])[writer]
        assert list(steps) == list(values) == list(range(len(steps)))
        assert len(steps) >= before
        before = len(steps)
    say(f"done {before}")


def work_team(folder: Path, backend: Backend, cache: Cache, nth: str, count: str) -> None:
    """Logs, records, uploads and promotes, each again and again until it is acknowledged."""
    run = f"t{nth}"
    say("ready")
    persist(lambda: backend.runs.start(run))
    for n in range(int(count)):
        name = f"{nth}-{n}"
        where = fill(folder, name, large=n % 2 == 0)
        version = persist(lambda where=where: log(backend, cache, where, "data"))  # type: ignore[misc]
        file = persist(lambda name=name: upload(backend, cache, name))  # type: ignore[misc]
        data = encode([(n, float(n), {"x": n})])
        batch = Batch({"history": data}, last_step=n, files=[file])
        persist(lambda n=n, batch=batch: backend.runs.append(run, "w", n + 1, batch))  # type: ignore[misc]
        ref = f"data:v{version.number}"
        persist(lambda ref=ref: backend.artifacts.move_alias(ref, "production", why=run))  # type: ignore[misc]
        say(f"done {name} {version.number}")


def upload(backend: Backend, cache: Cache, name: str) -> RunFile:
    """A file for a run, with what `name` decides in it, once its bytes are in the store."""
    with Push(backend.blobs, cache) as push:
        entry = push.data(f"notes/{name}.txt", f"notes of {name}".encode() * 100)
    assert entry.digest is not None
    return RunFile(entry.path, digests.format(entry.digest), entry.size or 0)


def main(what: str, folder: Path, *arguments: str) -> None:
    backend = opened(folder, nth=int(arguments[0]) if arguments and arguments[0].isdigit() else 0)
    cache = Cache(folder / "cache")
    globals()[f"work_{what}"](folder, backend, cache, *arguments)
    backend.close()
    cache.close()
