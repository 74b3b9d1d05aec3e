"""Packs: their bytes are pinned for ever, and a pack that is cut or bent is told from a whole one."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineal.backend.local.context import LocalBlobs
from lineal.core.errors import CorruptPack
from lineal.storage import digest as digests
from lineal.storage.blobs import RAW, ZLIB, FolderStore, Place
from lineal.storage.packs import PackWriter, pack_bytes, read_footer, stretches
from tests.stores import digest_of, memory_blobs, write_pack

HELLO = (
    "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"  # sha256
    "b5e9c1ad071b3e7fc779cfaa5e523818"  # xxh3-128
    "0500000000000000" "0500000000000000" "00000000"
)  # fmt: skip
EMPTY = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    "99aa06d3014798d86001c324468d497f"
    "0000000000000000" "0000000000000000" "00000000"
)  # fmt: skip


def golden() -> bytes:
    rows = bytes.fromhex(HELLO + EMPTY)
    footer = rows + digests.of_bytes(rows)
    return b"LNLPACK1" + b"hello" + footer + struct.pack("<Q", 168) + b"LNLPACKE"


def put(store: FolderStore, data: bytes) -> tuple[str, int]:
    writer = store.create()
    writer.write(data)
    writer.commit("packs/x.pack")
    return "packs/x.pack", len(data)


def store_of(blobs: LocalBlobs) -> FolderStore:
    assert isinstance(blobs.store, FolderStore)
    return blobs.store


def test_the_bytes_of_a_pack_are_those_of_the_format_for_ever(blobs: LocalBlobs) -> None:
    pack = write_pack(blobs, b"hello", b"")
    assert blobs.store.read(pack.key, 0, 1000) == golden()
    assert pack.size == len(golden()) == pack_bytes([5, 0])


def test_a_golden_pack_is_read(blobs: LocalBlobs) -> None:
    key, size = put(store_of(blobs), golden())
    assert read_footer(blobs.store, key, size) == [
        Place(digest_of(b"hello"), 5, digests.fast_of_bytes(b"hello"), key, 8, 5, RAW),
        Place(digest_of(b""), 0, digests.fast_of_bytes(b""), key, 13, 0, RAW),
    ]


def test_a_pack_of_nothing_is_whole(blobs: LocalBlobs) -> None:
    pack = write_pack(blobs)
    assert read_footer(blobs.store, pack.key, pack.size) == []


def test_a_coded_member_keeps_both_its_lengths(blobs: LocalBlobs) -> None:
    data, stored = b"a" * 1000, zlib.compress(b"a" * 1000)
    pack = PackWriter(blobs.store)
    pack.add(digest_of(data), len(data), digests.fast_of_bytes(data), stored, ZLIB)
    pack.commit()
    (place,) = read_footer(blobs.store, pack.key, pack.size)
    assert (place.size, place.length, place.codec) == (1000, len(stored), ZLIB)


def test_a_pack_is_full_past_its_target(blobs: LocalBlobs) -> None:
    pack = PackWriter(blobs.store)
    data = bytes(8 << 20)
    for _ in range(4):
        assert not pack.full
        pack.add(digest_of(data), len(data), digests.fast_of_bytes(data), data)
    assert pack.full
    pack.commit()
    assert sum(o.size for o in blobs.store.list()) == pack.size


def test_a_truncated_pack_is_refused(blobs: LocalBlobs) -> None:
    for length in range(len(golden())):
        key, size = put(store_of(blobs), golden()[:length])
        with pytest.raises(CorruptPack):
            read_footer(blobs.store, key, size)


def test_a_pack_shorter_than_the_listing_said_is_refused(blobs: LocalBlobs) -> None:
    key, size = put(store_of(blobs), golden())
    for wrong in (0, 1, size - 1, size + 1, size + 1000):
        with pytest.raises(CorruptPack):
            read_footer(blobs.store, key, wrong)


def test_every_flipped_bit_outside_the_members_is_noticed(blobs: LocalBlobs) -> None:
    whole = golden()
    for at in [*range(8), *range(13, len(whole))]:
        for bit in range(8):
            key, size = put(store_of(blobs), whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])
            with pytest.raises(CorruptPack):
                read_footer(blobs.store, key, size)


@pytest.mark.parametrize("length", [0, 31, 32, 167, 169, 176, 1 << 20, 1 << 62, (1 << 64) - 1])
def test_a_footer_of_another_length_is_refused(blobs: LocalBlobs, length: int) -> None:
    key, size = put(store_of(blobs), golden()[:-16] + struct.pack("<Q", length) + b"LNLPACKE")
    with pytest.raises(CorruptPack):
        read_footer(blobs.store, key, size)


@pytest.mark.parametrize("length", [4, 6, 1 << 40, (1 << 64) - 1])
def test_a_footer_that_does_not_match_the_bytes_is_refused_though_its_checksum_is_right(
    blobs: LocalBlobs, length: int
) -> None:
    row = struct.pack("<32s16sQQI", digest_of(b"hello"), b"f" * 16, 5, length, 0)
    footer = row + digests.of_bytes(row)
    key, size = put(store_of(blobs), b"LNLPACK1hello" + footer + struct.pack("<Q", len(footer)) + b"LNLPACKE")
    with pytest.raises(CorruptPack):
        read_footer(blobs.store, key, size)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=300), length=st.integers(0, 400))
def test_random_bytes_in_a_packs_clothes_are_refused(body: bytes, length: int) -> None:
    blobs = memory_blobs()
    data = b"LNLPACK1" + body + struct.pack("<Q", length) + b"LNLPACKE"
    writer = blobs.store.create()
    writer.write(data)
    writer.commit("packs/x.pack")
    with pytest.raises(CorruptPack):
        read_footer(blobs.store, "packs/x.pack", len(data))


def test_a_hash_that_nobody_knew_is_read_back_as_none(blobs: LocalBlobs) -> None:
    pack = PackWriter(blobs.store)
    pack.add(digest_of(b"hello"), 5, b"", b"hello")
    pack.commit()
    assert [place.fast for place in read_footer(blobs.store, pack.key, pack.size)] == [b""]


def test_stretches_hold_what_is_wanted_in_as_few_reads_as_the_limit_allows() -> None:
    places = [
        Place(digest_of(b"x"), 10, b"", key, at, 10) for key in ("packs/a", "packs/b") for at in (8, 18, 500, 900)
    ]
    wanted = [(p.key, p.offset, f"{p.key}@{p.offset}", p) for p in places]
    found = list(stretches(wanted, 450))
    assert [(s.key, s.start, s.length, len(s.members)) for s in found] == [
        ("packs/a", 8, 20, 2),
        ("packs/a", 500, 410, 2),
        ("packs/b", 8, 20, 2),
        ("packs/b", 500, 410, 2),
    ]
    assert [member for stretch in found for member in stretch.members] == wanted
    assert list(stretches([], 450)) == []


def test_without_gaps_a_stretch_holds_only_what_is_wanted() -> None:
    pack = write_pack(memory_blobs(), *(bytes([number]) * 10 for number in range(5)))
    wanted = [(p.key, p.offset, "", p) for p in pack.places]
    found = list(stretches([*wanted[:2], *wanted[3:]], 450, gaps=False))
    assert [(s.start, s.length) for s in found] == [(wanted[0][1], 20), (wanted[3][1], 20)]
    assert len(list(stretches([*wanted[:2], *wanted[3:]], 450))) == 1
