import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import lineal
from lineal.client.connection import close_all
from lineal.core import errors


def test_the_folder_holds_the_files_of_what_the_ref_names(log):
    log("model", {"w.bin": "1", "deep/x": "2"}, aliases=["production"])
    folder = Path(lineal.download("model:production"))
    assert (folder / "w.bin").read_text() == "1"
    assert (folder / "deep/x").read_text() == "2"


def test_it_lies_in_the_cache_by_content_unless_a_folder_is_given(log, place):
    version = log("model", {"w": "1"})
    assert Path(lineal.download("model")).is_relative_to(place.cache)
    assert Path(lineal.download("model")).name == version.digest.removeprefix("sha256:")
    assert lineal.download("model", root="here") == str(place.work / "here")
    assert Path("here/w").read_text() == "1"


def test_a_ref_pinned_by_digest_needs_no_store_the_second_time(log, place):
    digest = log("model", {"w": b"w" * 300_000, "x": "small"}).digest
    first = lineal.download(f"model@{digest}")
    close_all()
    place.store.rename(place.store.with_name("away"))
    assert lineal.download(f"model@{digest}") == first
    assert lineal.download(f"model@{digest[:25]}") == first
    assert not place.store.exists()
    assert Path(first, "x").read_text() == "small"


@contextmanager
def opened_files() -> Iterator[list[str]]:
    """The names of the files that this process opens meanwhile, as the interpreter's audit events tell them."""
    names: list[str] = []
    watching = True

    def watch(event: str, facts: tuple[object, ...]) -> None:
        if watching and event == "open" and not (isinstance(facts[2], int) and facts[2] & os.O_DIRECTORY):
            names.append(os.fsdecode(facts[0]) if isinstance(facts[0], str | bytes) else str(facts[0]))

    sys.addaudithook(watch)
    try:
        yield names
    finally:
        watching = False


def test_the_second_call_opens_no_file_of_the_version(log, place):
    log("model", {"weights.bin": b"w" * 5_000_000}, aliases=["production"])
    with opened_files() as names:
        folder = lineal.download("model:production")
    assert any(str(place.store / "objects") in name for name in names)
    with opened_files() as names:
        assert lineal.download("model:production") == folder
    assert [n for n in names if "weights.bin" in n or "objects" in n or "packs" in n] == []


def test_a_tampered_cached_file_is_repaired(log):
    log("model", {"w": "good", "x": "fine"}, aliases=["production"])
    folder = Path(lineal.download("model:production"))
    before = (folder / "w").stat()
    (folder / "w").write_text("evil")
    os.utime(folder / "w", ns=(before.st_atime_ns, before.st_mtime_ns))
    (folder / "x").unlink()
    assert lineal.download("model:production") == str(folder)
    assert (folder / "w").read_text() == "good"
    assert (folder / "x").read_text() == "fine"


def test_a_tampered_cached_file_is_not_served_when_the_store_is_away(log, place):
    digest = log("model", {"w": "good"}).digest
    folder = Path(lineal.download(f"model@{digest}"))
    (folder / "w").write_text("evil")
    close_all()
    place.store.rename(place.store.with_name("away"))
    with pytest.raises(errors.Error):
        lineal.download(f"model@{digest}")


def test_a_promotion_changes_the_next_call_and_leaves_the_earlier_folder(log):
    log("model", {"w": "1"}, aliases=["production"])
    before = Path(lineal.download("model:production"))
    log("model", {"w": "2"}, aliases=["production"])
    after = Path(lineal.download("model:production"))
    assert (before / "w").read_text() == "1"
    assert (after / "w").read_text() == "2"


def test_the_cache_keeps_within_its_bound_and_drops_the_longest_unused(log, monkeypatch):
    monkeypatch.setenv("LINEAL_CACHE_SIZE", "250")
    folders = {}
    for number in range(3):
        log("model", {"w": str(number) * 100})
        folders[number] = Path(lineal.download(f"model:v{number}"))
        if number == 1:
            lineal.download("model:v0")
    assert [number for number, folder in folders.items() if folder.exists()] == [0, 2]
    assert (Path(lineal.download("model:v1")) / "w").read_text() == "1" * 100


def test_one_version_larger_than_the_bound_is_served_all_the_same(log, monkeypatch):
    monkeypatch.setenv("LINEAL_CACHE_SIZE", "10")
    log("model", {"w": "x" * 1000})
    assert (Path(lineal.download("model")) / "w").read_text() == "x" * 1000


def test_links_save_the_second_copy(log):
    log("model", {"w": b"w" * 300_000})
    path = Path(lineal.download("model", mode="link"), "w")
    assert path.stat().st_mode & 0o222 == 0
    assert path.read_bytes() == b"w" * 300_000


def test_what_is_not_there_is_not_found(log, place):
    log("model", {"w": "1"})
    for ref in ("other", "model:v9", "model:production", f"model@sha256:{'0' * 64}"):
        with pytest.raises(errors.NotFound):
            lineal.download(ref)
    assert not (place.cache / "trees").exists()


def test_damage_in_the_store_is_an_error_and_never_a_folder(log, place):
    log("model", {"w": b"w" * 300_000})
    (big,) = (p for p in place.store.rglob("objects/*/*") if p.stat().st_size == 300_000)
    big.chmod(0o600)
    big.write_bytes(b"v" * 300_000)
    for _ in range(2):
        with pytest.raises(errors.DigestMismatch):
            lineal.download("model")


def test_a_cache_that_cannot_be_written_is_told(log, place, monkeypatch):
    log("model", {"w": "1"})
    Path("taken").write_text("a file")
    monkeypatch.setenv("LINEAL_CACHE_DIR", str(place.work / "taken"))
    with pytest.raises(errors.Unavailable, match="taken"):
        lineal.download("model")
    assert (Path(lineal.download("model", root="out")) / "w").read_text() == "1"
