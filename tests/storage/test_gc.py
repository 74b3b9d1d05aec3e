"""Garbage: what is live or young stays, packs that are mostly dead are written anew, strays are named."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.backend.local.context import LocalBlobs
from lineal.core.errors import BlobNotFound, CorruptPack, DigestMismatch
from lineal.storage import gc
from lineal.storage.blobs import ZLIB, Place, StoredObject
from lineal.storage.digest import Digest
from lineal.storage.gc import Garbage, find_garbage
from lineal.storage.index import IndexedObject
from lineal.storage.packs import read_footer
from tests.stores import add_object, add_pack, damage, digest_of, keys, write_object, write_pack

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
OLD, YOUNG = NOON - timedelta(days=2), NOON + timedelta(seconds=1)
OVERHEAD, ROW = 56, 68


def member(name: str, key: str, length: int = 1000) -> Place:
    return Place(digest_of(name.encode()), length, b"f" * 16, key, 8, length)


def find(
    places: Iterable[Place],
    live: Iterable[str],
    *,
    made: datetime = OLD,
    stored: Iterable[StoredObject] = (),
    lost: int = 0,
) -> Garbage:
    """What is garbage as of noon in a store with `places`, whose objects hold `lost` bytes that no row knows."""
    places = list(places)
    objects = {}
    for key in {p.key for p in places}:
        lengths = [p.length for p in places if p.key == key]
        overhead = OVERHEAD + ROW * len(lengths) if key.endswith(".pack") else 0
        objects[key] = IndexedObject(key, sum(lengths) + overhead + lost, made)
    return find_garbage(
        {digest_of(n.encode()) for n in live},
        [(p, made) for p in places],
        objects,
        stored,
        older_than=NOON,
        strays_older_than=NOON,
    )


def test_what_is_live_stays() -> None:
    found = find([member("a", "objects/aa/a"), member("b", "packs/p.pack")], ["a", "b"])
    assert (found.dead, found.objects, found.rewrites, found.strays) == ((), {}, {}, {})
    assert found.freed_bytes == found.waiting_count == found.waiting_bytes == 0


def test_what_is_dead_and_old_goes() -> None:
    dead = [member("a", "objects/aa/a"), member("b", "packs/p.pack")]
    found = find([*dead, member("c", "objects/cc/c")], ["c"])
    assert set(found.dead) == set(dead)
    assert found.objects == {"objects/aa/a": 1000, "packs/p.pack": 1000 + OVERHEAD + ROW}
    assert found.freed_bytes == sum(found.objects.values())


def test_what_is_dead_but_young_waits() -> None:
    for made in (NOON, YOUNG):
        found = find([member("a", "objects/aa/a"), member("b", "packs/p.pack")], [], made=made)
        assert (found.dead, found.objects, found.rewrites) == ((), {}, {})
        assert (found.waiting_count, found.waiting_bytes) == (2, 2000)


def test_a_pack_less_than_half_dead_is_left_alone() -> None:
    places = [member(name, "packs/p.pack") for name in "abcd"]
    found = find(places, "abc")
    assert (found.rewrites, found.objects) == ({}, {})
    assert found.dead == (places[3],)


def test_a_pack_more_than_half_dead_is_written_anew() -> None:
    found = find([member(name, "packs/p.pack") for name in "abcd"], "a")
    assert found.objects == {}
    assert set(found.rewrites) == {"packs/p.pack"}
    assert 3000 <= found.rewrites["packs/p.pack"] <= 3000 + 3 * ROW
    assert found.freed_bytes == found.rewrites["packs/p.pack"]


def test_bytes_whose_rows_are_gone_count_as_dead() -> None:
    assert set(find([member("a", "packs/p.pack")], "a", lost=2000).rewrites) == {"packs/p.pack"}


def test_a_pack_of_tiny_live_blobs_is_left_alone_though_its_footer_is_larger_than_they_are() -> None:
    found = find([member(str(n), "packs/p.pack", length=3) for n in range(100)], map(str, range(100)))
    assert (found.rewrites, found.objects, found.freed_bytes) == ({}, {}, 0)


def test_a_pack_whose_only_live_blob_is_empty_stays_or_is_written_anew() -> None:
    places = [member("empty", "packs/p.pack", length=0), member("a", "packs/p.pack")]
    found = find(places, ["empty"])
    assert found.objects == {}
    assert set(found.rewrites) == {"packs/p.pack"}
    assert find(places[:1], ["empty"]).freed_bytes == 0


def test_an_empty_blob_that_is_dead_goes() -> None:
    found = find([member("empty", "packs/p.pack", length=0)], [])
    assert set(found.objects) == {"packs/p.pack"}
    assert len(found.dead) == 1


@given(
    st.lists(st.tuples(st.integers(0, 5000), st.booleans(), st.sampled_from("pq")), max_size=30),
    st.booleans(),
)
def test_no_object_with_a_live_blob_goes_and_all_others_do(members: list[tuple[int, bool, str]], young: bool) -> None:
    places = [member(str(n), f"packs/{pack}.pack", length) for n, (length, _, pack) in enumerate(members)]
    live = {str(n) for n, (_, alive, _) in enumerate(members) if alive}
    found = find(places, live, made=YOUNG if young else OLD)
    needed = {place.key for place, (_, alive, _) in zip(places, members, strict=True) if alive}
    assert set(found.objects) == (set() if young else {p.key for p in places} - needed)
    assert set(found.rewrites) <= needed
    assert len(found.dead) + found.waiting_count == len(members) - len(live)


def test_an_old_object_that_the_index_does_not_know_is_a_stray() -> None:
    stored = [
        StoredObject("objects/.new-x", 5, OLD.timestamp()),
        StoredObject("packs/stray.pack", 7, OLD.timestamp()),
        StoredObject("packs/young.pack", 9, YOUNG.timestamp()),
        StoredObject("objects/aa/a", 1000, OLD.timestamp()),
    ]
    found = find([member("a", "objects/aa/a")], "a", stored=stored)
    assert found.strays == {"objects/.new-x": 5, "packs/stray.pack": 7}
    assert found.freed_bytes == 12


# ---- rewriting -----------------------------------------------------------------------------------------------


def test_a_rewritten_pack_holds_what_was_asked_for(blobs: LocalBlobs) -> None:
    places = add_pack(blobs, b"a", b"", b"ccc")
    pack = gc.rewrite(blobs.store, [places[1], places[2]])
    assert [(p.digest, p.size, p.fast) for p in read_footer(blobs.store, pack.key, pack.size)] == [
        (p.digest, p.size, p.fast) for p in places[1:]
    ]
    assert blobs.store.read(pack.key, 8, 3) == b"ccc"


def test_rewriting_a_pack_that_nobody_has_read_tells_the_hashes_that_were_not_known(blobs: LocalBlobs) -> None:
    places = add_pack(blobs, b"a", b"bb")
    pack = gc.rewrite(blobs.store, [place._replace(fast=b"") for place in places])
    assert [p.fast for p in read_footer(blobs.store, pack.key, pack.size)] == [p.fast for p in places]


def test_rewriting_spreads_no_damage_and_leaves_nothing(blobs: LocalBlobs) -> None:
    (place,) = add_pack(blobs, b"abc")
    damage(str(blobs.store.path_of(place.key)), 8)
    with pytest.raises(DigestMismatch):
        gc.rewrite(blobs.store, [place])
    assert keys(blobs) == {place.key}


# ---- what an object says of itself ---------------------------------------------------------------------------


def test_an_object_tells_which_blobs_it_holds(blobs: LocalBlobs) -> None:
    alone, pack = write_object(blobs, b"alone"), write_pack(blobs, b"a", b"b")
    coded = write_object(blobs, b"coded" * 100, codec=ZLIB)
    told = {o.key: gc.places_in(blobs.store, o) for o in blobs.store.list()}
    assert told[pack.key] == pack.places
    assert [gc.verify(blobs.store, p) for p in told[alone.key]] == [alone]
    assert [gc.verify(blobs.store, p) for p in told[coded.key]] == [coded]


def test_an_object_half_written_or_foreign_tells_nothing(blobs: LocalBlobs) -> None:
    blobs.store.create().write(b"half")
    Path(blobs.store.root, "objects", "notes.txt").write_text("x")
    assert [gc.places_in(blobs.store, o) for o in blobs.store.list()] == [[], []]


def test_a_damaged_pack_is_told(blobs: LocalBlobs) -> None:
    pack = write_pack(blobs, b"a")
    damage(str(blobs.store.path_of(pack.key)), pack.size - 20)
    with pytest.raises(CorruptPack):
        gc.places_in(blobs.store, next(blobs.store.list()))


@pytest.mark.parametrize("data", [b"", b"a", os.urandom(9 << 20)], ids=["empty", "small", "large"])
def test_a_whole_blob_is_verified_and_a_damaged_one_told(blobs: LocalBlobs, data: bytes) -> None:
    for place in (
        add_object(blobs, data + b"1"),
        *add_pack(blobs, data + b"2"),
        add_object(blobs, data + b"3", codec=ZLIB),
    ):
        unknown = place._replace(fast=b"", size=0)
        assert gc.verify(blobs.store, unknown) == place
        damage(str(blobs.store.path_of(place.key)), place.offset + place.length - 1)
        with pytest.raises(DigestMismatch):
            gc.verify(blobs.store, place)
        blobs.store.delete(place.key)
        with pytest.raises(BlobNotFound):
            gc.verify(blobs.store, place)


def test_a_digest_is_no_name_of_other_bytes(blobs: LocalBlobs) -> None:
    place = add_object(blobs, b"abc")
    with pytest.raises(DigestMismatch):
        gc.verify(blobs.store, place._replace(digest=Digest(bytes(32))))
