"""lineal server backup and restore."""

from __future__ import annotations

import json

import pytest

from tests.postgres import drop_database, new_database, shared_url


@pytest.fixture
def store(cli, log):
    log("digits", {"a": b"0" * 300_000}, aliases=["best"])
    return cli


def test_a_store_goes_into_a_file_and_becomes_a_store_elsewhere(store, place, tmp_path):
    said = store("server", "backup", "--bytes", tmp_path / "b.tar")
    assert said.code == 0
    assert "with" in said.out
    said = store("server", "restore", tmp_path / "b.tar", "--url", tmp_path / "new")
    assert said.code == 0
    assert "lineal fsck" in said.out
    assert store("--url", tmp_path / "new", "fsck").code == 0
    assert "best" in store("--url", tmp_path / "new", "show", "digits:best").out


def test_a_folder_goes_into_a_database_and_a_store_of_bytes(store, tmp_path):
    url = new_database(shared_url())
    assert store("server", "backup", "--bytes", tmp_path / "b.tar").code == 0
    said = store("server", "restore", tmp_path / "b.tar", "--url", url, "--store", tmp_path / "bytes", "--json")
    assert json.loads(said.out)["with_bytes"] is True
    assert list((tmp_path / "bytes").rglob("objects/*/*"))
    drop_database(url)


def test_what_is_wrong_is_told_with_its_exit_code(store, place, tmp_path):
    assert store("server", "backup", tmp_path / "b.tar").code == 0
    assert store("server", "backup", tmp_path / "b.tar").code == 2
    assert store("server", "restore", tmp_path / "b.tar", "--url", place.store).code == 4
    assert store("server", "restore", tmp_path / "b.tar", "--url", tmp_path / "new").code == 3
    (tmp_path / "c.tar").write_text("no backup")
    assert store("server", "restore", tmp_path / "c.tar", "--url", tmp_path / "new").code == 6
    assert store("--url", "https://lineal.example.org", "server", "backup", tmp_path / "d.tar").code == 2
