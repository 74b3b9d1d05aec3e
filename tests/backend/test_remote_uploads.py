"""Uploads by the leave of a server: bounded tries, and a second process that goes on where the first was killed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineal.backend import remote_uploads
from lineal.backend.remote import RemoteBackend
from lineal.core.errors import SourceChanged
from lineal.storage import digest as digests
from lineal.storage import sources
from lineal.storage.cache import Cache
from lineal.storage.transfer import Push
from tests import server
from tests.processes import Child, start_child
from tests.proxy import Fault, Proxy, before
from tests.seaweed import Endpoint

__all__ = ["start_child"]

DATA = bytes(range(256)) * (8 << 12) * 9 + b"end"
PARTS = 10


@pytest.fixture
def proxy(s3: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """What clients see of the S3."""
    with before(s3.url) as proxy_:
        monkeypatch.setenv("LINEAL_S3_PUBLIC_ENDPOINT", proxy_.url)
        yield proxy_


@pytest.fixture
def url(tmp_path: Path, postgres_url: str, s3_url: str, proxy: Proxy) -> Iterator[str]:
    yield server.start(tmp_path / "served", url=postgres_url, store=s3_url)
    server.stop()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "large").write_bytes(DATA)
    return tmp_path / "large"


def push(remote: RemoteBackend, file: Path) -> None:
    with Push(remote.blobs, Cache(file.parent / "states")) as pushing:
        pushing.files([sources.find_file(str(file), None)], trust=False)


def puts(proxy: Proxy) -> int:
    return proxy.count("PUT")


def test_a_file_that_the_server_has_is_not_sent(remote: RemoteBackend, proxy: Proxy, file: Path) -> None:
    push(remote, file)
    assert puts(proxy) == PARTS
    push(remote, file)
    assert puts(proxy) == PARTS
    assert len(list(server.served().blobs.store.list())) == 1
    assert list((file.parent / "cache" / "uploads").iterdir()) == []


def test_a_killed_upload_goes_on_in_the_next_process(
    remote: RemoteBackend, proxy: Proxy, url: str, file: Path, start_child: Child
) -> None:
    enough, never = threading.Event(), threading.Event()

    def faults(passed: object, number: int) -> Fault | None:
        if number < 5:
            return None
        enough.set()
        return Fault(held=never)

    proxy.faults = faults
    child = start_child(
        """
from pathlib import Path
from lineal.backend.connect import connect
from lineal.core import settings
from lineal.storage import sources
from lineal.storage.cache import Cache
from lineal.storage.transfer import Push
folder = Path(sys.argv[1])
backend = connect(settings.load(folder, url=sys.argv[2], cache_dir=str(folder / "cache")))
with Push(backend.blobs, Cache(folder / "other")) as push:
    push.files([sources.find_file(str(folder / "large"), None)], trust=False)
""",
        file.parent,
        url,
    )
    assert enough.wait(60)
    child.kill()
    child.wait()
    (stray,) = server.served().blobs.store.list()
    assert "/.new-" in stray.key, "gc names it, and would reap it"
    there, proxy.faults = puts(proxy), lambda _passed, _number: None
    never.set()
    push(remote, file)
    assert puts(proxy) - there <= PARTS - 4, "the first parts were there"
    digest = digests.of_bytes(DATA)
    assert remote.blobs.missing([digest]) == set()
    assert [found.key for found in server.served().blobs.store.list()] == [stray.key.rpartition("/")[0]], (
        "the same upload"
    )


def test_an_upload_that_is_over_begins_anew(remote: RemoteBackend, proxy: Proxy, file: Path) -> None:
    proxy.faults = lambda _passed, number: Fault(status=501) if number >= 4 else None
    with pytest.raises(Exception, match="501"):
        push(remote, file)
    for stray in server.served().blobs.store.list():
        server.served().blobs.store.delete(stray.key)
    before_, proxy.faults = puts(proxy), lambda _passed, _number: None
    push(remote, file)
    assert puts(proxy) - before_ == PARTS


@pytest.mark.parametrize("note", [b"", b"{}", b'{"key": 1, "ticket": 2, "part_bytes": 3}', None])
def test_a_note_that_says_nothing_right_is_done_without(
    remote: RemoteBackend, proxy: Proxy, file: Path, note: bytes | None
) -> None:
    proxy.faults = lambda _passed, number: Fault(status=501) if number >= 4 else None
    with pytest.raises(Exception, match="501"):
        push(remote, file)
    (kept,) = (file.parent / "cache" / "uploads").iterdir()
    assert kept.stat().st_mode & 0o077 == 0
    kept.write_bytes(
        json.dumps({**json.loads(kept.read_bytes()), "ticket": "x.x"}).encode() if note is None else note
    )
    proxy.faults = lambda _passed, _number: None
    push(remote, file)
    assert remote.blobs.missing([digests.of_bytes(DATA)]) == set()


def test_requests_that_fail_are_made_again(remote: RemoteBackend, proxy: Proxy, file: Path) -> None:
    wrong = {0: Fault(status=503), 2: Fault(request_cut=1 << 20), 4: Fault(status=500), 5: Fault(request_cut=0)}
    proxy.faults = lambda _passed, number: wrong.get(number)
    push(remote, file)
    assert puts(proxy) == PARTS + len(wrong)
    assert remote.blobs.missing([digests.of_bytes(DATA)]) == set()


def test_an_answer_that_was_lost_does_no_harm(remote: RemoteBackend, proxy: Proxy, tmp_path: Path) -> None:
    (tmp_path / "medium").write_bytes(DATA[: 1 << 20])
    proxy.faults = lambda _passed, number: Fault(answer_cut=-1) if number == 0 else None
    push(remote, tmp_path / "medium")
    assert remote.blobs.missing([digests.of_bytes(DATA[: 1 << 20])]) == set()


def test_leave_that_has_ended_is_asked_for_again(remote: RemoteBackend, proxy: Proxy, file: Path) -> None:
    proxy.faults = lambda _passed, number: Fault(status=403) if number in (1, 3) else None
    push(remote, file)
    assert remote.blobs.missing([digests.of_bytes(DATA)]) == set()


def test_a_file_that_changes_on_its_way_is_told(
    remote: RemoteBackend, proxy: Proxy, file: Path, tmp_path: Path
) -> None:
    def faults(_passed: object, number: int) -> None:
        if number == 0:
            with open(file, "r+b") as changed:
                changed.seek(60 << 20)
                changed.write(b"other")

    proxy.faults = faults
    with pytest.raises(SourceChanged):
        push(remote, file)
    assert remote.blobs.missing([digests.of_bytes(DATA)])


def test_no_key_of_ours_and_nothing_of_the_server_reaches_the_s3(
    remote: RemoteBackend, proxy: Proxy, tmp_path: Path
) -> None:
    (tmp_path / "small").write_bytes(b"x" * 300_000)
    push(remote, tmp_path / "small")
    sent = {name.lower() for passed in proxy.passed for name in passed.headers}
    assert sent <= {"host", "accept-encoding", "content-length", "if-none-match", "x-amz-checksum-sha256"}


def test_notes_of_long_ago_are_forgotten(
    remote: RemoteBackend, proxy: Proxy, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = file.parent / "cache" / "uploads"
    folder.mkdir(parents=True)
    (folder / "old.json").write_text("{}")
    monkeypatch.setattr(remote_uploads, "_FORGOTTEN_S", -1)
    push(remote, file)
    assert not (folder / "old.json").exists()
