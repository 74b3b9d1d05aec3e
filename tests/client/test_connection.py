from pathlib import Path

import pytest

from lineal.client.connection import close_all, connection
from lineal.core.errors import InvalidSettings


def test_the_same_settings_give_the_same_connection(place):
    assert connection() is connection(url=str(place.store))
    assert connection() is not connection(project="other")


def test_a_connection_opens_nothing_until_it_is_used(place):
    connection()
    assert not place.store.exists()
    assert not place.cache.exists()
    assert connection().backend.artifacts.list_collections() == []
    assert (place.store / "lineal.db").is_file()


def test_after_close_all_a_fresh_connection_sees_the_same_store(log):
    log("digits", {"a": "1"})
    before = connection()
    close_all()
    assert connection() is not before
    assert [c.name for c in connection().backend.artifacts.list_collections()] == ["digits"]


def test_closing_twice_does_nothing():
    connection().backend.artifacts.list_types()
    close_all()
    close_all()


def test_pull_says_how_many_files_had_to_be_written(log):
    manifest = log("digits", {"a": "1", "b": "2"}).manifest
    assert connection().pull(manifest.entries, "out") == 2
    assert connection().pull(manifest.entries, "out") == 0
    assert Path("out/b").read_text() == "2"


def test_the_project_file_above_the_working_folder_leads_to_its_store(place, monkeypatch):
    monkeypatch.delenv("LINEAL_URL")
    Path("lineal.toml").write_text('url = "store-of-ours"\nproject = "digits"\n')
    Path("deep/er").mkdir(parents=True)
    monkeypatch.chdir("deep/er")
    assert connection().settings.url == str(place.work / "store-of-ours")
    assert connection().settings.project == "digits"


def test_a_project_file_that_cannot_be_read_is_refused_by_name():
    Path("lineal.toml").write_text("project = ")
    with pytest.raises(InvalidSettings, match=r"lineal\.toml"):
        connection()
