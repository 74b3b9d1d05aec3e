"""Blobs behind a real server; what every store of blobs keeps to is in the contract."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lineal.backend.remote import RemoteBackend
from lineal.core.errors import BlobNotFound, InvalidObject, StoreUnavailable
from lineal.storage import digest as digests
from lineal.storage.blobs import object_key, read_blob
from lineal.storage.packs import PackWriter
from tests import server


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    yield server.start(tmp_path / "served")
    server.stop()


def test_a_file_goes_up_whole_and_is_read_back(remote: RemoteBackend, tmp_path: Path) -> None:
    data = bytes(range(256)) * 40_000
    (tmp_path / "big").write_bytes(data)
    with open(tmp_path / "big", "rb", buffering=0) as file:
        copied = remote.blobs.store.add_file(file, len(data), object_key)
    place = remote.blobs.find([copied.digest])[copied.digest]
    assert read_blob(remote.blobs, copied.digest) == data
    with remote.blobs.store.open(place.key) as opened:
        assert opened.read() == data
    assert remote.blobs.store.read(place.key, 255, 3) == b"\xff\x00\x01"
    assert remote.blobs.store.read(place.key, 5, 0) == b""


def test_a_pack_goes_up_in_one_piece(remote: RemoteBackend) -> None:
    pack = PackWriter(remote.blobs.store)
    for data in (b"one", b"two"):
        pack.add(digests.of_bytes(data), len(data), digests.fast_of_bytes(data), data)
    assert remote.blobs.missing([digests.of_bytes(b"one")])
    pack.commit()
    remote.blobs.add(pack.places, {pack.key: pack.size})
    assert remote.blobs.missing([digests.of_bytes(b"one"), digests.of_bytes(b"two")]) == set()
    assert read_blob(remote.blobs, digests.of_bytes(b"two")) == b"two"


def test_bytes_that_are_not_what_their_key_says_are_refused(remote: RemoteBackend) -> None:
    writer = remote.blobs.store.create()
    writer.write(b"y")
    with pytest.raises(InvalidObject):
        writer.commit(object_key(digests.of_bytes(b"x")))
    assert remote.blobs.missing([digests.of_bytes(b"x")])


def test_what_was_dropped_on_its_way_never_arrives(remote: RemoteBackend) -> None:
    writer = remote.blobs.store.create()
    writer.write(b"x")
    writer.abort()
    assert list(server.served().blobs.store.list()) == []


def test_an_object_that_is_not_there_is_not_found(remote: RemoteBackend) -> None:
    key = object_key(digests.of_bytes(b"x"))
    with pytest.raises(BlobNotFound):
        remote.blobs.store.read(key, 0, 1)
    with pytest.raises(BlobNotFound), remote.blobs.store.open(key):
        pass


def test_many_more_digests_than_one_request_holds_are_asked_in_parts(remote: RemoteBackend) -> None:
    asked = [digests.Digest(number.to_bytes(32)) for number in range(45_000)]
    assert remote.blobs.missing(asked) == set(asked)
    assert remote.blobs.find(asked) == {}
    assert remote.blobs.missing([]) == set()


def test_only_the_server_lists_and_deletes(remote: RemoteBackend) -> None:
    with pytest.raises(StoreUnavailable):
        next(iter(remote.blobs.store.list()))
    with pytest.raises(StoreUnavailable):
        remote.blobs.store.delete("packs/x.pack")
    assert remote.blobs.store.path_of("packs/x.pack") is None
