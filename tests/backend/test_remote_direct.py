"""Bytes that go past a real server, straight to its S3 and back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lineal.backend.remote import RemoteBackend
from lineal.storage import digest as digests
from lineal.storage import sources
from lineal.storage.blobs import object_key, read_blob
from lineal.storage.cache import Cache
from lineal.storage.manifest import Manifest
from lineal.storage.pull import pull
from lineal.storage.transfer import Push
from tests import server

LARGE = 70 << 20


@pytest.fixture
def url(tmp_path: Path, postgres_url: str, s3_url: str) -> Iterator[str]:
    yield server.start(tmp_path / "served", url=postgres_url, store=s3_url)
    server.stop()


def push(remote: RemoteBackend, folder: Path) -> Manifest:
    with Push(remote.blobs, Cache(folder.parent / "states")) as pushing:
        manifest = Manifest(pushing.files(sources.find_files(folder), trust=False))
        pushing.manifest(manifest)
    return manifest


def test_small_medium_and_large_files_go_up_and_come_back(remote: RemoteBackend, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for number in range(300):
        (folder / f"{number}.txt").write_bytes(b"%d" % number * 50)
    (folder / "medium").write_bytes(bytes(range(256)) * 4000)
    (folder / "large").write_bytes(bytes(range(256)) * (LARGE // 256) + b"rest")
    manifest = push(remote, folder)
    assert remote.blobs.missing(list(manifest.blobs)) == set()
    assert pull(list(manifest), remote.blobs, tmp_path / "back", Cache(tmp_path / "cold")) == 302
    for file in folder.iterdir():
        assert (tmp_path / "back" / file.name).read_bytes() == file.read_bytes()
    assert read_blob(remote.blobs, digests.of_bytes(b"7" * 50)) == b"7" * 50
    large = remote.blobs.find([digests.of_file(str(folder / "large"))[0]])
    (place,) = large.values()
    with remote.blobs.store.open(place.key) as opened:
        opened.seek(LARGE)
        assert opened.read() == b"rest"
    assert object_key(place.digest)[:60] == place.key[:60]
