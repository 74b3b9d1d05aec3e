import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest
import xxhash

from lineal.client.journal import NAME, Journal, in_use, left_over, read
from lineal.core import errors

FRAMES = [
    ("start", {"run_id": "r1", "at": "2026-01-01T00:00:00Z"}, {}),
    ("batch", {"seq": 1}, {"history": b"abc", "system": b"\x00\xff"}),
    ("change", {"seq": 2, "name": "é\n"}, {}),
    ("finish", {"seq": 3, "state": "finished"}, {}),
]


def written(folder: Path) -> bytes:
    journal = Journal(folder)
    for frame in FRAMES:
        journal.append(*frame)
    journal.sync()
    journal.close()
    return (folder / NAME).read_bytes()


def told(folder: Path) -> list[tuple[str, dict, dict]]:
    return [(frame.kind, dict(frame.facts), dict(frame.rows)) for frame in read(folder)]


def test_a_frame_is_its_length_its_hash_and_a_line_of_json_before_the_rows(tmp_path):
    journal = Journal(tmp_path / "r")
    journal.append("batch", {"seq": 1}, {"history": b"abc", "system": b"de"})
    journal.close()
    payload = b'{"kind":"batch","facts":{"seq":1},"rows":[["history",3],["system",2]]}\nabcde'
    head = bytes.fromhex("4c00000000000000a242067d7d79de75")
    assert (tmp_path / "r" / NAME).read_bytes() == head + payload


def test_what_was_written_is_read(tmp_path):
    data = written(tmp_path)
    assert told(tmp_path) == FRAMES
    ends = [frame.end for frame in read(tmp_path)]
    assert ends[-1] == len(data)
    assert [frame.kind for frame in read(tmp_path, ends[1])] == ["change", "finish"]
    assert left_over(tmp_path, ends[-1]) == 0


def test_a_journal_that_was_cut_off_at_any_byte_holds_its_whole_frames(tmp_path):
    data = written(tmp_path)
    ends = [0, *(frame.end for frame in read(tmp_path))]
    for length in range(len(data)):
        (tmp_path / NAME).write_bytes(data[:length])
        whole = max(count for count, end in enumerate(ends) if end <= length)
        assert told(tmp_path) == FRAMES[:whole]
        assert left_over(tmp_path, ends[whole]) == 0


def test_a_journal_that_is_damaged_at_any_byte_holds_the_frames_before(tmp_path):
    data = written(tmp_path)
    ends = [0, *(frame.end for frame in read(tmp_path))]
    for place in range(len(data)):
        (tmp_path / NAME).write_bytes(data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :])
        whole = max(count for count, end in enumerate(ends) if end <= place)
        assert told(tmp_path) == FRAMES[:whole]
        in_its_length = place - ends[whole] < 8
        assert in_its_length or left_over(tmp_path, ends[whole]) == len(data) - ends[whole]


@pytest.mark.parametrize(
    "payload", [b"", b"\n", b"[]\n", b"{}\n", b'{"kind":"x"}\n', b'{"kind":"x","facts":{},"rows":[["a","b"]]}\n']
)
def test_a_frame_that_says_nothing_ends_the_reading(tmp_path, payload):
    written(tmp_path)
    with open(tmp_path / NAME, "ab") as file:
        file.write(len(payload).to_bytes(8, "little") + xxhash.xxh3_64_digest(payload) + payload)
    assert told(tmp_path) == FRAMES


def test_clearing_forgets_what_comes_behind(tmp_path):
    written(tmp_path)
    first = next(read(tmp_path)).end
    journal = Journal(tmp_path)
    journal.clear(first)
    journal.append("batch", {"seq": 9})
    assert journal.size == (tmp_path / NAME).stat().st_size
    assert [frame.kind for frame in journal.frames()] == ["start", "batch"]
    journal.close()


def test_one_process_at_a_time_has_a_journal(tmp_path):
    journal = Journal(tmp_path / "r")
    assert in_use(tmp_path / "r")
    with pytest.raises(errors.InvalidSource, match="under way"):
        Journal(tmp_path / "r")
    journal.close()
    journal.close()
    assert not in_use(tmp_path / "r")
    Journal(tmp_path / "r").close()


def test_the_death_of_its_process_frees_a_journal(tmp_path):
    code = f"""
import os
from pathlib import Path
from lineal.client.journal import Journal
journal = Journal(Path({str(tmp_path)!r}))
journal.append("start", {{"run_id": "r1"}})
os.kill(os.getpid(), 9)
"""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], check=False, env=env, timeout=60).returncode == -9
    assert not in_use(tmp_path)
    assert [frame.kind for frame in read(tmp_path)] == ["start"]


def test_only_a_journal_that_is_there_is_opened_where_it_must_be(tmp_path):
    with pytest.raises(errors.InvalidSource, match="no journal"):
        Journal(tmp_path / "r", new=False)
    assert not (tmp_path / "r").exists()
    Journal(tmp_path / "r").close()
    Journal(tmp_path / "r", new=False).close()


def test_asking_whether_a_journal_is_in_use_leaves_it_free(tmp_path):
    written(tmp_path)
    assert not in_use(tmp_path)
    with open(tmp_path / NAME, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert in_use(tmp_path)


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.Unavailable):
        Journal(tmp_path / "file" / "r")


def test_on_a_file_system_without_locks_a_journal_is_in_use_while_it_is_written(tmp_path, monkeypatch):
    def no_locks(file: object, how: int) -> None:
        raise OSError(errno.ENOSYS, "no locks here")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    written(tmp_path / "r")
    assert in_use(tmp_path / "r")
    with pytest.raises(errors.InvalidSource, match="under way"):
        Journal(tmp_path / "r", new=False)
    os.utime(tmp_path / "r" / NAME, times=(0, 0))
    assert not in_use(tmp_path / "r")
    Journal(tmp_path / "r", new=False).close()
