"""One bucket of a real S3: what it does, what it refuses of those who hold a signed request, errors in our words."""

from __future__ import annotations

import os
import secrets
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from lineal.core.errors import BlobNotFound, DigestMismatch, DiskFull, ReadOnly, StoreUnavailable
from lineal.storage.s3_bucket import Bucket, Head, Part, Presigned, new_client, shared_client
from tests.processes import RunChild
from tests.seaweed import Endpoint
from tests.stores import digest_of

DATA = b"0123456789"


@pytest.fixture
def bucket(s3_url: str) -> Bucket:
    """A prefix of the test's own."""
    name, _, prefix = s3_url.removeprefix("s3://").partition("/")
    return Bucket(name, prefix)


def as_other(bucket: Bucket, endpoint: str, key: str, secret: str, **config: object) -> Bucket:
    client = new_client(endpoint_url=endpoint, aws_access_key_id=key, aws_secret_access_key=secret)
    return Bucket(bucket.name, bucket.prefix, client)


def send(
    signed: Presigned,
    data: bytes | None = None,
    *,
    method: str | None = None,
    url: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, bytes, Mapping[str, str]]:
    """Status, body and headers of the answer to a request as whoever holds it makes it, or makes it otherwise."""
    given = dict(signed.headers if headers is None else headers)
    if data is not None:
        given.setdefault("content-type", "")
        given["content-length"] = str(len(data)) if headers is None else given["content-length"]
    request = urllib.request.Request(url or signed.url, data, given, method=method or signed.method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read(), refused.headers


# ---- objects -------------------------------------------------------------------------------------------------


def test_an_object_is_put_looked_at_read_and_deleted(bucket: Bucket) -> None:
    bucket.put("objects/a", DATA, digest_of(DATA))
    assert bucket.head("objects/a") == Head(10, digest_of(DATA))
    assert bucket.get("objects/a", 2, 5) == (b"234", 10)
    assert bucket.get("objects/a", 8, 50) == (b"89", 10)
    assert bucket.get("objects/a", 10, 11) == (b"", 10)
    for _ in range(2):
        bucket.delete("objects/a")
    for act in (lambda: bucket.head("objects/a"), lambda: bucket.get("objects/a", 0, 1)):
        with pytest.raises(BlobNotFound, match="objects/a is not in the store"):
            act()


def test_an_empty_object_is_an_object(bucket: Bucket) -> None:
    bucket.put("objects/none", b"", digest_of(b""))
    assert bucket.head("objects/none") == Head(0, digest_of(b""))
    assert bucket.get("objects/none", 0, 100) == (b"", 0)


def test_bytes_of_another_digest_are_refused(bucket: Bucket) -> None:
    with pytest.raises(DigestMismatch, match="other bytes"):
        bucket.put("objects/a", DATA, digest_of(b"other"))
    assert list(bucket.list_objects("objects/")) == []


def test_a_key_is_taken_once_and_the_same_bytes_again_are_the_same_act(bucket: Bucket) -> None:
    bucket.put("objects/a", DATA, digest_of(DATA))
    bucket.put("objects/a", DATA, digest_of(DATA))
    with pytest.raises(DigestMismatch, match="in the store already"):
        bucket.put("objects/a", b"other", digest_of(b"other"))
    assert bucket.get("objects/a", 0, 10)[0] == DATA


def test_every_object_is_listed_whatever_the_order_and_however_many_pages(bucket: Bucket) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: bucket.put(f"objects/{n % 7}/{n}", b"x", digest_of(b"x")), range(1005)))
    found = list(bucket.list_objects("objects/"))
    assert {key for key, _, _ in found} == {f"objects/{n % 7}/{n}" for n in range(1005)}
    assert len(found) == 1005
    assert {size for _, size, _ in found} == {1}
    assert all(abs(datetime.now(UTC) - at) < timedelta(hours=1) for _, _, at in found)


def test_two_prefixes_do_not_see_each_other(bucket: Bucket) -> None:
    other = Bucket(bucket.name, f"{bucket.prefix.rstrip('/')}2")
    bucket.put("objects/a", b"one", digest_of(b"one"))
    other.put("objects/a", b"two", digest_of(b"two"))
    assert bucket.get("objects/a", 0, 9)[0] == b"one"
    assert len(list(bucket.list_objects("objects/"))) == 1


# ---- objects in parts ----------------------------------------------------------------------------------------

MIB = 1 << 20
PARTS = [os.urandom(5 * MIB), os.urandom(5 * MIB), b"the end"]


def upload(bucket: Bucket, key: str, upload_id: str) -> list[Part]:
    return [bucket.put_part(key, upload_id, n, data, digest_of(data)) for n, data in enumerate(PARTS, 1)]


def test_parts_become_one_object_when_they_are_completed(bucket: Bucket) -> None:
    upload_id = bucket.create_upload("objects/big")
    parts = upload(bucket, "objects/big", upload_id)
    assert [(p.number, p.size, p.etag) for p in bucket.list_parts("objects/big", upload_id)] == [
        (p.number, p.size, p.etag) for p in parts
    ]
    assert list(bucket.list_objects("objects/")) == []
    for _ in range(2):  # the second time as if the first answer had been lost
        bucket.complete_upload("objects/big", upload_id, parts)
    assert bucket.head("objects/big") == Head(10 * MIB + 7, None)
    assert bucket.get("objects/big", 10 * MIB - 1, 11 * MIB)[0] == PARTS[1][-1:] + PARTS[2]
    assert list(bucket.list_uploads()) == []


def test_a_part_of_other_bytes_is_refused(bucket: Bucket) -> None:
    upload_id = bucket.create_upload("objects/big")
    with pytest.raises(DigestMismatch):
        bucket.put_part("objects/big", upload_id, 1, PARTS[0], digest_of(PARTS[1]))
    assert bucket.list_parts("objects/big", upload_id) == []


def test_an_upload_that_nobody_ended_is_listed_by_age_and_dropped(bucket: Bucket) -> None:
    before = datetime.now(UTC) - timedelta(minutes=1)
    upload_id = bucket.create_upload("objects/big")
    upload(bucket, "objects/big", upload_id)
    (found,) = bucket.list_uploads()
    assert (found.key, found.upload_id) == ("objects/big", upload_id)
    assert list(bucket.list_uploads(before)) == []
    assert list(bucket.list_uploads(datetime.now(UTC) + timedelta(minutes=1))) == [found]
    for _ in range(2):
        bucket.abort_upload("objects/big", upload_id)
    assert list(bucket.list_uploads()) == []
    for act in (
        lambda: bucket.list_parts("objects/big", upload_id),
        lambda: upload(bucket, "objects/big", upload_id),
        lambda: bucket.complete_upload("objects/big", upload_id, [Part(1, 1, '"x"', digest_of(b"x"))]),
    ):
        with pytest.raises(BlobNotFound):
            act()


# ---- what holders of a signed request may do -----------------------------------------------------------------


def test_a_signed_put_lets_its_holder_make_that_object_once(bucket: Bucket) -> None:
    signed = bucket.presign_put("objects/a", len(DATA), digest_of(DATA), 60)
    assert set(signed.headers) == {"content-length", "if-none-match", "x-amz-checksum-sha256"}
    assert send(signed, DATA)[0] == 200
    assert bucket.head("objects/a") == Head(10, digest_of(DATA))
    assert send(signed, DATA)[0] == 412
    assert bucket.get("objects/a", 0, 10)[0] == DATA


@pytest.mark.parametrize("data", [b"0123456780", b"012345678", b"0123456789x", b""])
def test_other_bytes_than_were_signed_are_refused(bucket: Bucket, data: bytes) -> None:
    signed = bucket.presign_put("objects/a", len(DATA), digest_of(DATA), 60)
    status, said, _ = send(signed, data)
    assert status in (400, 403), said
    assert list(bucket.list_objects("objects/")) == []


@pytest.mark.parametrize("header", ["if-none-match", "x-amz-checksum-sha256"])
@pytest.mark.parametrize("change", ["left out", "altered"])
def test_a_header_that_was_signed_can_not_be_left_out_or_altered(bucket: Bucket, header: str, change: str) -> None:
    other = b"x" * len(DATA)
    signed = bucket.presign_put("objects/a", len(DATA), digest_of(DATA), 60)
    altered = bucket.presign_put("objects/a", len(DATA), digest_of(other), 60).headers
    headers = dict(signed.headers) | ({header: '"etag"' if header.startswith("if") else altered[header]})
    if change == "left out":
        del headers[header]
    assert send(signed, DATA, headers=headers)[0] in (400, 403)
    assert send(signed, other, headers=headers)[0] in (400, 403)
    assert list(bucket.list_objects("objects/")) == []


def test_a_signed_put_is_for_its_own_key_and_method(bucket: Bucket) -> None:
    signed = bucket.presign_put("objects/a", len(DATA), digest_of(DATA), 60)
    assert send(signed, DATA, url=signed.url.replace("objects/a", "objects/b"))[0] == 403
    bucket.put("objects/a", DATA, digest_of(DATA))
    for method in ("GET", "DELETE", "HEAD"):
        assert send(signed, DATA, method=method)[0] == 403, method
    assert [key for key, _, _ in bucket.list_objects("objects/")] == ["objects/a"]


def test_a_signed_request_expires(bucket: Bucket) -> None:
    bucket.put("objects/a", DATA, digest_of(DATA))
    old = datetime.now(UTC) - timedelta(seconds=120)
    signed = signed_at(old, lambda: bucket.presign_get("objects/a", 0, 10, 60))
    assert send(signed)[0] == 403
    assert send(signed, url=signed.url.replace("X-Amz-Expires=60", "X-Amz-Expires=600"))[0] == 403
    assert send(signed_at(old, lambda: bucket.presign_get("objects/a", 0, 10, 600)))[0] == 206


def signed_at(moment: datetime, sign: object) -> Presigned:
    """What is signed by a clock that stands at `moment`."""
    from unittest.mock import patch

    with patch("botocore.auth.get_current_datetime", lambda *_a, **_k: moment.replace(tzinfo=None)):
        return sign()  # type: ignore[operator, no-any-return]


def test_a_signed_get_opens_the_stretch_that_was_signed_and_no_other(bucket: Bucket) -> None:
    bucket.put("packs/a.pack", DATA, digest_of(DATA))
    signed = bucket.presign_get("packs/a.pack", 2, 5, 60)
    status, data, _ = send(signed)
    assert (status, data) == (206, b"234")
    for headers in ({"range": "bytes=0-9"}, {"range": "bytes=2-9"}, {}):
        status, data, _ = send(signed, headers=headers)
        assert (status, DATA in data) == (403, False), headers
    assert send(signed, url=signed.url.replace("a.pack", "b.pack"))[0] == 403
    assert send(signed, method="DELETE")[0] == 403


def test_a_signed_part_takes_that_part_alone(bucket: Bucket) -> None:
    upload_id = bucket.create_upload("objects/big")
    signed = [
        bucket.presign_part("objects/big", upload_id, n, len(data), digest_of(data), 60)
        for n, data in enumerate(PARTS, 1)
    ]
    assert send(signed[0], PARTS[1])[0] in (400, 403)
    assert send(signed[0], PARTS[0][:-1])[0] in (400, 403)
    assert send(signed[0], PARTS[0], url=signed[0].url.replace("partNumber=1", "partNumber=2"))[0] == 403
    assert bucket.list_parts("objects/big", upload_id) == []
    etags = [send(one, data)[2]["ETag"] for one, data in zip(signed, PARTS, strict=True)]
    etags[1] = send(signed[1], PARTS[1])[2]["ETag"]  # again, as after a crash
    seen = bucket.list_parts("objects/big", upload_id)
    assert [(p.number, p.size, p.etag) for p in seen] == [(n, len(d), etags[n - 1]) for n, d in enumerate(PARTS, 1)]
    bucket.complete_upload(
        "objects/big", upload_id, [p._replace(sha256=digest_of(PARTS[p.number - 1])) for p in seen]
    )
    assert bucket.head("objects/big").size == 10 * MIB + 7


def test_what_is_signed_with_a_wrong_key_is_refused(bucket: Bucket, s3: Endpoint) -> None:
    for key, secret in ((s3.access_key, "0" * 40), ("nobody", s3.secret_key)):
        signed = as_other(bucket, s3.url, key, secret).presign_put("objects/a", len(DATA), digest_of(DATA), 60)
        assert send(signed, DATA)[0] == 403


# ---- errors --------------------------------------------------------------------------------------------------


def test_a_wrong_key_is_told_without_the_key(bucket: Bucket, s3: Endpoint) -> None:
    for key, secret in ((s3.access_key, "0" * 40), ("nobody-at-all", s3.secret_key)):
        other = as_other(bucket, s3.url, key, secret)
        for act in (lambda o=other: o.get("objects/a", 0, 1), lambda o=other: o.put("x", DATA, digest_of(DATA))):
            with pytest.raises((StoreUnavailable, ReadOnly)) as caught:
                act()
            assert secret not in repr(caught.value)
            assert caught.value.__suppress_context__


def test_who_may_only_read_is_told_so_on_writing(bucket: Bucket, s3: Endpoint) -> None:
    bucket.put("objects/a", DATA, digest_of(DATA))
    reader = as_other(bucket, s3.url, s3.reader_key, s3.reader_secret)
    assert reader.get("objects/a", 0, 10)[0] == DATA
    for act in (
        lambda: reader.put("objects/b", DATA, digest_of(DATA)),
        lambda: reader.create_upload("objects/b"),
        lambda: reader.delete("objects/a"),
    ):
        with pytest.raises(ReadOnly, match="no permission"):
            act()
    assert bucket.head("objects/a").size == 10


def test_a_bucket_that_is_not_there_is_told_by_its_name(s3: Endpoint) -> None:
    bucket = Bucket("no-such-bucket", "x")
    for act in (
        lambda: bucket.put("objects/a", DATA, digest_of(DATA)),
        lambda: bucket.get("objects/a", 0, 1),
        lambda: list(bucket.list_objects("objects/")),
    ):
        with pytest.raises(StoreUnavailable, match="there is no bucket no-such-bucket"):
            act()


def test_an_s3_that_is_not_there_is_unavailable(
    bucket: Bucket, s3: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    other = as_other(bucket, url, s3.access_key, s3.secret_key)
    with pytest.raises(StoreUnavailable, match="can't be reached: EndpointConnectionError"):
        other.get("objects/a", 0, 1)


def test_without_any_keys_it_says_which_are_meant(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(StoreUnavailable, match="set AWS_ACCESS_KEY_ID"):
        Bucket(bucket.name, "", new_client()).get("objects/a", 0, 1)


def test_settings_that_boto3_refuses_are_told_without_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "s3cret nonsense")
    with pytest.raises(StoreUnavailable, match="not set up rightly") as caught:
        new_client(region_name="us-east-1")
    assert "s3cret" not in repr(caught.value)


class Answers:
    """An S3 that says what it is told to, whatever it is asked: `HTTP` texts, one for each connection."""

    def __init__(self, *answers: bytes) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self._answers = answers
        self.asked = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        for answer in self._answers:
            with self._server.accept()[0] as connection:
                connection.recv(1 << 16)
                self.asked += 1
                connection.sendall(answer)

    def close(self) -> None:
        self._thread.join(20)
        self._server.close()


@pytest.fixture
def answers() -> Iterator[object]:
    started: list[Answers] = []

    def start(*texts: bytes) -> Answers:
        started.append(Answers(*texts))
        return started[-1]

    yield start
    for one in started:
        one.close()


def refusal(status: str, code: str) -> bytes:
    body = f"<Error><Code>{code}</Code><Message>said so</Message></Error>"
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()


WHOLE = b"\r\n".join(
    [b"HTTP/1.1 206 Partial", b"Content-Range: bytes 0-9/10", b"Content-Length: 10", b"Connection: close", b"", DATA]
)


def test_an_s3_that_is_full_is_told(answers, bucket: Bucket) -> None:  # type: ignore[no-untyped-def]
    full = answers(refusal("403 Forbidden", "QuotaExceeded"))
    with pytest.raises(DiskFull, match="no space left"):
        as_other(bucket, full.url, "a", "b").create_upload("objects/a")


def test_a_body_that_is_cut_is_asked_for_again(answers, bucket: Bucket) -> None:  # type: ignore[no-untyped-def]
    cutting = answers(WHOLE[:-4], WHOLE[:-9], WHOLE)
    assert as_other(bucket, cutting.url, "a", "b").get("objects/a", 0, 10) == (DATA, 10)
    assert cutting.asked == 3


def test_a_body_that_is_always_cut_is_given_up(answers, bucket: Bucket) -> None:  # type: ignore[no-untyped-def]
    cutting = answers(*[WHOLE[:-4]] * 5)
    with pytest.raises(StoreUnavailable, match="can't be read whole"):
        as_other(bucket, cutting.url, "a", "b").get("objects/a", 0, 10)


def test_an_s3_that_is_busy_is_asked_again(answers, bucket: Bucket) -> None:  # type: ignore[no-untyped-def]
    busy = answers(refusal("503 Slow Down", "SlowDown"), WHOLE)
    assert as_other(bucket, busy.url, "a", "b").get("objects/a", 0, 10) == (DATA, 10)


# ---- the client ----------------------------------------------------------------------------------------------


def test_a_process_has_one_client_and_its_child_another(s3: Endpoint, run_child: RunChild) -> None:
    assert shared_client() is shared_client()
    code = """
from lineal.storage.s3_bucket import shared_client
mine = shared_client()
child = os.fork()
if not child:
    os._exit(shared_client() is mine)
print(os.waitpid(child, 0)[1])
"""
    assert run_child(code) == "0"


def test_keys_are_not_in_what_a_bucket_shows(bucket: Bucket, s3: Endpoint) -> None:
    assert s3.secret_key not in repr(vars(bucket))
    name = secrets.token_hex(4)
    signed = bucket.presign_put(name, 1, digest_of(b"x"), 60)
    assert s3.secret_key not in signed.url
