import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.core.errors import InvalidArgument
from lineal.lineage.exchange import from_json, networkx_graph, to_json
from lineal.lineage.model import Edge, Graph, Node
from tests.lineage.graphs import joined, run, searched, version

_facts = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
_nodes = st.builds(
    Node,
    id=st.text(),
    kind=st.sampled_from(["version", "run"]),
    name=st.text(),
    type=st.text(),
    aliases=st.lists(st.text(), max_size=3).map(tuple),
    created_at=st.none() | st.datetimes(timezones=st.just(UTC)),
    depth=st.integers(0, 99),
    deleted=st.booleans(),
    focus=st.booleans(),
    detail=st.dictionaries(st.text(), _facts, max_size=3),
)
_edges = st.builds(Edge, source=st.text(), target=st.text(), role=st.text())


@given(
    st.builds(Graph, nodes=st.lists(_nodes).map(tuple), edges=st.lists(_edges).map(tuple), truncated=st.booleans())
)
def test_from_json_is_the_inverse_of_to_json(graph: Graph) -> None:
    assert from_json(json.loads(json.dumps(to_json(graph)))) == graph


def test_times_are_written_in_utc() -> None:
    east = datetime(2026, 5, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    graph = Graph((run("a", created_at=east, detail={"began": east, "steps": (1, 2)}),))
    (node,) = to_json(graph)["nodes"]
    assert node["created_at"] == "2026-05-01T12:00:00Z"
    assert node["detail"] == {"began": "2026-05-01T12:00:00Z", "steps": [1, 2]}


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"nodes": 3, "edges": [], "truncated": False},
        {"nodes": [{"id": "run:a"}], "edges": [], "truncated": False},
        {
            "nodes": [{**to_json(Graph((run("a"),)))["nodes"][0], "kind": "ghost"}],
            "edges": [],
            "truncated": False,
        },
        {
            "nodes": [{**to_json(Graph((run("a"),)))["nodes"][0], "created_at": "soon"}],
            "edges": [],
            "truncated": False,
        },
        {"nodes": [], "edges": [{"source": "a"}], "truncated": False},
        [],
    ],
)
def test_anything_else_is_refused(document: object) -> None:
    with pytest.raises(InvalidArgument):
        from_json(document)


def test_the_networkx_graph_bears_every_field(demo: Graph) -> None:
    drawn = networkx_graph(demo)
    assert set(drawn) == {node.id for node in demo.nodes}
    assert set(drawn.edges) == {(edge.source, edge.target) for edge in demo.edges}
    model = demo.nodes[5] if demo.nodes[5].focus else next(node for node in demo.nodes if node.focus)
    assert drawn.nodes[model.id]["aliases"] == ("latest", "production")
    assert drawn.nodes[model.id]["created_at"] == model.created_at


def test_the_networkx_graph_can_be_walked(demo: Graph) -> None:
    import networkx

    model = next(node for node in demo.nodes if node.focus)
    assert networkx.ancestors(networkx_graph(demo), model.id) == {
        "run:train-b",
        "version:local/digits/digits:v1",
    }


def test_roles_of_parallel_edges_are_kept_together() -> None:
    graph = joined((version("d", 0, "dataset"), run("a")))
    (edge,) = graph.edges
    edges = (Edge(edge.source, edge.target, "train"), Edge(edge.source, edge.target, "test"), edge)
    drawn = networkx_graph(Graph(graph.nodes, edges))
    assert drawn.edges[edge.source, edge.target]["role"] == "train, test"


def test_a_sweep_survives_the_way_through_json() -> None:
    assert from_json(to_json(searched(3))) == searched(3)
