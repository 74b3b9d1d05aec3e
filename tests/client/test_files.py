import hashlib
import os
import threading
from pathlib import Path

import numpy as np
import pytest

import lineal
from lineal.client.files import RunFiles
from lineal.core import errors
from lineal.storage import digest as digests
from tests.client import told


def until(true):
    """Whether it became true in time."""
    return any(true() or threading.Event().wait(0.02) for _ in range(500))


def holds(run_id, path, content):
    """Whether the file at the path has that content, and the store has it."""
    (file,) = (file for file in told.connection().backend.runs.list_files(run_id) if file.path == path)
    found = told.connection().backend.blobs.find([digests.parse(file.digest)])
    return bool(found) and file.digest == f"sha256:{hashlib.sha256(content).hexdigest()}"


# ---- save ----------------------------------------------------------------------------------------------------


def test_files_are_stored_now_and_again_at_the_end_unless_said_otherwise(write):
    write({"a.txt": "1", "b.txt": "1", "c.txt": "1"}, ".")
    with lineal.init() as run:
        assert run.save("a.txt", policy="now") == ["a.txt"]
        assert run.save("b.txt") == ["b.txt"]
        assert run.save("c.txt", policy="end") == ["c.txt"]
        assert until(lambda: set(told.files(run.id)) == {"a.txt", "b.txt"})
        write({"a.txt": "22", "b.txt": "22", "c.txt": "22"}, ".")
    assert told.files(run.id) == {"a.txt": 1, "b.txt": 2, "c.txt": 2}
    assert holds(run.id, "b.txt", b"22")


def test_a_pattern_takes_what_fits_it_at_the_end_too(write):
    write({"out/1.ckpt": "1", "out/deep/2.ckpt": "2", "out/x.txt": "x"}, ".")
    with lineal.init() as run:
        assert lineal.save("out/**/*.ckpt") == ["out/1.ckpt", "out/deep/2.ckpt"]
        write({"out/3.ckpt": "3"}, ".")
    assert set(told.files(run.id)) == {"out/1.ckpt", "out/deep/2.ckpt", "out/3.ckpt"}


def test_a_path_is_what_follows_the_base_and_of_files_elsewhere_their_name(write, tmp_path):
    write({"out/a.txt": "a"}, ".")
    (tmp_path / "elsewhere.txt").write_text("e")
    with lineal.init() as run:
        assert run.save("out/a.txt", base_path="out") == ["a.txt"]
        assert run.save(tmp_path / "elsewhere.txt") == ["elsewhere.txt"]
    assert set(told.files(run.id)) == {"a.txt", "elsewhere.txt"}


def test_the_working_folder_may_change_and_have_brackets_in_its_name(write, place, monkeypatch):
    folder = write({"a.txt": "a", "[b].txt": "b"}, "week [1]")
    monkeypatch.chdir(folder)
    with lineal.init() as run:
        assert run.save("*.txt", policy="end") == ["[b].txt", "a.txt"]
        assert run.save("[b].txt") == ["[b].txt"]
        monkeypatch.chdir(place.home)
    assert set(told.files(run.id)) == {"a.txt", "[b].txt"}


def test_what_fits_nothing_is_refused_now_and_waited_for_otherwise():
    with lineal.init() as run:
        with pytest.raises(errors.InvalidArgument, match="no file fits"):
            run.save("*.txt", policy="now")
        with pytest.raises(errors.InvalidArgument, match="no policy"):
            run.save("*.txt", policy="always")
        with pytest.raises(errors.InvalidArgument, match="NUL"):
            run.save("a\x00b")
        assert run.save("*.txt") == []
        Path("late.txt").write_text("late")
    assert told.files(run.id) == {"late.txt": 4}


def test_a_file_that_cannot_be_named_is_refused(write):
    write({"a\nb": "1"}, ".")
    with lineal.init() as run, pytest.raises(errors.InvalidPath):
        run.save("a*")


def test_after_the_end_nothing_is_saved(write):
    write({"a.txt": "1"}, ".")
    run = lineal.init()
    run.finish()
    with pytest.raises(errors.RunFinished):
        run.save("a.txt")


def test_a_file_that_goes_away_before_it_is_stored_is_said(write, caplog):
    write({"a.txt": "1", "b.txt": "1"}, ".")
    with lineal.init() as run:
        run.save("*.txt", policy="end")
        Path("a.txt").unlink()
        run._files.expect(["gone.txt"])
    assert told.files(run.id) == {"b.txt": 1}
    assert "the run's file 'gone.txt' is not stored" in caplog.text


# ---- the run's folder ----------------------------------------------------------------------------------------


def test_what_lies_in_the_runs_folder_is_stored_when_it_ends(caplog):
    with lineal.init() as run:
        folder = Path(run.dir)
        (folder / "sub").mkdir()
        (folder / "sub/weights.bin").write_bytes(b"w" * 1000)
        (folder / "empty").write_bytes(b"")
        (folder / ".new-half").write_bytes(b"half")
        (folder / "a\nb").write_bytes(b"no name")
        os.mkfifo(folder / "pipe")
    assert told.files(run.id) == {"sub/weights.bin": 1000, "empty": 0}
    assert holds(run.id, "empty", b"")
    assert "pipe" in caplog.text
    assert not folder.exists()


def test_a_link_to_a_file_stands_for_what_it_leads_to_and_a_linked_folder_is_left_out(write, caplog):
    write({"far/a.txt": "far", "far/b.txt": "far"}, ".")
    with lineal.init() as run:
        folder = Path(run.dir)
        (folder / "a.txt").symlink_to(Path("far/a.txt").absolute())
        (folder / "far").symlink_to(Path("far").absolute())
        (folder / "loop").symlink_to(folder)
        (folder / "dangling").symlink_to("nowhere")
    assert told.files(run.id) == {"a.txt": 3}
    assert "dangling" in caplog.text
    assert Path("far/a.txt").read_text() == "far"


def test_two_thousand_media_are_stored_without_looking_through_the_folder_again_and_again():
    looked_at = []
    with lineal.init() as run:
        changed = run._files._changed
        run._files._changed = lambda item: looked_at.append(item) or changed(item)
        for n in range(2000):
            run.log({"image": lineal.Image(np.full((2, 2), n % 256, dtype="uint8"), caption=str(n))})
        assert until(lambda: len(told.files(run.id)) == 2000)
        assert len(looked_at) == 2000
        run.log({"a": 1})
        run._outbox.flush()
    assert len(looked_at) <= 4000
    assert len(told.files(run.id)) == 2000


def test_every_file_of_a_value_is_stored_while_the_run_goes_on():
    table = lineal.Table(columns=["n", "picture"])
    table.add_data(1, lineal.Image(np.zeros((2, 2), dtype="uint8")))
    pictures = [lineal.Image(np.full((2, 2), n, dtype="uint8")) for n in (1, 2)]
    with lineal.init() as run:
        run.log({"table": table, "nested": {"html": lineal.Html("<b>b</b>")}, "many": pictures})
        assert until(lambda: len(told.files(run.id)) == 5)


def test_a_file_that_is_added_is_stored_with_the_next_batch():
    with lineal.init() as run:
        run._files.add("code/notebook.ipynb", b"{}")
        assert until(lambda: told.files(run.id) == {"code/notebook.ipynb": 2})
        with pytest.raises(errors.InvalidPath):
            run._files.add("../up", b"")


def test_what_was_saved_last_wins_over_what_was_kept_of_it_before(write, tmp_path):
    write({"a.txt": "one"}, ".")
    files = RunFiles(tmp_path / "kept", None)
    files.save("a.txt", None, "now")
    files.take()
    write({"a.txt": "two"}, ".")
    files.save("a.txt", None, "now")
    (file,) = files.take(final=True)
    assert file.digest == digests.format(digests.of_bytes(b"two"))
    assert (tmp_path / "kept/a.txt").read_text() == "two"


def test_without_a_store_files_are_kept_in_the_folder(write, tmp_path):
    write({"a.txt": "1"}, ".")
    files = RunFiles(tmp_path / "kept", None)
    files.save("a.txt", None, "now")
    assert [(file.path, file.size) for file in files.take()] == [("a.txt", 1)]
    assert (tmp_path / "kept/a.txt").read_text() == "1"
    write({"a.txt": "22"}, ".")
    files.save("a.txt", None, "end")
    assert [(file.path, file.size) for file in files.take(final=True)] == [("a.txt", 2)]
