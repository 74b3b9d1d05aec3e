"""A real S3 for the tests, started once for all workers of a session, stopped when the last has gone.

Every worker has one bucket, and every test a prefix of its own in it, so that nothing has to be emptied. Where it
can't be started, the tests that need it fail and say why.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.seaweed import Endpoint, NoServer, Server, stop

ROOT = Path(__file__).resolve().parent.parent
_started: list[Server] = []  # held, since a process that is dropped while it runs is a warning


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
            command = [sys.executable, "-m", "tests.s3", str(folder), str(server.pid)]
            subprocess.run(
                command, cwd=ROOT, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True, check=True
            )
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
    try:
        endpoint, bucket = shared_endpoint(), f"lineal-{secrets.token_hex(6)}"
    except NoServer as problem:
        pytest.fail(str(problem), pytrace=False)
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
