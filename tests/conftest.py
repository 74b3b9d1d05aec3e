"""What every test stands on: a store, a cache, a home and a working folder of its own, and ways to use them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

import lineal
from lineal.client import connection as connections
from tests.installation import Installation, install
from tests.postgres import postgres_url, worker_database
from tests.s3 import s3, s3_url, worker_bucket

__all__ = ["postgres_url", "s3", "s3_url", "worker_bucket", "worker_database"]  # fixtures of all tests

ROOT = Path(__file__).resolve().parent.parent
Log = Callable[..., lineal.Artifact]


class Place(NamedTuple):
    """The folders that belong to one test."""

    home: Path
    work: Path
    store: Path
    cache: Path


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Nothing of the machine's own is seen or touched: store, cache, home, settings, git and run are the test's."""
    here = Place(*(tmp_path / name for name in ("home", "work", "store", "cache")))
    here.home.mkdir()
    here.work.mkdir()
    for name in list(os.environ):
        if name.startswith(("LINEAL_", "_LINEAL_", "GIT_", "XDG_", "AWS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(here.home))
    monkeypatch.setenv("LINEAL_URL", str(here.store))
    monkeypatch.setenv("LINEAL_CACHE_DIR", str(here.cache))
    monkeypatch.setenv("LINEAL_DIR", str(here.cache / "runs"))
    monkeypatch.setenv("LINEAL_USER", "ada")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.chdir(here.work)
    yield here
    lineal.finish()
    connections.close_all()


@pytest.fixture
def write() -> Callable[[Mapping[str, str | bytes], str], Path]:
    """Writes files below a folder of the working folder: `write({"a/b.txt": "text"}, "data")`."""

    def write_(files: Mapping[str, str | bytes], folder: str = "data") -> Path:
        for name, content in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        Path(folder).mkdir(parents=True, exist_ok=True)
        return Path(folder).absolute()

    return write_


@pytest.fixture
def log() -> Log:
    """Logs a version from texts, in a run of its own: `log("digits", {"a.csv": "1"}, aliases=["best"])`."""

    def log_(
        name: str,
        files: Mapping[str, str | bytes],
        type: str = "dataset",
        *,
        project: str | None = None,
        uses: tuple[str, ...] = (),
        aliases: tuple[str, ...] | list[str] = (),
        **facts: object,
    ) -> lineal.Artifact:
        artifact = lineal.Artifact(name, type, **facts)  # type: ignore[arg-type]
        for path, content in files.items():
            artifact.add(content, path)
        with lineal.init(project=project, job_type="make") as run:
            for ref in uses:
                run.use_artifact(ref)
            return run.log_artifact(artifact, aliases=list(aliases))

    return log_


class Said(NamedTuple):
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Runs a command line in this process: `cli("show", "digits:v0")`."""
    from lineal.cli.main import exit_code

    def run(*words: str | os.PathLike[str]) -> Said:
        capsys.readouterr()
        code = exit_code([os.fspath(word) for word in words])
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return run


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An environment with `python` and `lineal` on its PATH, as after `pip install lineal`."""
    return install(tmp_path_factory.mktemp("installation"), [ROOT])


@pytest.fixture
def shell(installation: Installation) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a line of bash in a process of its own, with `lineal` and `python` on PATH."""

    def run(line: str, *, check: bool = False, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", line],
            env=installation.environment() | variables,
            capture_output=True,
            text=True,
            timeout=120,
            check=check,
        )

    return run
