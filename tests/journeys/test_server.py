"""`lineal server`: real processes, started, asked, killed, stopped."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import httpx
import psutil
import pytest

from lineal.access import users
from lineal.backend.connect import connect
from lineal.backend.local.backend import LocalBackend
from lineal.backend.port import Backend
from lineal.core import clock, settings
from lineal.core.errors import Unavailable
from lineal.storage.blobs import object_key, read_blob
from lineal.storage.cache import Cache
from lineal.storage.digest import of_bytes
from lineal.storage.manifest import Manifest
from lineal.storage.transfer import Push
from lineal.tracking.model import Batch
from lineal.tracking.rows import encode
from tests.journeys.serving import Serving, serving, until


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("URL", "STORE", "ENTITY", "PROJECT"):
        monkeypatch.delenv(f"LINEAL_{name}", raising=False)
    monkeypatch.chdir(tmp_path)


def reach(url: str, folder: Path) -> Backend:
    return connect(settings.load(folder, url=url, user="ada"))


def log(backend: Backend, cache: Cache, collection: str, data: bytes) -> str:
    with Push(backend.blobs, cache) as push:
        digest = push.manifest(Manifest([push.data("a", data)]))
    return backend.artifacts.log(collection, "dataset", f"sha256:{digest.hex()}").version.version


def refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionError:
        return True
    return False


class Upload:
    """An object on its way to the server: the head and half of the bytes are sent, the rest waits."""

    def __init__(self, server: Serving) -> None:
        self.data = b"x" * 1000
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        self.connection.putrequest("PUT", f"/api/v1/objects/{object_key(of_bytes(self.data))}")
        self.connection.putheader("Content-Length", str(len(self.data)))
        self.connection.endheaders(self.data[:500])

    def __enter__(self) -> Upload:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def end(self) -> int:
        """The status of the answer, once the rest is sent."""
        self.connection.send(self.data[500:])
        with self.connection.getresponse() as answer:
            return answer.status


def under_way(server: Serving) -> bool:
    text = httpx.get(f"{server.url}/metrics").text
    found = re.search(r"^lineal_requests_under_way ([0-9.]+)$", text, re.M)
    return found is not None and float(found[1]) > 1  # the other is the question itself


# ---- one process ---------------------------------------------------------------------------------------------


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Serving]:
    with serving(tmp_path / "served") as server:
        yield server


def test_what_is_logged_over_http_is_there_after_the_server_has_ended(alone: Serving, tmp_path: Path) -> None:
    assert httpx.get(f"{alone.url}/ready").json() == {"status": "ready"}
    there = reach(alone.url, tmp_path)
    with closing(Cache(tmp_path / "cache")) as cache:
        assert log(there, cache, "data", b"one") == "v0"
    assert there.artifacts.resolve("data:latest").version == "v0"
    there.close()
    assert alone.stop() == 0
    here = reach(str(alone.store), tmp_path)
    assert here.artifacts.resolve("data:latest").version == "v0"
    here.close()


def test_nothing_that_was_acknowledged_is_lost_when_it_is_stopped_under_load(alone: Serving, tmp_path: Path) -> None:
    acknowledged: dict[int, list[str]] = {number: [] for number in range(4)}

    def work(number: int) -> None:
        there = reach(alone.url, tmp_path)
        with closing(Cache(tmp_path / f"cache{number}")) as cache:
            try:
                while True:
                    data = f"{number}.{len(acknowledged[number])}".encode()
                    acknowledged[number].append(log(there, cache, f"data{number}", data))
            except Unavailable:
                there.close()

    clients = [threading.Thread(target=work, args=(number,)) for number in acknowledged]
    for client in clients:
        client.start()
    until(lambda: all(len(done) >= 3 for done in acknowledged.values()))
    alone.signal()
    assert alone.ended() == 0
    for client in clients:
        client.join()
    here = reach(str(alone.store), tmp_path)
    for number, done in acknowledged.items():
        assert done == [f"v{n}" for n in range(len(done))]
        for n, version in enumerate(done):
            digest = here.artifacts.resolve(f"data{number}:{version}").digest
            entry = here.artifacts.manifest(digest).by_path["a"]
            assert entry.digest is not None
            assert read_blob(here.blobs, entry.digest) == f"{number}.{n}".encode()
    assert here.store.fsck().problems == ()
    here.close()


def test_a_request_under_way_ends_and_no_new_one_is_taken(alone: Serving) -> None:
    with Upload(alone) as upload:
        until(lambda: under_way(alone))
        alone.signal(signal.SIGINT)
        until(lambda: refused(alone.port))
        assert upload.end() == 204
    assert alone.ended() == 0


def test_the_second_signal_stops_it_at_once(alone: Serving) -> None:
    with Upload(alone):
        until(lambda: under_way(alone))
        alone.signal()
        until(lambda: refused(alone.port))
        assert alone.process.poll() is None
        alone.signal()
        assert alone.ended() == 130


def test_a_request_that_does_not_end_is_cut_off_when_time_is_up(tmp_path: Path) -> None:
    with serving(tmp_path / "served", "--stop-within", "1s") as server, Upload(server) as upload:
        until(lambda: under_way(server))
        assert server.stop() == 0
        with suppress(ConnectionError, http.client.HTTPException):
            assert upload.end() == 500


def test_a_request_whose_body_stalls_is_cut_off(tmp_path: Path) -> None:
    with serving(tmp_path / "served", "--stall-after", "1s") as server:
        with Upload(server) as upload, upload.connection.getresponse() as answer:
            assert answer.status == 408
            assert json.loads(answer.read())["error"]["code"] == "invalid.argument"
        assert httpx.get(f"{server.url}/ready").status_code == 200
        assert server.stop() == 0


def test_without_users_a_token_for_the_first_admin_is_printed_and_each_start_makes_another(tmp_path: Path) -> None:
    tokens = []
    for _ in range(2):
        with serving(tmp_path / "served") as server:
            found = re.search(r"Set-up token.*\n\s*(\S{40,})\n", server.told)
            assert found, server.told
            tokens.append(found[1])
            assert server.stop() == 0
            assert found[1] not in server.log.read_text()
    assert tokens[0] != tokens[1]


def test_with_users_it_may_listen_to_others_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "served").mkdir()
    backend = connect(settings.load(tmp_path, url=str(tmp_path / "served" / "store")))
    assert isinstance(backend, LocalBackend)
    with backend.context.database.begin() as session:
        users.add(session, "ada", at=clock.now(), admin=True)
    backend.close()
    with serving(tmp_path / "served", "--host", "0.0.0.0", "--name", "lineal.example.org") as server:
        assert "token" not in server.told
        url = f"http://127.0.0.1:{server.port}/api/v1/openapi.json"
        for host, status in (("lineal.example.org", 401), ("evil.test", 403), ("0.0.0.0", 403)):
            assert httpx.get(url, headers={"Host": host}).status_code == status
        assert server.stop() == 0


# ---- several -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("pair")
    with serving(folder, "--workers", "2", TMPDIR=str(folder)) as server:
        yield server
        assert server.stop() == 0
    assert list(folder.glob("lineal-server-*")) == []


def count(server: Serving, pattern: str) -> float:
    """The sum of the numbers that have a name like the pattern, whichever worker is asked."""
    text = httpx.get(f"{server.url}/metrics").text
    return sum(float(found) for found in re.findall(rf"^{pattern} ([0-9.e+]+)$", text, re.M))


def test_metrics_count_what_all_workers_did(pair: Serving, tmp_path: Path) -> None:
    asked = r'lineal_requests_total\{method="GET",route="/api/v1/projects",status="200"\}'
    rows = "lineal_run_rows_total"
    before, rows_before = count(pair, asked), count(pair, rows)
    for _ in range(30):
        assert httpx.get(f"{pair.url}/api/v1/projects").status_code == 200
    there = reach(pair.url, tmp_path)
    there.runs.start("r1")
    there.runs.append("r1", "w", 1, Batch({"history": encode([(n, 1.0, {"a": n}) for n in range(7)])}, 6))
    there.close()
    assert [count(pair, asked) - before for _ in range(6)] == [30] * 6
    assert count(pair, rows) - rows_before == 7
    shown = httpx.get(f"{pair.url}/metrics").text
    ids = {int(found) for found in re.findall(r'lineal_process_resident_bytes\{process="(\d+)"\}', shown)}
    assert ids == {pair.process.pid, *(worker.pid for worker in pair.workers())}
    assert "r1" not in re.sub(r"[0-9.e+]+$", "", shown, flags=re.M)


def test_workers_learn_of_their_store_where_nobody_else_can_read_it(pair: Serving) -> None:
    for worker in pair.workers():
        assert "lineal.api.worker" in worker.cmdline()
        assert str(pair.store) not in " ".join(worker.cmdline())


def test_a_worker_that_is_killed_is_replaced_and_the_others_go_on(pair: Serving, tmp_path: Path) -> None:
    there = reach(pair.url, tmp_path)
    there.runs.start("killed")
    first = {worker.pid for worker in pair.workers()}
    victim = next(iter(first))
    psutil.Process(victim).kill()
    for _ in range(20):
        assert there.runs.get("killed").id == "killed"
    there.close()
    until(lambda: len(now := {worker.pid for worker in pair.workers()}) == 2 and victim not in now)
    until(lambda: any(f"worker {victim} ended" in line.get("message", "") for line in pair.lines()))
    assert httpx.get(f"{pair.url}/ready").status_code == 200


def test_the_log_has_one_line_for_each_request_and_no_secret(pair: Serving) -> None:
    secret = "lnl_" + "a" * 12 + "_" + "5e" * 32
    before = len([line for line in pair.lines() if "status" in line])
    ids = []
    with httpx.Client(base_url=pair.url, headers={"X-Secret": secret, "Cookie": secret}) as client:
        for method, path in [
            ("GET", f"/api/v1/projects?token={secret}"),
            ("GET", f"/{secret}"),
            ("GET", f"/api/v1/runs/{secret}"),
            ("POST", "/api/v1/runs"),
            ("PUT", f"/api/v1/objects/{secret}"),
            ("DELETE", f"/health?{secret}"),
        ]:
            answer = client.request(method, path, content=secret, headers={"X-Request-Id": f"{secret}!"})
            ids.append(answer.headers["X-Request-Id"])
        refused_ = client.get("/api/v1/projects", headers={"Authorization": f"Bearer {secret}"})
        assert refused_.status_code == 401
        ids.append(refused_.headers["X-Request-Id"])
        mine = client.get("/health", headers={"X-Request-Id": "from-the-proxy-1"})
        ids.append(mine.headers["X-Request-Id"])
    assert ids[-1] == "from-the-proxy-1"
    lines = until(lambda: len(found := [line for line in pair.lines() if "status" in line]) >= before + 8 and found)
    new = lines[before:]
    assert [line["request"] for line in new] == ids
    assert {line["route"] for line in new} >= {
        "/api/v1/projects",
        "/api/v1/runs/{run_id}",
        "/api/v1/objects/{key}",
        None,
    }
    assert all(line["peer"] == "127.0.0.1" and line["ms"] >= 0 for line in new)
    assert secret not in pair.log.read_text()
    assert "5e5e5e" not in pair.log.read_text()


def test_workers_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    with serving(tmp_path / "served", "--workers", "2") as server:
        workers = server.workers()
        assert len(workers) == 2
        server.process.kill()
        until(lambda: not any(worker.is_running() for worker in workers))
        assert refused(server.port)


# ---- what it refuses -----------------------------------------------------------------------------------------


def run(*options: str) -> tuple[int, str]:
    """The exit code of a server that can't start, and why it can't."""
    command = [sys.executable, "-m", "lineal", "server", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stderr


def test_a_port_that_is_taken_is_said_with_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, said = run("--db", str(tmp_path / "store"), "--port", str(port), "--workers", "2")
    assert code == 7
    assert "[unavailable.address]" in said
    assert f"--port {port + 1}" in said
