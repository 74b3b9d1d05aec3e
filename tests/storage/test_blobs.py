"""The store of objects: folders, rights, errors in our words; what holds for every store is in tests/contract."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.backend.local.context import LocalBlobs
from lineal.core.errors import BlobNotFound, DiskFull, MissingDependency, ReadOnly, StoreUnavailable
from lineal.storage import blobs as stores
from lineal.storage.blobs import RAW, ZLIB, BlobStore, FolderStore, object_key, parse_object_key
from lineal.storage.digest import Digest
from tests.processes import RunChild
from tests.stores import digest_of, write_object, write_pack


def mode_of(path: str | Path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.mark.parametrize(("url", "kind"), [("memory://x", BlobStore), ("/tmp/x", FolderStore), ("x", FolderStore)])
def test_a_url_tells_the_kind_of_store(url: str, kind: type[BlobStore]) -> None:
    assert type(BlobStore.at(url)) is kind


def test_a_file_url_and_a_path_are_the_same_folder(tmp_path: Path) -> None:
    assert BlobStore.at(f"file://{tmp_path}").root == BlobStore.at(str(tmp_path)).root == str(tmp_path)


def test_a_store_that_needs_a_driver_says_so() -> None:
    with pytest.raises(MissingDependency, match="gs://bucket"):
        BlobStore.at("gs://bucket")
    with pytest.raises(StoreUnavailable, match="nonsense"):
        BlobStore.at("nonsense://bucket")


def test_objects_are_for_their_owner_and_read_only(blobs: LocalBlobs) -> None:
    old = os.umask(0)
    try:
        keys = [write_object(blobs, b"a").key, write_pack(blobs, b"b").key]
    finally:
        os.umask(old)
    for key in keys:
        path = blobs.store.path_of(key)
        assert path is not None
        assert mode_of(path) == 0o444
        assert mode_of(os.path.dirname(path)) == 0o700


def test_an_object_half_written_is_the_owners_alone_and_told_apart(blobs: LocalBlobs) -> None:
    old = os.umask(0)
    try:
        writer = blobs.store.create()
    finally:
        os.umask(old)
    writer.write(b"half")
    (found,) = blobs.store.list()
    assert stores.is_temporary(found.key)
    assert mode_of(str(blobs.store.path_of(found.key))) == 0o600
    writer.abort()
    assert not list(blobs.store.list())


def test_aborting_after_a_failure_to_commit_leaves_nothing(blobs: LocalBlobs) -> None:
    Path(blobs.store.root, "packs").write_text("a file where a folder belongs")
    writer = blobs.store.create()
    writer.write(b"x")
    with pytest.raises(StoreUnavailable):
        writer.commit("packs/x.pack")
    writer.abort()
    assert os.listdir(Path(blobs.store.root, "objects")) == []


def test_links_in_the_store_are_not_followed_when_it_is_listed(blobs: LocalBlobs, tmp_path: Path) -> None:
    write_object(blobs, b"a")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret").write_text("x")
    Path(blobs.store.root, "objects", "ff").symlink_to(tmp_path / "elsewhere")
    assert all("secret" not in found.key for found in blobs.store.list())


@given(st.binary(min_size=32, max_size=32), st.sampled_from([RAW, ZLIB]))
def test_the_key_of_an_object_tells_its_digest_and_codec(raw: bytes, codec: int) -> None:
    key = object_key(Digest(raw), codec=codec)
    assert parse_object_key(key) == (raw, codec)
    assert not stores.is_temporary(key)


def test_a_key_is_never_used_twice() -> None:
    assert len({object_key(digest_of(b"a")) for _ in range(1000)}) == 1000


@pytest.mark.parametrize("key", ["", "x", "packs/a.pack", "objects/ab/short-x", "objects/.new-x", "objects/ab/zz-x"])
def test_any_other_key_tells_nothing(key: str) -> None:
    assert parse_object_key(key) is None


@given(st.text())
def test_no_key_is_too_strange_to_look_at(key: str) -> None:
    assert parse_object_key(key) is None
    assert parse_object_key("objects/" + key) is None


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, DiskFull),
        (errno.EDQUOT, DiskFull),
        (errno.EFBIG, DiskFull),
        (errno.EROFS, ReadOnly),
        (errno.EACCES, ReadOnly),
        (errno.EPERM, ReadOnly),
        (errno.EIO, StoreUnavailable),
        (errno.ENOENT, BlobNotFound),
    ],
)
def test_the_systems_errors_are_told_in_our_words(number: int, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="a thing"), stores.translated("a thing"):
        raise OSError(number, os.strerror(number))


def test_a_store_that_may_not_be_written_or_read_says_so(open_path: Path, run_child: RunChild) -> None:
    store = FolderStore(open_path / "store")
    writer = store.create()
    writer.write(b"x")
    writer.commit("objects/aa/x")
    os.chmod(open_path / "store" / "objects" / "aa", 0o755)
    os.chmod(open_path / "store" / "objects" / "aa" / "x", 0)
    os.chmod(open_path / "store" / "objects", 0o555)
    code = """
from lineal.core.errors import ReadOnly
from lineal.storage.blobs import FolderStore
drop()
store = FolderStore(sys.argv[1])
for act in (store.create, lambda: store.read("objects/aa/x", 0, 1), lambda: store.open("objects/aa/x").__enter__()):
    try:
        act()
    except ReadOnly as problem:
        print(problem.code)
"""
    assert run_child(code, open_path / "store").split() == ["unavailable.read_only"] * 3
