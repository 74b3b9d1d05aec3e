"""What was acknowledged stays, whatever fails: servers or clients killed, PostgreSQL restarted, an S3 in trouble.

Two real server processes over a real PostgreSQL and a real S3, with client processes that go on by themselves.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from lineal.backend.connect import connect
from lineal.core import settings
from lineal.storage.blobs import object_key
from lineal.storage.cache import Cache
from lineal.storage.digest import of_bytes
from lineal.storage.pull import pull
from lineal.storage.s3 import PACK_BYTES
from tests.journeys.farm import Farm, contents, farm, heard, to_the_end
from tests.journeys.processes import workers
from tests.journeys.serving import Serving, serving, until
from tests.journeys.workers import fill, log
from tests.postgres import own_server
from tests.proxy import Fault, Passed, before
from tests.seaweed import Endpoint

TEAM = [("team", str(n), "4") for n in range(8)]


@pytest.fixture
def two(tmp_path: Path, postgres_url: str, s3_url: str) -> Iterator[Farm]:
    with farm(tmp_path, postgres_url, s3_url) as servers:
        yield servers


def test_two_servers_that_are_killed_under_eight_clients_lose_nothing(two: Farm) -> None:
    with workers(two.folder, TEAM) as clients:
        said = heard(clients[:3], 1)
        for _ in range(2):
            two.kill()
            two.start()
            said += heard(clients[:1], 1)
        said += to_the_end(clients)
    two.check(said)
    assert len([line for line in said if line.startswith("done")]) == 32


def test_a_database_that_stops_under_eight_clients_of_two_servers_loses_nothing(tmp_path: Path, s3_url: str) -> None:
    with own_server() as postgres, farm(tmp_path, postgres.url, s3_url) as servers:
        with workers(tmp_path, TEAM) as clients:
            said = heard(clients[:2], 1)
            for how in ("fast", "immediate"):
                postgres.stop(how)
                postgres.start()
                said += heard(clients[:1], 1)
            said += to_the_end(clients)
        servers.check(said)
        assert len([line for line in said if line.startswith("done")]) == 32


class Trouble:
    """An S3 that goes wrong in turns: busy, cutting what it is sent and what it sends, slow, and well at last."""

    def __init__(self) -> None:
        self.met: dict[str, int] = {}
        self.all_met = threading.Event()
        self._lock = threading.Lock()

    def __call__(self, passed: Passed, number: int) -> Fault | None:
        turn = number % 12
        if self.all_met.is_set() and number % 5:
            return None
        if turn in (1, 2):
            return self._meet("busy", Fault(status=503))
        if turn == 4 and passed.size > 100:
            return self._meet("request cut", Fault(request_cut=passed.size // 2))
        if turn == 6 and passed.method == "GET":
            return self._meet("answer cut", Fault(answer_cut=100))
        if turn in (8, 9):
            return self._meet("slow", Fault(slow_s=0.3))
        return None

    def _meet(self, what: str, fault: Fault) -> Fault:
        with self._lock:
            self.met[what] = self.met.get(what, 0) + 1
            if len(self.met) == 4:
                self.all_met.set()
        return fault


def test_an_s3_that_is_busy_slow_and_cuts_bodies_costs_time_and_nothing_else(
    tmp_path: Path, postgres_url: str, s3: Endpoint, s3_url: str
) -> None:
    with before(s3.url) as proxy:
        trouble = Trouble()
        with farm(tmp_path, postgres_url, s3_url, AWS_ENDPOINT_URL_S3=proxy.url) as servers:
            proxy.faults = trouble
            with workers(tmp_path, [("team", str(n), "3") for n in range(4)]) as clients:
                said = to_the_end(clients)
            proxy.faults = lambda _passed, _number: None
            servers.check(said)
    assert len([line for line in said if line.startswith("done")]) == 12
    assert trouble.met.keys() >= {"busy", "request cut", "slow"}, trouble.met


def test_an_s3_that_is_gone_is_told_as_unavailable_and_clients_go_on_once_it_is_back(
    tmp_path: Path, postgres_url: str, s3: Endpoint, s3_url: str
) -> None:
    with before(s3.url) as proxy, farm(tmp_path, postgres_url, s3_url, AWS_ENDPOINT_URL_S3=proxy.url) as servers:
        with workers(tmp_path, [("team", str(n), "2") for n in range(4)]) as clients:
            proxy.faults = lambda _passed, _number: Fault(status=503)
            line = clients[0].hear()
            proxy.faults = lambda _passed, _number: None
            said = [line, *to_the_end(clients)]
        assert line.startswith("refused unavailable."), line
        servers.check(said)


def test_sixteen_clients_of_two_servers_get_each_number_once(two: Farm) -> None:
    with workers(two.folder, [("log", str(n), "2", "small") for n in range(16)]) as clients:
        said = to_the_end(clients)
    assert sorted(int(line.split()[2]) for line in said) == list(range(32))
    with closing(two.reach()) as backend:
        assert [version.number for version in backend.artifacts.list_versions("data")] == list(range(31, -1, -1))
        assert backend.store.fsck().problems == ()


def test_of_promotions_by_two_servers_that_expect_the_same_exactly_one_wins(two: Farm) -> None:
    with closing(two.reach()) as backend, closing(Cache(two.folder / "cache")) as cache:
        for n in range(9):
            log(backend, cache, fill(two.folder, f"seed-{n}", large=False), "data")
        backend.artifacts.move_alias("data:v0", "production")
        with workers(two.folder, [("race", str(n), f"data:v{n}", "v0") for n in range(1, 9)]) as clients:
            for client in clients:
                client.go()
            said = to_the_end(clients)
        winners = [line for line in said if line.startswith("done")]
        assert len(winners) == 1
        assert [line for line in said if line not in winners] == ["refused conflict.alias_moved"] * 7
        events = backend.artifacts.list_alias_events("data:production")
        assert [event.to_number for event in events] == [0, int(winners[0].split()[1])]
        assert backend.artifacts.resolve("data:production").number == events[-1].to_number


# ---- a client that dies ----------------------------------------------------------------------------------------


LOG_LARGE = """
import lineal
with lineal.init(project="p") as run:
    artifact = lineal.Artifact("model", "model")
    artifact.add_file("large.bin")
    print(run.log_artifact(artifact).version)
"""


def test_a_client_that_is_killed_amid_an_upload_leaves_nothing_but_garbage_and_the_next_one_ends_it(
    tmp_path: Path, postgres_url: str, s3: Endpoint, s3_url: str
) -> None:
    size, enough = 48 << 20, 16 << 20
    (tmp_path / "work" / "large.bin").write_bytes(os.urandom(size))
    with Valve(s3.url, enough) as to_s3:  # noqa: SIM117 - servers end before the line to their S3
        with farm(tmp_path, postgres_url, s3_url, AWS_ENDPOINT_URL_S3=to_s3.url) as servers:
            variables = {**os.environ, "PYTHONWARNINGS": "error"}
            with Valve(servers.servers[0].url, enough) as to_server:
                command = [sys.executable, "-c", LOG_LARGE]
                given = variables | {"LINEAL_URL": to_server.url}
                client = subprocess.Popen(command, env=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                until(lambda: to_s3.held.is_set() or to_server.held.is_set() or client.poll() is not None)
                assert client.poll() is None, client.communicate()
                client.send_signal(signal.SIGKILL)
                client.communicate()
            to_s3.open()
            with closing(servers.reach()) as backend:
                assert [run.state for run in backend.runs.list().runs] == ["running"]
                assert backend.artifacts.list_collections() == []
            given = variables | {"LINEAL_URL": servers.servers[1].url}
            done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=120, check=False)
            assert done.returncode == 0, done.stderr
            assert done.stdout.split()[-1] == "v0"
            with closing(servers.reach()) as backend, closing(Cache(tmp_path / "cache")) as cache:
                entries = backend.artifacts.manifest(backend.artifacts.resolve("model").digest).entries
                pull(entries, backend.blobs, tmp_path / "out", cache)
                check = backend.store.fsck()
                assert check.problems == ()
                known = {place.key for place in backend.blobs.find([e.digest for e in entries if e.digest]).values()}
                large = {found.key for found in backend.blobs.store.list() if found.size >= enough}
                assert large - known <= set(check.garbage)
            assert contents(tmp_path / "out") == {"large.bin": (tmp_path / "work" / "large.bin").read_bytes()}


class Valve:
    """A line to a server on loopback that holds what clients send once it has carried `enough` bytes of it."""

    def __init__(self, to: str, enough: int) -> None:
        self.held, self._opened, self._left = threading.Event(), threading.Event(), enough
        self._to = ("127.0.0.1", int(to.rpartition(":")[2]))
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._threads: list[threading.Thread] = []
        self._lines: list[socket.socket] = []

    def __enter__(self) -> Valve:
        self._go(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.open()
        for line in (self._listening, *self._lines):
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()
        for thread in self._threads:
            thread.join(10)

    def open(self) -> None:
        """Carries everything from now on."""
        self._opened.set()

    def _go(self, what: Callable[..., None], *given: Any) -> None:
        self._threads.append(threading.Thread(target=what, args=given, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(self._to)
                self._lines += [client, server]
                self._go(self._carry, client, server, True)
                self._go(self._carry, server, client, False)

    def _carry(self, source: socket.socket, target: socket.socket, up: bool) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if up:
                    self._left -= len(data)
                    if self._left < 0 and not self._opened.is_set():
                        self.held.set()
                        self._opened.wait()
                target.sendall(data)
        for line in (source, target):
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)


# ---- no space --------------------------------------------------------------------------------------------------


def full(server: Serving, most: int) -> None:
    """Lets the server write no file beyond that size, as if the disk ended there; -1 is any size."""
    process = psutil.Process(server.process.pid)
    _, highest = process.rlimit(psutil.RLIMIT_FSIZE)
    process.rlimit(psutil.RLIMIT_FSIZE, (most, highest))


def put(server: Serving, data: bytes) -> httpx.Response:
    return httpx.put(f"{server.url}/api/v1/objects/{object_key(of_bytes(data))}", content=data, timeout=60)


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_a_server_without_space_says_so_and_keeps_nothing_half(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    options: tuple[str, ...] = ()
    if kind == "s3":  # large objects rest in a temporary file on their way there
        names = ("postgres_url", "s3_url")
        database, store = (request.getfixturevalue(name) for name in names)
        options = ("--db", database, "--store", store)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    data = os.urandom(PACK_BYTES + 100_000)
    with serving(tmp_path / "served", *options, TMPDIR=str(temporary)) as server:
        there = connect(settings.load(tmp_path, url=server.url, user="ada", project="p"))
        with closing(there), closing(Cache(tmp_path / "cache")) as cache:
            log(there, cache, fill(tmp_path, "before", large=True), "data")
            full(server, 8 << 20)
            answer = put(server, data)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable.disk_full")
            check = there.store.fsck()
            assert (check.problems, check.garbage) == ((), ())
            assert list(temporary.iterdir()) == []
            assert there.store.plan_gc(grace_s=0).stray_count == 0
            full(server, -1)
            assert put(server, data).status_code == 204
            assert log(there, cache, fill(tmp_path, "after", large=True), "data").number == 1
            assert there.store.fsck().problems == ()
        assert server.stop() == 0
