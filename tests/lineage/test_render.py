import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.core.errors import InvalidArgument, MissingDependency, Unavailable
from lineal.lineage import render
from lineal.lineage.model import Edge, Graph
from tests.lineage.graphs import joined, run, searched, version

HOSTILE = [
    'quo"te',
    "a\\Nb\\G\\l\\",
    "<b>bold</b>",
    "<",
    "&lt;&amp;",
    "]) --> x; %% y",
    "#35;",
    "`code` **bold**",
    "style:x#y;z",
    "it's",
    "日本語",
]
posix = pytest.mark.skipif(os.name == "nt", reason="the stand-in for dot is a script with a first line")
MAGIC = {"svg": b"<?xml", "png": b"\x89PNG\r\n", "pdf": b"%PDF-"}


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def _install(folder: Path, *lines: str) -> None:
    program = folder / "dot"
    program.write_text("\n".join([f"#!{sys.executable} -I", "import sys", *lines]), encoding="utf-8")
    program.chmod(0o755)


def _texts(svg: bytes) -> list[str]:
    root = ElementTree.fromstring(svg)
    words = ["".join(each.itertext()).strip() for each in root.iter("{http://www.w3.org/2000/svg}text")]
    return [text.replace("\u2060", "").replace("\xa0", " ") for text in words]


# ---- Graphviz


def test_dot_runs_left_to_right_with_an_edge_for_each_edge(demo: Graph) -> None:
    source = render.dot(demo)
    assert "rankdir=LR" in source
    assert source.count(" -> ") == len(demo.edges)


def test_dot_tells_runs_versions_focus_and_deleted_apart(demo: Graph) -> None:
    lines = {line.split("<B>")[1].split("</B>")[0]: line for line in render.dot(demo).split("\n") if "<B>" in line}
    assert 'style="filled,rounded"' in lines["train-a"]
    assert "style=filled" in lines["classifier:v0"]
    assert "penwidth=3.2" in lines["classifier:v1"]
    assert 'style="filled,dashed"' in lines["predictions:v0"]
    assert ">latest<" in lines["classifier:v1"].replace(" ", "")


def test_dot_says_when_the_walk_stopped() -> None:
    assert "there is more" in render.dot(Graph((run("a"),), truncated=True))


def test_an_edge_to_a_node_that_is_not_there_is_left_out() -> None:
    graph = Graph((run("a"),), (Edge("run:a", "run:gone"),))
    assert "->" not in render.dot(graph)
    assert "-->" not in render.mermaid(graph)


# ---- images


@pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
def test_pygraphviz_draws_where_there_is_no_dot(demo: Graph, bare: Path, kind: str) -> None:
    pytest.importorskip("pygraphviz")
    assert render.image(demo, kind).startswith(MAGIC[kind])


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_drawn_as_it_is(name: str, bare: Path) -> None:
    pytest.importorskip("pygraphviz")
    made = replace(version("m", 0, name, name), name=name)
    graph = replace(joined((made, run("a"))), edges=(Edge(made.id, "run:a", name),))
    assert _texts(render.image(graph, "svg")) == [name, name, name, "a", "run · train", name]


@given(st.text(min_size=1, max_size=20))
def test_graphviz_reads_whatever_the_name(name: str) -> None:
    pygraphviz = pytest.importorskip("pygraphviz")
    graph = joined((version("m", 0, name, name), run(name, name)))
    with pygraphviz.AGraph(string=render.dot(graph)) as drawing:
        assert sorted(drawing.nodes()) == ["n0", "n1"]


@posix
def test_dot_on_the_path_is_preferred(demo: Graph, bare: Path) -> None:
    _install(bare, "print(sys.argv[1:], sys.stdin.read())")
    drawn = render.image(demo, "svg").decode()
    assert drawn.startswith("['-Kdot', '-Tsvg'] digraph lineage {")
    assert "classifier:v1" in drawn


@posix
def test_a_png_is_drawn_at_twice_the_usual_density(demo: Graph, bare: Path) -> None:
    _install(bare, "print(sys.argv[1:], sys.stdin.read())")
    assert "dpi=144" in render.image(demo, "png").decode()


@posix
def test_a_dot_that_fails_is_reported_with_its_reason(demo: Graph, bare: Path) -> None:
    _install(bare, "sys.stdin.read()", "sys.exit('Format: \"png\" not recognized')")
    with pytest.raises(Unavailable, match='"png" not recognized') as caught:
        render.image(demo, "png")
    assert caught.value.details == {"exit_status": 1}


@posix
def test_a_dot_that_is_no_program_is_reported(demo: Graph, bare: Path) -> None:
    (bare / "dot").write_bytes(b"\x7fELF broken")
    (bare / "dot").chmod(0o755)
    with pytest.raises(Unavailable, match="could not be run"):
        render.image(demo, "svg")


def test_without_dot_and_pygraphviz_both_ways_to_get_one_are_named(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['pygraphviz'] = None\n"
        "from lineal.lineage.model import Graph, Node\n"
        "from lineal.lineage.render import image\n"
        "try:\n"
        "    image(Graph((Node('run:a', 'run', 'a'),)), 'svg')\n"
        "except Exception as problem:\n"
        "    print(problem.code, problem.message)\n"
    )
    environment = {**os.environ, "PATH": str(tmp_path), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.startswith(MissingDependency.code)
    assert "`dot`" in done.stdout
    assert "pip install 'lineal[render]'" in done.stdout


def test_a_format_that_is_none_is_refused(demo: Graph) -> None:
    with pytest.raises(InvalidArgument, match="svg, png or pdf"):
        render.image(demo, "gif")


def test_the_module_loads_no_drawing_library_until_one_is_needed() -> None:
    script = (
        "import sys, lineal.lineage.render\n"
        "print(sorted({'rich', 'networkx', 'graphviz', 'pygraphviz'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "[]"


# ---- Mermaid


def test_a_sweep_is_six_sided_and_its_edges_are_dashed() -> None:
    dot = render.dot(searched(2))
    assert dot.count("shape=hexagon") == 1
    assert dot.count("style=dashed") == 2
    mermaid = render.mermaid(searched(2))
    assert '  n0{{"search<br/>sweep · random"}}\n' in mermaid
    assert mermaid.count('n0 -.->|"trial"|') == mermaid.count("-.->") == 2


def test_mermaid_is_a_flowchart_from_left_to_right() -> None:
    graph = joined((version("digits", 0, "dataset", "latest"), run("train", focus=True)))
    assert render.mermaid(graph) == (
        "flowchart LR\n"
        '  n0["digits#58;v0<br/>dataset<br/>#91;latest#93;"]\n'
        '  n1(["train<br/>run · train"])\n'
        "  n0 --> n1\n"
        "  classDef look0 fill:#e1eefc,stroke:#2b76c4,color:#12406f\n"
        "  class n0 look0\n"
        "  classDef look1 fill:#f4f5f7,stroke:#6b7684,color:#29313b\n"
        "  class n1 look1\n"
        "  classDef look2 stroke-width:4px\n"
        "  class n1 look2\n"
    )


@given(st.text())
def test_no_name_leaves_its_mermaid_label(name: str) -> None:
    made = replace(version("m", 0, name, name), name=name or "m")
    graph = replace(joined((made, run("a", name))), edges=(Edge(made.id, "run:a", name),))
    lines = render.mermaid(graph).split("\n")
    plain = re.compile(r'  (n\d(\[|\(\[)"[^"]*"(\]|\]\))|n0 -->(\|"[^"]*"\|)? n1)')
    for line in lines[1:4]:
        assert plain.fullmatch(line), line
        for label in re.findall('"([^"]*)"', line):
            coded = label.replace("<br/>", "")
            assert not re.search(r"[<>\[\]{}()|`\\:;#&]", re.sub(r"#\d+;", "", coded))


def test_mermaid_takes_no_name_for_an_icon() -> None:
    assert "#58;\u2060fa-car" in render.mermaid(Graph((run("fa:fa-car"),)))


def test_mermaid_says_when_the_walk_stopped() -> None:
    assert "%% The walk stopped" in render.mermaid(Graph((run("a"),), truncated=True))


# ---- folding


def test_pictures_of_hundreds_fold_what_is_alike(sweep: Graph) -> None:
    assert "249 runs (sweep-trial)" in render.dot(sweep)
    assert "peripheries=2" in render.dot(sweep)
    assert '[["249 runs' in render.mermaid(sweep)


def test_folding_can_be_switched_off(sweep: Graph) -> None:
    assert render.dot(sweep, fold=False).count("<B>") == 501
    assert render.mermaid(sweep, fold=False).count(" --> ") == 500


def test_every_face_of_the_room_can_be_had_from_render() -> None:
    assert all(callable(getattr(render, name)) for name in render.__all__ if name not in ("READABLE", "ImageFormat"))


def test_the_wheels_font_warnings_are_held_back_and_nothing_else(capfd: pytest.CaptureFixture[str]) -> None:
    with render._without_font_warnings():
        os.write(2, b"Fontconfig warning: line 6: unknown element\nsomething else\n")
    assert capfd.readouterr().err == "something else\n"
