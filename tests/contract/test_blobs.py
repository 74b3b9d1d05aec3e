"""What every store of blobs keeps to: in a local folder, in memory, in S3."""

from __future__ import annotations

import io
import os
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineal.backend.local.context import LocalBlobs
from lineal.core.errors import BlobNotFound, CorruptPack, DigestMismatch
from lineal.storage import blobs as ports
from lineal.storage import digest as digests
from lineal.storage.blobs import RAW, ZLIB, Place, decode, object_key, read_blob
from lineal.storage.packs import PackWriter, read_footer
from tests.stores import (
    add_object,
    add_pack,
    digest_of,
    folder_blobs,
    keys,
    memory_blobs,
    s3_blobs,
    write_object,
    write_pack,
)


@pytest.fixture(params=["folder", "memory", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> LocalBlobs:
    if request.param == "s3":
        return s3_blobs(request.getfixturevalue("s3_url"))
    return folder_blobs(tmp_path / "store") if request.param == "folder" else memory_blobs()


def replace(blobs: LocalBlobs, key: str, data: bytes) -> None:
    """Puts other bytes under a key, as decay or a tamperer would."""
    blobs.store.delete(key)
    writer = blobs.store.create()
    writer.write(data)
    writer.commit(key)


# ---- the index -----------------------------------------------------------------------------------------------


def test_an_empty_store_misses_everything(blobs: LocalBlobs) -> None:
    digest = digest_of(b"a")
    assert blobs.missing([digest]) == {digest}
    assert blobs.find([digest]) == {}
    assert blobs.missing([]) == set()
    assert blobs.find([]) == {}
    assert keys(blobs) == set()


def test_what_was_added_is_found_and_no_longer_missing(blobs: LocalBlobs) -> None:
    place = add_object(blobs, b"hello")
    other = digest_of(b"other")
    assert blobs.missing([place.digest, other, place.digest]) == {other}
    assert blobs.find([other, place.digest]) == {place.digest: place}
    assert read_blob(blobs, place.digest) == b"hello"


def test_a_blob_counts_only_once_it_is_added(blobs: LocalBlobs) -> None:
    place = write_object(blobs, b"hello")
    assert blobs.missing([place.digest]) == {place.digest}
    assert keys(blobs) == {place.key}


def test_adding_the_same_bytes_again_changes_nothing_and_leaves_nothing(blobs: LocalBlobs) -> None:
    first = add_object(blobs, b"hello")
    second = write_object(blobs, b"hello")
    assert first.key != second.key
    blobs.add([second], {second.key: second.length})
    assert blobs.find([first.digest]) == {first.digest: first}
    assert keys(blobs) == {first.key}


def test_a_pack_that_brings_nothing_new_is_deleted(blobs: LocalBlobs) -> None:
    places = add_pack(blobs, b"a", b"b")
    again = write_pack(blobs, b"b", b"a")
    blobs.add(again.places, {again.key: again.size})
    assert blobs.find([p.digest for p in places]) == {p.digest: p for p in places}
    assert keys(blobs) == {places[0].key}


def test_a_pack_that_brings_something_new_stays_and_the_first_writer_wins(blobs: LocalBlobs) -> None:
    (first,) = add_pack(blobs, b"a")
    again = write_pack(blobs, b"a", b"b")
    blobs.add(again.places, {again.key: again.size})
    found = blobs.find([digest_of(b"a"), digest_of(b"b")])
    assert found == {digest_of(b"a"): first, digest_of(b"b"): again.places[1]}
    assert keys(blobs) == {first.key, again.key}


def test_a_blob_twice_in_one_pack_is_one_blob(blobs: LocalBlobs) -> None:
    add_pack(blobs, b"a", b"a")
    assert read_blob(blobs, digest_of(b"a")) == b"a"
    assert len(keys(blobs)) == 1


def test_adding_nothing_is_fine(blobs: LocalBlobs) -> None:
    blobs.add([], {})
    assert keys(blobs) == set()


def test_many_writers_of_one_blob_leave_one_object(blobs: LocalBlobs) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: add_object(blobs, b"the same"), range(32)))
    assert keys(blobs) == {blobs.find([digest_of(b"the same")])[digest_of(b"the same")].key}
    assert read_blob(blobs, digest_of(b"the same")) == b"the same"


def test_many_writers_of_many_blobs_lose_none(blobs: LocalBlobs) -> None:
    members = [str(n).encode() for n in range(64)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: add_pack(blobs, *members[n : n + 8]), range(0, 64, 4)))
    assert blobs.missing([digest_of(m) for m in members]) == set()
    assert [read_blob(blobs, digest_of(m)) for m in members] == members
    assert {p.key for p in blobs.find([digest_of(m) for m in members]).values()} == keys(blobs)


# ---- bytes ---------------------------------------------------------------------------------------------------


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(members=st.lists(st.binary(max_size=2000), max_size=8))
def test_the_members_of_a_pack_are_read_back(blobs: LocalBlobs, members: list[bytes]) -> None:
    add_pack(blobs, *members)
    assert [read_blob(blobs, digest_of(data)) for data in members] == members


def test_a_pack_of_empty_blobs_is_read_back(blobs: LocalBlobs) -> None:
    add_pack(blobs, b"")
    assert read_blob(blobs, digest_of(b"")) == b""


def test_a_pack_tells_by_itself_what_it_holds(blobs: LocalBlobs) -> None:
    pack = write_pack(blobs, b"one", b"", b"three")
    (stored,) = blobs.store.list()
    assert (stored.key, stored.size) == (pack.key, pack.size)
    assert read_footer(blobs.store, stored.key, stored.size) == pack.places


def test_a_pack_that_is_aborted_leaves_nothing(blobs: LocalBlobs) -> None:
    pack = PackWriter(blobs.store)
    pack.add(digest_of(b"a"), 1, digests.fast_of_bytes(b"a"), b"a")
    pack.abort()
    assert keys(blobs) == set()


def test_a_coded_object_is_read_back(blobs: LocalBlobs) -> None:
    data = b"abc" * 10_000
    place = add_object(blobs, data, codec=ZLIB)
    assert place.length < len(data)
    assert place.key.endswith(".z")
    assert read_blob(blobs, place.digest) == data


def test_an_object_larger_than_any_buffer_is_stored_whole(blobs: LocalBlobs, tmp_path: Path) -> None:
    data = os.urandom(1 << 20) * 19 + b"tail"
    (tmp_path / "big").write_bytes(data)
    with io.FileIO(tmp_path / "big") as file:
        named: list[str] = []
        copied = blobs.store.add_file(file, len(data), lambda digest: named.append(object_key(digest)) or named[0])
    assert copied == (digest_of(data), digests.fast_of_bytes(data), len(data))
    blobs.add([Place(copied.digest, copied.size, copied.fast, named[0], 0, copied.size)], {named[0]: copied.size})
    assert read_blob(blobs, copied.digest) == data
    with blobs.store.open(named[0]) as opened:
        assert digests.of_stream(opened) == copied


def test_ranges_are_read(blobs: LocalBlobs) -> None:
    key = write_object(blobs, b"0123456789").key
    assert blobs.store.read(key, 0, 10) == b"0123456789"
    assert blobs.store.read(key, 3, 4) == b"3456"
    assert blobs.store.read(key, 8, 10) == b"89"
    assert blobs.store.read(key, 10, 5) == b""
    assert blobs.store.read(key, 4, 0) == b""


def test_an_open_object_is_seekable(blobs: LocalBlobs) -> None:
    key = write_object(blobs, b"0123456789").key
    with blobs.store.open(key) as file:
        file.seek(-3, os.SEEK_END)
        assert file.read() == b"789"
        file.seek(2)
        assert file.read(2) == b"23"


def test_two_readers_of_one_object_do_not_disturb_each_other(blobs: LocalBlobs) -> None:
    key = write_object(blobs, b"0123456789").key
    with blobs.store.open(key) as one:
        assert one.read(5) == b"01234"
        with blobs.store.open(key) as two:
            assert two.read(3) == b"012"
        assert one.read() == b"56789"


def test_an_object_that_is_aborted_leaves_nothing(blobs: LocalBlobs) -> None:
    writer = blobs.store.create()
    writer.write(b"half")
    writer.abort()
    assert keys(blobs) == set()


def test_the_listing_tells_keys_sizes_and_ages(blobs: LocalBlobs) -> None:
    place, pack = write_object(blobs, b"hello"), write_pack(blobs, b"a")
    found = {o.key: o for o in blobs.store.list()}
    assert {key: o.size for key, o in found.items()} == {place.key: 5, pack.key: pack.size}
    assert all(o.modified_at > 1_700_000_000 for o in found.values())


# ---- damage and absence --------------------------------------------------------------------------------------


def test_a_blob_that_nobody_added_is_not_found(blobs: LocalBlobs) -> None:
    with pytest.raises(BlobNotFound):
        read_blob(blobs, digest_of(b"never"))


@pytest.mark.parametrize("key", ["objects/ab/none", "packs/none.pack"])
def test_an_object_that_is_gone_is_not_found(blobs: LocalBlobs, key: str) -> None:
    with pytest.raises(BlobNotFound):
        blobs.store.read(key, 0, 1)
    with pytest.raises(BlobNotFound), blobs.store.open(key):
        pass


def test_deleting_an_object_that_is_gone_is_fine(blobs: LocalBlobs) -> None:
    place = add_object(blobs, b"a")
    for _ in range(2):
        blobs.store.delete(place.key)
    assert keys(blobs) == set()
    with pytest.raises(BlobNotFound):
        read_blob(blobs, place.digest)


@pytest.mark.parametrize("codec", [RAW, ZLIB])
def test_a_damaged_byte_of_an_object_is_found_on_reading(blobs: LocalBlobs, codec: int) -> None:
    data = b"hello, hello, hello"
    stored = zlib.compress(data) if codec == ZLIB else data
    place = add_object(blobs, data, codec=codec)
    for at in range(len(stored)):
        replace(blobs, place.key, stored[:at] + bytes([stored[at] ^ 0x10]) + stored[at + 1 :])
        try:
            assert read_blob(blobs, place.digest) == data  # some bits of a zlib header mean nothing
            assert codec == ZLIB
        except DigestMismatch as problem:
            assert problem.details == {"digest": digests.format(place.digest)}


@pytest.mark.parametrize("data", [b"", b"hell", b"hello2", b"HELLO"])
def test_an_object_of_other_bytes_is_found_on_reading(blobs: LocalBlobs, data: bytes) -> None:
    place = add_object(blobs, b"hello")
    replace(blobs, place.key, data)
    if len(data) > 5:  # what lies behind the blob's own bytes is never looked at
        data = data[:5]
    if data != b"hello":
        with pytest.raises(DigestMismatch):
            read_blob(blobs, place.digest)
    else:
        assert read_blob(blobs, place.digest) == b"hello"


def test_a_damaged_byte_of_a_pack_is_found_on_reading_its_blob_or_its_footer(blobs: LocalBlobs) -> None:
    first, second = add_pack(blobs, b"first", b"second")
    size = sum(o.size for o in blobs.store.list())
    whole = blobs.store.read(first.key, 0, size)
    for at in range(size):
        replace(blobs, first.key, whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises((DigestMismatch, CorruptPack)):
            read_blob(blobs, first.digest)
            read_blob(blobs, second.digest)
            read_footer(blobs.store, first.key, size)


def test_a_place_that_promises_another_size_is_refused(blobs: LocalBlobs) -> None:
    place = add_object(blobs, b"a" * 1000, codec=ZLIB)
    stored = blobs.store.read(place.key, 0, place.length)
    assert decode(place, stored) == b"a" * 1000
    for size in (0, 999, 1001):
        with pytest.raises(DigestMismatch):
            decode(place._replace(size=size), stored)


def test_a_bomb_is_inflated_no_further_than_its_size(blobs: LocalBlobs) -> None:
    stored = zlib.compress(bytes(50_000_000))
    assert len(ports.inflate(stored, ZLIB, 1001)) == 1001
    assert ports.inflate(b"no zlib stream", ZLIB) == b""
