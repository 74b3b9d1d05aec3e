"""`kill -9` at random moments: what was acknowledged is there, what was not leaves nothing but garbage.

`LINEAL_CRASH_SEED` repeats a failure; the seed is part of every assertion's message.
"""

import os
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineal.backend.port import Backend
from lineal.storage.cache import Cache
from lineal.storage.pull import pull

from .processes import workers
from .workers import fill, log, opened

KILLS = 20
SEED = int(os.environ.get("LINEAL_CRASH_SEED") or random.SystemRandom().randrange(1 << 30))
OURS = re.compile(r"\.lineal-[0-9a-z]{26}")


class Store:
    """The store under fire, looked at from this process between the kills."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.backend: Backend = opened(folder)
        self.cache = Cache(folder / "cache")

    def check(self) -> None:
        """No damage, no gaps, and every alias where its last event left it."""
        assert self.backend.store.fsck().problems == (), SEED
        for collection in self.backend.artifacts.list_collections():
            found = self.backend.artifacts.list_versions(collection.ref, deleted=True)
            assert [v.number for v in found] == list(range(len(found) - 1, -1, -1)), SEED
            last = {e.alias: e.to_number for e in self.backend.artifacts.list_alias_events(collection.ref)}
            assert {alias: to for alias, to in last.items() if to is not None} == collection.aliases, SEED

    def download(self, ref: str, target: Path) -> dict[str, bytes]:
        version = self.backend.artifacts.resolve(ref)
        manifest = self.backend.artifacts.manifest(version.digest)
        pull(manifest.entries, self.backend.blobs, target, self.cache)
        return {entry.path: (target / entry.path).read_bytes() for entry in manifest}

    def holds(self, name: str, number: str) -> None:
        wanted = contents(self.folder / "in" / name)
        assert self.download(f"data:v{number}", self.folder / "check" / name) == wanted, SEED

    def seed(self, count: int) -> None:
        for n in range(count):
            log(self.backend, self.cache, fill(self.folder, f"seed-{n}", large=n == 0), "data")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path)
    yield store
    store.backend.close()
    store.cache.close()


def killed(folder: Path, chance: random.Random, *task: str, longest_s: float = 0.25) -> list[str]:
    """What a worker acknowledged before it was killed at a random moment."""
    with workers(folder, [task]) as (worker,):
        return [line for line in worker.kill(chance.uniform(0, longest_s)) if line.startswith("done")]


@pytest.mark.parametrize("size", ["small", "large"])
def test_a_kill_while_logging_loses_nothing_that_was_acknowledged(store: Store, size: str) -> None:
    chance = random.Random(SEED)
    acknowledged: list[list[str]] = []
    for n in range(KILLS):
        lines = killed(store.folder, chance, "log", f"k{n}", "1000", size)
        acknowledged += [line.split()[1:] for line in lines]
        for name, number in acknowledged[-1:]:
            store.holds(name, number)
        store.check()
    assert acknowledged, SEED
    for name, number in acknowledged:
        assert store.backend.artifacts.resolve(f"data:v{number}").number == int(number), (SEED, name)
    assert log(store.backend, store.cache, fill(store.folder, "after", large=True), "data").number >= len(
        acknowledged
    )
    store.check()


def test_a_kill_while_promoting_leaves_the_alias_where_its_last_event_says(store: Store) -> None:
    chance = random.Random(SEED)
    store.seed(3)
    count = 0
    for _ in range(KILLS):
        lines = killed(store.folder, chance, "walk")
        events = store.backend.artifacts.list_alias_events("data:production")
        assert len(events) - count >= len({(n, line) for n, line in enumerate(lines)}) - 1, SEED
        count = len(events)
        store.check()
        if lines:
            before = int(lines[-1].split()[1])  # at most one more move was committed and not acknowledged
            stands = store.backend.artifacts.resolve("data:production").number
            assert stands in (before, (before + 1) % 3), SEED
    assert count > 0, SEED


def test_a_kill_while_collecting_garbage_takes_nothing_that_is_needed(store: Store) -> None:
    chance = random.Random(SEED)
    store.seed(3)
    done = 0
    for n in range(KILLS):
        done += len(killed(store.folder, chance, "gc", "0", f"g{n}", longest_s=0.5))
        store.check()
        for seed in range(3):
            store.holds(f"seed-{seed}", str(seed))
    assert done, SEED
    store.backend.store.gc(store.backend.store.plan_gc(grace_s=0))
    store.check()


def test_a_kill_while_downloading_leaves_no_half_file_under_its_name(store: Store) -> None:
    chance = random.Random(SEED)
    store.seed(2)
    wanted = contents(store.folder / "in/seed-0")
    for n in range(KILLS):
        killed(store.folder, chance, "read", str(n), "data:v0", longest_s=0.1)
        for target in (store.folder / "out").glob(f"{n}-*"):
            for path, data in contents(target).items():
                if not OURS.fullmatch(Path(path).name):
                    assert data == wanted[path], SEED
    target = max((store.folder / "out").iterdir())
    assert store.download("data:v0", target).keys() == wanted.keys()
    assert {p: d for p, d in contents(target).items() if not OURS.fullmatch(Path(p).name)} == wanted
    store.check()
