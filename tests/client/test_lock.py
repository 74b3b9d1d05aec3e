import json
from pathlib import Path

import pytest

import lineal
from lineal.client import lock
from lineal.client.connection import connection
from lineal.client.lock import Pin
from lineal.core import errors

DIGEST = "sha256:" + "ab" * 32
PINS = {"digits:latest": Pin("local/default/digits:v3", DIGEST), "a/b": Pin("local/a/b:v0", DIGEST)}
GOLDEN = f"""{{
  "format": 1,
  "refs": {{
    "a/b": {{
      "digest": "{DIGEST}",
      "ref": "local/a/b:v0"
    }},
    "digits:latest": {{
      "digest": "{DIGEST}",
      "ref": "local/default/digits:v3"
    }}
  }}
}}
"""


def test_a_lock_is_sorted_and_the_same_bytes_for_the_same_pins(tmp_path):
    lock.write(tmp_path / "lineal.lock", PINS)
    assert (tmp_path / "lineal.lock").read_text() == GOLDEN
    lock.write(tmp_path / "lineal.lock", dict(reversed(PINS.items())))
    assert (tmp_path / "lineal.lock").read_text() == GOLDEN
    assert lock.read(tmp_path / "lineal.lock") == PINS
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".new")] == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": 1}',
        '{"format": 1, "refs": []}',
        '{"format": 1, "refs": {"a": {"ref": "x/y/a:v0"}}}',
        '{"format": 1, "refs": {"a": {"ref": "x/y/a:v0", "digest": "md5:1"}}}',
        json.dumps({"format": 1, "refs": {"a": {"ref": "x/y/a:latest", "digest": DIGEST}}}),
        json.dumps({"format": 1, "refs": {"../a": {"ref": "x/y/a:v0", "digest": DIGEST}}}),
        json.dumps({"format": 1, "refs": {"a": {"ref": 7, "digest": DIGEST}}}),
    ],
)
def test_a_file_that_is_no_lock_is_refused_by_name(tmp_path, text):
    (tmp_path / "lineal.lock").write_text(text)
    with pytest.raises(errors.InvalidSource, match=r"lineal\.lock"):
        lock.read(tmp_path / "lineal.lock")


def test_a_lock_of_a_newer_format_says_so(tmp_path):
    (tmp_path / "lineal.lock").write_text('{"format": 2, "pins": []}')
    with pytest.raises(errors.NewerFormat):
        lock.read(tmp_path / "lineal.lock")


def test_a_lock_that_cannot_be_written_leaves_the_old_one(tmp_path):
    with pytest.raises(errors.Unavailable):
        lock.write(tmp_path / "nowhere" / "lineal.lock", PINS)


def test_the_nearest_lock_counts(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert lock.nearest(tmp_path / "a" / "b") is None
    lock.write(tmp_path / "lineal.lock", PINS)
    assert lock.nearest(tmp_path / "a" / "b") == tmp_path / "lineal.lock"
    lock.write(tmp_path / "a" / "lineal.lock", PINS)
    assert lock.nearest(tmp_path / "a" / "b") == tmp_path / "a" / "lineal.lock"


@pytest.mark.parametrize(
    ("ref", "same"),
    [("digits", "digits:latest"), ("p/digits", "local/p/digits"), ("p/digits:v1", "local/p/digits:v1")],
)
def test_a_ref_is_the_same_however_it_is_written(ref, same):
    settings = connection().settings
    assert lock.whole(ref, settings) == lock.whole(same, settings)


def test_this_machine_remembers_what_a_ref_named(log):
    made = log("digits", {"a": "1"}, project="p", metadata={"n": [1, 2]}, aliases=["best"])
    conn = connection()
    assert lock.find(conn, "p/digits") is None
    lineal.download("p/digits:best")
    version = conn.backend.artifacts.resolve("p/digits:v0")
    for ref in ("p/digits:best", "local/p/digits:best", "p/digits:v0", made.qualified_name):
        assert lock.find(conn, ref) == version
    assert lock.find(conn, "p/digits:other") is None
    assert lock.find(connection(url="memory:other"), "p/digits:best") is None


def test_a_ref_that_was_got_without_a_project_is_known_in_its_project(log):
    log("digits", {"a": "1"}, project="p")
    lineal.download("digits")
    assert lock.find(connection(project="p"), "digits:latest") is not None
    assert lock.find(connection(project="q"), "digits:latest") is None


def test_a_lock_wins_over_what_was_seen_last(log):
    log("digits", {"a": "1"}, project="p")
    lineal.download("p/digits")
    first = lock.find(connection(), "p/digits")
    lock.write(Path("lineal.lock"), {"p/digits:latest": Pin(first.ref, first.digest)})
    log("digits", {"a": "2"}, project="p")
    lineal.download("p/digits")
    assert lock.find(connection(), "p/digits").version == "v0"
    Path("lineal.lock").unlink()
    assert lock.find(connection(), "p/digits").version == "v1"


def test_a_lock_to_other_content_than_this_machine_has_names_nothing(log):
    log("digits", {"a": "1"}, project="p")
    lineal.download("p/digits")
    lock.write(Path("lineal.lock"), {"p/digits": Pin("local/p/digits:v0", DIGEST)})
    assert lock.find(connection(), "p/digits") is None
    assert json.loads(Path("lineal.lock").read_text())["format"] == 1


@pytest.mark.parametrize(
    ("ref", "named"),
    [
        ("digits", "digits:latest"),
        ("a/b/digits:latest", "a/b/digits:latest"),
        ("digits:best", "digits:best"),
        ("digits:v3", "digits:v3"),
        (f"digits@{DIGEST}", f"digits@{DIGEST}"),
    ],
)
def test_a_lock_names_a_ref_with_its_tag(ref, named):
    assert lock.key(ref) == named
    assert lock.whole(named, connection().settings) == lock.whole(ref, connection().settings)


def test_a_pin_takes_the_place_of_one_that_means_the_same():
    settings = connection(project="p").settings
    old, new = Pin("local/p/digits:v0", DIGEST), Pin("local/p/digits:v1", DIGEST)
    pins = {"p/digits": old, "digits:best": old, "q/digits": old}
    assert lock.put(pins, "digits", new, settings) == {"digits:best": old, "q/digits": old, "digits:latest": new}
