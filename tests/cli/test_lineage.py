import json
from pathlib import Path

import pytest

from lineal import Api


@pytest.fixture
def store(cli, log):
    """digits v0 → model v0 (alias production) → result v0."""
    log("digits", {"a": "1", "big": b"x" * 300_000})
    log("model", {"w": "1"}, "model", uses=("digits:v0",), aliases=["production"])
    log("result", {"r": "1"}, "result", uses=("model:v0",))
    return cli


def flip_a_byte(folder: Path) -> None:
    (big,) = (p for p in folder.rglob("objects/*/*") if p.stat().st_size == 300_000)
    big.chmod(0o600)
    content = bytearray(big.read_bytes())
    content[7] ^= 1
    big.write_bytes(content)


def test_the_tree_shows_what_made_it_or_what_came_of_it(store):
    up = store("lineage", "model:production").out
    assert "digits:v0" in up
    assert "result:v0" not in up
    assert "result:v0" in store("lineage", "model", "--direction", "down").out
    both = store("lineage", "model", "--direction", "both", "--full").out
    assert "digits:v0" in both
    assert "result:v0" in both
    assert "digits:v0" not in store("lineage", "result", "--depth", "1").out


def test_a_run_can_be_the_subject(store):
    run = Api().artifact("model").logged_by().id
    assert "digits:v0" in store("lineage", f"run:{run}").out
    assert store("lineage", "run:nobody").code == 3


STARTS = {
    "svg": b"<?xml",
    "png": b"\x89PNG",
    "pdf": b"%PDF",
    "html": b"<!doctype html",
    "mermaid": b"flowchart LR",
    "dot": b"digraph",
    "json": b"{",
    "tree": b"model:v0",
}


@pytest.mark.parametrize("kind", STARTS)
def test_every_format_goes_to_a_file(store, kind, place):
    said = store("lineage", "model", "--format", kind, "-o", f"out.{kind}")
    if said.code == 7:
        pytest.skip("nothing here draws images")
    assert said.out == f"Wrote {place.work}/out.{kind}\n"
    assert Path(f"out.{kind}").read_bytes().lower().startswith(STARTS[kind].lower())


@pytest.mark.parametrize(
    ("suffix", "start"), [("json", "{"), ("mmd", "flowchart"), ("gv", "digraph"), ("htm", "<!doctype html")]
)
def test_the_suffix_chooses_the_format(store, suffix, start):
    assert store("lineage", "model", "-o", f"out.{suffix}").code == 0
    assert Path(f"out.{suffix}").read_text().lower().startswith(start)


def test_json_is_a_graph(store):
    graph = json.loads(store("lineage", "model", "--direction", "both", "--format", "json").out or "{}") or None
    if graph is None:
        store("lineage", "model", "--direction", "both", "-o", "g.json")
        graph = json.loads(Path("g.json").read_text())
    names = {node["name"] for node in graph["nodes"]}
    assert {"digits:v0", "model:v0", "result:v0"} <= names


@pytest.mark.parametrize("output", ["out.jpg", "nowhere/out.svg", "folder"])
def test_a_file_that_cannot_be_is_refused(store, output):
    Path("folder").mkdir()
    said = store("lineage", "model", "-o", output)
    assert said.code == 2
    assert "Error:" in said.err


def test_an_audit_tells_the_story_and_what_is_unexplained(store):
    said = store("audit", "model:production")
    assert said.code == 0
    for text in ("model:v0", "digits:v0", "production", "code is not on record"):
        assert text in said.out


def test_an_audit_goes_to_a_page_or_to_json(store):
    digests = [Api().artifact(name).digest for name in ("digits", "model")]
    assert store("audit", "model", "--verify", "-o", "audit.html").code == 0
    page = Path("audit.html").read_text(encoding="utf-8")
    assert all(digest in page for digest in digests)
    store("audit", "model", "-o", "audit.json")
    body = json.loads(Path("audit.json").read_text())
    assert digests[1] in json.dumps(body)
    assert store("audit", "model", "-o", "audit.txt").code == 2


def test_a_flipped_byte_fails_the_audit(store, place):
    assert store("audit", "model", "--verify").code == 0
    flip_a_byte(place.store)
    assert store("audit", "model").code == 0
    said = store("audit", "model", "--verify")
    assert said.code == 6
    assert "digits:v0" in said.out
    assert store("audit", "model", "--verify", "-o", "audit.html").code == 6
    assert store("audit", "model", "--verify", "-o", "audit.json").code == 6


def test_impact_tells_what_came_of_a_version_or_a_file(store):
    out = store("impact", "digits:v0").out
    assert "model:v0" in out
    assert "IN USE NOW" in out
    digest = Api().artifact("digits").get_entry("a").digest
    assert "model:v0" in store("impact", digest).out
    body = json.loads(store("impact", "digits:v0", "--json").out)
    assert {v["name"] for v in body["versions"]} == {"model:v0", "result:v0"}
    assert store("impact", f"sha256:{'0' * 64}").code == 3
    assert store("impact", "nothing:v0").code == 3


def test_half_a_digest_is_told_to_be_no_digest(store):
    said = store("impact", "sha256:123")
    assert said.code == 2
    assert "[invalid.digest]" in said.err


@pytest.fixture
def searched(store):
    """A sweep `s1` of two trials: both use digits, the first makes a model."""
    backend = Api()._connection.backend
    backend.sweeps.create("s1", {"method": "grid", "name": "hunt", "parameters": {"lr": {"values": [1, 2]}}})
    for number in range(2):
        trial = backend.sweeps.take("s1", "a", f"t{number}").trial
        backend.runs.start(trial.run_id, sweep="s1", name=f"try-{number}")
        backend.artifacts.use("digits", trial.run_id)
    return store


def test_a_sweep_can_be_the_subject(searched):
    both = searched("lineage", "sweep:s1").out.splitlines()
    assert both[0] == "hunt  (sweep · grid)"
    assert "    ├── try-0  (run · trial 0)  as trial" in both
    assert any("digits:v0" in line for line in both)
    assert "try-0" not in searched("lineage", "sweep:s1", "--direction", "up").out
    gone = searched("lineage", "sweep:s9")
    assert (gone.code, "not_found.sweep" in gone.err) == (3, True)
