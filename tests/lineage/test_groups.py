from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lineal.lineage.groups import grouped
from lineal.lineage.model import Edge, Graph, Node
from tests.lineage.graphs import joined, run, searched, sweep, version


def _names(graph: Graph) -> set[str]:
    return {node.name for node in graph.nodes}


def _total(graph: Graph) -> int:
    return sum(node.detail.get("count", 1) for node in graph.nodes)


def test_a_graph_within_the_limit_is_left_alone(demo: Graph) -> None:
    assert grouped(demo) is demo


def test_the_trials_of_a_sweep_and_their_versions_fold_into_two_groups(sweep: Graph) -> None:
    folded = grouped(sweep)
    assert _names(folded) == {
        "digits:v0",
        "249 runs (sweep-trial)",
        "classifier v3…v252 (249 versions)",
        "trial-077",
        "classifier:v80",
    }
    assert len(folded.edges) == 4


def test_a_group_is_an_ordinary_node_that_tells_its_count_and_some_members(sweep: Graph) -> None:
    group = next(node for node in grouped(sweep).nodes if node.name.startswith("249 runs"))
    assert (group.kind, group.type, group.aliases) == ("run", "sweep-trial", ())
    assert group.id == "group:run:trial-000"
    assert group.detail["count"] == 249
    assert group.detail["members"][:2] == ["trial-000", "trial-001"]
    assert group.detail["members"][-1] == "…"


def test_a_group_of_versions_bears_the_time_of_the_first(sweep: Graph) -> None:
    group = next(node for node in grouped(sweep).nodes if "versions" in node.name)
    assert group.created_at == sweep.nodes[2].created_at


def test_what_bears_an_alias_and_the_run_it_came_from_stand_alone(sweep: Graph) -> None:
    assert {"classifier:v80", "trial-077"} <= _names(grouped(sweep))


def test_the_focus_and_its_direct_path_are_never_folded(sweep: Graph) -> None:
    nodes = tuple(replace(node, focus=node.name == "classifier:v9") for node in sweep.nodes)
    folded = grouped(replace(sweep, nodes=nodes))
    assert {"classifier:v9", "trial-006", "digits:v0"} <= _names(folded)


def test_runs_that_read_different_datasets_are_not_alike() -> None:
    data = [version("digits", number, "dataset") for number in range(2)]
    folded = grouped(joined(*((data[n % 2], run(f"r{n}")) for n in range(10))), limit=5)
    assert _names(folded) == {"digits:v0", "digits:v1", "5 runs (train)"}
    assert len(folded.nodes) == 4


def test_two_that_are_alike_stay_two() -> None:
    data = version("digits", 0, "dataset")
    graph = joined((data, run("a")), (data, run("b")))
    assert grouped(graph, limit=1) == graph


def test_neighbours_by_another_role_are_not_alike() -> None:
    data, runs = version("digits", 0, "dataset"), [run(f"r{n}") for n in range(6)]
    edges = tuple(Edge(data.id, each.id, "test" if at % 2 else "train") for at, each in enumerate(runs))
    folded = grouped(Graph((data, *runs), edges), limit=2)
    assert sorted(node.detail.get("count", 1) for node in folded.nodes) == [1, 3, 3]


def test_a_deleted_version_does_not_fold_with_one_that_stands() -> None:
    made = [version("m", n, "model", deleted=n > 2) for n in range(6)]
    folded = grouped(joined(*((run("train"), each) for each in made)), limit=2)
    assert _names(folded) == {"train", "m v0…v2 (3 versions)", "m v3…v5 (3 versions)"}


def test_a_second_round_folds_across_collections_and_past_latest() -> None:
    data, pairs = version("digits", 0, "dataset", "latest"), []
    for number in range(40):
        trial = run(f"r{number}", "")
        pairs += [(data, trial), (trial, version(f"model-{number}", 0, "model", "latest"))]
    assert _names(grouped(joined(*pairs))) == {"digits:v0", "40 runs", "40 versions (model)"}


def test_a_chain_has_nothing_alike_and_nothing_is_left_out() -> None:
    chain = [version("m", n // 2, "model") if n % 2 else run(f"r{n // 2}") for n in range(80)]
    graph = joined(*pairwise(chain))
    assert grouped(graph, limit=10).nodes == graph.nodes


def test_a_direct_path_that_is_a_ring_ends() -> None:
    one, two = run("a", focus=True), version("m", 0, "model")
    graph = joined((one, two), (two, one))
    assert grouped(graph, limit=1) == graph


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    count = draw(st.integers(0, 14))
    nodes = [
        Node(
            id=f"run:{at}" if draw(st.booleans()) else f"version:a/b/{draw(st.sampled_from('xy'))}:v{at}",
            kind="run",
            name=str(at),
            aliases=("kept",) if draw(st.integers(0, 7)) == 0 else (),
            focus=at == 0,
        )
        for at in range(count)
    ]
    nodes = [replace(node, kind="run" if node.id.startswith("run") else "version") for node in nodes]
    ends = st.integers(0, max(0, count - 1))
    pairs = draw(st.lists(st.tuples(ends, ends), max_size=30 if count else 0))
    return Graph(tuple(nodes), tuple(Edge(nodes[a].id, nodes[b].id) for a, b in pairs))


@given(graphs())
def test_folding_keeps_every_node_accounted_for_and_every_edge_whole(graph: Graph) -> None:
    folded = grouped(graph, limit=3)
    ids = {node.id for node in folded.nodes}
    assert len(ids) == len(folded.nodes)
    assert _total(folded) == len(graph.nodes)
    assert all(edge.source in ids and edge.target in ids for edge in folded.edges)
    assert {node.id for node in graph.nodes if node.focus or node.aliases} <= ids


@given(graphs())
def test_the_members_of_a_group_have_the_same_neighbours_in_the_picture(graph: Graph) -> None:
    group_of = {name: node.id for node in grouped(graph, limit=3).nodes for name in node.detail.get("members", ())}
    pictured = {node.id: group_of.get(node.name, node.id) for node in graph.nodes}
    around: dict[str, set[frozenset[tuple[str, str]]]] = {}
    for node in graph.nodes:
        above = {("above", pictured[edge.source]) for edge in graph.edges if edge.target == node.id}
        below = {("below", pictured[edge.target]) for edge in graph.edges if edge.source == node.id}
        around.setdefault(pictured[node.id], set()).add(frozenset(above | below))
    assert all(len(seen) == 1 for name, seen in around.items() if "…" not in group_of)


def test_a_chain_of_thousands_is_looked_at_in_little_time() -> None:
    data, pairs, before = version("digits", 0, "dataset"), [], None
    for number in range(3000):
        trial, made = run(f"r{number}"), version("m", number, "model")
        pairs += [(data, trial), (trial, made), *([(before, trial)] if before else [])]
        before = made
    assert len(grouped(joined(*pairs)).nodes) == 6001


def test_the_runs_of_a_sweep_fold_and_the_sweep_stands() -> None:
    for focus in (True, False):
        folded = grouped(searched(90, focus=focus))
        assert _names(folded) == {"search", "digits:v0", "89 runs (train)", "model v0…v88 (89 versions)", "t89"}
        assert len([edge for edge in folded.edges if edge.role == "trial"]) == 2


def test_runs_of_different_sweeps_are_not_alike_and_no_sweep_folds() -> None:
    pairs = [(sweep(f"s{n % 4}"), run(f"r{n}")) for n in range(20)]
    folded = grouped(joined(*pairs), limit=5)
    assert sorted(node.kind for node in folded.nodes) == ["run"] * 4 + ["sweep"] * 4


def test_a_sweep_does_not_end_the_direct_path_of_the_focus() -> None:
    graph = searched(90, focus=False)
    raw, clean = version("raw", 0, "dataset"), run("clean")
    more = [(raw, clean), (clean, graph.nodes[1])]
    edges = graph.edges + tuple(Edge(above.id, below.id) for above, below in more)
    nodes = tuple(replace(node, focus=node.name == "model:v7") for node in (*graph.nodes, raw, clean))
    assert {"model:v7", "t7", "digits:v0", "clean", "raw:v0"} <= _names(grouped(Graph(nodes, edges)))
