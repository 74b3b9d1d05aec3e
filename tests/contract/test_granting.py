"""What a caller may know of bytes that go past the server: their own, and what they may read; nothing of others'."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lineal.access.model import Caller
from lineal.backend.connect import connect
from lineal.backend.local.backend import LocalBackend
from lineal.backend.local.granting import Granting, Span
from lineal.backend.local.holding import HeldBlobs
from lineal.core import settings
from lineal.core.errors import BlobNotFound, InvalidObject, InvalidTicket
from lineal.storage import digest as digests
from lineal.storage.blobs import object_key
from lineal.storage.cache import Cache
from lineal.storage.digest import Digest
from lineal.storage.pull import pull
from tests import server
from tests.stores import add_pack

from .conftest import Desk

ONE, TWO, THREE = b"one" * 9, b"two" * 9, b"three" * 9


@pytest.fixture
def root(tmp_path: Path, postgres_url: str, s3_url: str) -> Iterator[LocalBackend]:
    """A store in PostgreSQL and S3 with two users who share nothing."""
    opened = connect(settings.load(tmp_path, url=postgres_url, store=s3_url, user="operator"))
    assert isinstance(opened, LocalBackend)
    for name in ("root", "ada", "olga"):
        opened.access.add_user(name, admin=name == "root")
    yield opened
    opened.close()


def blobs_of(root: LocalBackend, name: str) -> HeldBlobs:
    from lineal.access import users

    with root.context.database.read() as session:
        found = users.get(session, name)
    caller = Caller(found.id, name, False, None, "k", "10.0.0.9", "r")
    return root.served_to(caller, entity=name, project="mine", host="box", user=name).blobs


def granting(root: LocalBackend, name: str) -> Granting:
    return blobs_of(root, name).granting


def send(put: Any, data: bytes) -> None:
    request = urllib.request.Request(put.url, data, dict(put.headers), method="PUT")
    urllib.request.urlopen(request, timeout=30).close()


def sent(root: LocalBackend, name: str, data: bytes) -> tuple[str, str]:
    """The key and the ticket of an object that the user has sent and not added."""
    digest = digests.of_bytes(data)
    key = object_key(digest)
    grant = granting(root, name).upload(key, len(data), digest)
    send(grant.put, data)
    return key, grant.ticket


def span_of(root: LocalBackend, *wanted: Digest) -> Span:
    places = sorted(root.blobs.find(wanted).values(), key=lambda place: place.offset)
    return Span(places[0].key, places[0].offset, places[-1].offset + places[-1].length, wanted)


def test_only_who_was_let_send_an_object_may_add_it(root: LocalBackend) -> None:
    key, ticket = sent(root, "ada", ONE)
    for call in (granting(root, "olga").add, granting(root, "olga").arrived):
        with pytest.raises(InvalidTicket):
            call(ticket)
    with pytest.raises(InvalidTicket):
        granting(root, "olga").parts(ticket, [(1, digests.of_bytes(ONE))])
    granting(root, "ada").add(ticket)
    assert blobs_of(root, "ada").missing([digests.of_bytes(ONE)]) == set()
    assert blobs_of(root, "olga").missing([digests.of_bytes(ONE)]) == {digests.of_bytes(ONE)}
    with pytest.raises(InvalidObject):  # whoever learns the key gets no ticket for it any more
        granting(root, "olga").upload(key, len(ONE), digests.of_bytes(ONE))


def test_leave_to_send_tells_nothing_of_what_others_have(root: LocalBackend) -> None:
    granting(root, "ada").add(sent(root, "ada", ONE)[1])
    kept = root.blobs.find([digests.of_bytes(ONE)])
    answers = []
    for data in (ONE, b"that nobody has"):
        digest = digests.of_bytes(data)
        grant = granting(root, "olga").upload(object_key(digest), len(data), digest)
        with pytest.raises(BlobNotFound) as raised:
            granting(root, "olga").add(grant.ticket)
        answers.append((bool(grant.put), grant.part_bytes, raised.value.code))
    assert answers[0] == answers[1], "there or not, it has to be sent"
    granting(root, "olga").add(sent(root, "olga", ONE)[1])
    assert blobs_of(root, "olga").missing([digests.of_bytes(ONE)]) == set()
    assert root.blobs.find([digests.of_bytes(ONE)]) == kept, "the store keeps one copy"
    assert len(list(root.blobs.store.list())) == 1


def test_leave_to_read_is_for_what_the_caller_may_know_of(root: LocalBackend) -> None:
    places = add_pack(root.blobs, ONE, TWO, THREE)
    one, two, three = (place.digest for place in places)
    blobs_of(root, "olga").sent([one, three])
    olga = granting(root, "olga")
    spans = [span_of(root, one), span_of(root, two), span_of(root, one, two), span_of(root, one, three)]
    absent = Span(places[0].key, 0, 10, [digests.of_bytes(b"that nobody has")])
    found = olga.downloads([*spans, span_of(root, three), absent])
    assert [get is not None for get in found] == [True, False, False, False, True, False]
    first = found[0]
    assert first is not None
    request = urllib.request.Request(first.url, headers=dict(first.headers))
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.read() == ONE


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_who_may_read_some_blobs_of_a_pack_downloads_them(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All five lie in one pack with the manifest of ada's version; olga reads a version with three of them."""
    given = {}
    if kind == "s3":
        given = {"url": request.getfixturevalue("postgres_url"), "store": request.getfixturevalue("s3_url")}
    url = server.start(tmp_path / "served", **given)
    opened = []

    def desk(name: str) -> Desk:
        monkeypatch.setenv("LINEAL_API_KEY", keys[name])
        opened.append(connect(settings.load(tmp_path, url=url, entity=name, project="mine", cache_dir=str(tmp_path))))
        return Desk(opened[-1], Cache(tmp_path / f"cache of {name}"))

    access = server.served().access
    for name in ("root", "ada", "olga"):
        access.add_user(name, admin=name == "root")
    keys = {name: access.make_key("laptop", user=name).secret for name in ("root", "ada", "olga")}
    files = {f"{number}.txt": b"%d" % number * 99 for number in range(5)}
    try:
        ada, olga = desk("ada"), desk("olga")
        ada.log(files)
        some = {name: data for name, data in files.items() if name[0] in "134"}
        digest = olga.log(some, "some").digest
        blobs = [digests.of_bytes(data) for data in files.values()]
        assert len({place.key for place in server.served().blobs.find(blobs).values()}) == 1
        entries = list(olga.backend.artifacts.manifest(digest))
        assert pull(entries, olga.backend.blobs, tmp_path / "back", olga.cache) == 3
        assert {path.name: path.read_bytes() for path in (tmp_path / "back").iterdir()} == some
        hidden = digests.of_bytes(files["2.txt"])
        assert olga.backend.blobs.find([hidden]) == {}
        (place,) = server.served().blobs.find([hidden]).values()
        for start, length in ((place.offset, place.length), (place.offset - 1, 2), (0, 8)):
            with pytest.raises(BlobNotFound):
                olga.backend.blobs.store.read(place.key, start, length)
    finally:
        for backend in opened:
            backend.close()
        server.stop()
