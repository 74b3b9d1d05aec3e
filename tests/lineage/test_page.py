import json
import re
from dataclasses import astuple, replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.lineage import look
from lineal.lineage.model import Edge, Graph
from lineal.lineage.page import html
from tests.lineage.graphs import joined, run, searched, version

HOSTILE = [
    "</script><img src=x onerror=alert(1)>",
    "<!--<script>",
    "]]><svg onload=alert(1)>",
    "\u2028alert(1)\u2029",
    "&lt;img src=x&gt;",
    "\"'><b>",
    "</noscript><script>alert(1)</script>",
    "@@data@@ @@list@@ @@title@@",
    "\\u003c\\",
    "\ud800",
]


class _Elements(HTMLParser):
    """The elements of a page with their attributes, and the text of its JSON."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.data = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(attrs)))

    def handle_data(self, data: str) -> None:
        if self.found and dict(self.found[-1][1]).get("type") == "application/json":
            self.data += data if not self.data else ""


def _named(text: str) -> Graph:
    made = replace(version("m", 0, text, text, detail={text: text, "more": [text]}), name=text)
    graph = joined((made, run("a", text)))
    return replace(graph, edges=(Edge(made.id, "run:a", text),))


def _document(page: str) -> dict:
    return json.loads(_Elements(page).data)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_adds_no_element_and_no_attribute(name: str) -> None:
    page = html(_named(name), title=name)
    assert _Elements(page).found == _Elements(html(_named("plain"), title="plain")).found


@given(st.text())
def test_no_name_at_all_adds_an_element(name: str) -> None:
    assert _Elements(html(_named(name), title=name)).found == _Elements(html(_named("a"), title="a")).found


@pytest.mark.parametrize("name", HOSTILE[:3] + HOSTILE[5:7])
def test_a_hostile_name_never_appears_raw(name: str) -> None:
    assert name not in html(_named(name), title=name)


def test_names_arrive_in_the_data_as_they_are() -> None:
    document = _document(html(_named("</script><b>&"), title="T"))
    assert document["nodes"][0]["name"] == "</script><b>&"
    assert document["nodes"][0]["aliases"] == ["</script><b>&"]


def test_line_separators_and_markup_are_coded_in_the_data() -> None:
    page = html(Graph((run("a", detail={"x": {"y": "<&>"}}),)))
    assert not re.search("[<>&\u2028\u2029]", _Elements(page).data)


def test_the_page_forbids_and_makes_no_request() -> None:
    page = html(_named("x"))
    assert "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:" in page
    for tag, attributes in _Elements(page).found:
        named = dict(attributes)
        assert "src" not in named, tag
        assert named.get("href", "data:,") == "data:,"
    assert not re.search(r"url\((?!#)|@import|fetch\(|XMLHttpRequest|import\(|WebSocket|sendBeacon", page)


def test_the_script_puts_no_markup_on_the_page() -> None:
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", html(Graph()))


def test_without_scripts_a_list_tells_the_same(demo: Graph) -> None:
    page = html(demo)
    fallback = page[page.rindex("<noscript>") : page.rindex("</noscript>")]
    assert "<li>classifier:v1 (model) [latest, production], from train-b</li>" in fallback
    assert fallback.count("<li>") == len(demo.nodes)


def test_the_data_tell_what_the_panel_shows(demo: Graph) -> None:
    document = _document(html(demo, title="Digits"))
    model = next(node for node in document["nodes"] if node["focus"])
    assert model["aliases"] == ["latest", "production"]
    assert model["time"] == "2026-05-01 13:00:00 UTC"
    assert document["title"] == "Digits"
    older = next(node for node in document["nodes"] if node["name"] == "classifier:v0")
    assert older["facts"] == [["size", "2.0 kB"], ["digest", "sha256:00ff"]]


def test_the_legend_names_each_type_once(demo: Graph) -> None:
    assert [name for name, _ in _document(html(demo))["legend"]] == ["dataset", "model", "table"]


def test_a_large_graph_is_folded_unless_asked_otherwise(sweep: Graph) -> None:
    assert len(_document(html(sweep))["nodes"]) == 5
    assert _document(html(sweep))["total"] == 501
    assert len(_document(html(sweep, fold=False))["nodes"]) == 501


def test_a_walk_that_stopped_says_so() -> None:
    assert _document(html(Graph(truncated=True)))["truncated"] is True


def test_an_empty_title_becomes_lineage() -> None:
    assert "<title>Lineage</title>" in html(Graph(), title=" ")


def test_an_edge_to_a_node_that_is_not_there_is_left_out() -> None:
    graph = Graph((run("a"),), (Edge("run:a", "run:gone"), Edge("run:gone", "run:a")))
    assert _document(html(graph))["edges"] == []


def test_a_sweep_is_drawn_as_one_and_not_as_a_version() -> None:
    data = json.loads(_Elements(html(searched(3))).data)
    found = data["nodes"][0]
    assert (found["kind"], found["subtitle"], found["badges"]) == ("sweep", "sweep · random", [])
    assert found["colour"] == list(astuple(look.SWEEP))
    assert [name for name, _ in data["legend"]] == ["dataset", "model"]
