"""One bucket of an S3: each request that Lineal makes of it, the URLs that let others make one, errors in our words.

Where the S3 is, its region and the keys are boto3's own business (`AWS_ENDPOINT_URL_S3`, `AWS_PROFILE`, a role, …).
All uploads carry a signed sha256, so that the S3 refuses bytes that were damaged on the way; that is why they aren't
signed as a whole, which would hash them once more.
"""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from lineal.core import settings
from lineal.core.errors import (
    BlobNotFound,
    DigestMismatch,
    DiskFull,
    MissingDependency,
    ReadOnly,
    StoreUnavailable,
)
from lineal.storage.digest import Digest

CONNECTIONS = 32
_CONNECT_S, _READ_S, _TRIES = 5, 60, 5
_ABSENT = {"404", "NoSuchKey", "NoSuchUpload", "NotFound"}
_DENIED = {"403", "AccessDenied", "AllAccessDisabled"}
_FULL = {"QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "InsufficientCapacity"}
_DAMAGED = {"BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch"}
_START_OVER = threading.Lock()


class Head(NamedTuple):
    """What an S3 says of an object without its bytes; `sha256` is None for one that came in parts."""

    size: int
    sha256: Digest | None


class Part(NamedTuple):
    """A part of an upload: numbers start at 1; `sha256` is None where the S3 doesn't tell it."""

    number: int
    size: int
    etag: str
    sha256: Digest | None


class Upload(NamedTuple):
    """A large object on its way into a bucket by parts, known to nobody until it is completed."""

    key: str
    upload_id: str
    started_at: datetime


class Presigned(NamedTuple):
    """A request that whoever holds it may make until it expires, with exactly these headers."""

    method: str
    url: str
    headers: Mapping[str, str]


def new_client(**given: Any) -> Any:
    """A boto3 client for S3, which finds by itself what isn't given. Raises unavailable.dependency and .store."""
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError:
        raise MissingDependency("a store in S3 needs boto3; install it with `pip install 'lineal[s3]'`") from None
    config = Config(
        signature_version="s3v4",
        max_pool_connections=CONNECTIONS,
        connect_timeout=_CONNECT_S,
        read_timeout=_READ_S,
        tcp_keepalive=True,
        retries={"mode": "standard", "total_max_attempts": _TRIES},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"payload_signing_enabled": False},
    )
    try:
        return boto3.session.Session().client("s3", config=config, **given)
    except (BotoCoreError, ValueError) as problem:  # its text may repeat settings, and so keys
        raise StoreUnavailable(f"S3 is not set up rightly ({type(problem).__name__}); see boto3's settings") from None


@cache
def _process_client() -> Any:
    return new_client()


@cache
def _public_client(endpoint: str) -> Any:
    return new_client(endpoint_url=endpoint)


def shared_client() -> Any:
    """The process's client, made at its first use. Thread-safe."""
    with _START_OVER:
        return _process_client()


os.register_at_fork(after_in_child=_process_client.cache_clear)  # two processes must not share connections


class Bucket:
    """The objects of a bucket whose names start with `prefix`; keys are told and asked for without it."""

    def __init__(self, name: str, prefix: str = "", client: Any = None) -> None:
        """Without a `client`, the process's own."""
        self.name, self.prefix = name, f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._client = client

    @property
    def client(self) -> Any:
        return self._client or shared_client()

    @property
    def _signer(self) -> Any:
        """The client that signs: a signature holds for one address, so for the one at which others see the S3."""
        public = settings.environment("LINEAL_S3_PUBLIC_ENDPOINT")
        return _public_client(public) if public else self.client

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self.name, "Key": self.prefix + key}

    # ---- objects -----------------------------------------------------------------------------------------------

    def put(self, key: str, data: bytes | bytearray, sha256: Digest) -> None:
        """Makes `data`, whose sha256 is given, a new object at once.

        Raises corrupt.digest_mismatch where other bytes arrived or lie there already, unavailable.*.
        """
        facts = {"ChecksumSHA256": _text(sha256), "ContentLength": len(data), "IfNoneMatch": "*"}
        try:
            with self._translated(key):
                self.client.put_object(**self._at(key), Body=data, **facts)
        except _ThereAlready:  # the answer to an earlier try was lost, for a key is never used twice
            self._check_same(key, Head(len(data), sha256))

    def _check_same(self, key: str, wanted: Head) -> None:
        if self.head(key) != wanted:
            raise DigestMismatch(f"object {key} is in the store already, with other bytes")

    def get(self, key: str, start: int, end: int) -> tuple[bytes, int]:
        """The bytes from `start` to `end` (exclusive; fewer where it ends before), and the object's size.

        Raises not_found.blob, unavailable.*.
        """
        for tries_left in reversed(range(_TRIES)):
            try:
                return self._get(key, start, end)
            except _Cut as cut:  # while the body came, when botocore tries no more
                if not tries_left:
                    raise StoreUnavailable(f"object {key} can't be read whole: {cut}") from None
        raise AssertionError

    def _get(self, key: str, start: int, end: int) -> tuple[bytes, int]:
        try:
            with self._translated(key):
                answer = self.client.get_object(**self._at(key), Range=f"bytes={start}-{end - 1}")
                data = _whole(answer["Body"])
        except _BeyondEnd:
            return b"", self.head(key).size
        size = int(answer["ContentRange"].rpartition("/")[2]) if "ContentRange" in answer else len(data)
        if len(data) != min(end, size) - start:
            raise _Cut("it gave another number of bytes than it promised")
        return data, size

    def head(self, key: str) -> Head:
        """The object's size, and its sha256 where the S3 has checked one. Raises not_found.blob, unavailable.*."""
        with self._translated(key):
            answer = self.client.head_object(**self._at(key), ChecksumMode="ENABLED")
        return Head(answer["ContentLength"], _digest(answer.get("ChecksumSHA256")))

    def list_objects(self, below: str) -> Iterator[tuple[str, int, datetime]]:
        """Key, size and age of each object whose key starts with `below`, in no order."""
        pages = self.client.get_paginator("list_objects_v2")
        with self._translated(f"{below}…"):
            for page in pages.paginate(Bucket=self.name, Prefix=self.prefix + below):
                for found in page.get("Contents", ()):
                    yield found["Key"][len(self.prefix) :], found["Size"], found["LastModified"]

    def delete(self, key: str) -> None:
        """Removes the object; one that is gone already is no error."""
        try:
            with self._translated(key):
                self.client.delete_object(**self._at(key))
        except BlobNotFound:
            pass

    # ---- objects in parts --------------------------------------------------------------------------------------

    def create_upload(self, key: str) -> str:
        """The id of a new upload, whose parts are sent in any order, by whomever, each with its sha256."""
        with self._translated(key):
            upload_id: str = self.client.create_multipart_upload(**self._at(key), ChecksumAlgorithm="SHA256")[
                "UploadId"
            ]
            return upload_id

    def put_part(self, key: str, upload_id: str, number: int, data: bytes, sha256: Digest) -> Part:
        """Sends a part. Raises corrupt.digest_mismatch where the S3 received other bytes, not_found.blob."""
        facts = {"ChecksumSHA256": _text(sha256), "ContentLength": len(data)}
        with self._translated(key):
            answer = self.client.upload_part(
                **self._at(key), UploadId=upload_id, PartNumber=number, Body=data, **facts
            )
        return Part(number, len(data), answer["ETag"], sha256)

    def list_parts(self, key: str, upload_id: str) -> Sequence[Part]:
        """The parts that have arrived, by number. Raises not_found.blob for an upload that is over."""
        pages = self.client.get_paginator("list_parts")
        with self._translated(key):
            found = [
                (part["LastModified"], _part(part))
                for page in pages.paginate(**self._at(key), UploadId=upload_id)
                for part in page.get("Parts", ())
            ]
        latest = {
            part.number: part for _, part in sorted(found, key=lambda one: one[0])
        }  # one sent twice is listed twice
        return sorted(latest.values())

    def complete_upload(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        """Makes the parts, in this order, one object; give each its `sha256`, which some S3s demand and don't tell.

        Doing it again is fine. Raises not_found.blob where a part or the upload isn't there.
        """
        named = [
            {"PartNumber": part.number, "ETag": part.etag}
            | ({} if part.sha256 is None else {"ChecksumSHA256": _text(part.sha256)})
            for part in parts
        ]
        try:
            with self._translated(key):
                self.client.complete_multipart_upload(
                    **self._at(key), UploadId=upload_id, MultipartUpload={"Parts": named}, IfNoneMatch="*"
                )
        except (BlobNotFound, _ThereAlready):  # the answer to an earlier try was lost
            if self.head(key).size != sum(part.size for part in parts):
                raise DigestMismatch(f"object {key} is in the store already, with other bytes") from None

    def abort_upload(self, key: str, upload_id: str) -> None:
        """Drops the upload and its parts; one that is over is no error."""
        try:
            with self._translated(key):
                self.client.abort_multipart_upload(**self._at(key), UploadId=upload_id)
        except BlobNotFound:
            pass

    def list_uploads(self, older_than: datetime | None = None) -> Iterator[Upload]:
        """Uploads that are neither completed nor aborted, those begun before `older_than` only; in no order."""
        pages = self.client.get_paginator("list_multipart_uploads")
        with self._translated("uploads"):
            for page in pages.paginate(Bucket=self.name, Prefix=self.prefix):
                for found in page.get("Uploads", ()):
                    if older_than is None or found["Initiated"] < older_than:
                        yield Upload(found["Key"][len(self.prefix) :], found["UploadId"], found["Initiated"])

    # ---- what others may do ------------------------------------------------------------------------------------

    def presign_put(self, key: str, size: int, sha256: Digest, expires_s: int) -> Presigned:
        """Lets its holder make the object of these very bytes, once."""
        headers = {"content-length": str(size), "if-none-match": "*", "x-amz-checksum-sha256": _text(sha256)}
        facts = {"ContentLength": size, "IfNoneMatch": "*", "ChecksumSHA256": _text(sha256)}
        return self._presigned("put_object", "PUT", self._at(key) | facts, headers, expires_s)

    def presign_part(
        self, key: str, upload_id: str, number: int, size: int, sha256: Digest, expires_s: int
    ) -> Presigned:
        """Lets its holder send the part of these very bytes, as often as need be; the answer's ETag names it."""
        headers = {"content-length": str(size), "x-amz-checksum-sha256": _text(sha256)}
        facts = {"UploadId": upload_id, "PartNumber": number, "ContentLength": size, "ChecksumSHA256": _text(sha256)}
        return self._presigned("upload_part", "PUT", self._at(key) | facts, headers, expires_s)

    def presign_get(self, key: str, start: int, end: int | None, expires_s: int) -> Presigned:
        """Lets its holder read the object's bytes from `start` to `end` (exclusive), and no others.

        Without an end, it lets them read any.
        """
        if end is None:
            return self._presigned("get_object", "GET", self._at(key), {}, expires_s)
        facts = {"Range": f"bytes={start}-{end - 1}"}
        return self._presigned("get_object", "GET", self._at(key) | facts, {"range": facts["Range"]}, expires_s)

    def _presigned(
        self, act: str, method: str, facts: Mapping[str, Any], headers: Mapping[str, str], expires_s: int
    ) -> Presigned:
        with self._translated(str(facts["Key"])):
            url = self._signer.generate_presigned_url(act, Params=facts, ExpiresIn=expires_s, HttpMethod=method)
        return Presigned(method, url, headers)

    # ---- errors ------------------------------------------------------------------------------------------------

    @contextmanager
    def _translated(self, key: str) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as problem:
            raise self._told(problem.response, key) from None
        except BotoCoreError as problem:  # its text may repeat what it was given
            what = type(problem).__name__
            hint = "; boto3 finds no keys: set AWS_ACCESS_KEY_ID and so on" if "Credentials" in what else ""
            raise StoreUnavailable(f"the S3 with bucket {self.name} can't be reached: {what}{hint}") from None

    def _told(self, response: Mapping[str, Any], key: str) -> Exception:
        error = response.get("Error", {})
        code, status = str(error.get("Code", "")), response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        said = f"{code}: {str(error.get('Message', ''))[:200]}"
        if code == "NoSuchBucket":
            return StoreUnavailable(f"there is no bucket {self.name}; make it, or set LINEAL_STORE to another")
        known: dict[type[Exception], tuple[bool, str]] = {
            ReadOnly: (code in _DENIED, f"no permission for object {key} in bucket {self.name} ({said})"),
            BlobNotFound: (
                code in _ABSENT,
                f"object {key} is not in the store; `lineal fsck` tells what else is missing",
            ),
            DiskFull: (code in _FULL or status == 507, f"no space left for object {key} ({said}); run `lineal gc`"),
            DigestMismatch: (code in _DAMAGED, f"object {key}: the S3 received other bytes than were to be sent"),
            _BeyondEnd: (code in ("416", "InvalidRange"), said),
            _ThereAlready: (code in ("412", "PreconditionFailed"), said),
        }
        for kind, (applies, text) in known.items():
            if applies:
                return kind(text)
        return StoreUnavailable(f"object {key} can't be read or written ({said})")


class _Cut(Exception):
    """A body that ended too soon."""


class _BeyondEnd(Exception):
    """A range that starts where the object has ended."""


class _ThereAlready(Exception):
    """An object that was to be made is there."""


def _whole(body: Any) -> bytes:
    """All that an answer's body holds."""
    from botocore.exceptions import BotoCoreError
    from urllib3.exceptions import HTTPError

    try:
        data: bytes = body.read()
        return data
    except (BotoCoreError, HTTPError, OSError) as problem:
        raise _Cut(type(problem).__name__) from None


def _text(digest: Digest) -> str:
    return base64.b64encode(digest).decode()


def _part(told: Mapping[str, Any]) -> Part:
    return Part(told["PartNumber"], told["Size"], told["ETag"], _digest(told.get("ChecksumSHA256")))


def _digest(text: str | None) -> Digest | None:
    """The digest of an object's checksum; one of parts (`…-2`) is none of the object's bytes."""
    if text is None or "-" in text:
        return None
    return Digest(base64.b64decode(text))
