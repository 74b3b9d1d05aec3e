"""A store of a former format opens, keeps what it held, and works like a new one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineal.backend.connect import connect
from lineal.backend.port import Backend
from lineal.core import settings
from lineal.core.errors import ReadOnly
from lineal.db import schema
from lineal.db.session import Database, _file_engine, _ready
from lineal.storage.cache import Cache
from lineal.storage.pull import pull
from lineal.tracking.model import Batch
from lineal.tracking.rows import encode
from tests.formats import bring_folder
from tests.processes import Child, start_child

__all__ = ["start_child"]


@pytest.fixture
def former(tmp_path: Path) -> Path:
    """The folder of a store that was made by a version of format 1: a run that ended, one that did not, a version."""
    folder = tmp_path / "former"
    bring_folder(1, folder)
    return folder


@pytest.fixture
def backend(former: Path) -> Iterator[Backend]:
    backend = connect(settings.load(former, url=str(former), user="ada", project="vision"))
    yield backend
    backend.close()


def test_runs_and_versions_are_kept(backend: Backend, tmp_path: Path) -> None:
    ended = backend.runs.get("r1")
    assert (ended.name, ended.state, ended.job_type, ended.user) == ("first", "finished", "train", "ada")
    assert (ended.config, ended.code) == ({"lr": 0.5, "deep": {"x": "y"}}, {"commit": "abc"})
    assert (ended.summary, ended.metrics, ended.tags, ended.last_step, ended.parent) == ({}, [], (), -1, None)
    version = backend.artifacts.resolve("digits:best")
    cache = Cache(tmp_path / "cache")
    pull(backend.artifacts.manifest(version.digest).entries, backend.blobs, tmp_path / "out", cache)
    cache.close()
    assert (tmp_path / "out/a.txt").read_text() == "from the former format"
    assert backend.store.fsck().problems == ()


def test_runs_that_were_left_running_do_not_run_for_ever(backend: Backend) -> None:
    with backend.context.database.begin() as session:  # type: ignore[attr-defined]
        (seen,) = session.execute(schema.runs.select().where(schema.runs.c.run_id == "r2")).all()
        assert seen.seen_at == seen.created_at
        session.execute(schema.runs.update().values(seen_at=seen.created_at.replace(year=2020)))
    assert [run.id for run in backend.runs.list(filters={"state": "crashed"}).runs] == ["r2"]
    assert backend.runs.get("r2").state == "crashed"


def test_runs_are_found_by_the_config_they_had(backend: Backend) -> None:
    for filters in ({"config.lr": {"$lt": 1}}, {"config.deep.x": "y"}):
        assert [run.id for run in backend.runs.list(filters=filters).runs] == ["r1"]
    assert [run.id for run in backend.runs.list(order="+config.lr").runs] == ["r1", "r2"]


def test_a_run_goes_on_and_records(backend: Backend) -> None:
    backend.runs.append("r2", "p1", 1, Batch({"history": encode([(0, 1.0, {"a": 1})])}, 0, summary={"a": 1}))
    backend.runs.start("r1", resume="must", config={"lr": 2})
    backend.runs.start("r3", tags=["new"])
    backend.runs.fork("r3", "r2", 0)
    assert backend.runs.rows("r3") == [{"_step": 0, "_timestamp": 1.0, "a": 1}]
    assert [run.id for run in backend.runs.list(filters={"config.lr": 2}).runs] == ["r1"]
    backend.runs.finish("r2")
    backend.store.gc(backend.store.plan_gc(grace_s=0))
    assert backend.runs.columns("r2", ["a"]) == {"a": ([0], [1])}
    assert backend.store.fsck().problems == ()


def test_a_former_store_that_may_not_be_written_says_what_to_do(former: Path) -> None:
    with pytest.raises(ReadOnly, match="open it once"):
        _ready(Database(_file_engine(str(former / "lineal.db"), "ro"), writable=False))


def test_four_processes_upgrade_a_store_at_once(former: Path, start_child: Child) -> None:
    code = """
from lineal.backend.connect import connect
from lineal.core import settings
print("ready", flush=True)
sys.stdin.readline()
backend = connect(settings.load(url=sys.argv[1], project="vision"))
backend.runs.start(sys.argv[2], config={"n": 1})
print(len(backend.runs.list(filters={"config.lr": 0.5}).runs))
"""
    children = [start_child(code, former, f"new{number}") for number in range(4)]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    for child in children:
        out, err = child.communicate(timeout=60)
        assert (child.returncode, out) == (0, "1\n"), err
    assert os.listdir(former / "packs")
