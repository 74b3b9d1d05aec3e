"""Leave to read: asked for ahead and in few requests, and again where it has ended."""

from collections.abc import Iterator
from typing import Any

import pytest

from lineal.backend.presigned import Store
from lineal.backend.remote_urls import Urls
from lineal.core.errors import BlobNotFound
from lineal.storage.blobs import Expected, object_key
from tests.seaweed import Endpoint
from tests.stores import digest_of, s3_blobs, write_object


class Desk:
    """What a server says, signed by the bucket itself."""

    def __init__(self, url: str) -> None:
        self.blobs = s3_blobs(url)
        self.asked: list[int] = []
        self.lasts_s = 3600

    def tell(self, _path: str, asked: Any) -> Any:
        self.asked.append(len(asked["spans"]))
        bucket = self.blobs.store.bucket
        assert bucket is not None
        signed = [bucket.presign_get(span["key"], span["start"], span["end"], 60) for span in asked["spans"]]
        return {"direct": True, "lasts_s": self.lasts_s, "urls": [[get.url, dict(get.headers)] for get in signed]}


@pytest.fixture
def desk(s3: Endpoint, s3_url: str) -> Desk:
    return Desk(s3_url)


@pytest.fixture
def store() -> Iterator[Store]:
    opened = Store()
    yield opened
    opened.close()


def test_what_is_expected_is_asked_for_ahead(desk: Desk, store: Store) -> None:
    places = [write_object(desk.blobs, b"%d" % number) for number in range(5)]
    urls = Urls(desk.tell, store)
    urls.expect(Expected(place.key, 0, place.length, [place.digest]) for place in places)
    for number, place in enumerate(places):
        assert urls.get(place.key, 0, 10) == (b"%d" % number, 1)
    assert desk.asked == [5]


def test_leave_that_has_ended_is_asked_for_again(desk: Desk, store: Store) -> None:
    place = write_object(desk.blobs, b"hello")
    desk.lasts_s = 0
    urls = Urls(desk.tell, store)
    for _ in range(2):
        assert urls.get(place.key, 1, 3) == (b"el", 5)
    assert desk.asked == [1, 1]


def test_what_is_gone_is_not_found(desk: Desk, store: Store) -> None:
    urls = Urls(desk.tell, store)
    with pytest.raises(BlobNotFound):
        urls.get(object_key(digest_of(b"x")), 0, 1)
    assert desk.asked == [1, 1], "once more, in case it was only the leave"


def test_a_stretch_of_a_pack_that_nobody_named_is_the_servers_to_read(desk: Desk, store: Store) -> None:
    assert Urls(desk.tell, store).get("packs/00000000000000000000000000.pack", 0, 8) is None
    assert desk.asked == []
