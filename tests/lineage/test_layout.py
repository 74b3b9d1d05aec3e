from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from lineal.lineage.layout import Box, Layout, layered
from lineal.lineage.model import Edge, Graph, Node
from tests.lineage.graphs import joined, run, version


def _laid_out(graph: Graph) -> Layout:
    return layered(graph, {node.id: (100.0 + 10 * (at % 4), 40.0) for at, node in enumerate(graph.nodes)})


def _overlap(one: Box, two: Box) -> bool:
    beside = one.x + one.width <= two.x or two.x + two.width <= one.x
    return not beside and one.y < two.y + two.height and two.y < one.y + one.height


def test_data_flows_from_left_to_right(demo: Graph) -> None:
    boxes = _laid_out(demo).boxes
    assert all(boxes[edge.source].x + boxes[edge.source].width < boxes[edge.target].x for edge in demo.edges)


def test_an_edge_leaves_its_source_on_the_right_and_enters_its_target_on_the_left(demo: Graph) -> None:
    layout = _laid_out(demo)
    for edge, route in zip(demo.edges, layout.routes, strict=True):
        source, target = layout.boxes[edge.source], layout.boxes[edge.target]
        assert route[0] == (source.x + source.width, source.y + source.height / 2)
        assert route[-1] == (target.x, target.y + target.height / 2)


def test_a_source_used_late_stands_just_before_its_use() -> None:
    chain = [run("a"), version("m", 0, "model"), run("b")]
    late = version("holdout", 0, "dataset")
    boxes = _laid_out(joined((chain[0], chain[1]), (chain[1], chain[2]), (late, chain[2]))).boxes
    middles = {name: box.x + box.width / 2 for name, box in boxes.items()}
    assert middles[late.id] == middles[chain[1].id]


def test_edges_that_need_not_cross_do_not() -> None:
    runs, made = [run(name) for name in "abc"], [version("m", n, "model") for n in range(3)]
    graph = joined(*zip(runs, reversed(made), strict=True))
    boxes = _laid_out(graph).boxes
    assert [boxes[each.id].y for each in runs] == [boxes[each.id].y for each in reversed(made)]


def test_a_cycle_is_drawn_with_one_edge_going_back() -> None:
    ring = [run("a"), version("m", 0, "model"), run("b"), version("n", 0, "model")]
    graph = joined(*zip(ring, [*ring[1:], ring[0]], strict=True))
    back = [route for route in _laid_out(graph).routes if route[-1][0] < route[0][0]]
    assert len(back) == 1


def test_a_graph_without_nodes_takes_no_room() -> None:
    assert layered(Graph(), {}) == Layout({}, (), 0.0, 0.0)


def test_an_edge_without_both_its_ends_has_no_route() -> None:
    graph = Graph((run("a"),), (Edge("run:a", "run:gone"), Edge("run:a", "run:a")))
    assert _laid_out(graph).routes == ((), ())


def test_a_chain_longer_than_the_interpreters_stack_is_laid_out() -> None:
    chain = [run(str(number)) for number in range(3000)]
    assert len(_laid_out(joined(*pairwise(chain))).boxes) == 3000


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    count = draw(st.integers(1, 12))
    ends = st.integers(0, count - 1)
    pairs = draw(st.lists(st.tuples(ends, ends), max_size=24))
    nodes = tuple(Node(f"run:{at}", "run", str(at)) for at in range(count))
    return Graph(nodes, tuple(Edge(f"run:{a}", f"run:{b}") for a, b in pairs))


@given(graphs())
def test_no_two_boxes_overlap_and_all_lie_within_the_page(graph: Graph) -> None:
    layout = _laid_out(graph)
    assert not any(_overlap(one, two) for one, two in combinations(layout.boxes.values(), 2))
    for box in layout.boxes.values():
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.width <= layout.width + 0.1
        assert box.y + box.height <= layout.height + 0.1


@given(graphs())
def test_no_edge_runs_through_a_box(graph: Graph) -> None:
    layout = _laid_out(graph)
    for route in layout.routes:
        for (x, y), (u, v) in pairwise(route):
            left, right, upper, lower = min(x, u) + 0.2, max(x, u) - 0.2, min(y, v), max(y, v)
            for box in layout.boxes.values():
                beside = right <= box.x or box.x + box.width <= left
                assert beside or lower < box.y or box.y + box.height < upper
