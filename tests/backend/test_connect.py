from pathlib import Path

import pytest

from lineal.backend.connect import connect
from lineal.core import settings
from lineal.core.errors import InvalidSettings, Unavailable


def collections(url: str) -> list[str]:
    backend = connect(settings.load(url=url))
    try:
        return [c.name for c in backend.artifacts.list_collections()]
    finally:
        backend.close()


def test_a_folder_becomes_a_store_on_first_use_that_only_its_owner_may_enter(place):
    assert collections("new/deeper") == []
    assert (place.work / "new/deeper/lineal.db").is_file()
    assert Path("new/deeper").stat().st_mode & 0o077 == 0


def test_a_tilde_and_a_file_url_lead_to_folders(place):
    collections("~/store")
    assert (place.home / "store/lineal.db").is_file()
    collections(f"file://{place.work}/other")
    assert (place.work / "other/lineal.db").is_file()


def test_a_store_in_memory_is_the_same_for_the_whole_process(place):
    first, second = (connect(settings.load(url="memory:of-this-test")) for _ in range(2))
    first.runs.start("night-1")
    assert second.runs.get("night-1").id == "night-1"
    other = connect(settings.load(url="memory:other-of-this-test"))
    assert other.artifacts.list_types() == []
    assert list(place.work.iterdir()) == []


@pytest.mark.parametrize("url", ["https://example.org", "http://x", "s3://bucket/x", "ftp://x", "postgresql://x/y"])
def test_what_is_no_folder_is_refused_with_what_to_set(url):
    with pytest.raises(InvalidSettings, match="set LINEAL_URL to a folder"):
        connect(settings.load(url=url))


def test_a_file_is_no_store():
    Path("file").write_text("mine")
    for url in ("file", "file/deeper"):
        with pytest.raises((InvalidSettings, Unavailable), match="file"):
            connect(settings.load(url=url))
    assert Path("file").read_text() == "mine"
