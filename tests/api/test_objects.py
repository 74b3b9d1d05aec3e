"""Objects up and down through the server."""

import hashlib

import pytest

from lineal.backend.local.backend import LocalBackend
from lineal.storage import digest as digests
from lineal.storage.blobs import object_key, read_blob
from lineal.storage.packs import PackWriter
from tests.api.conftest import Ask
from tests.stores import memory_blobs


def key_of(data: bytes) -> str:
    return object_key(digests.of_bytes(data))


def pack_of(*blobs: bytes) -> tuple[str, bytes]:
    """A pack's key and its bytes."""
    store = memory_blobs().store
    pack = PackWriter(store)
    for data in blobs:
        pack.add(digests.of_bytes(data), len(data), digests.fast_of_bytes(data), data)
    pack.commit()
    with store.open(pack.key) as file:
        return pack.key, file.read()


def test_an_object_that_came_is_a_blob_and_comes_back_whole_and_by_range(ask: Ask, backend: LocalBackend) -> None:
    data = b"0123456789"
    key = key_of(data)
    assert ask("PUT", f"/api/v1/objects/{key}", content=data).status_code == 204
    assert read_blob(backend.blobs, digests.of_bytes(data)) == data
    whole = ask("GET", f"/api/v1/objects/{key}")
    assert (whole.status_code, whole.content) == (200, data)
    assert whole.headers["Content-Disposition"] == "attachment"
    assert whole.headers["Content-Type"] == "application/octet-stream"
    part = ask("GET", f"/api/v1/objects/{key}", headers={"Range": "bytes=3-6"})
    assert (part.status_code, part.content) == (206, b"3456")


def test_the_same_object_may_come_again(ask: Ask, backend: LocalBackend) -> None:
    key = key_of(b"x")
    for _ in range(2):
        assert ask("PUT", f"/api/v1/objects/{key}", content=b"x").status_code == 204
    assert len(list(backend.blobs.store.list())) == 1


def test_other_bytes_than_the_key_says_are_refused_and_leave_nothing(ask: Ask, backend: LocalBackend) -> None:
    answer = ask("PUT", f"/api/v1/objects/{key_of(b'x')}", content=b"y")
    assert answer.json()["error"]["code"] == "invalid.object"
    assert answer.status_code == 422
    assert list(backend.blobs.store.list()) == []
    assert backend.blobs.missing([digests.of_bytes(b"x")])


def test_a_pack_makes_each_of_its_blobs_known(ask: Ask, backend: LocalBackend) -> None:
    key, data = pack_of(b"one", b"two")
    assert ask("PUT", f"/api/v1/objects/{key}", content=data).status_code == 204
    assert read_blob(backend.blobs, digests.of_bytes(b"two")) == b"two"


@pytest.mark.parametrize("at", [9, -60, -1])
def test_a_pack_that_holds_other_bytes_than_it_lists_is_refused_whole(
    ask: Ask, backend: LocalBackend, at: int
) -> None:
    key, data = pack_of(b"one", b"two")
    hurt = bytearray(data)
    hurt[at] ^= 1
    answer = ask("PUT", f"/api/v1/objects/{key}", content=bytes(hurt))
    assert answer.status_code == 422, answer.text
    assert list(backend.blobs.store.list()) == []
    assert len(backend.blobs.missing([digests.of_bytes(b"one"), digests.of_bytes(b"two")])) == 2


HEX = hashlib.sha256(b"x").hexdigest()
HOSTILE = [
    "objects/../lineal.db",
    "objects/%2e%2e/lineal.db",
    "objects/%252e%252e/lineal.db",
    "..%5c..%5clineal.db",
    "/etc/passwd",
    "%2Fetc%2Fpasswd",
    "packs/../../x.pack",
    "packs/a.pack;/../../x",
    f"objects/{HEX[:2]}/{HEX}-abcdefghijkl%00",
    f"objects/00/{HEX}-abcdefghijkl",
    f"objects/{HEX[:2]}/{HEX}",
    "objects/.new-half",
    "lineal.db",
    "packs/",
    "packs/" + "a" * 300 + ".pack",
    "packs/．．／x.pack",
]


@pytest.mark.parametrize("key", HOSTILE)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_key_that_no_object_can_have_is_not_found(
    ask: Ask, backend: LocalBackend, tmp_path, method: str, key: str
) -> None:
    before = sorted(path for path in tmp_path.rglob("*"))
    answer = ask(method, f"/api/v1/objects/{key}", content=b"x" if method == "PUT" else None)
    assert answer.status_code in (404, 405)
    assert sorted(path for path in tmp_path.rglob("*")) == before


@pytest.mark.parametrize("asked", ["bytes=5-1", "bytes=-5", "bytes=0-", "bytes=0-1,3-4", "lines=0-1", "bytes=a-b"])
def test_a_range_that_is_none_is_refused(ask: Ask, asked: str) -> None:
    key = key_of(b"x")
    ask("PUT", f"/api/v1/objects/{key}", content=b"x")
    assert ask("GET", f"/api/v1/objects/{key}", headers={"Range": asked}).status_code == 422


def test_what_is_missing_is_said_in_the_order_that_was_asked(ask: Ask) -> None:
    ask("PUT", f"/api/v1/objects/{key_of(b'x')}", content=b"x")
    asked = [digests.of_bytes(data) for data in (b"c", b"x", b"a", b"b")]
    answer = ask("POST", "/api/v1/blobs/missing", content=b"".join(asked))
    assert answer.content == b"".join([asked[0], *asked[2:]])
    assert ask("POST", "/api/v1/blobs/missing", content=b"short").json()["error"]["code"] == "invalid.digest"
    assert ask("POST", "/api/v1/blobs/missing", content=bytes(32 * 60_000)).status_code == 422
