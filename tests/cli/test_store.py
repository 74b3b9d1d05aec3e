import json
from pathlib import Path

import pytest

import lineal


def damage(store: Path) -> None:
    """Flips a byte of the one large object."""
    (big,) = (p for p in store.rglob("objects/*/*") if p.stat().st_size == 300_000)
    big.chmod(0o600)
    content = bytearray(big.read_bytes())
    content[7] ^= 1
    big.write_bytes(content)


@pytest.fixture
def store(cli, log):
    """digits v0, deleted, and v1, with 300,000 bytes of its own each."""
    log("digits", {"a": b"0" * 300_000}).delete()
    log("digits", {"a": b"1" * 300_000})
    return cli


# ---- gc ------------------------------------------------------------------------------------------------------


def test_a_plan_tells_what_would_go_and_touches_nothing(store, place):
    before = sorted(place.store.rglob("objects/*/*"))
    said = store("gc", "--plan", "--grace", "0s")
    assert said.code == 0
    assert "Would go" in said.out
    assert "default/digits:v0" in said.out.split("Kept:")[0]
    assert "newest" in said.out
    assert sorted(place.store.rglob("objects/*/*")) == before


def test_gc_frees_the_bytes_and_keeps_the_rest(store, place):
    plan = json.loads(store("gc", "--plan", "--grace", "0s", "--json").out)
    assert plan["freed_bytes"] >= 300_000
    said = store("gc", "--grace", "0s")
    assert (said.code, "Gone" in said.out) == (0, True)
    assert [p.stat().st_size for p in place.store.rglob("objects/*/*")] == [300_000]
    assert store("get", "digits:v1").code == 0
    assert store("fsck").code == 0


def test_what_is_fresh_waits_for_its_grace(store, place):
    said = store("gc")
    assert said.code == 0
    assert "inside the grace period of 24 h" in said.out
    assert len([p for p in place.store.rglob("objects/*/*") if p.stat().st_size == 300_000]) == 2


def test_a_version_whose_ttl_is_over_goes_unless_something_keeps_it(cli, log):
    for number in range(3):
        log("digits", {"a": str(number)}, ttl="0s")
    cli("hold", "digits:v1", "--why", "audit")
    decisions = {
        d["version"]["version"]: d["fate"] for d in json.loads(cli("gc", "--plan", "--json").out)["decisions"]
    }
    assert decisions == {"v0": "expire", "v1": "keep", "v2": "keep"}


@pytest.mark.parametrize("grace", ["soon", "-1s", "", "1", "10000000000000d"])
def test_a_grace_that_is_no_time_is_refused(store, grace, place):
    said = store("gc", "--grace", grace)
    assert said.code == 2
    assert len([p for p in place.store.rglob("objects/*/*") if p.stat().st_size == 300_000]) == 2


# ---- fsck ----------------------------------------------------------------------------------------------------


def test_fsck_of_a_sound_store_says_all_is_well(store):
    said = store("fsck")
    assert (said.code, "all is well" in said.out) == (0, True)
    assert json.loads(store("fsck", "--json").out)["problems"] == []


def test_fsck_finds_a_flipped_byte_and_repair_lets_logging_heal_it(cli, write, place):
    data = write({"a": b"1" * 300_000})
    cli("add", data, "digits", "-t", "dataset")
    damage(place.store)
    said = cli("fsck")
    assert said.code == 6
    assert "PROBLEM" in said.out
    assert "digits:v0" in said.out
    assert json.loads(cli("fsck", "--json").out)["problems"] != []
    assert cli("get", "digits").code == 6
    cli("fsck", "--repair")
    cli("add", data, "digits", "-t", "dataset")
    assert cli("fsck").code == 0
    assert cli("get", "digits").code == 0


def test_the_index_is_made_anew_from_the_objects_alone(store):
    assert store("fsck", "--repair", "--rebuild").code == 0
    assert store("get", "digits:v1").code == 0
    assert Path("artifacts/digits:v1/a").read_bytes() == b"1" * 300_000


# ---- cache ---------------------------------------------------------------------------------------------------


def test_the_cache_tells_what_it_holds_and_is_cleaned(store, place):
    assert store("cache", "info").out.startswith(f"{place.cache}: 0 versions, 0 bytes of at most ")
    folder = Path(lineal.download("digits"))
    facts = json.loads(store("cache", "info", "--json").out)
    assert (facts["path"], facts["size_bytes"], facts["versions"]) == (str(place.cache), 300_000, 1)
    assert store("cache", "clean", "--to", "1MB").out == "Deleted 0 versions from the cache, 0 bytes.\n"
    assert folder.exists()
    assert json.loads(store("cache", "clean", "--json").out) == {"versions": 1, "freed_bytes": 300_000}
    assert not folder.exists()


def test_a_size_that_is_none_is_refused(store):
    said = store("cache", "clean", "--to", "much")
    assert (said.code, "[invalid.settings]" in said.err) == (2, True)


def test_a_cache_that_is_no_folder_is_an_empty_one(store, monkeypatch):
    Path("file").write_text("x")
    monkeypatch.setenv("LINEAL_CACHE_DIR", str(Path("file").absolute()))
    assert store("cache", "info").code == 0
    assert store("cache", "clean").code == 0
    assert Path("file").read_text() == "x"
