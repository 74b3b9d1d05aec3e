from pathlib import Path

import lineal
from lineal.client import lock
from lineal.client.connection import connection
from tests.client.leavings import offline


def test_refs_are_pinned_and_their_files_got(cli, log, monkeypatch):
    log("digits", {"a": "1"}, project="p", aliases=["best"])
    said = cli("lock", "p/digits:best")
    assert said.code == 0
    assert "p/digits:best is local/p/digits:v0." in said.out
    pin = lock.read(Path("lineal.lock"))["p/digits:best"]
    assert pin.ref == "local/p/digits:v0"
    log("digits", {"a": "2"}, project="p", aliases=["best"])
    with offline(project="p") as run:
        assert run.use_artifact("p/digits:best").version == "v0"
    monkeypatch.setenv("LINEAL_MODE", "offline")
    assert Path(lineal.download("p/digits:best"), "a").read_text() == "1"


def test_locking_again_moves_only_what_is_named(cli, log):
    for name in ("one", "two"):
        log(name, {"a": "1"}, project="p")
    assert cli("lock", "p/one", "p/two").code == 0
    for name in ("one", "two"):
        log(name, {"a": "2"}, project="p")
    assert cli("lock", "p/two").code == 0
    assert {ref: pin.ref[-2:] for ref, pin in lock.read(Path("lineal.lock")).items()} == {
        "p/one:latest": "v0",
        "p/two:latest": "v1",
    }


def test_the_same_lock_is_the_same_bytes(cli, log):
    for name in ("one", "two"):
        log(name, {"a": "1"}, project="p")
    cli("lock", "p/two", "p/one", "--file", "a.lock")
    cli("lock", "p/one", "p/two", "--file", "b.lock")
    assert Path("a.lock").read_bytes() == Path("b.lock").read_bytes()
    assert not Path("lineal.lock").exists()


def test_the_check_says_what_moved_and_moves_nothing(cli, log):
    for name in ("one", "two"):
        log(name, {"a": "1"}, project="p")
    cli("lock", "p/one", "p/two")
    said = cli("lock", "--check")
    assert (said.code, said.out) == (
        0,
        "p/one:latest is still local/p/one:v0.\np/two:latest is still local/p/two:v0.\n",
    )
    log("two", {"a": "2"}, project="p")
    before = Path("lineal.lock").read_bytes()
    said = cli("lock", "--check")
    assert said.code == 4
    assert "p/two:latest was local/p/two:v0 and is local/p/two:v1." in said.out
    assert Path("lineal.lock").read_bytes() == before
    assert cli("lock", "--check", "p/one").code == 0
    assert cli("lock", "--check", "p/other").code == 2
    connection().backend.artifacts.delete_collection("p/one", force=True)
    said = cli("lock", "--check", "p/one")
    assert said.code == 4
    assert "gone" in said.out


def test_without_refs_the_files_of_the_lock_are_got_as_they_are_locked(cli, log):
    log("digits", {"a": "1"}, project="p")
    cli("lock", "p/digits")
    log("digits", {"a": "2"}, project="p")
    cli("cache", "clean")
    said = cli("lock")
    assert (said.code, said.out) == (0, "The files of 1 ref are in the cache.\n")
    with offline(project="p") as run:
        assert Path(run.use_artifact("digits").download(), "a").read_text() == "1"


def test_a_version_that_is_other_content_now_is_not_taken_for_it(cli, log, monkeypatch):
    log("digits", {"a": "1"}, project="p")
    cli("lock", "p/digits")
    monkeypatch.setenv("LINEAL_URL", "memory:other")
    log("digits", {"a": "2"}, project="p")
    said = cli("lock")
    assert said.code == 6
    assert "lineal lock p/digits" in said.err


def test_nothing_to_lock_says_what_to_type(cli):
    said = cli("lock")
    assert said.code == 2
    assert "lineal lock digits:latest" in said.err
    assert cli("lock", "--check").code == 2


def test_a_ref_that_names_nothing_leaves_the_lock_as_it_was(cli, log):
    log("one", {"a": "1"}, project="p")
    cli("lock", "p/one")
    before = Path("lineal.lock").read_bytes()
    assert cli("lock", "p/one", "p/nothing").code == 3
    assert Path("lineal.lock").read_bytes() == before


def test_the_lock_above_is_the_one_that_is_written(cli, log, monkeypatch, place):
    log("one", {"a": "1"}, project="p")
    cli("lock", "p/one")
    Path("below").mkdir()
    monkeypatch.chdir("below")
    log("one", {"a": "2"}, project="p")
    cli("lock", "p/one")
    assert not Path("lineal.lock").exists()
    assert lock.read(place.work / "lineal.lock")["p/one:latest"].ref == "local/p/one:v1"


def test_refs_that_mean_the_same_share_a_pin(cli, log):
    log("digits", {"a": "1"}, project="p")
    assert cli("--project", "p", "lock", "p/digits").code == 0
    log("digits", {"a": "2"}, project="p")
    assert cli("--project", "p", "lock", "digits:latest").code == 0
    assert {ref: pin.ref for ref, pin in lock.read(Path("lineal.lock")).items()} == {
        "digits:latest": "local/p/digits:v1"
    }
    assert cli("--project", "p", "lock", "--check", "digits").code == 0
