"""S3: URLs, large objects, reading ahead, half-written uploads. What all stores keep to is in contract/."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from lineal.core.errors import BlobNotFound, MissingDependency, SourceChanged, StoreUnavailable
from lineal.storage import digest as digests
from lineal.storage.blobs import BlobStore, is_temporary, object_key
from lineal.storage.s3 import PACK_BYTES, PART_BYTES, WHOLE_BYTES, S3Store, part_bytes
from lineal.storage.s3_bucket import new_client
from tests.processes import Child, RunChild
from tests.seaweed import Endpoint
from tests.stores import digest_of

MIB = 1 << 20
LARGE = os.urandom(1 << 20) * 33 + b"the end"


@pytest.fixture
def store(s3_url: str) -> S3Store:
    store = BlobStore.at(s3_url)
    assert isinstance(store, S3Store)
    return store


def write(store: BlobStore, data: bytes) -> str:
    key = object_key(digest_of(data))
    writer = store.create()
    for at in range(0, len(data), 3 * MIB):
        writer.write(memoryview(data)[at : at + 3 * MIB])
    writer.commit(key)
    return key


def whole(store: BlobStore, key: str) -> bytes:
    with store.open(key) as file:
        return file.read()


# ---- URLs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "bucket", "prefix"), [("s3://b", "b", ""), ("s3://b/", "b", ""), ("s3://b/x/y/", "b", "x/y/")]
)
def test_a_url_names_a_bucket_and_a_prefix(url: str, bucket: str, prefix: str) -> None:
    store = BlobStore.at(url)
    assert isinstance(store, S3Store)
    assert (store.bucket.name, store.bucket.prefix, store.path_of("objects/x")) == (bucket, prefix, None)


@pytest.mark.parametrize(
    "url", ["s3://", "s3:///x", "s3://key:s3cret@b/x", "s3://b/x?secret=s3cret", "s3://b/#s3cret"]
)
def test_a_url_of_no_bucket_or_with_keys_in_it_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(StoreUnavailable, match="s3://bucket/prefix") as caught:
        BlobStore.at(url)
    assert "s3cret" not in str(caught.value)


def test_naming_a_store_in_s3_loads_nothing_of_it(run_child: RunChild) -> None:
    code = """
from lineal.storage.blobs import BlobStore
BlobStore.at("s3://b/x")
print({"boto3", "botocore", "fsspec"} & sys.modules.keys())
"""
    assert run_child(code) == "set()"


def test_without_boto3_it_says_what_to_install(run_child: RunChild) -> None:
    code = """
from lineal.core.errors import MissingDependency
from lineal.storage.blobs import BlobStore
sys.modules["boto3"] = None
try:
    BlobStore.at("s3://b/x").read("objects/x", 0, 1)
except MissingDependency as problem:
    print(problem.message)
"""
    assert "pip install 'lineal[s3]'" in run_child(code)
    assert MissingDependency.code == "unavailable.dependency"


# ---- writing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, WHOLE_BYTES, WHOLE_BYTES + 1, len(LARGE), PACK_BYTES + 1])
def test_an_object_of_any_size_is_written_and_read_whole(store: S3Store, size: int, tmp_path: Path) -> None:
    data = (LARGE * 2)[:size]
    assert whole(store, write(store, data)) == data
    (tmp_path / "file").write_bytes(data)
    keys: list[str] = []
    with io.FileIO(tmp_path / "file") as file:
        copied = store.add_file(file, size, lambda digest: keys.append(object_key(digest)) or keys[0])  # type: ignore[func-returns-value]
    assert copied == (digest_of(data), digests.fast_of_bytes(data), size)
    assert whole(store, keys[0]) == data
    assert store.bucket.head(keys[0]).sha256 == (digest_of(data) if size <= WHOLE_BYTES else None)
    assert list(store.bucket.list_uploads()) == []


def test_parts_are_never_too_many(store: S3Store) -> None:
    assert part_bytes(0) == part_bytes(80_000 * MIB) == PART_BYTES
    for size in (80_000 * MIB + 1, 5 << 40, (5 << 40) - 1):
        assert -(-size // part_bytes(size)) <= 10_000
        assert part_bytes(size) % MIB == 0


@pytest.mark.parametrize("size", [1000, 20 * MIB])
def test_a_file_that_is_shorter_than_it_was_is_refused(store: S3Store, tmp_path: Path, size: int) -> None:
    (tmp_path / "file").write_bytes(bytes(size - 1))
    with io.FileIO(tmp_path / "file") as file, pytest.raises(SourceChanged):
        store.add_file(file, size, object_key)
    assert list(store.list()) == []


def test_a_file_that_changes_between_hashing_and_sending_is_refused_and_leaves_nothing(
    store: S3Store, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(LARGE)

    def name(digest: digests.Digest) -> str:  # asked for once all is hashed
        with path.open("r+b") as file:
            file.seek(20 * MIB)
            file.write(b"changed")
        return object_key(digest)

    with io.FileIO(path) as file, pytest.raises(SourceChanged):
        store.add_file(file, len(LARGE), name)
    assert list(store.list()) == []


def test_a_large_file_is_sent_and_read_in_little_memory(
    store: S3Store, s3_url: str, tmp_path: Path, run_child: RunChild
) -> None:
    size = 300 * MIB
    with (tmp_path / "file").open("wb") as file:
        file.truncate(size)
    code = """
import io, resource
from lineal.storage.blobs import BlobStore, object_key
from lineal.storage import digest as digests
store, size = BlobStore.at(sys.argv[1]), int(sys.argv[3])
try:
    store.read("objects/none", 0, 1)
except Exception:
    pass
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
keys = []
with io.FileIO(sys.argv[2]) as file:
    copied = store.add_file(file, size, lambda digest: keys.append(object_key(digest)) or keys[0])
with store.open(keys[0]) as file:
    assert digests.of_stream(file) == copied
store.delete(keys[0])
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""
    assert int(run_child(code, s3_url, tmp_path / "file", size)) < 160


# ---- uploads that nobody ended -------------------------------------------------------------------------------


def test_an_upload_under_way_is_listed_as_half_written_and_dropped_by_its_key(store: S3Store) -> None:
    key = object_key(digest_of(b"x"))
    upload_id = store.bucket.create_upload(key)
    store.bucket.put_part(key, upload_id, 1, LARGE[: 5 * MIB], digest_of(LARGE[: 5 * MIB]))
    (found,) = store.list()
    assert found.key.startswith(f"{key}/")
    assert is_temporary(found.key)
    assert found.size == 5 * MIB
    assert found.modified_at > 1_700_000_000
    for _ in range(2):
        store.delete(found.key)
    assert list(store.list()) == []


def test_a_writer_that_is_killed_leaves_a_half_written_object_and_no_other(
    store: S3Store, s3_url: str, tmp_path: Path, start_child: Child
) -> None:
    code = """
import io
from lineal.storage import s3
from lineal.storage.blobs import BlobStore, object_key
store = BlobStore.at(sys.argv[1])
put, sent = store.bucket.put_part, []
def told(*given):
    if len(sent) == 2:
        print("two parts", flush=True)
        sys.stdin.read()
    sent.append(put(*given))
    return sent[-1]
store.bucket.put_part = told
s3._AT_ONCE = 1
with io.FileIO(sys.argv[2]) as file:
    store.add_file(file, os.path.getsize(sys.argv[2]), object_key)
"""
    (tmp_path / "file").write_bytes(LARGE)
    child = start_child(code, s3_url, tmp_path / "file")
    assert child.stdout is not None
    assert child.stdout.readline() == "two parts\n"
    child.kill()
    child.wait()
    (found,) = store.list()
    assert is_temporary(found.key)
    assert found.size == 2 * PART_BYTES


# ---- reading -------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(store: S3Store, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The ranges that were asked for."""
    ranges, get = [], store.bucket.get

    def noted(key: str, start: int, end: int) -> tuple[bytes, int]:
        ranges.append((start, end))
        return get(key, start, end)

    monkeypatch.setattr(store.bucket, "get", noted)
    return ranges


def test_a_small_object_is_one_request(store: S3Store, asked: list[tuple[int, int]]) -> None:
    key = write(store, LARGE[:1000])
    assert whole(store, key) == LARGE[:1000]
    assert len(asked) == 1


def test_reading_on_asks_ahead_and_jumping_asks_for_little(store: S3Store, asked: list[tuple[int, int]]) -> None:
    key = write(store, LARGE)
    with store.open(key) as file:
        file.seek(30 * MIB)
        assert file.read(10) == LARGE[30 * MIB : 30 * MIB + 10]
        file.seek(-7, os.SEEK_END)
        assert file.read() == b"the end"
    assert sum(min(end, len(LARGE)) - start for start, end in asked) <= 3 * MIB
    asked.clear()
    assert whole(store, key) == LARGE
    assert sum(min(end, len(LARGE)) - start for start, end in asked) == len(LARGE)
    assert len(asked) == 6


def test_any_way_of_reading_gives_the_same_bytes(store: S3Store) -> None:
    import random

    key, chance = write(store, LARGE), random.Random(7)
    with store.open(key) as file:
        for _ in range(40):
            at, count = chance.randrange(len(LARGE) + 100), chance.choice([0, 1, 1000, MIB, 9 * MIB])
            if chance.random() < 0.5:
                file.seek(at)
            at = file.tell()
            assert file.read(count) == LARGE[at : at + count], (at, count)
        with pytest.raises((ValueError, OSError)):
            file.seek(-1)


def test_leaving_a_reader_early_ends_what_it_asked_ahead(store: S3Store) -> None:
    key = write(store, LARGE)
    with store.open(key) as file:
        file.read(3 * MIB)
    assert not [t for t in threading.enumerate() if t.name.startswith("lineal-ahead")]


def test_an_object_that_is_gone_while_it_is_read_is_not_found(store: S3Store) -> None:
    key = write(store, LARGE)
    with store.open(key) as file:
        store.delete(key)
        with pytest.raises(BlobNotFound):
            file.read()


def test_many_threads_share_one_store(store: S3Store) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def there_and_back(n: int) -> bool:
        data = str(n).encode() * 1000
        return whole(store, write(store, data)) == data

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(there_and_back, range(64)))


def test_a_store_with_a_client_of_its_own_uses_it(s3: Endpoint, s3_url: str) -> None:
    client: Any = new_client(aws_access_key_id=s3.reader_key, aws_secret_access_key=s3.reader_secret)
    assert S3Store(s3_url, client).bucket.client is client
    client.close()
