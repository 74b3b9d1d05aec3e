"""A real S3 for the tests, started once for all workers of a session, stopped when the last has gone.

Every worker has one bucket, and every test a prefix of its own in it, so that nothing has to be emptied. Where it
can't be started, the tests that need it fail and say why.
"""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import shared
from tests.seaweed import Endpoint, NoServer, Server, stop

_started: list[Server] = []  # held, since a process that is dropped while it runs is a warning


def shared_endpoint() -> Endpoint:
    """The session's server, started unless another worker did; this process counts as its user."""
    return Endpoint(*json.loads(shared.told("s3", _start, mode=0o700)))


def _start(folder: Path) -> str:
    server = Server(folder)
    server.start()
    (folder / "pid").write_text(str(server.pid))
    _started.append(server)
    return json.dumps(server.endpoint)


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
    place = Path(sys.argv[1])
    pid = int((place / "pid").read_text())
    shared.keep(place, lambda: stop(pid))
