"""Leave to send to S3 and to read from it: what was signed holds, and nothing else does."""

from __future__ import annotations

import hashlib
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lineal.api import grants
from lineal.api.app import create_app
from lineal.backend.connect import connect
from lineal.backend.local import granting
from lineal.backend.local.backend import LocalBackend
from lineal.backend.local.context import Context, LocalBlobs, Manifests
from lineal.core import settings
from lineal.db.session import open_file
from lineal.storage import digest as digests
from lineal.storage.blobs import BlobStore, object_key, read_blob
from lineal.storage.s3_bucket import Bucket
from tests.api.conftest import Ask, asking
from tests.api.test_objects import HOSTILE, pack_of
from tests.seaweed import Endpoint

LARGE = bytes(range(256)) * (8 << 12) * 9 + b"end"  # nine parts and a bit more


@pytest.fixture
def direct(tmp_path: Path, s3_url: str) -> Iterator[LocalBackend]:
    """A store whose rows are in a file and whose bytes are in S3."""
    database, store = open_file(str(tmp_path / "rows.db")), BlobStore.at(s3_url)
    blobs = LocalBlobs(database, store)
    opened = LocalBackend(Context(database, blobs, "local", None, "ada", "here", Manifests(blobs)), url="x")
    yield opened
    opened.close()


@pytest.fixture
def told(direct: LocalBackend) -> Any:
    """Asks the app over `direct` with JSON."""
    ask = asking(create_app(direct))

    def tell(path: str, asked: Any) -> Any:
        answer = ask("POST", f"/api/v1/blobs/{path}", json=asked)
        return answer.json() if answer.status_code == 200 else answer.json()["error"]["code"]

    return tell


def bucket_of(direct: LocalBackend) -> Bucket:
    bucket = direct.blobs.store.bucket
    assert bucket is not None
    return bucket


def send(put: Any, body: bytes | None, **headers: str) -> int:
    """The status of the request that was signed."""
    given = {**put[1], **headers}
    if body is not None:
        given["content-length"] = str(len(body))  # or one of us would wait for the rest
    request = urllib.request.Request(put[0], body, given, method="GET" if body is None else "PUT")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as problem:
        problem.close()
        return problem.code


def read(get: Any) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(get[0], headers=get[1]), timeout=30) as answer:
        data: bytes = answer.read()
        return data


def sum_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def wanted(data: bytes, key: str | None = None) -> dict[str, Any]:
    return {"key": key or object_key(digests.of_bytes(data)), "size": len(data), "sha256": sum_of(data)}


def put_pack(told: Any, *blobs: bytes) -> str:
    key, data = pack_of(*blobs)
    grant = told("grants", wanted(data, key))
    assert send(grant["put"], data) == 200
    assert told("add", {"ticket": grant["ticket"]}) == {}
    return key


# ---- one request ---------------------------------------------------------------------------------------------


def test_an_object_counts_once_it_has_arrived_and_was_added(told: Any, direct: LocalBackend) -> None:
    grant = told("grants", wanted(b"hello"))
    digest = digests.of_bytes(b"hello")
    assert told("add", {"ticket": grant["ticket"]}) == "not_found.blob"
    assert send(grant["put"], b"hello") == 200
    assert direct.blobs.missing([digest]) == {digest}
    for _ in range(2):  # the second time as if the answer had been lost
        assert told("add", {"ticket": grant["ticket"]}) == {}
    assert read_blob(direct.blobs, digest) == b"hello"
    assert direct.blobs.find([digest])[digest].fast == b"", "nobody of ours has read it"


@pytest.mark.parametrize("body", [b"jello", b"hell", b"hello!", b""])
def test_the_s3_refuses_other_bytes_than_were_granted(told: Any, direct: LocalBackend, body: bytes) -> None:
    grant = told("grants", wanted(b"hello"))
    assert send(grant["put"], body) in (400, 403)
    assert send(grant["put"], body, **{"content-length": str(len(body)), "x-amz-checksum-sha256": "AA=="}) in (
        400,
        403,
    )
    assert list(direct.blobs.store.list()) == []


def test_a_key_is_written_once(told: Any) -> None:
    asked = wanted(b"hello")
    first, second = told("grants", asked), told("grants", asked)
    assert send(first["put"], b"hello") == 200
    assert send(second["put"], b"hello") == 412
    without = {name: value for name, value in second["put"][1].items() if name != "if-none-match"}
    assert send([second["put"][0], without], b"hello") == 403
    assert told("add", {"ticket": first["ticket"]}) == {}
    assert told("grants", asked) == "invalid.object", "it is taken"


def test_leave_to_send_ends(told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(granting, "PUT_S", 1)
    grant = told("grants", wanted(b"hello"))
    until = time.monotonic() + 30
    while (status := send(grant["put"], b"jello")) == 400 and time.monotonic() < until:
        time.sleep(0.2)
    assert status == 403


OTHERS = object_key(digests.of_bytes(b"other"))[:-12] + "a" * 12  # the same for all who collect the tests


@pytest.mark.parametrize("key", [*HOSTILE, "packs/x.pack", OTHERS])
def test_a_key_that_the_bytes_can_not_have_is_refused(told: Any, key: str) -> None:
    assert told("grants", wanted(b"hello", key)) == "invalid.object"


def test_what_is_too_much_is_refused(told: Any) -> None:
    pack = pack_of(b"x")[0]
    assert told("grants", {"key": pack, "size": granting.WHOLE_BYTES + 1, "sha256": "0" * 64}) == "invalid.object"
    own = wanted(b"x")
    assert told("grants", {**own, "size": granting.MAX_BYTES + 1}) == "invalid.object"
    assert told("grants", {**own, "size": -1}) == "invalid.argument"
    assert told("grants", {**own, "sha256": "x"}) == "invalid.argument"
    assert told("grants", {**own, "more": 1}) == "invalid.argument"
    assert told("urls", {"spans": [["a", 0, 1, "00"]]}) == "invalid.argument"


def test_another_object_in_the_granted_place_is_refused_and_dropped(told: Any, direct: LocalBackend) -> None:
    grant = told("grants", wanted(b"hello"))
    key = wanted(b"hello")["key"]
    grant = told("grants", wanted(b"hello", key))
    bucket_of(direct).put(key, b"jello", digests.of_bytes(b"jello"))  # as whoever owns the bucket might
    assert told("add", {"ticket": grant["ticket"]}) == "invalid.object"
    assert list(direct.blobs.store.list()) == []


def test_a_pack_is_read_before_it_counts(told: Any, direct: LocalBackend) -> None:
    put_pack(told, b"one", b"two")
    assert read_blob(direct.blobs, digests.of_bytes(b"two")) == b"two"
    place = direct.blobs.find([digests.of_bytes(b"two")])[digests.of_bytes(b"two")]
    assert place.fast == digests.fast_of_bytes(b"two")


@pytest.mark.parametrize("at", [9, -60, -1])
def test_a_pack_with_other_bytes_than_it_lists_is_refused_whole(told: Any, direct: LocalBackend, at: int) -> None:
    key, data = pack_of(b"one", b"two")
    hurt = bytearray(data)
    hurt[at] ^= 1
    grant = told("grants", wanted(bytes(hurt), key))
    assert send(grant["put"], bytes(hurt)) == 200
    assert told("add", {"ticket": grant["ticket"]}) == "invalid.object"
    assert list(direct.blobs.store.list()) == []
    assert len(direct.blobs.missing([digests.of_bytes(b"one"), digests.of_bytes(b"two")])) == 2


# ---- tickets ---------------------------------------------------------------------------------------------------


def test_a_ticket_is_the_servers_own_words(told: Any) -> None:
    ticket = told("grants", wanted(b"hello"))["ticket"]
    head, _, mark = ticket.partition(".")
    for wrong in ("", ".", "x", head, f"{head}.", f"{head}.{mark[:-4]}", f".{mark}", f"{head[:-1]}A.{mark}", "é.é"):
        assert told("add", {"ticket": wrong}) == "invalid.ticket"
    assert told("parts", {"ticket": ticket, "parts": []}) == "invalid.ticket", "it is for another kind of upload"
    assert told("parts/find", {"ticket": ticket}) == "invalid.ticket"
    assert told("add", {"ticket": ticket, "sums": ["0" * 64]}) == "invalid.ticket"


def test_every_process_over_one_database_reads_the_ticket(told: Any, direct: LocalBackend) -> None:
    grant = told("grants", wanted(b"hello"))
    send(grant["put"], b"hello")
    other = asking(create_app(direct))
    assert other("POST", "/api/v1/blobs/add", json={"ticket": grant["ticket"]}).status_code == 200


# ---- parts -------------------------------------------------------------------------------------------------------


def begin(told: Any, data: bytes) -> tuple[str, list[bytes]]:
    """The ticket of an upload in parts, and its parts."""
    grant = told("grants", wanted(data))
    assert grant["put"] is None
    step = grant["part_bytes"]
    return grant["ticket"], [data[at : at + step] for at in range(0, len(data), step)]


def send_part(told: Any, ticket: str, number: int, part: bytes) -> int:
    (put,) = told("parts", {"ticket": ticket, "parts": [[number, sum_of(part)]]})
    return send(put, part)


def test_a_large_object_comes_in_parts_and_is_read_before_it_counts(told: Any, direct: LocalBackend) -> None:
    ticket, parts = begin(told, LARGE)
    sums = [sum_of(part) for part in parts]
    for number in (2, 1):
        assert send_part(told, ticket, number, parts[number - 1]) == 200
    assert told("parts/find", {"ticket": ticket}) == [[1, len(parts[0])], [2, len(parts[1])]]
    assert told("add", {"ticket": ticket, "sums": sums}) == "invalid.object", "most of it is still to come"
    for number, part in enumerate(parts[2:], 3):
        assert send_part(told, ticket, number, part) == 200
    for _ in range(2):
        assert told("add", {"ticket": ticket, "sums": sums}) == {}
    digest = digests.of_bytes(LARGE)
    assert read_blob(direct.blobs, digest) == LARGE
    assert direct.blobs.find([digest])[digest].fast == digests.fast_of_bytes(LARGE)
    assert told("parts/find", {"ticket": ticket}) == "not_found.blob", "it is over"


def test_parts_of_something_else_are_refused_as_a_whole(told: Any, direct: LocalBackend) -> None:
    ticket, parts = begin(told, LARGE)
    parts[3] = bytes(len(parts[3]))
    for number, part in enumerate(parts, 1):
        assert send_part(told, ticket, number, part) == 200
    assert told("add", {"ticket": ticket, "sums": [sum_of(part) for part in parts]}) == "invalid.object"
    assert list(direct.blobs.store.list()) == []
    assert direct.blobs.missing([digests.of_bytes(LARGE)])


def test_a_part_has_its_own_size_and_bytes(told: Any) -> None:
    ticket, parts = begin(told, LARGE)
    (put,) = told("parts", {"ticket": ticket, "parts": [[1, sum_of(parts[0])]]})
    assert send(put, parts[1][:-1] + b"?") in (400, 403)
    assert send(put, parts[0] + b"?") in (400, 403)
    assert send_part(told, ticket, len(parts), parts[0]) in (400, 403), "the last part is shorter"
    assert told("parts", {"ticket": ticket, "parts": [[0, sum_of(b"")]]}) == "invalid.object"
    assert told("parts", {"ticket": ticket, "parts": [[len(parts) + 1, sum_of(b"")]]}) == "invalid.object"


def test_an_answer_that_takes_its_time_begins_with_blanks(
    direct: LocalBackend, told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grants, "_ANSWER_S", 0.0)
    monkeypatch.setattr(grants, "_SIGN_OF_LIFE_S", 0.01)
    ticket, parts = begin(told, LARGE)
    for number, part in enumerate(parts, 1):
        send_part(told, ticket, number, part)
    ask = asking(create_app(direct))
    asked = {"ticket": ticket, "sums": [sum_of(part) for part in parts]}
    answer = ask("POST", "/api/v1/blobs/add", json=asked)
    assert answer.text.startswith(" ")
    assert answer.json() == {}
    late = ask("POST", "/api/v1/blobs/add", json={"ticket": "x", "sums": asked["sums"]})
    assert (late.status_code, late.json()["error"]["code"]) == (200, "invalid.ticket")


# ---- reading ---------------------------------------------------------------------------------------------------


def span_of(direct: LocalBackend, *blobs: bytes) -> dict[str, Any]:
    asked = [digests.of_bytes(data) for data in blobs]
    places = sorted(direct.blobs.find(asked).values(), key=lambda place: place.offset)
    last = places[-1]
    end, every = last.offset + last.length, "".join(digest.hex() for digest in asked)
    return {"key": last.key, "start": places[0].offset, "end": end, "digests": every}


def test_a_span_is_read_as_it_was_signed_and_not_otherwise(told: Any, direct: LocalBackend) -> None:
    put_pack(told, b"one", b"two", b"three")
    span = span_of(direct, b"one", b"two")
    answer = told("urls", {"spans": [span]})
    (get,) = answer["urls"]
    assert (answer["direct"], read(get)) == (True, b"onetwo")
    for wrong in ("bytes=0-100", f"bytes={span['start']}-{span['end']}", "bytes=0-"):
        assert send([get[0], {"range": wrong}], None) == 403
    assert send([get[0], {}], None) == 403
    assert send([get[0].replace(".pack", ".pack2"), get[1]], None) == 403
    assert send([get[0], get[1]], b"") in (403, 405)


def test_a_span_holds_what_was_named_and_nothing_between(told: Any, direct: LocalBackend) -> None:
    put_pack(told, b"one", b"two", b"three")
    span = span_of(direct, b"one", b"three")
    before = {**span_of(direct, b"two"), "start": 0}
    behind = {**span_of(direct, b"three"), "end": span["end"] + 1}
    whole = {**span_of(direct, b"one"), "end": None}
    missing = {**span_of(direct, b"one"), "digests": "0" * 64}
    elsewhere = {**span_of(direct, b"one"), "key": "packs/00000000000000000000000000.pack"}
    asked = [span, before, behind, whole, missing, elsewhere, span_of(direct, b"two")]
    assert [get is None for get in told("urls", {"spans": asked})["urls"]] == [True] * 6 + [False]


def test_an_object_of_one_blob_is_read_by_any_range(told: Any, direct: LocalBackend) -> None:
    grant = told("grants", wanted(b"0123456789"))
    send(grant["put"], b"0123456789")
    told("add", {"ticket": grant["ticket"]})
    span = {**span_of(direct, b"0123456789"), "start": 0, "end": None}
    (get,) = told("urls", {"spans": [span]})["urls"]
    assert read(get) == b"0123456789"
    assert read([get[0], {"range": "bytes=3-5"}]) == b"345"


def test_a_url_is_for_the_address_at_which_others_see_the_s3(
    told: Any, s3: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINEAL_S3_PUBLIC_ENDPOINT", "https://bytes.example.org:9000")
    grant = told("grants", wanted(b"hello"))
    assert grant["put"][0].startswith("https://bytes.example.org:9000/")
    assert s3.secret_key not in str(grant)


def test_a_store_that_can_not_sign_says_so(ask: Ask, backend: LocalBackend) -> None:
    assert backend.blobs.store.bucket is None
    assert ask("POST", "/api/v1/blobs/grants", json=wanted(b"x")).json() == {"direct": False}
    assert ask("POST", "/api/v1/blobs/urls", json={"spans": []}).json() == {"direct": False}
    for path, asked in (("parts", {"ticket": "x", "parts": []}), ("add", {"ticket": "x"})):
        assert ask("POST", f"/api/v1/blobs/{path}", json=asked).json()["error"]["code"] == "invalid.ticket"


def test_one_request_is_of_bounded_length(ask: Ask) -> None:
    answer = ask("POST", "/api/v1/blobs/urls", content=b" " * (grants.MAX_BODY_BYTES + 1))
    assert answer.json()["error"]["code"] == "invalid.argument"


def test_connecting_to_a_folder_never_asks_for_an_s3(tmp_path: Path) -> None:
    opened = connect(settings.load(tmp_path, url=str(tmp_path / "other")))
    assert opened.blobs.store.bucket is None
    opened.close()
