import io
import json
import os
import struct
from pathlib import Path

import pytest

from lineal import Api
from tests.conftest import Said

HOSTILE = "evil [red]name[/red] \x1b[31m\x9b2J\u202etxt"


@pytest.fixture
def store(cli, write):
    """digits v0 (alias raw) and v1, logged from the command line."""
    for number, text in enumerate(("x,y\n1,2\n", "x,z\n1,2\n3,4\n")):
        write({"a.csv": text, f"only{number}.txt": "1"}, f"data{number}")
        facts = ("-a", "raw", "-d", "First digits", "--meta", "n=1") if number == 0 else ("--meta", "n=2")
        said = cli("add", f"data{number}", "digits", "-t", "dataset", *facts)
        assert said.code == 0, said.err
    return cli


def harmless(said: Said) -> bool:
    return not any(mark in said.out + said.err for mark in ("\x1b", "\x9b", "\u202e"))


# ---- add -----------------------------------------------------------------------------------------------------


def test_add_logs_a_folder_or_a_file_and_says_so(cli, write):
    folder = write({"a": "1", "b": "22"})
    assert cli("add", folder, "digits", "-t", "dataset").out.startswith(
        "Logged default/digits:v0 (2 files, 3 bytes, "
    )
    assert cli("add", folder, "digits", "-t", "dataset").out.startswith("No change: the content is already default/")
    assert "default/notes:v0 (1 file" in cli("add", folder / "a", "notes", "-t", "text").out


def test_add_takes_everything_that_a_version_can_have(cli, write):
    said = cli(
        "add", write({"a": "1", "b.tmp": "x"}), "vision/digits", "--type", "dataset", "-a", "raw", "-a", "first",
        "--tag", "small", "-d", "Digits", "--meta", 'shape=[8, 8]', "--meta", "source=mnist", "--ttl", "30d",
        "--ignore", "*.tmp", "--json",
    )  # fmt: skip
    version = json.loads(said.out)["version"]
    assert json.loads(said.out)["made"] is True
    assert (version["ref"], version["file_count"], version["ttl_s"]) == ("local/vision/digits:v0", 1, 30 * 86400)
    assert version["aliases"] == ["first", "raw"]
    assert version["tags"] == ["small"]
    assert version["metadata"] == {"shape": [8, 8], "source": "mnist"}


def test_add_refers_without_copying(cli, write):
    file = write({"big": "1"}) / "big"
    assert cli("add", file.as_uri(), "raw", "-t", "dataset", "--reference").code == 0
    (entry,) = json.loads(cli("ls", "raw", "--json").out)
    assert entry["reference"]["uri"] == file.as_uri()
    assert file.as_uri() in cli("ls", "raw").out


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("nowhere", "digits", "-t", "dataset"), 2, "[invalid.source]"),
        (("data", "digits:v3", "-t", "dataset"), 2, "[invalid.argument]"),
        (("data", "digits"), 2, "--type"),
        (("data", "a b", "-t", "dataset"), 2, "[invalid.name]"),
        (("data", "digits", "-t", "dataset", "--meta", "novalue"), 2, "key=value"),
        (("data", "digits", "-t", "dataset", "--ttl", "soon"), 2, "30d"),
        (("data", "digits", "-t", "dataset", "-a", "v3"), 2, "[invalid.alias]"),
        (("data", "registry/digits", "-t", "dataset"), 2, "[invalid.ref]"),
        (("data", "digits", "-t", "dataset", "--ignore", "*"), 2, "[invalid.empty_artifact]"),
        (("https://u:p@example.org/x", "raw", "-t", "d", "--reference"), 2, "[invalid.reference]"),
        (("file:///nowhere", "raw", "-t", "d", "--reference"), 2, "[invalid.source]"),
    ],
)
def test_add_refuses_mistakes_and_says_what_to_write(cli, write, words, code, text):
    write({"a": "1"})
    said = cli("add", *words)
    assert said.code == code
    assert text in said.err
    assert said.out == ""


def test_add_of_another_type_is_a_conflict(store):
    said = store("add", "data0", "digits", "-t", "model")
    assert said.code == 4
    assert "[conflict.type]" in said.err


# ---- get, ls, show, versions ---------------------------------------------------------------------------------


def test_get_downloads_and_says_where(store, place):
    assert store("get", "digits:raw").out == f"default/digits:v0 is in {place.work}/artifacts/digits:v0 (verified)\n"
    assert Path("artifacts/digits:v0/a.csv").read_text() == "x,y\n1,2\n"
    said = store("get", "digits", "-r", "out", "-p", "a.csv", "--mode", "link", "--json")
    assert json.loads(said.out)["path"] == str(place.work / "out")
    assert os.listdir("out") == ["a.csv"]


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("digits:v9",), 3, "goes up to v1 and has the alias"),
        (("letters",), 3, "[not_found.collection]"),
        (("digits", "-p", "../../etc/passwd"), 3, "[not_found.entry]"),
        (("digits", "-r", "data0/a.csv"), 2, "[invalid.target]"),
        (("../../etc/passwd",), 2, "[invalid.ref]"),
        (("../passwd",), 2, "[invalid.name]"),
        (("digits", "--mode", "move"), 2, "'copy', 'link'"),
    ],
)
def test_get_refuses_mistakes(store, words, code, text):
    said = store("get", *words)
    assert said.code == code
    assert text in said.err


def test_ls_lists_collections_and_files(store):
    lines = store("ls").out.splitlines()
    assert lines[0].split() == ["COLLECTION", "TYPE", "VERSIONS", "LATEST", "ALIASES"]
    assert lines[1].split() == ["default/digits", "dataset", "2", "v1", "raw→v0"]
    assert [line.split()[0] for line in store("ls", "digits:v0").out.splitlines()] == ["PATH", "a.csv", "only0.txt"]
    assert [c["name"] for c in json.loads(store("ls", "--json").out)] == ["digits"]
    assert [e["path"] for e in json.loads(store("ls", "digits:v0", "--json").out)] == ["a.csv", "only0.txt"]
    assert store("ls", "-t", "model").out.startswith("Nothing is logged here yet")


def test_ls_of_an_empty_store_says_how_to_begin(cli):
    said = cli("ls")
    assert (said.code, "lineal add PATH NAME" in said.out) == (0, True)
    assert json.loads(cli("ls", "--json").out) == []


def test_show_tells_everything_about_a_version(store):
    store("link", "digits:v0", "registry/digits", "-a", "good")
    said = store("show", "digits:raw")
    assert said.code == 0, said.err
    facts = dict(line.split(None, 1) for line in said.out.splitlines())
    assert facts["version"] == "local/default/digits:v0"
    assert facts["aliases"] == "raw"
    assert facts["description"] == "First digits"
    assert facts["metadata"] == '{"n": 1}'
    assert "registry/digits:v0" in said.out
    assert "deleted" not in facts
    body = json.loads(store("show", "digits:raw", "--json").out)
    assert body["version"]["digest"] == facts["digest"]
    assert [link["aliases"] for link in body["links"]] == [["good"]]


def test_show_asks_the_past(store):
    then = Api().artifact("digits:v1").created_at
    store("promote", "digits:v1", "raw")
    assert "digits:v1" in store("show", "digits:raw").out
    assert "digits:v0" in store("show", "digits:raw", "--at", then).out
    assert store("show", "digits:raw", "--at", "noon").code == 2
    assert store("show", "digits:raw", "--at", "1999-01-01").code == 3


def test_versions_are_listed_newest_first(store):
    lines = store("versions", "digits").out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["default/digits:v1", "default/digits:v0"]
    assert [v["version"] for v in json.loads(store("versions", "digits", "--json").out)] == ["v1", "v0"]
    assert store("versions", "letters").code == 3


# ---- diff and search -----------------------------------------------------------------------------------------


def test_diff_tells_files_metadata_and_what_is_inside(store):
    out = store("diff", "digits:v0", "digits:v1").out
    assert "~ a.csv" in out
    assert "+ only1.txt" in out
    assert "- only0.txt" in out
    assert "column z" in out
    assert "~ metadata n: 1 → 2" in out
    body = json.loads(store("diff", "digits:v0", "digits:v1", "--json").out)
    assert {e["path"]: e["kind"] for e in body["entries"]} == {
        "a.csv": "changed",
        "only0.txt": "removed",
        "only1.txt": "added",
    }
    assert list(body["inside"]) == ["a.csv"]
    assert "The files are the same." in store("diff", "digits:v0", "digits:v0").out
    assert store("diff", "digits:v0", "digits:v7").code == 3


def test_diff_looks_into_arrays_and_tensors(cli, log):
    numpy = pytest.importorskip("numpy")
    for columns in (2, 3):
        header = json.dumps({"w": {"dtype": "F32", "shape": [columns], "data_offsets": [0, 4 * columns]}}).encode()
        tensors = struct.pack("<Q", len(header)) + header + bytes(4 * columns)
        numpy.savez(arrays := io.BytesIO(), x=numpy.zeros((5, columns)))
        log("model", {"m.safetensors": tensors, "d.npz": arrays.getvalue()})
    said = cli("diff", "model:v0", "model:v1")
    assert said.code == 0, said.err
    body = json.loads(cli("diff", "model:v0", "model:v1", "--json").out)
    assert sorted(body["inside"]) == ["d.npz", "m.safetensors"]
    assert "w" in said.out
    assert "x" in said.out


def test_search_finds_by_every_condition(store):
    def found(*words: str) -> list[str]:
        return [f"{v['collection']}:{v['version']}" for v in json.loads(store("search", *words, "--json").out)]

    store("add", "data0/a.csv", "letters", "-t", "text", "--tag", "small")
    assert found("dig") == ["digits:v1", "digits:v0"]
    assert found("first") == ["digits:v0"]
    assert found("dig*") == ["digits:v1", "digits:v0"]
    assert found("*x*") == []
    assert found("--type", "text") == found("--tag", "small") == ["letters:v0"]
    assert found("--meta", "n=2") == ["digits:v1"]
    digest = Api().artifact("letters").get_entry("a.csv").digest
    assert found("--digest", digest) == ["digits:v0", "letters:v0"]
    assert store("search", "zzz").out == "Nothing matches.\n"
    assert store("search", "--digest", "abc").code == 2
    assert store("search", "--meta", "n").code == 2


# ---- rm, restore, hold ---------------------------------------------------------------------------------------


def test_rm_deletes_and_restore_brings_back(store):
    said = store("rm", "digits:v1")
    assert said.out == "Deleted default/digits:v1; until gc, `lineal restore default/digits:v1` brings it back.\n"
    assert store("show", "digits:v1").code == 3
    assert "(deleted)" in store("versions", "digits", "--deleted").out
    assert store("restore", "default/digits:v1").out == "Restored default/digits:v1.\n"
    assert store("show", "digits:v1").code == 0


def test_rm_needs_a_version_and_force_where_it_is_in_use(store):
    assert "--collection" in store("rm", "digits").err
    said = store("rm", "digits:v0")
    assert (said.code, "alias 'raw'" in said.err) == (4, True)
    assert store("rm", "digits:v0", "--force").code == 0


def test_a_whole_collection_goes_only_when_asked_for(store):
    assert store("rm", "digits", "--collection").code == 4
    gone = json.loads(store("rm", "digits", "--collection", "--force", "--json").out)
    assert sorted(v["version"] for v in gone) == ["v0", "v1"]
    assert store("ls", "digits").code == 3
    assert "(deleted)" in store("ls", "--deleted").out


def test_restoring_after_gc_is_refused(store):
    store("rm", "digits:v0", "--force")
    assert store("gc", "--grace", "0s").code == 0
    said = store("restore", "digits:v0")
    assert (said.code, "[conflict.version_purged]" in said.err) == (4, True)
    assert "(gone)" in store("versions", "digits", "--deleted").out


def test_a_hold_keeps_until_it_is_released(store):
    assert store("hold", "digits:v0", "--why", "audit 7").out == "default/digits:v0 is held: audit 7.\n"
    assert "audit 7" in store("show", "digits:v0").out
    assert "audit 7" in store("gc", "--plan").out
    assert store("hold", "digits:v0", "--release").out == "default/digits:v0 is no longer held.\n"
    assert json.loads(store("show", "digits:v0", "--json").out)["version"]["hold"] is None
    store("hold", "digits:v0", "--why", "")
    assert json.loads(store("show", "digits:v0", "--json").out)["version"]["hold"]


# ---- what strangers wrote ------------------------------------------------------------------------------------


def test_nothing_that_a_stranger_named_reaches_the_terminal_as_markup_or_control(cli, log):
    for text in ("1", "2"):
        log("digits", {"a [red]\u202eb.csv": text}, description=HOSTILE, metadata={"k [bold]": HOSTILE + text})
    cli("promote", "digits:v0", "best", "--why", HOSTILE)
    cli("hold", "digits:v0", "--why", HOSTILE)
    for words in (
        ("ls",), ("ls", "digits"), ("show", "digits:v0"), ("versions", "digits"), ("diff", "digits:v0", "digits:v1"),
        ("search", "digits"), ("history", "digits"), ("who-was", "digits:best"), ("gc", "--plan"), ("fsck",),
        ("lineage", "digits"), ("audit", "digits"), ("impact", "digits:v0"), ("get", "digits", "-p", HOSTILE),
        ("show", HOSTILE), ("add", HOSTILE, "x", "-t", "y"), (HOSTILE,),
    ):  # fmt: skip
        said = cli(*words)
        assert harmless(said), words
    assert "[red]name[/red]" in cli("show", "digits:v0").out
    assert "[red]" in cli("ls", "digits").out
    assert "[red]" in cli("diff", "digits:v0", "digits:v1").out
    assert "[red]name[/red]" in cli("history", "digits").out
