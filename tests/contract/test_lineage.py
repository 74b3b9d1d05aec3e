"""The sentences of `port.Lineage`, held against every implementation."""

from collections.abc import Callable
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineal.core import clock, errors
from lineal.lineage.model import Graph
from lineal.storage import digest as digests
from lineal.storage.manifest import Entry, Reference

from .conftest import Desk
from .damage import flip_blob, forget

Open = Callable[..., Desk]


def names(graph: Graph) -> set[str]:
    return {node.name for node in graph.nodes}


def arrows(graph: Graph) -> set[tuple[str, str]]:
    by_id = {node.id: node.name for node in graph.nodes}
    return {(by_id[edge.source], by_id[edge.target]) for edge in graph.edges}


def short(ids: list[str]) -> set[str]:
    return {id_.removeprefix("run:").rpartition("/")[2] for id_ in ids}


@pytest.fixture
def line(desk: Desk) -> Desk:
    """raw → clean → set → train → model → score → report, with `set` also read by `look`."""
    desk.log("raw", "raw")
    desk.step("clean", ("raw",), ("set",))
    desk.step("look", ("set",), ("plot",))
    desk.step("train", ("set",), ("model",))
    desk.step("score", ("model",), ("report",))
    return desk


@pytest.fixture
def ring(desk: Desk) -> Desk:
    """R1 → A → R2 → B → R1: runs are intervals, so this can happen."""
    desk.run("R1")
    desk.run("R2")
    desk.log("a", "A", run_id="R1")
    desk.backend.artifacts.use("A", "R2")
    desk.log("b", "B", run_id="R2")
    desk.backend.artifacts.use("B", "R1")
    return desk


# ---- graphs ----------------------------------------------------------------------------------------------------


def test_up_shows_what_made_it_and_nothing_else(line: Desk) -> None:
    graph = line.backend.lineage.graph("model", direction="up")
    assert names(graph) == {"raw:v0", "clean", "set:v0", "train", "model:v0"}
    assert arrows(graph) == {
        ("raw:v0", "clean"),
        ("clean", "set:v0"),
        ("set:v0", "train"),
        ("train", "model:v0"),
    }


def test_down_shows_what_was_made_of_it(line: Desk) -> None:
    graph = line.backend.lineage.graph("set:v0", direction="down")
    assert names(graph) == {"set:v0", "look", "plot:v0", "train", "model:v0", "score", "report:v0"}


def test_both_shows_ancestors_and_descendants_but_no_cousins(line: Desk) -> None:
    assert names(line.backend.lineage.graph("model")) == {
        "raw:v0",
        "clean",
        "set:v0",
        "train",
        "model:v0",
        "score",
        "report:v0",
    }


def test_nodes_come_by_depth_and_say_how_far_they_lie(line: Desk) -> None:
    graph = line.backend.lineage.graph("run:train")
    assert [(n.depth, n.name) for n in graph.nodes if n.depth < 2] == [(0, "train"), (1, "model:v0"), (1, "set:v0")]
    assert [n.depth for n in graph.nodes] == sorted(n.depth for n in graph.nodes)
    assert [n.name for n in graph.nodes if n.focus] == ["train"]
    assert not graph.truncated


@pytest.mark.parametrize(
    ("depth", "found"),
    [
        (0, {"report:v0"}),
        (1, {"report:v0", "score", "model:v0"}),
        (2, {"report:v0", "score", "model:v0", "train", "set:v0"}),
        (3, {"report:v0", "score", "model:v0", "train", "set:v0", "clean", "raw:v0"}),
        (99, {"report:v0", "score", "model:v0", "train", "set:v0", "clean", "raw:v0"}),
    ],
)
def test_depth_counts_the_runs_to_pass(line: Desk, depth: int, found: set[str]) -> None:
    assert names(line.backend.lineage.graph("report", direction="up", depth=depth)) == found


def test_depth_counts_the_run_itself_where_the_walk_begins_at_one(line: Desk) -> None:
    lineage = line.backend.lineage
    assert names(lineage.graph("run:score", direction="up", depth=1)) == {"score", "model:v0"}
    assert names(lineage.graph("run:score", direction="up", depth=2)) == {"score", "model:v0", "train", "set:v0"}
    assert names(lineage.graph("run:score", direction="up", depth=0)) == {"score"}


@pytest.mark.parametrize("depth", [24, 25, 30])
def test_a_depth_limit_holds_in_a_long_line_too(desk: Desk, depth: int) -> None:
    desk.log("c0", "c0")
    for n in range(32):
        desk.step(f"r{n}", (f"c{n}",), (f"c{n + 1}",))
    assert len(desk.backend.lineage.graph("c0", direction="down", depth=depth).nodes) == 2 * depth + 1
    assert len(desk.backend.lineage.reach("c32", up=True, depth=depth)) == 2 * depth


def test_a_version_alone_is_a_graph_of_one(desk: Desk) -> None:
    desk.log("x")
    graph = desk.backend.lineage.graph("data")
    assert (names(graph), graph.edges) == ({"data:v0"}, ())
    assert desk.backend.lineage.reach("data") == []


@pytest.mark.parametrize("subject", ["A", "B", "run:R1", "run:R2"])
@pytest.mark.parametrize("direction", ["up", "down", "both"])
def test_a_ring_is_walked_once(ring: Desk, subject: str, direction: str) -> None:
    graph = ring.backend.lineage.graph(subject, direction=direction)
    assert names(graph) == {"A:v0", "B:v0", "R1", "R2"}
    assert arrows(graph) == {("R1", "A:v0"), ("A:v0", "R2"), ("R2", "B:v0"), ("B:v0", "R1")}


def test_a_walk_that_comes_round_to_where_it_began_says_so(ring: Desk) -> None:
    assert short(ring.backend.lineage.reach("A")) == {"A:v0", "B:v0", "R1", "R2"}
    assert short(ring.backend.lineage.reach("run:R1", up=False)) == {"A:v0", "B:v0", "R1", "R2"}


def test_a_walk_that_does_not_come_round_leaves_out_where_it_began(line: Desk) -> None:
    assert short(line.backend.lineage.reach("model")) == {"raw:v0", "clean", "set:v0", "train"}
    assert short(line.backend.lineage.reach("run:train")) == {"raw:v0", "clean", "set:v0"}
    assert short(line.backend.lineage.reach("run:train", up=False)) == {"model:v0", "score", "report:v0"}


def test_a_run_that_uses_its_own_output_is_a_ring_of_two(desk: Desk) -> None:
    desk.run("r")
    desk.log("x", run_id="r")
    desk.backend.artifacts.use("data", "r")
    graph = desk.backend.lineage.graph("data")
    assert arrows(graph) == {("r", "data:v0"), ("data:v0", "r")}
    assert desk.backend.lineage.audit("data").subject.ref == "local/default/data:v0"
    assert [run.id for run in desk.backend.lineage.impact("data").runs] == ["r"]


def test_roles_are_kept_and_two_roles_are_two_edges(desk: Desk) -> None:
    desk.log("x")
    desk.run("r")
    for role in ("train", "valid", "train"):
        desk.backend.artifacts.use("data", "r", role=role)
    desk.log("m", "model", run_id="r", role="best")
    graph = desk.backend.lineage.graph("run:r")
    assert sorted(edge.role for edge in graph.edges) == ["best", "train", "valid"]
    assert [run.id for run in desk.backend.lineage.used_by("data")] == ["r"]
    (facts,) = desk.backend.lineage.audit("model").runs
    assert facts.inputs == (("local/default/data:v0", "train"), ("local/default/data:v0", "valid"))
    assert facts.outputs == (("local/default/model:v0", "best"),)


def test_without_a_role_an_edge_says_which_way_it_points(line: Desk) -> None:
    graph = line.backend.lineage.graph("run:clean", depth=1)
    assert sorted(edge.role for edge in graph.edges) == ["input", "output"]


def test_same_content_logged_by_another_run_has_two_makers(desk: Desk) -> None:
    desk.run("r1")
    desk.run("r2")
    desk.log("x", run_id="r1")
    desk.log("x", run_id="r2")
    assert names(desk.backend.lineage.graph("data")) == {"data:v0", "r1", "r2"}
    assert desk.backend.artifacts.resolve("data").run_id == "r1"


def test_use_through_a_link_is_use_of_the_version(desk: Desk) -> None:
    desk.log("x", "m", "model")
    desk.backend.artifacts.link("m", "registry/r", aliases=["production"])
    desk.run("serve")
    desk.backend.artifacts.use("registry/r:production", "serve")
    assert names(desk.backend.lineage.graph("m", direction="down")) == {"m:v0", "serve"}
    assert [v.ref for v in desk.backend.lineage.artifacts_of("serve", output=False)] == ["local/default/m:v0"]


def test_the_artifacts_of_a_run_are_listed_by_name(desk: Desk) -> None:
    desk.log("x", "b")
    desk.log("x", "a")
    desk.step("r", ("b", "a"), ("z", "y"))
    lineage = desk.backend.lineage
    assert [v.name for v in lineage.artifacts_of("r", output=False)] == ["a:v0", "b:v0"]
    assert [v.name for v in lineage.artifacts_of("r", output=True)] == ["y:v0", "z:v0"]


def test_a_subject_that_is_not_there_is_not_found(desk: Desk) -> None:
    desk.log("x")
    lineage = desk.backend.lineage
    for ask in (lineage.graph, lineage.reach):
        with pytest.raises(errors.RunNotFound):
            ask("run:nobody")
        with pytest.raises(errors.VersionNotFound):
            ask("data:v9")
    with pytest.raises(errors.RunNotFound):
        lineage.artifacts_of("nobody", output=True)
    for report in (lineage.audit, lineage.impact):
        with pytest.raises(errors.CollectionNotFound):
            report("nothing")


def test_what_was_deleted_stays_in_the_graph_as_a_tombstone(line: Desk) -> None:
    line.backend.artifacts.delete("set:v0")
    graph = line.backend.lineage.graph("model", direction="up")
    assert {node.name for node in graph.nodes if node.deleted} == {"set:v0"}
    assert names(graph) == {"raw:v0", "clean", "set:v0", "train", "model:v0"}


def test_the_lineage_of_a_deleted_version_can_be_asked_by_its_number(line: Desk) -> None:
    lineage = line.backend.lineage
    line.backend.artifacts.delete_collection("set")
    assert "report:v0" in names(lineage.graph("set:v0"))
    assert short(lineage.reach("set:v0")) == {"raw:v0", "clean"}
    assert [v.name for v in lineage.impact("set:v0").versions] == ["plot:v0", "model:v0", "report:v0"]
    assert [run.id for run in lineage.used_by("set:v0")] == ["look", "train"]
    audit = lineage.audit("set:v0")
    assert audit.subject.deleted_at is not None
    assert "deleted_version" in {finding.code for finding in audit.findings}


# ---- random graphs ---------------------------------------------------------------------------------------------

steps = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 5), st.booleans()),
    min_size=1,
    max_size=25,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(touched=steps, depth=st.integers(1, 4))
def test_the_walk_agrees_with_networkx(open_desk: Open, touched: list[tuple[int, int, bool]], depth: int) -> None:
    from lineal.core.clock import new_id

    desk = open_desk(entity=f"e{new_id()}")
    store, drawn = desk.backend.artifacts, nx.DiGraph()
    runs = {n: f"r{new_id()}" for n in range(5)}
    for n in range(6):
        desk.log("x", f"c{n}")
        drawn.add_node(f"c{n}:v0")
    for run, made, output in touched:
        desk.run(runs[run])
        if output:
            desk.log("x", f"c{made}", run_id=runs[run])
            drawn.add_edge(runs[run], f"c{made}:v0")
        else:
            store.use(f"c{made}", runs[run])
            drawn.add_edge(f"c{made}:v0", runs[run])
    for node in drawn.nodes:
        subject = f"run:{node}" if node.startswith("r") else node
        round_ = node in nx.descendants(drawn, node) or drawn.has_edge(node, node) or on_ring(drawn, node)
        for up, expected in ((True, nx.ancestors(drawn, node)), (False, nx.descendants(drawn, node))):
            found = short(desk.backend.lineage.reach(subject, up=up))
            assert found - {node} == expected
            assert (node in found) == round_
        graph = desk.backend.lineage.graph(subject, direction="down")
        kept = {node, *nx.descendants(drawn, node)}
        assert {short([n.id]).pop() for n in graph.nodes} == kept
        assert len(graph.edges) == drawn.subgraph(kept).number_of_edges()
        if not node.startswith("r"):
            near = nx.single_source_shortest_path_length(drawn, node, cutoff=2 * depth)
            assert short(desk.backend.lineage.reach(subject, up=False, depth=depth)) - {node} == set(near) - {node}


def on_ring(graph: nx.DiGraph, node: str) -> bool:
    return any(node in nx.descendants(graph, after) for after in graph.successors(node))


# ---- audit -----------------------------------------------------------------------------------------------------


def test_an_audit_tells_causes_first_the_raw_data_first_and_the_subject_last(line: Desk) -> None:
    audit = line.backend.lineage.audit("report")
    assert [v.name for v in audit.versions] == ["raw:v0", "set:v0", "model:v0", "report:v0"]
    assert [run.id for run in audit.runs] == ["clean", "train", "score"]
    assert audit.raw == ("local/default/raw:v0",)
    assert audit.subject == audit.versions[-1]
    assert audit.verification is None
    assert audit.made_by.startswith("ada@")


def test_an_audit_of_a_ring_ends_with_its_subject(ring: Desk) -> None:
    for subject in ("A", "B"):
        audit = ring.backend.lineage.audit(subject)
        assert {v.name for v in audit.versions} == {"A:v0", "B:v0"}
        assert audit.versions[-1] == audit.subject
        assert audit.subject.name == f"{subject}:v0"
        assert audit.raw == ()


def test_an_audit_tells_the_run_and_its_code(desk: Desk) -> None:
    code = {"commit": "c0ffee", "branch": "main", "remote": "git@x:y", "dirty": False, "program": "train.py"}
    desk.run("r", name="train-1", job_type="train", config={"lr": 0.1}, code=code)
    desk.log("m", "model", run_id="r")
    desk.backend.runs.finish("r")
    (run,) = desk.backend.lineage.audit("model").runs
    assert (run.commit, run.branch, run.remote, run.dirty, run.program) == tuple(code.values())
    assert (run.name, run.job_type, run.state, run.config) == ("train-1", "train", "finished", {"lr": 0.1})
    assert run.finished_at is not None
    assert desk.backend.lineage.audit("model").findings == ()


def test_an_audit_lists_every_promotion_that_concerns_the_version(open_desk: Open) -> None:
    desk = open_desk()
    store = desk.backend.artifacts
    desk.log("x", "m", "model", aliases=["best"])
    store.link("m:v0", "registry/r")
    open_desk(user="grace").backend.artifacts.move_alias("registry/r:v0", "production", why="passed")
    desk.log("y", "m", "model", aliases=["best", "other"])
    found = [
        (p.collection, p.alias, p.from_version, p.to_version, p.user, p.current)
        for p in desk.backend.lineage.audit("m:v0").promotions
    ]
    assert found == [
        ("default/m", "best", None, "v0", "ada", False),
        ("registry/r", "production", None, "v0", "grace", True),
        ("default/m", "best", "v0", "v1", "ada", False),
    ]


def test_promotions_in_the_registry_outlive_the_link(desk: Desk) -> None:
    store = desk.backend.artifacts
    desk.log("x", "m", "model")
    store.link("m:v0", "registry/r", aliases=["production"])
    store.unlink("registry/r:v0")
    promotions = desk.backend.lineage.audit("m:v0").promotions
    assert [(p.collection, p.to_version, p.current) for p in promotions] == [
        ("registry/r", "v0", False),
        ("registry/r", None, False),
    ]
    (standing,) = desk.backend.lineage.impact("m:v0").standing
    assert (standing.collection, standing.alias, standing.until is not None) == ("registry/r", "production", True)


def test_an_audit_finds_what_is_not_explained(desk: Desk, tmp_path: Path) -> None:
    store = desk.backend.artifacts
    desk.log("raw", "raw")
    unchecked = desk.push_entries(Entry("far", None, None, Reference("https://example.org/x")))
    store.log("web", "dataset", unchecked)
    desk.run("a", code={"commit": "c0ffee", "dirty": True})
    store.use("raw", "a")
    store.use("web", "a")
    desk.log("made", "made", run_id="a")
    desk.backend.runs.finish("a", "failed")
    desk.step("b", ("made",), ("model",))
    store.delete("raw:v0")
    findings = {(f.code, f.subject) for f in desk.backend.lineage.audit("model").findings}
    assert findings == {
        ("no_run", "local/default/raw:v0"),
        ("no_run", "local/default/web:v0"),
        ("deleted_version", "local/default/raw:v0"),
        ("reference_without_checksum", "local/default/web:v0"),
        ("dirty_tree", "a"),
        ("run_unfinished", "a"),
        ("run_without_commit", "b"),
    }


def test_an_audit_tells_deleted_from_purged(desk: Desk) -> None:
    desk.log("raw", "raw")
    desk.log("newer", "raw")
    desk.step("a", ("raw:v0",), ("model",))
    desk.backend.artifacts.delete("raw:v0")
    desk.backend.store.gc(desk.backend.store.plan_gc(grace_s=0))
    audit = desk.backend.lineage.audit("model", verify=True)
    about_raw = {f.code for f in audit.findings if f.subject == "local/default/raw:v0"}
    assert about_raw == {"no_run", "purged_version"}
    assert audit.verification is not None
    assert audit.verification.problems == ()


def test_a_verified_audit_reads_every_byte_and_finds_a_flipped_one(line: Desk) -> None:
    lineage = line.backend.lineage
    clean = lineage.audit("model", verify=True).verification
    assert clean is not None
    assert (clean.blob_count, clean.problems) == (6, ())
    assert clean.size_bytes > len("raw" + "set by clean" + "model by train")
    flip_blob(line.backend, digests.of_bytes(b"set by clean"))
    audit = lineage.audit("model", verify=True)
    (problem,) = audit.verification.problems
    assert (problem.code, problem.subject) == ("corrupt", "local/default/set:v0 a")
    assert problem in audit.findings
    assert lineage.audit("model").verification is None


def test_an_audit_of_what_came_from_a_version_with_a_damaged_manifest_says_so(line: Desk) -> None:
    flip_blob(line.backend, digests.parse(line.backend.artifacts.resolve("set").digest))
    forget(line.backend)
    audit = line.backend.lineage.audit("model")
    assert [f.subject for f in audit.findings if f.code == "corrupt"] == ["local/default/set:v0"]
    assert [v.name for v in audit.versions] == ["raw:v0", "set:v0", "model:v0"]


# ---- impact ----------------------------------------------------------------------------------------------------


def test_impact_tells_everything_downstream(line: Desk) -> None:
    impact = line.backend.lineage.impact("set")
    assert [v.name for v in impact.subjects] == ["set:v0"]
    assert [v.name for v in impact.versions] == ["plot:v0", "model:v0", "report:v0"]
    assert [run.id for run in impact.runs] == ["look", "train", "score"]
    assert (impact.asked, impact.links, impact.standing) == ("set", (), ())


def test_impact_tells_what_is_in_production_now_and_what_was_when(line: Desk) -> None:
    store = line.backend.artifacts
    store.link("model", "registry/r", aliases=["production"])
    store.move_alias("plot:v0", "shown")
    before = clock.now()
    store.remove_alias("plot:shown")
    impact = line.backend.lineage.impact("raw")
    assert impact.links == (("local/default/model:v0", "local/registry/r:v0"),)
    now, was = impact.standing
    assert (now.ref, now.collection, now.alias, now.until) == (
        "local/default/model:v0",
        "registry/r",
        "production",
        None,
    )
    assert (was.alias, was.since < before <= was.until) == ("shown", True)
    assert impact.in_use == (now,)


def test_impact_of_a_file_is_that_of_every_version_that_holds_it(desk: Desk) -> None:
    desk.log({"a": "poison", "b": "1"}, "one")
    desk.log({"c/d": "poison"}, "two")
    desk.log("harmless", "three")
    desk.step("r1", ("one",), ("model",))
    desk.step("r3", ("three",), ("other",))
    digest = digests.format(digests.of_bytes(b"poison"))
    impact = desk.backend.lineage.impact(digest)
    assert (impact.asked, [v.name for v in impact.subjects]) == (digest, ["one:v0", "two:v0"])
    assert [v.name for v in impact.versions] == ["model:v0"]
    desk.backend.artifacts.delete("one:v0")
    assert [v.name for v in desk.backend.lineage.impact(digest).subjects] == ["one:v0", "two:v0"]
    with pytest.raises(errors.VersionNotFound):
        desk.backend.lineage.impact("sha256:" + "0" * 64)


def test_impact_of_a_file_finds_references_to_it_too(desk: Desk) -> None:
    checksum = digests.format(digests.of_bytes(b"far away"))
    digest = desk.push_entries(Entry("far", None, 8, Reference("s3://bucket/key", checksum=checksum)))
    desk.backend.artifacts.log("data", "dataset", digest)
    assert [v.name for v in desk.backend.lineage.impact(checksum).subjects] == ["data:v0"]
