"""References: what is behind a URI is looked up, fetched and checked; secrets never get into a manifest."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.backend.local.context import LocalBlobs
from lineal.core.clock import new_id
from lineal.core.errors import (
    DigestMismatch,
    Error,
    InvalidReference,
    InvalidSource,
    MissingDependency,
    ReferenceUnavailable,
    SourceChanged,
)
from lineal.storage import digest as digests
from lineal.storage.cache import Cache
from lineal.storage.manifest import Entry, Manifest, Reference
from lineal.storage.pull import pull
from lineal.storage.references import check_uri, find_entries
from tests.processes import RunChild
from tests.stores import digest_of


class Quiet(SimpleHTTPRequestHandler):
    """A server of files that says nothing on the terminal, and may tell ETags."""

    etags = False

    def log_message(self, *_: object) -> None:
        pass

    def end_headers(self) -> None:
        if self.etags:
            file = Path(self.translate_path(self.path))
            self.send_header("ETag", f'"{digest_of(file.read_bytes()).hex()[:8]}"')
        super().end_headers()


class Tagging(Quiet):
    etags = True


@pytest.fixture(params=[Quiet, Tagging], ids=["dates", "etags"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The URL of a server on this machine, and the folder that it serves."""
    folder = tmp_path / "site"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(request.param, directory=str(folder)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def memory() -> Iterator[str]:
    """A URL in fsspec's memory, of the test's own."""
    url = f"memory://{new_id()}"
    yield url
    system, root = fsspec.url_to_fs(url)
    if system.exists(root):
        system.rm(root, recursive=True)


def put(url: str, data: bytes) -> None:
    with fsspec.open(url, "wb") as file:
        file.write(data)


# ---- secrets -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "uri",
    [
        "https://user:pass@example.org/x",
        "https://token@example.org/x",
        "s3://key:secret@bucket/x",
        "ftp://me:pw@host/x",
        "https://b.s3.amazonaws.com/x?X-Amz-Algorithm=A&X-Amz-Signature=abc",
        "https://b.s3.amazonaws.com/x?AWSAccessKeyId=A&Signature=abc&Expires=1",
        "https://storage.googleapis.com/b/x?X-Goog-Signature=abc",
        "https://acc.blob.core.windows.net/c/x?sv=2024&sig=abc",
        "https://example.org/x?token=abc",
        "https://example.org/x?a=1&ACCESS_TOKEN=abc",
        "https://example.org/x?private_token=abc",
        "https://example.org/x?api_key=abc",
        "https://example.org/x?apikey=abc",
        "https://example.org/x?client_secret=abc",
        "https://example.org/x?key=abc",
        "https://example.org/x?password=",
        "https://example.org/x?%74oken=abc",
        "https://example.org/x#access_token=abc",
        "simplecache::https://user:pass@example.org/x",
        "zip://a::https://example.org/x?token=abc",
    ],
)
def test_a_uri_that_carries_a_secret_is_refused_and_not_repeated(uri: str, cache: Cache) -> None:
    for act in (lambda: check_uri(uri), lambda: find_entries(uri, "x", cache)):
        with pytest.raises(InvalidReference) as caught:
            act()
        for secret in ("pass", "pw@", "abc", "secret@", "token@"):
            assert secret not in caught.value.message.replace("carries a password", "")


@pytest.mark.parametrize(
    "uri",
    ["", "/etc/passwd", "x", "C:/x", "c:\\x", "https:/x", "file:/x", "s3://b/a\nb", "s3://b/\x00", "s3://b/\ud800", "http://[x"],
)  # fmt: skip
def test_what_is_no_plain_uri_is_refused(uri: str) -> None:
    with pytest.raises(InvalidReference):
        check_uri(uri)


@pytest.mark.parametrize(
    ("uri", "scheme"),
    [
        ("s3://bucket/key", "s3"),
        ("https://example.org/x?page=2&keyword=a&sigma=1", "https"),
        ("file:///a%20b", "file"),
        ("FILE:///x", "file"),
        ("hdfs://user@host/x", "hdfs"),
    ],
)
def test_a_plain_uri_has_its_scheme(uri: str, scheme: str) -> None:
    assert check_uri(uri) == scheme


@given(st.text() | st.text().map(lambda t: f"https://{t}"))
def test_any_text_is_a_uri_or_refused(uri: str) -> None:
    try:
        assert check_uri(uri)
    except InvalidReference as problem:
        assert problem.message.isprintable()


# ---- files of this machine -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.txt", "a b?#%41.txt", "日本.txt"])
def test_a_file_is_referred_to_hashed_and_fetched(blobs: LocalBlobs, cache: Cache, tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(b"hello")
    found = find_entries(f"file://{quote(str(file))}", None, cache)
    checksum = digests.format(digest_of(b"hello"))
    assert found == [Entry(name, None, 5, Reference(f"file://{quote(str(file))}", checksum=checksum))]
    assert pull(found, blobs, tmp_path / "out", cache) == 1
    assert (tmp_path / "out" / name).read_bytes() == b"hello"
    assert pull(found, blobs, tmp_path / "out", cache) == 0


def test_a_folder_is_referred_to_file_by_file(blobs: LocalBlobs, cache: Cache, tmp_path: Path) -> None:
    for path in ("data/a", "data/sub/b c"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    found = find_entries(f"file://localhost{tmp_path}/data", "x", cache)
    assert sorted(e.path for e in found) == ["x/a", "x/sub/b c"]
    assert Manifest.parse(Manifest(found).to_bytes()) == Manifest(found)
    pull(found, blobs, tmp_path / "out", cache)
    assert (tmp_path / "out/x/sub/b c").read_text() == "data/sub/b c"


def test_without_a_checksum_only_the_size_is_known(cache: Cache, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"hello")
    (entry,) = find_entries(f"file://{tmp_path}/a", None, cache, checksum=False)
    assert entry.size == 5
    assert entry.reference is not None
    assert not entry.reference.checked


@pytest.mark.parametrize("data", [b"jello", b"hello, world", b""])
def test_a_changed_file_behind_a_reference_is_noticed_and_nothing_written(
    blobs: LocalBlobs, cache: Cache, tmp_path: Path, data: bytes
) -> None:
    (tmp_path / "a").write_bytes(b"hello")
    found = find_entries(f"file://{tmp_path}/a", None, cache)
    (tmp_path / "a").write_bytes(data)
    with pytest.raises((DigestMismatch, SourceChanged)):
        pull(found, blobs, tmp_path / "out", cache)
    assert os.listdir(tmp_path / "out") == []


@pytest.mark.parametrize("uri", ["file:///nothing/here", "file:///dev/null", "file:///a%00b"])
def test_what_can_not_be_referred_to_is_refused(cache: Cache, uri: str) -> None:
    with pytest.raises(InvalidSource):
        find_entries(uri, "x", cache)


def test_a_file_of_another_host_is_refused(cache: Cache) -> None:
    with pytest.raises(InvalidReference, match="another host"):
        find_entries("file://elsewhere/x", "x", cache)


@pytest.mark.parametrize("uri", ["file:///nothing/here", "file:///dev/zero", "file:///a%00b", "file:///etc"])
def test_a_hostile_or_lost_reference_fetches_nothing(
    blobs: LocalBlobs, cache: Cache, tmp_path: Path, uri: str
) -> None:
    with pytest.raises(ReferenceUnavailable):
        pull([Entry("x", None, None, Reference(uri))], blobs, tmp_path / "out", cache)
    assert os.listdir(tmp_path / "out") == []


def test_a_pipe_behind_a_reference_is_not_waited_for(blobs: LocalBlobs, cache: Cache, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ReferenceUnavailable):
        pull([Entry("x", None, None, Reference(f"file://{tmp_path}/pipe"))], blobs, tmp_path / "out", cache)


def test_an_unreadable_file_is_refused(open_path: Path, run_child: RunChild) -> None:
    (open_path / "a").write_bytes(b"a")
    os.chmod(open_path / "a", 0)
    code = """
from pathlib import Path
from lineal.core.errors import InvalidSource
from lineal.storage.cache import Cache
from lineal.storage.references import find_entries
drop()
try:
    find_entries("file://" + sys.argv[1] + "/a", None, Cache(Path(sys.argv[1], "cache")))
except InvalidSource as problem:
    print(problem.code)
"""
    assert run_child(code, open_path) == "invalid.source"


# ---- other stores --------------------------------------------------------------------------------------------


def test_a_folder_elsewhere_is_referred_to_object_by_object(
    blobs: LocalBlobs, cache: Cache, tmp_path: Path, memory: str
) -> None:
    data = {"a": b"a", "sub/b c": b"bc", "sub/%41": b"%"}
    for path, content in data.items():
        put(f"{memory}/data/{path}", content)
    found = find_entries(f"{memory}/data", "x", cache)
    assert {e.path: e.size for e in found} == {f"x/{path}": len(content) for path, content in data.items()}
    pull(found, blobs, tmp_path / "out", cache)
    assert {path: (tmp_path / "out" / "x" / path).read_bytes() for path in data} == data


def test_too_many_objects_are_refused(cache: Cache, memory: str) -> None:
    for number in range(3):
        put(f"{memory}/data/{number}", b"x")
    with pytest.raises(InvalidReference, match="3 objects"):
        find_entries(f"{memory}/data", None, cache, max_objects=2)


def test_an_object_elsewhere_takes_its_own_name(cache: Cache, memory: str) -> None:
    put(f"{memory}/data/a.bin", b"x")
    assert [e.path for e in find_entries(f"{memory}/data/a.bin", None, cache)] == ["a.bin"]
    assert [e.path for e in find_entries(f"{memory}/data/a.bin", "b/c", cache)] == ["b/c"]


@pytest.mark.parametrize("data", [b"jello", b"hello, world"])
def test_a_changed_object_is_noticed_and_nothing_written(
    blobs: LocalBlobs, cache: Cache, tmp_path: Path, memory: str, data: bytes
) -> None:
    put(f"{memory}/a", b"hello")
    found = find_entries(f"{memory}/a", None, cache)
    put(f"{memory}/a", data)
    with pytest.raises(ReferenceUnavailable, match="changed"):
        pull(found, blobs, tmp_path / "out", cache)
    assert os.listdir(tmp_path / "out") == []


def test_an_object_that_is_gone_is_unavailable(blobs: LocalBlobs, cache: Cache, tmp_path: Path, memory: str) -> None:
    with pytest.raises(ReferenceUnavailable):
        find_entries(f"{memory}/none", None, cache)
    with pytest.raises(ReferenceUnavailable):
        pull([Entry("x", None, 1, Reference(f"{memory}/none"))], blobs, tmp_path / "out", cache)
    assert os.listdir(tmp_path / "out") == []


def test_a_store_that_needs_a_driver_says_so(cache: Cache) -> None:
    with pytest.raises(MissingDependency):
        find_entries("gs://bucket/x", None, cache)
    with pytest.raises(Error):
        find_entries("nonsense://bucket/x", None, cache)


# ---- the web -------------------------------------------------------------------------------------------------


def test_a_page_is_referred_to_and_fetched(
    blobs: LocalBlobs, cache: Cache, tmp_path: Path, site: tuple[str, Path]
) -> None:
    url, folder = site
    (folder / "a b.txt").write_bytes(b"hello")
    (entry,) = find_entries(f"{url}/a%20b.txt", None, cache)
    assert (entry.path, entry.size) == ("a b.txt", 5)
    assert entry.reference is not None
    assert entry.reference.checked
    assert pull([entry], blobs, tmp_path / "out", cache) == 1
    assert (tmp_path / "out" / "a b.txt").read_bytes() == b"hello"


def test_a_changed_page_is_noticed_and_nothing_written(
    blobs: LocalBlobs, cache: Cache, tmp_path: Path, site: tuple[str, Path]
) -> None:
    url, folder = site
    (folder / "a.txt").write_bytes(b"hello")
    os.utime(folder / "a.txt", (10**9, 10**9))
    found = find_entries(f"{url}/a.txt", None, cache)
    (folder / "a.txt").write_bytes(b"jello")
    with pytest.raises(ReferenceUnavailable, match="changed"):
        pull(found, blobs, tmp_path / "out", cache)
    assert os.listdir(tmp_path / "out") == []


def test_a_page_that_is_not_there_is_unavailable(cache: Cache, site: tuple[str, Path]) -> None:
    url, folder = site
    (folder / "other").write_text("x")
    with pytest.raises(ReferenceUnavailable):
        find_entries(f"{url.rpartition(':')[0]}:1/x", None, cache)
    if not Quiet.etags:
        with pytest.raises(ReferenceUnavailable):
            find_entries(f"{url}/other/none", None, cache)
