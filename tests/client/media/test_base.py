"""What every medium does: a file that appears whole, under its digest, and refusals that say what to do."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest

from lineal.client.media import base
from lineal.client.media.base import Media, keep, kept_in, need, safe
from lineal.client.media.html import Html
from lineal.core.errors import DiskFull, InvalidArgument, InvalidSource, MissingDependency, ReadOnly


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_medium_is_a_file_named_by_key_step_and_digest(tmp_path):
    value = Html("<b>1</b>").bind(tmp_path, "val/page", 7)
    sha = hashlib.sha256(b"<b>1</b>").hexdigest()
    assert value == {"_type": "html-file", "path": f"media/html/val_page_7_{sha[:20]}.html", "sha256": sha, "size": 8}
    assert (tmp_path / value["path"]).read_bytes() == b"<b>1</b>"


def test_the_same_content_twice_is_one_file(tmp_path):
    for _ in range(2):
        Html("same").bind(tmp_path, "k", 1)
    assert len(files(tmp_path)) == 1


def test_a_file_is_stored_as_it_is_when_it_is_bound(tmp_path):
    source = tmp_path / "page.html"
    source.write_text("early")
    page = Html(source)
    source.write_text("late")
    value = page.bind(tmp_path / "run", "k", 0)
    source.write_text("later")
    assert (tmp_path / "run" / value["path"]).read_text() == "late"


@pytest.mark.parametrize("key", ["../../etc/passwd", "/abs", "a" * 5000, "..", "", "ключ", "a\0b", "con/x", "\ud800"])
def test_no_key_leads_out_of_the_folder(tmp_path, key):
    value = Html("x").bind(tmp_path / "run", key, 0)
    assert files(tmp_path) == [f"run/{value['path']}"]
    assert len(Path(value["path"]).name) < 150
    assert safe(key)


def test_a_file_over_the_limit_names_the_key_and_the_way_out(tmp_path):
    source = tmp_path / "huge.html"
    with source.open("wb") as file:
        file.truncate(base.MAX_FILE_BYTES + 1)
    with pytest.raises(InvalidArgument, match=r"'my key'.*256 MiB.*log_artifact"):
        Html(source).bind(tmp_path / "run", "my key", 0)
    assert files(tmp_path / "run") == []


@pytest.mark.parametrize("make", [lambda p: p / "gone.html", lambda p: p, lambda p: str(p / "fifo.html")])
def test_what_is_no_regular_file_is_refused(tmp_path, make):
    os.mkfifo(tmp_path / "fifo.html")
    with pytest.raises(InvalidSource):
        keep(base.regular(make(tmp_path)), tmp_path, "html", "k", 0, "html")


def test_a_file_that_is_gone_when_it_is_bound_is_named(tmp_path):
    source = tmp_path / "page.html"
    source.write_text("x")
    page = Html(source)
    source.unlink()
    with pytest.raises(InvalidSource, match=r"page\.html"):
        page.bind(tmp_path / "run", "k", 0)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_says_so(tmp_path):
    with (
        pytest.raises(DiskFull, match="no space left"),
        base._disk(tmp_path),
        open("/dev/full", "wb", buffering=0) as file,
    ):
        file.write(b"x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_says_so(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ReadOnly, match="no permission"):
        Html("x").bind(tmp_path, "k", 0)


def test_many_threads_bind_the_same_content(tmp_path):
    values = []
    threads = [
        threading.Thread(target=lambda: values.append(Html("x" * 9999).bind(tmp_path, "k", 0))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(values) == 8
    assert files(tmp_path) == [values[0]["path"]]


def test_every_file_in_a_value_is_found():
    one = {"path": "a", "sha256": "1", "size": 2}
    value = {"_type": "images/separated", "items": [{**one, "masks": {"m": {"path": "b", "sha256": "3", "size": 4}}}]}
    assert [(kept.path, kept.sha256, kept.size) for kept in kept_in(value)] == [("a", "1", 2), ("b", "3", 4)]
    assert list(kept_in({"path": 5, "items": ["path", [1]]})) == []


def test_a_missing_library_says_what_to_install():
    with pytest.raises(MissingDependency, match=r"a ROC curve needs scikit-thing.*pip install scikit-thing"):
        need("sklearn_that_is_not_there", "scikit-thing", "a ROC curve")


@pytest.mark.parametrize("caption", [5, b"x", "x" * 20_000])
def test_a_caption_is_a_text_of_some_length(caption):
    with pytest.raises(InvalidArgument, match="caption"):
        Html("x", caption=caption)


def test_a_medium_without_facts_of_its_own_can_be_bound(tmp_path):
    assert Media().bind(tmp_path, "k", 0)["size"] == 0
