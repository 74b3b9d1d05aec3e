"""Many processes on one store at once."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lineal.backend.port import Backend
from lineal.storage.cache import Cache
from lineal.storage.pull import pull
from tests.postgres import own_server

from .processes import Worker, workers
from .workers import fill, log, opened


@pytest.fixture(params=["sqlite", "postgres"])
def here(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[], tuple[Backend, Cache]]]:
    """The test's store as this process sees it, opened when asked for."""
    if request.param == "postgres":
        (tmp_path / "database").write_text(request.getfixturevalue("postgres_url"))
    open_: list[tuple[Backend, Cache]] = []

    def get() -> tuple[Backend, Cache]:
        if not open_:
            open_.append((opened(tmp_path), Cache(tmp_path / "cache")))
        return open_[0]

    yield get
    for backend, cache in open_:
        backend.close()
        cache.close()


Here = Callable[[], tuple[Backend, Cache]]


def all_said(started: list[Worker]) -> list[str]:
    said = [line for worker in started for line in worker.said()]
    assert [worker.process.exitcode for worker in started] == [0] * len(started)
    return said


def seed(here: Here, folder: Path, count: int) -> None:
    backend, cache = here()
    for n in range(count):
        log(backend, cache, fill(folder, f"seed-{n}", large=n == 0), "data")


def test_eight_processes_log_different_content_and_numbers_have_no_gap(tmp_path: Path, here: Here) -> None:
    with workers(tmp_path, [("log", str(n), "3", "small") for n in range(8)]) as started:
        said = all_said(started)
    assert sorted(int(line.split()[2]) for line in said) == list(range(24))
    backend, _ = here()
    found = backend.artifacts.list_versions("data")
    assert [v.number for v in found] == list(range(23, -1, -1))
    assert len({v.digest for v in found}) == 24
    assert backend.store.fsck().problems == ()


def test_eight_processes_log_the_same_content_as_one_version(tmp_path: Path, here: Here) -> None:
    with workers(tmp_path, [("same", str(n)) for n in range(8)]) as started:
        for worker in started:
            worker.go()
        assert all_said(started) == ["done 0"] * 8
    backend, cache = here()
    assert [v.number for v in backend.artifacts.list_versions("data")] == [0]
    check = backend.store.fsck()
    assert check.problems == ()
    manifest = backend.artifacts.manifest(backend.artifacts.resolve("data").digest)
    pull(manifest.entries, backend.blobs, tmp_path / "out", cache)
    assert (tmp_path / "out/large").read_bytes() == (tmp_path / "in/same/large").read_bytes()


@pytest.mark.parametrize("expected", ["v0", "none"])
def test_of_eight_promotions_at_once_exactly_one_wins(tmp_path: Path, here: Here, expected: str) -> None:
    seed(here, tmp_path, 9)
    backend, _ = here()
    if expected != "none":
        backend.artifacts.move_alias("data:v0", "production")
    before = len(backend.artifacts.list_alias_events("data:production"))
    with workers(tmp_path, [("promote", f"data:v{n}", expected) for n in range(1, 9)]) as started:
        for worker in started:
            worker.go()
        said = all_said(started)
    winners = [line for line in said if line.startswith("done")]
    assert len(winners) == 1
    assert [line for line in said if line not in winners] == ["refused conflict.alias_moved"] * 7
    events = backend.artifacts.list_alias_events("data:production")
    assert len(events) == before + 1
    winner = int(winners[0].split()[1])
    assert events[-1].to_number == backend.artifacts.resolve("data:production").number == winner


@pytest.mark.parametrize("grace_s", ["0", "86400"])
def test_gc_in_a_loop_beside_writers_and_a_reader_harms_nobody(tmp_path: Path, here: Here, grace_s: str) -> None:
    seed(here, tmp_path, 2)
    backend, cache = here()
    writing = [("log", str(n), "6", "large" if n % 2 else "small") for n in range(4)]
    with workers(tmp_path, [*writing, ("gc", grace_s, "w"), ("read", "r", "data:v0")]) as started:
        said = [line for worker in started[:4] for line in worker.said()]
        (tmp_path / "stop").touch()
        others = [line for worker in started[4:] for line in worker.said()]
        codes = [worker.process.exitcode for worker in started]
        assert codes == [0] * 6
    done = [line.split() for line in said if line.startswith("done")]
    assert {line for line in said if not line.startswith("done")} <= {"refused conflict.blobs_missing"}
    if grace_s != "0":
        assert len(done) == len(said) == 24
    assert any(line.startswith("done") for line in others)
    assert backend.store.fsck().problems == ()
    found = backend.artifacts.list_versions("data")
    assert [v.number for v in found] == list(range(len(done) + 1, -1, -1))
    for _, name, number in done:
        version = backend.artifacts.resolve(f"data:v{number}")
        target = tmp_path / "check" / name
        pull(backend.artifacts.manifest(version.digest).entries, backend.blobs, target, cache)
        assert {p.name: p.read_bytes() for p in target.rglob("*") if p.is_file()} == {
            p.name: p.read_bytes() for p in (tmp_path / "in" / name).rglob("*") if p.is_file()
        }


def test_two_gcs_at_once_harm_nobody(tmp_path: Path, here: Here) -> None:
    seed(here, tmp_path, 3)
    backend, _ = here()
    writing = [("log", "w", "10", "large")]
    with workers(tmp_path, [*writing, ("gc", "0", "a"), ("gc", "0", "b")]) as started:
        said = started[0].said()
        (tmp_path / "stop").touch()
        others = [line for worker in started[1:] for line in worker.said()]
        codes = [worker.process.exitcode for worker in started]
        assert codes == [0] * 3
    assert "done gc" in others
    assert set(others) <= {"done gc", "refused conflict.plan_outdated"}
    assert {line.split()[0] for line in said} <= {"done", "refused"}
    assert backend.store.fsck().problems == ()


def test_readers_see_whole_versions_while_others_write(tmp_path: Path, here: Here) -> None:
    seed(here, tmp_path, 1)
    with workers(
        tmp_path, [("read", "a", "data:v0"), ("log", "w", "15", "large"), ("read", "b", "data:v0")]
    ) as started:
        assert len(started[1].said()) == 15
        (tmp_path / "stop").touch()
        said = [line for worker in (started[0], started[2]) for line in worker.said()]
        assert [worker.process.exitcode for worker in started] == [0, 0, 0]
    assert said
    wanted = {p.name: p.read_bytes() for p in (tmp_path / "in/seed-0").rglob("*") if p.is_file()}
    for line in said:
        found = {p.name: p.read_bytes() for p in Path(line.split()[1]).rglob("*") if p.is_file()}
        assert found == wanted


def test_a_database_that_restarts_under_eight_writers_loses_nothing_and_they_go_on(tmp_path: Path) -> None:
    with own_server() as server:
        (tmp_path / "database").write_text(server.url)
        backend = opened(tmp_path)
        with workers(tmp_path, [("persist", f"w{n}", "6") for n in range(8)]) as started:
            said = []
            for worker in started[:2]:  # some are amid their work when the server falls, and once more later
                said += [worker.hear(), worker.hear()]
                server.restart()
            said += all_said(started)
        done = [line.split() for line in said if line.startswith("done")]
        assert len(done) == 48
        assert {line for line in said if not line.startswith("done")} == {"refused unavailable.store"}
        found = backend.artifacts.list_versions("data")  # over connections from before the restarts
        assert [v.number for v in found] == list(range(47, -1, -1))
        assert {int(number) for _, _, number in done} == set(range(48))
        for n in range(8):
            assert [row["x"] for row in backend.runs.rows(f"w{n}")] == list(range(6))
        assert backend.store.fsck().problems == ()
        backend.close()


def test_eight_processes_write_into_one_run_and_each_batch_counts_once(tmp_path: Path, here: Here) -> None:
    backend, _ = here()
    backend.runs.start("shared")
    with workers(tmp_path, [("batches", f"w{n // 2}", "20") for n in range(8)]) as started:  # two send the same
        for worker in started:
            worker.go()
        all_said(started)
    rows = backend.runs.rows("shared")
    assert sorted((row["_step"], row["by"]) for row in rows) == [(n, f"w{w}") for n in range(20) for w in range(4)]
    assert {f"k{n}": 1 for n in range(20)}.items() <= backend.runs.get("shared").summary.items()
    assert len(backend.runs.list(filters={"summary.k7": 1}).runs) == 1


def test_eight_processes_make_the_same_things_at_once_and_each_is_made_once(tmp_path: Path, here: Here) -> None:
    backend, _ = here()
    with workers(tmp_path, [("make",)] * 8) as started:
        for worker in started:
            worker.go()
        assert all_said(started) == ["done 0 0"] * 8
    assert len(backend.runs.list().runs) == 1
    assert [v.number for v in backend.artifacts.list_versions("model")] == [0]
    assert backend.runs.get("one").config == {f"c{n}": n for n in range(50)}
    assert [run.id for run in backend.lineage.used_by("model:v0")] == ["one"]
    assert len(backend.artifacts.list_alias_events("model:best")) == 1
    assert len(backend.artifacts.list_links("model:v0")) == 1
