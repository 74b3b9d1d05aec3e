"""S3: a folder of many small files, or one large file, into a bucket and back, against boto3 doing it file by file.

The S3 is a SeaweedFS of the cell's own on this machine, so that both share its cores and its disk with the server.
boto3's small files are one PUT and one GET each on 32 threads; the large one is its own `upload_file` and
`download_file`, whose bytes nobody verifies. Lineal's rows are in SQLite beside the bytes in S3; or it asks a server
of its own (`.server`), whose rows are in PostgreSQL, and which has to check what went to S3 past it.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cell
import data
import databases
import servers

_BUCKET = "benchmark"
_THREADS = 32


class Lineal:
    """Lineal's storage and registry behind any backend."""

    def __init__(self, folder: Path, backend: Any) -> None:
        from lineal.storage.cache import Cache

        self._backend = backend
        self._cache, self._cold = Cache(folder / "cache"), Cache(folder / "cold")

    @classmethod
    def embedded(cls, folder: Path) -> Lineal:
        """Rows in SQLite, bytes in S3."""
        from lineal.backend.local.backend import LocalBackend
        from lineal.backend.local.context import Context, LocalBlobs, Manifests
        from lineal.db.session import open_file
        from lineal.storage.s3 import S3Store

        folder.mkdir()
        database = open_file(str(folder / "rows.db"))
        blobs = LocalBlobs(database, S3Store(f"s3://{_BUCKET}/ours"))
        context = Context(database, blobs, "local", "p", "ada", "here", Manifests(blobs))
        return cls(folder, LocalBackend(context, url="s3"))

    @classmethod
    def by_server(cls, folder: Path, url: str) -> Lineal:
        """Whatever is behind the server at `url`."""
        from lineal.backend.connect import connect
        from lineal.core import settings

        folder.mkdir()
        return cls(folder, connect(settings.load(folder, url=url, project="p", cache_dir=str(folder / "cache"))))

    def put(self, source: Path) -> None:
        from lineal.storage import digest as digests
        from lineal.storage import sources
        from lineal.storage.manifest import Manifest
        from lineal.storage.transfer import Push

        found = sources.find_files(source) if source.is_dir() else [sources.find_file(str(source), None)]
        with Push(self._backend.blobs, self._cache) as push:
            manifest = push.manifest(Manifest(push.files(found)))
        self._backend.artifacts.log("a", "dataset", digests.format(manifest))

    def get(self, target: Path) -> None:
        from lineal.storage.pull import pull

        manifest = self._backend.artifacts.manifest(self._backend.artifacts.resolve("a:latest").digest)
        pull(manifest.entries, self._backend.blobs, target, self._cold)


class Boto3:
    """One request for each small file, and boto3's own transfer for a large one."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def put(self, source: Path) -> None:
        if source.is_file():
            self._client.upload_file(str(source), _BUCKET, f"theirs/{source.name}")
            return
        with ThreadPoolExecutor(_THREADS) as pool:
            files = [path for path in source.rglob("*") if path.is_file()]
            list(pool.map(lambda path: self._put_one(source, path), files))

    def _put_one(self, source: Path, path: Path) -> None:
        key = f"theirs/{path.relative_to(source)}"
        self._client.put_object(Bucket=_BUCKET, Key=key, Body=path.read_bytes())

    def get(self, target: Path) -> None:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=_BUCKET, Prefix="theirs/")
        found = {each["Key"]: each["Size"] for page in pages for each in page["Contents"]}
        for folder in {str(Path(key).parent) for key in found}:
            os.makedirs(target / folder, exist_ok=True)
        if len(found) == 1:
            (key,) = found
            self._client.download_file(_BUCKET, key, str(target / key))
            return
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(lambda key: self._get_one(key, target / key), found))

    def _get_one(self, key: str, path: Path) -> None:
        path.write_bytes(self._client.get_object(Bucket=_BUCKET, Key=key)["Body"].read())


def main() -> None:
    """Each step by boto3, then by Lineal."""
    here = cell.parse()
    tree = here.form == "tree"
    source = (
        data.small_files(here.data, here.choose(full=20_000, quick=200))
        if tree
        else data.large_file(here.data, here.choose(full=2048, quick=24))
    )
    from botocore.config import Config

    from tests.seaweed import own_server

    with ExitStack() as stack:
        server = stack.enter_context(own_server())
        os.environ.update(server.endpoint.environment())
        client = server.endpoint.client(config=Config(max_pool_connections=_THREADS))
        client.create_bucket(Bucket=_BUCKET)
        for number in range(2 * _THREADS):  # the server allots its volumes
            client.put_object(Bucket=_BUCKET, Key=f"warm/{number}", Body=bytes(1 << 20))
        database = stack.enter_context(databases.database(Path(sys.executable)))
        ours = stack.enter_context(servers.lineal(here.folder, database, f"s3://{_BUCKET}/served"))
        sides: list[tuple[str, Any]] = [
            (".boto3", Boto3(client)),
            ("", Lineal.embedded(here.folder / "embedded")),
            (".server", Lineal.by_server(here.folder / "asking", ours.url)),
        ]
        for step in ("put", "get"):
            for suffix, side in sides:
                target = here.folder / f"got{suffix}"
                act: Callable[[], object] = (
                    (lambda s=side: s.put(source)) if step == "put" else (lambda s=side, t=target: s.get(t))
                )
                cell.warm(source, above_bytes=0)
                cell.settle(here.folder, 256 << 20)
                here.record(f"s3.{here.form}.{step}{suffix}", cell.timed(act))
                shutil.rmtree(target, ignore_errors=True)
        client.close()


if __name__ == "__main__":
    main()
