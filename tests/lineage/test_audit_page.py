import base64
import json
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.lineage.audit_page import audit_html
from lineal.lineage.model import Edge, Graph, Node
from lineal.lineage.records import audit_from_json
from lineal.lineage.report import Audit, Finding, Promotion, Verification

VOID = {"meta", "img", "br", "link", "input", "hr"}
LAYOUT = {
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "main",
    "header",
    "footer",
    "section",
    "div",
    "figure",
}
PROSE = {"h1", "h2", "h3", "p", "b", "ul", "ol", "li", "span", "code", "pre", "img", "br"}
TAGS = LAYOUT | PROSE | {"table", "thead", "tbody", "tr", "th", "td"}


class Reader(HTMLParser):
    """What a browser would see: tags with attributes and text, refusing a page that isn't well nested."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return "".join(self.texts)


def check_harmless(page: str) -> Reader:
    read = Reader(page)
    assert {tag for tag, _ in read.tags} <= TAGS
    for tag, attributes in read.tags:
        assert not any(name.startswith("on") or name == "href" for name in attributes)
        assert tag != "img" or (attributes["src"] or "").startswith("data:image/svg+xml;base64,")
    assert "<script" not in page
    page.encode()
    return read


@pytest.fixture(scope="module")
def audit() -> Audit:
    return audit_from_json(json.loads(Path(__file__).with_name("sample_audit.json").read_text("utf-8")))


def poisoned(value: Any, text: str) -> Any:
    """The record with every free text replaced."""
    if is_dataclass(value) and not isinstance(value, type):
        kept = {"code", "id"} if isinstance(value, Finding) else {"made_by_run"}
        return type(value)(
            **{
                f.name: v if f.name in kept else poisoned(v, text)
                for f in fields(value)
                for v in [getattr(value, f.name)]
            }
        )
    if isinstance(value, str):
        return text
    if isinstance(value, dict):
        return {text: text, "in": {text: [text, {text: text}]}}
    if isinstance(value, tuple):
        return tuple(poisoned(item, text) for item in value)
    assert value is None or isinstance(value, bool | int | float | datetime)
    return value


def test_the_page_tells_the_whole_story(audit: Audit) -> None:
    text = check_harmless(audit_html(audit)).text
    for part in (
        "production since 2026-05-02 09:14:13 UTC, promoted by ana@lab: “better F1”",
        "Made on 2026-05-03 09:00:13 UTC by ana@lab",
        "production moved from v0 to v1 stands now",
        "train.py on better-f1, with uncommitted changes",
        "kernel.gamma=0.001",
        "f1=0.9727348",
        "Every byte was read again (7 blobs, 6.1 MB) and matches its digest.",
        "lineal audit me/digits/digits-classifier:v1 --verify",
        "sha256sum FILE",
        "git@git.example.org:lab/digits.git",
        "stays at s3://lab-archive/digits/labels-2026-04.csv",
        "trial 17 of sweep digits-search (k3j2m9)",
    ):
        assert part in text
    assert all(version.digest in text for version in audit.versions)
    assert all(run.commit in text for run in audit.runs if run.commit)
    assert all(finding.text in text for finding in audit.findings)


def test_causes_stand_in_order(audit: Audit) -> None:
    text = Reader(audit_html(audit)).text
    causes = text[text.index("What it was made from") : text.index("The graph")]
    places = [
        causes.index(name)
        for name in (
            "digits:v0 raw",
            "clean-digitsrun",
            "labels:v2 raw",
            "train-svcrun",
            "classifier:v1model",
        )
    ]
    assert places == sorted(places)


def test_the_page_asks_no_one_for_anything(audit: Audit) -> None:
    page = audit_html(audit)
    read = Reader(page)
    policy = next(a["content"] or "" for tag, a in read.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")
    assert not {"script", "link", "iframe", "form", "object"} & {tag for tag, _ in read.tags}
    assert "url(" not in page
    assert "@import" not in page


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "' onmouseover='alert(1)",
        "</code></td></style></title><svg onload=alert(1)>",
        "<!--",
        "&lt;b&gt;",
        "$title ${body} $$",
        "{0} {name} %s",
        "a\x1b[2J\x00\x07\u202eb\ud800",
        "line\nbreak\u2028two",
        "",
    ],
)
def test_hostile_texts_in_every_place_stay_texts(audit: Audit, text: str) -> None:
    read = check_harmless(audit_html(poisoned(audit, text)))
    shown = read.text
    assert all(c.isprintable() or c == "\n" for c in shown)
    assert text in shown or not text.isprintable()


@given(st.text(max_size=20))
@settings(deadline=None, max_examples=40)
def test_no_text_breaks_the_page(text: str) -> None:
    raw = json.loads(Path(__file__).with_name("sample_audit.json").read_text("utf-8"))
    check_harmless(audit_html(poisoned(audit_from_json(raw), text)))


def test_ten_thousand_findings_are_counted_and_bounded(audit: Audit) -> None:
    found = tuple(Finding("no_run", f"a:v{number}", "no run made it") for number in range(10_000))
    page = audit_html(replace(audit, findings=found))
    text = check_harmless(page).text
    assert "10,000unexplained" in text
    assert "Versions that no run made (10,000)" in text
    assert "… and 9,500 more, in the JSON of this audit" in text
    assert len(page) < 100_000


def test_a_text_of_a_megabyte_is_cut_and_says_so(audit: Audit) -> None:
    long = "x" * 1_000_000
    page = audit_html(replace(audit, versions=(replace(audit.subject, metadata={"log": long}, description=long),)))
    assert page.count("… cut, 998,000 more characters") == 2
    assert len(page) < 40_000
    page = audit_html(poisoned(audit, long))
    assert len(page) < 400_000


def test_metadata_of_a_hundred_levels_is_shown_as_far_as_sense_goes(audit: Audit) -> None:
    deep: dict[str, object] = {"end": "here"}
    for _ in range(100):
        deep = {"in": deep}
    text = check_harmless(audit_html(replace(audit, versions=(replace(audit.subject, metadata=deep),)))).text
    assert ".".join(["in"] * 12) in text
    assert '{"end": "here"}' in text


def test_metadata_of_many_values_is_bounded(audit: Audit) -> None:
    many = {f"k{number}": number for number in range(10_000)}
    run = replace(audit.runs[1], config=many)
    text = check_harmless(audit_html(replace(audit, runs=(run,)))).text
    assert "… and 9,500 more, in the JSON of this audit" in text
    assert "… and 9,988 more, in appendix B" in text


def test_an_empty_configuration_is_said_to_be_empty(audit: Audit) -> None:
    bare = tuple(replace(run, config={}, commit=None, inputs=(), outputs=()) for run in audit.runs)
    text = check_harmless(audit_html(replace(audit, runs=bare))).text
    assert text.count("no configuration") == 2
    assert text.count("no commit on record") == 2
    assert text.count("reads nothing on record") == 2


def test_nothing_unexplained_is_said_plainly(audit: Audit) -> None:
    text = Reader(audit_html(replace(audit, findings=()))).text
    assert "Nothing unexplained." in text
    assert "0unexplained" in text


def test_bytes_that_were_not_read_are_said_not_to_be(audit: Audit) -> None:
    text = Reader(audit_html(replace(audit, verification=None))).text
    assert "Not runbytes re-read" in text
    assert "The bytes were not read again for this page" in text


def test_problems_of_the_bytes_are_listed(audit: Audit) -> None:
    problem = Finding("corrupt", "digits:v0", "a.csv is not what was logged")
    text = Reader(audit_html(replace(audit, verification=Verification(3, 99, (problem,))))).text
    assert "Failed1 problem in the bytes" in text
    assert "digits:v0: a.csv is not what was logged" in text


def test_use_is_told_apart_from_past_use(audit: Audit) -> None:
    past: tuple[Promotion, ...] = tuple(replace(move, current=False) for move in audit.promotions)
    assert "No alias it was promoted to stands at it now." in Reader(audit_html(replace(audit, promotions=past))).text
    assert "It was never promoted." in Reader(audit_html(replace(audit, promotions=()))).text


def test_a_deleted_version_is_marked(audit: Audit) -> None:
    gone = replace(audit.versions[0], deleted_at=audit.made_at)
    assert "deleted 2026-05-03 09:00:13 UTC" in audit_html(replace(audit, versions=(gone, *audit.versions[1:])))


def test_a_description_keeps_its_lines(audit: Audit) -> None:
    assert "one<br>two &lt;b&gt;" in audit_html(
        replace(audit, subject=replace(audit.subject, description="one\ntwo <b>"))
    )


def test_a_picture_is_embedded_as_an_image(audit: Audit) -> None:
    svg = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    read = check_harmless(audit_html(audit, picture=svg))
    [source] = [attributes["src"] or "" for tag, attributes in read.tags if tag == "img"]
    assert base64.b64decode(source.partition(",")[2]).decode() == svg


def test_a_graph_without_a_picture_is_a_nested_list(audit: Audit) -> None:
    text = Reader(audit_html(audit)).text
    graph = text[text.index("The graph") : text.index("Promotions")]
    names = ["digits-classifier:v1", "train-svc", "digits:v1", "clean-digits", "digits:v0", "labels:v2"]
    assert [graph.count(name) for name in names] == [1] * 6
    assert [graph.index(name) for name in names] == sorted(graph.index(name) for name in names)
    assert "The record holds no graph." in audit_html(replace(audit, graph=Graph()))
    assert "The walk stopped at its limit" in audit_html(replace(audit, graph=Graph(truncated=True)))


def test_a_graph_that_comes_round_or_is_very_deep_ends(audit: Audit) -> None:
    nodes = tuple(Node(f"run:{n}", "run", f"r{n}", focus=n == 0) for n in range(3000))
    chain = tuple(Edge(f"run:{n + 1}", f"run:{n}") for n in range(2999))
    back = Edge("run:0", "run:5")
    lost = Edge("run:missing", "run:1")
    page = audit_html(replace(audit, graph=Graph(nodes, (*chain, back, lost))))
    assert "its causes are in the table above" in check_harmless(page).text
    wide = tuple(Edge(f"run:{n}", "run:0") for n in range(1, 3000))
    assert "… and 2,949 more" in check_harmless(audit_html(replace(audit, graph=Graph(nodes, wide)))).text


def test_a_login_in_a_repository_url_is_left_out(audit: Audit) -> None:
    run = replace(audit.runs[0], remote="https://ana:secret@git.example.org/lab/digits.git")
    page = audit_html(replace(audit, runs=(run,)))
    assert "https://git.example.org/lab/digits.git" in page
    assert "secret" not in page
