"""Two server processes over one PostgreSQL and one S3, and what must hold of their store whatever befell them."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from lineal.backend.connect import connect
from lineal.backend.local.backend import LocalBackend
from lineal.core import settings
from lineal.storage import digest as digests
from lineal.storage.blobs import read_blob
from lineal.storage.cache import Cache
from lineal.storage.pull import pull
from tests.journeys.processes import Worker
from tests.journeys.serving import Serving


class Farm:
    """The servers and their store; clients in `folder` find them by the file `servers` (see `workers.opened`)."""

    def __init__(self, folder: Path, database: str, store: str, **variables: str) -> None:
        self.folder, self.database, self.store, self.variables = folder, database, store, variables
        self.servers: list[Serving] = []
        self._started = 0

    def start(self, count: int = 2, **variables: str) -> None:
        """Starts servers, at free ports the first time and later at the ports of those that are gone."""
        ports = [str(server.port) for server in self.servers] or ["0"] * count
        self.servers = [self.one(port, **variables) for port in ports]
        (self.folder / "servers").write_text("\n".join(server.url for server in self.servers))

    def one(self, port: str = "0", **variables: str) -> Serving:
        self._started += 1
        options = ["--db", self.database, "--store", self.store, "--port", port]
        return Serving(self.folder / f"server{self._started}", *options, **self.variables | variables)

    def kill(self) -> None:
        """Kills all servers, as a machine that loses power does."""
        for server in self.servers:
            server.signal(signal.SIGKILL)
        for server in self.servers:
            server.process.communicate()

    def reach(self, url: str = "", **given: str) -> LocalBackend:
        """The store past its servers."""
        more = {"user": "ada", "project": "p", "store": self.store, **given}
        opened = connect(settings.load(self.folder, url=self.database, **more))
        assert isinstance(opened, LocalBackend)
        return opened

    def check(self, said: Sequence[str]) -> None:
        """What workers of the kind `team` were told is done is there, whole and once, and numbers are gapless."""
        done = [line.split()[1:] for line in said if line.startswith("done")]
        others = {line for line in said if not line.startswith("done")}
        assert all(line.startswith("refused unavailable.") for line in others), others
        assert len({number for _, number in done}) == len(done)
        with closing(self.reach()) as backend, closing(Cache(self.folder / "cache-check")) as cache:
            assert backend.store.fsck().problems == ()
            numbers = [version.number for version in backend.artifacts.list_versions("data")]
            assert numbers == list(range(len(numbers) - 1, -1, -1))
            events = {event.to_number for event in backend.artifacts.list_alias_events("data:production")}
            for name, number in done:
                version = backend.artifacts.resolve(f"data:v{number}")
                out = self.folder / "out" / name
                pull(backend.artifacts.manifest(version.digest).entries, backend.blobs, out, cache)
                assert contents(out) == contents(self.folder / "in" / name)
                assert version.number in events
            for run in {name.split("-")[0] for name, _ in done}:
                steps = [int(name.split("-")[1]) for name, _ in done if name.split("-")[0] == run]
                rows = [(row["_step"], row["x"]) for row in backend.runs.rows(f"t{run}")]
                assert rows == [(n, n) for n in range(max(steps) + 1)]
                files = {file.path: file for file in backend.runs.list_files(f"t{run}")}
                for n in steps:
                    found = read_blob(backend.blobs, digests.parse(files[f"notes/{run}-{n}.txt"].digest))
                    assert found == f"notes of {run}-{n}".encode() * 100


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@contextmanager
def farm(folder: Path, database: str, store: str, **variables: str) -> Iterator[Farm]:
    """Two servers, which have ended when the block does."""
    made = Farm(folder, database, store, **variables)
    try:
        made.start()
        yield made
    finally:
        made.kill()


def heard(workers: Sequence[Worker], each: int) -> list[str]:
    """What the workers said until each was told `each` times that something is done."""
    said: list[str] = []
    for worker in workers:
        left = each
        while left:
            line = worker.hear()
            assert not line.startswith("failed"), line
            said.append(line)
            left -= line.startswith("done")
    return said


def to_the_end(workers: Sequence[Worker]) -> list[str]:
    """What the workers said until they ended, all of them well."""
    said = [line for worker in workers for line in worker.said()]
    assert [worker.process.exitcode for worker in workers] == [0] * len(workers)
    return said
