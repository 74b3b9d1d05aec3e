import io
from dataclasses import replace
from itertools import pairwise

import pytest

from lineal.lineage.model import Edge, Graph
from lineal.lineage.tree import rich_tree, tree
from tests.lineage.graphs import joined, run, searched, version


def _printed(graph: Graph, **options: str) -> str:
    from rich.console import Console

    out = io.StringIO()
    Console(file=out, width=200, color_system=None).print(rich_tree(graph, **options))
    return out.getvalue()


def test_both_ways_are_two_sections(demo: Graph) -> None:
    assert tree(demo) == [
        "classifier:v1  (model)  [latest, production]",
        "├── comes from",
        "│   └── train-b  (run · train)",
        "│       └── digits:v1  (dataset)  [latest]",
        "└── goes to",
        "    └── evaluate  (run · evaluation)",
        "        └── predictions:v0  (table · deleted)",
    ]


def test_one_way_hangs_below_the_focus(demo: Graph) -> None:
    assert tree(demo, direction="down") == [
        "classifier:v1  (model)  [latest, production]",
        "└── evaluate  (run · evaluation)",
        "    └── predictions:v0  (table · deleted)",
    ]
    assert tree(demo, direction="up")[1] == "└── train-b  (run · train)"


def test_a_shared_node_is_shown_once_and_then_referred_to() -> None:
    data, runs = version("digits", 0, "dataset", "gold"), [run("a"), run("b")]
    merged = version("m", 0, "model", focus=True)
    last = run("merge")
    graph = joined((data, runs[0]), (data, runs[1]), (runs[0], last), (runs[1], last), (last, merged))
    assert tree(graph, direction="up") == [
        "m:v0  (model)",
        "└── merge  (run · train)",
        "    ├── a  (run · train)",
        "    │   └── digits:v0  (dataset)  [gold]",
        "    └── b  (run · train)",
        "        └── digits:v0  (dataset)  (see above)",
    ]


def test_a_cycle_ends_where_it_closes() -> None:
    one, made = run("a", focus=True), version("m", 0, "model")
    assert tree(joined((one, made), (made, one)), direction="down") == [
        "a  (run · train)",
        "└── m:v0  (model)",
        "    └── a  (run · train)  (see above)",
    ]


def test_roles_are_named() -> None:
    graph = joined((version("m", 0, "model"), run("distil", focus=True)))
    edges = (Edge(graph.edges[0].source, graph.edges[0].target, "teacher"),)
    assert tree(Graph(graph.nodes, edges), direction="up")[1] == "└── m:v0  (model)  as teacher"


def test_a_walk_that_stopped_says_so() -> None:
    graph = Graph((run("a"),), truncated=True)
    assert tree(graph)[-1] == "└── … the walk stopped at its depth limit; there is more"


def test_no_graph_has_no_lines() -> None:
    assert tree(Graph()) == []
    assert _printed(Graph()) == "no lineage\n"


def test_without_a_focus_the_shallowest_node_is_the_root() -> None:
    graph = joined((version("d", 0, "dataset", depth=1), run("a", depth=0)))
    assert tree(graph)[0] == "a  (run · train)"


@pytest.mark.parametrize("direction", ["up", "down", "both"])
def test_the_rich_tree_says_the_same_as_the_plain_one(demo: Graph, direction: str) -> None:
    assert _printed(demo, direction=direction).split("\n")[:-1] == [
        line.rstrip() for line in tree(demo, direction=direction)
    ]


@pytest.mark.parametrize("name", ["[bold]x[/bold]", "[/]", "\\[red]", "[link=a]b[/link]", "x\\"])
def test_markup_in_names_is_shown_and_not_obeyed(name: str) -> None:
    assert _printed(Graph((run(name),))).startswith(f"{name}  (run · train)")


def test_control_characters_never_reach_the_terminal() -> None:
    assert tree(Graph((run("\x1b]0;own\x07"),))) == ["�]0;own�  (run · train)"]


def test_a_chain_longer_than_the_interpreters_stack_is_shown() -> None:
    chain = [run(str(number), focus=number == 0) for number in range(3000)]
    assert len(tree(joined(*pairwise(chain)), direction="down")) == 3000


def test_a_sweep_comes_from_what_its_runs_use_and_goes_to_them_by_number() -> None:
    assert tree(searched(3)) == [
        "search  (sweep · random)",
        "├── comes from",
        "│   └── digits:v0  (dataset)",
        "└── goes to",
        "    ├── t0  (run · train · trial 0)  as trial",
        "    │   └── model:v0  (model)",
        "    ├── t1  (run · train · trial 1)  as trial",
        "    │   └── model:v1  (model)",
        "    └── t2  (run · train · trial 2)  as trial",
    ]


def test_a_model_comes_from_its_trial_and_that_from_its_sweep() -> None:
    graph = searched(2, focus=False)
    nodes = tuple(replace(node, focus=node.name == "model:v0") for node in graph.nodes)
    assert tree(replace(graph, nodes=nodes), direction="up") == [
        "model:v0  (model)",
        "└── t0  (run · train · trial 0)",
        "    ├── digits:v0  (dataset)",
        "    └── search  (sweep · random)  as trial",
    ]
