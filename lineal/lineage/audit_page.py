"""An audit as one HTML page: for the screen and for paper, without scripts, without a request to anywhere.

`audit_page.html` beside it holds the frame and the styles. Every text is escaped where it enters the page.
"""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from html import escape
from importlib import resources
from string import Template
from typing import Any

from lineal.core.display import count, moment, short, size
from lineal.lineage.model import Graph, Node
from lineal.lineage.report import Audit, Finding, RunFacts, VersionFacts
from lineal.lineage.words import (
    FINDING_HEADS,
    Step,
    by_kind,
    code_text,
    elsewhere,
    fork_text,
    labels,
    leaves,
    made_text,
    metrics,
    move_text,
    ran_text,
    shown,
    standing,
    steps,
    trial_text,
    value_text,
    verification_text,
    who,
)

# A page is mailed around; a token that stood in a URL must not be.
_LOGIN = re.compile(r"(?<=http:)//[^/@]*@|(?<=https:)//[^/@]*@")
_TEXT_LENGTH = 2_000
_PATH_LENGTH = 1_000
_MOST_VALUES = 500
_MOST_PAIRS = 12
_MOST_PORTS = 50
_MOST_FINDINGS = 500
_TREE_DEPTH = 24
_TREE_SIZE = 400


def audit_html(audit: Audit, *, picture: str | None = None) -> str:
    """One self-contained page that shows the audit; `picture` is an SVG of its graph, drawn as an image.

    What would make the page endless (long values, thousands of findings of a kind) is cut with a note of how
    much more there is; the counts in the summary are of everything.
    """
    title = escape(f"Lineage audit of {shown(audit.subject.name)}")
    return _template().substitute(title=title, body="\n".join(_sections(audit, picture)))


@cache
def _template() -> Template:
    return Template(resources.files(__package__).joinpath("audit_page.html").read_text("utf-8"))


def _sections(audit: Audit, picture: str | None) -> Iterable[str]:
    names = labels(audit.versions)
    chain = steps(audit.versions, audit.runs)
    yield _header(audit)
    yield _summary(audit)
    yield _section("subject", "The subject", _subject(audit))
    yield _section("causes", "What it was made from, in order", _causes(chain, names, audit))
    yield _section("graph", "The graph", _graph(audit.graph, picture))
    yield _section("promotions", "Promotions", _promotions(audit))
    yield _section("unexplained", "Unexplained", _unexplained(audit))
    yield _section("verification", "Verification", _verification(audit))
    yield _section("check", "How to check it yourself", _check(audit))
    yield _section("digests", "Appendix A: full digests", _digests(audit.versions))
    yield _section("details", "Appendix B: metadata and configuration", _details(chain, names))
    yield _footer(audit)


# ---- the top of the page -----------------------------------------------------------------------------------


def _header(audit: Audit) -> str:
    subject = audit.subject
    return (
        f'<header><p class="kicker">Lineage audit</p><h1>{_e(subject.name)}</h1>'
        f'<p class="ref soft"><code>{_e(subject.ref)}</code> · {_e(subject.type)}{_deleted(subject)}</p>'
        f'{_in_use(audit)}<p class="lead">This page shows everything on record that went into making '
        f"<b>{_e(subject.name)}</b>: the data it began with, each run with its code and configuration, each "
        f"version in between, and who put it to use and why. What the record does not explain is listed, not "
        f'left out.</p><p class="soft">Made on <b>{_e(moment(audit.made_at))}</b> by '
        f"<b>{_e(audit.made_by or 'unknown')}</b> with Lineal. It shows the record as it stood then.</p>"
        "</header>"
    )


def _in_use(audit: Audit) -> str:
    found = standing(audit)
    if not found:
        told = "No alias it was promoted to stands at it now." if audit.promotions else "It was never promoted."
        return f'<p class="in-use not">{told}</p>'
    return "".join(
        f'<p class="in-use"><b>{_e(move.alias + elsewhere(move.collection, audit.subject.ref))}</b> since '
        f"{_e(moment(move.at))}, promoted by <b>{_e(who(move.user, move.host))}</b>{_why(move.why)}</p>"
        for move in found
    )


def _summary(audit: Audit) -> str:
    found = audit.verification
    verified = ("", "Not run", "bytes re-read")
    if found is not None:
        verified = ("good", "Passed", f"{size(found.size_bytes)} re-read")
    if found is not None and found.problems:
        verified = ("bad", "Failed", f"{count(len(found.problems), 'problem')} in the bytes")
    open_count = len(audit.findings)
    tiles = [
        ("", f"{len(audit.versions):,}", "versions" if len(audit.versions) != 1 else "version"),
        ("", f"{len(audit.runs):,}", "runs" if len(audit.runs) != 1 else "run"),
        ("", f"{len(audit.raw):,}", "raw data sets" if len(audit.raw) != 1 else "raw data set"),
        ("warn" if open_count else "good", f"{open_count:,}", "unexplained"),
        verified,
    ]
    cells = "".join(f'<li class="{tone}"><b>{_e(top)}</b><span>{_e(below)}</span></li>' for tone, top, below in tiles)
    return f'<ul class="tiles" aria-label="Summary">{cells}</ul>'


def _subject(audit: Audit) -> str:
    subject = audit.subject
    rows = [
        ("Digest", _code(subject.digest)),
        ("Size", _e(f"{subject.size_bytes:,} bytes in {count(subject.file_count, 'file')}")),
        ("Made", _e(made_text(subject, {run.id: run for run in audit.runs}))),
        ("Aliases now", _e(", ".join(subject.aliases))),
        ("Tags", _e(", ".join(subject.tags))),
        ("Description", _lines(subject.description)),
        ("Metrics", _pairs([(name, repr(value)) for name, value in metrics(subject.metadata)])),
    ]
    return _facts([(name, value) for name, value in rows if value])


# ---- causes and the graph ----------------------------------------------------------------------------------


def _causes(chain: Sequence[Step], names: Mapping[str, str], audit: Audit) -> str:
    rows = "".join(
        _run_row(at, step, names) if isinstance(step, RunFacts) else _version_row(at, step, names, audit)
        for at, step in enumerate(chain, 1)
    )
    heads = [("number", "#"), ("what", "What"), ("when", "When and by whom"), ("evidence", "Evidence")]
    return _table("causes", heads, rows)


def _version_row(at: int, version: VersionFacts, names: Mapping[str, str], audit: Audit) -> str:
    raw = ' <span class="tag warn-text">raw data</span>' if version.made_by is None else ""
    what = [
        f'<span class="name">{_e(names[version.ref])}</span>{raw}{_deleted(version)}',
        _kind(version.type),
    ]
    evidence = [
        _code(short(version.digest)),
        _e(f"{size(version.size_bytes)}, {count(version.file_count, 'file')}"),
        *(f"stays at {_code(uri)}" for uri in version.references[:_MOST_PORTS]),
        *_more(len(version.references), _MOST_PORTS),
    ]
    when = [_e(moment(version.created_at)), f"by {_e(version.created_by or 'unknown')}"]
    return _row("version subject" if version.ref == audit.subject.ref else "version", at, what, when, evidence)


def _run_row(at: int, run: RunFacts, names: Mapping[str, str]) -> str:
    where, explained = code_text(run)
    tone = "" if explained else "warn-text"
    what = [
        f'<span class="name">{_e(run.name or run.id)}</span>',
        _kind(f"run {run.id}, {run.job_type}" if run.job_type else f"run {run.id}"),
        *([f"trial {_e(trial_text(run))}"] if run.sweep else []),
        *([f"forks {_e(fork_text(run))}"] if run.parent else []),
        *_ports("reads", run.inputs, names),
        *_ports("makes", run.outputs, names),
    ]
    evidence = [
        f'{_code(run.commit[:12]) if run.commit else ""} <span class="{tone}">{_e(where)}</span>',
        _pairs([(key, value_text(value)) for key, value in leaves(run.config)]) or "no configuration",
    ]
    return _row("run", at, what, [_e(ran_text(run)), f"by {_e(who(run.user, run.host))}"], evidence)


def _row(kind: str, at: int, *cells: Sequence[str]) -> str:
    body = "".join(f"<td>{''.join(f'<p>{line}</p>' for line in cell)}</td>" for cell in cells)
    return f'<tr class="{kind}"><td class="number">{at}</td>{body}</tr>'


def _ports(verb: str, ports: Sequence[tuple[str, str]], names: Mapping[str, str]) -> list[str]:
    lines = [
        f"{verb} <b>{_e(names.get(ref, ref))}</b>"
        + (f" as {_e(role)}" if role not in ("", "input", "output") else "")
        for ref, role in ports[:_MOST_PORTS]
    ]
    return [*(lines or [f"{verb} nothing on record"]), *_more(len(ports), _MOST_PORTS)]


def _graph(graph: Graph, picture: str | None) -> str:
    stopped = '<p class="warn-text">The walk stopped at its limit: there are more causes.</p>' * graph.truncated
    if picture is not None:
        coded = base64.b64encode(picture.encode("utf-8", "replace")).decode()
        drawing = f'<img alt="Graph of the versions and runs" src="data:image/svg+xml;base64,{coded}">'
        return f"{stopped}<figure>{drawing}</figure>"
    if not graph.nodes:
        return f'{stopped}<p class="soft">The record holds no graph.</p>'
    return f"{stopped}{_Tree(graph).html()}"


class _Tree:
    """The graph as a nested list: under each node what it came from, each node's own causes told once."""

    def __init__(self, graph: Graph) -> None:
        self.nodes = {node.id: node for node in graph.nodes}
        self.causes: dict[str, list[str]] = {}
        for edge in graph.edges:
            if edge.source in self.nodes:
                self.causes.setdefault(edge.target, []).append(edge.source)
        self.told: set[str] = set()

    def html(self) -> str:
        """The list, begun at the nodes in focus."""
        first = [node for node in self.nodes.values() if node.focus] or list(self.nodes.values())[:1]
        return f'<ul class="tree">{"".join(self._item(node, 1) for node in first)}</ul>'

    def _item(self, node: Node, depth: int) -> str:
        kind = node.type if node.kind == "version" else f"{node.type} {node.kind}".strip()
        label = f'<b>{_e(node.name)}</b> <span class="kind">{_e(kind)}</span>'
        below = self.causes.get(node.id, [])
        if not below:
            return f"<li>{label}</li>"
        if node.id in self.told or depth >= _TREE_DEPTH or len(self.told) >= _TREE_SIZE:
            return f'<li>{label} <span class="soft">(its causes are in the table above)</span></li>'
        self.told.add(node.id)
        inner = "".join(self._item(self.nodes[cause], depth + 1) for cause in below[:_MOST_PORTS])
        rest = "".join(f"<li>{line}</li>" for line in _more(len(below), _MOST_PORTS))
        return f'<li>{label} <span class="soft">from</span><ul>{inner}{rest}</ul></li>'


# ---- promotions, findings, verification --------------------------------------------------------------------


def _promotions(audit: Audit) -> str:
    if not audit.promotions:
        return "<p>No alias was ever moved to it or away from it.</p>"
    now = {id(move) for move in standing(audit)}
    rows = "".join(
        f"<tr><td>{_e(moment(move.at))}</td><td><b>{_e(move_text(move, audit.subject.ref))}</b>"
        + ' <span class="tag good-text">stands now</span>' * (id(move) in now)
        + f"</td><td>{_e(who(move.user, move.host))}</td>"
        + f"<td>{_e(move.why) or 'no reason given'}</td></tr>"
        for move in audit.promotions
    )
    heads = [("when", "When"), ("what", "What"), ("who", "Who"), ("why", "Why")]
    return _table("timeline", heads, rows)


def _unexplained(audit: Audit) -> str:
    if not audit.findings:
        return '<p class="verdict good">Nothing unexplained.</p>'
    told = "The record leaves these open. Each is a question to put to the people named above."
    return f'<p class="soft">{told}</p>{_findings(audit.findings)}'


def _findings(findings: Iterable[Finding]) -> str:
    parts = []
    for code, group in by_kind(findings).items():
        tone = "findings bad" if code == "corrupt" else "findings"
        lines = [f"<b>{_e(one.subject)}</b>: {_e(one.text)}" for one in group[:_MOST_FINDINGS]]
        items = "".join(f"<li>{line}</li>" for line in [*lines, *_more(len(group), _MOST_FINDINGS)])
        head = f"{FINDING_HEADS.get(code, code)} ({len(group):,})"
        parts.append(f'<h3>{_e(head)}</h3><ul class="{tone}">{items}</ul>')
    return "".join(parts)


def _verification(audit: Audit) -> str:
    found = audit.verification
    if found is None:
        told = "The bytes were not read again for this page; the next section says how to."
        return f'<p class="verdict">{told}</p>'
    tone = "bad" if found.problems else "good"
    return f'<p class="verdict {tone}">{_e(verification_text(found))}</p>{_findings(found.problems)}'


def _check(audit: Audit) -> str:
    command = f"lineal audit {shlex.quote(shown(audit.subject.ref))} --verify"
    return (
        '<ol class="check"><li>With access to the store, make this audit anew and read every byte again:'
        f"<pre><code>{_e(command)}</code></pre></li>"
        "<li>Without Lineal: a version’s digest is the SHA-256 of its manifest, a JSON text that gives path, "
        "size and SHA-256 of every file. So any copy of a file, wherever it came from, can be held against "
        "the manifest, and the manifest against appendix A:"
        "<pre><code>sha256sum FILE      # must be the file’s digest in the manifest\n"
        "sha256sum MANIFEST  # must be the version’s digest in appendix A</code></pre></li>"
        "<li>For each run above, check out the commit and compare it with the code you were shown.</li></ol>"
    )


# ---- appendices --------------------------------------------------------------------------------------------


def _digests(versions: Iterable[VersionFacts]) -> str:
    rows = "".join(f"<tr><td>{_code(version.ref)}</td><td>{_code(version.digest)}</td></tr>" for version in versions)
    return _table("values", [("ref", "Version"), ("digest", "Digest")], rows)


def _details(chain: Iterable[Step], names: Mapping[str, str]) -> str:
    parts = [_run_detail(step) if isinstance(step, RunFacts) else _version_detail(step, names) for step in chain]
    return "".join(parts) or '<p class="soft">None on record.</p>'


def _version_detail(version: VersionFacts, names: Mapping[str, str]) -> str:
    about = [("Description", _lines(version.description)), ("Tags", _e(", ".join(version.tags)))]
    rows = _facts([row for row in about if row[1]])
    return f"<h3>{_e(names[version.ref])}: metadata</h3>{rows}{_values(version.metadata)}"


def _run_detail(run: RunFacts) -> str:
    code = [
        ("Commit", _code(run.commit or "")),
        ("Branch", _code(run.branch or "")),
        ("Repository", _code(_LOGIN.sub("//", run.remote or ""))),
        ("Program", _code(run.program or "")),
    ]
    rows = _facts([row for row in code if row[1]])
    head = f"{run.name} (run {run.id}): code and configuration"
    return f"<h3>{_e(head)}</h3>{rows}{_values(run.config)}"


def _values(tree: Mapping[str, Any]) -> str:
    found = list(leaves(tree))
    if not found:
        return '<p class="soft">No values on record.</p>'
    rows = "".join(
        f'<tr><th scope="row">{_e(path, _PATH_LENGTH)}</th><td>{escape(value_text(value, _TEXT_LENGTH))}</td></tr>'
        for path, value in found[:_MOST_VALUES]
    )
    rest = "".join(f"<p>{line}</p>" for line in _more(len(found), _MOST_VALUES))
    return f'<table class="values"><tbody>{rows}</tbody></table>{rest}'


def _footer(audit: Audit) -> str:
    return (
        f"<footer>Lineage audit of {_e(audit.subject.ref)}, made {_e(moment(audit.made_at))} by "
        f"{_e(audit.made_by or 'unknown')}. Times are in UTC. Characters that can’t be seen are written "
        "as codes, such as \\x1b.</footer>"
    )


# ---- pieces ------------------------------------------------------------------------------------------------


def _section(anchor: str, title: str, body: str) -> str:
    return f'<section id="{anchor}"><h2>{title}</h2>{body}</section>'


def _table(kind: str, heads: Sequence[tuple[str, str]], rows: str) -> str:
    cells = "".join(f'<th class="{name}" scope="col">{title}</th>' for name, title in heads)
    head = f"<thead><tr>{cells}</tr></thead>"
    return f'<div class="wide"><table class="{kind}">{head}<tbody>{rows}</tbody></table></div>'


def _facts(rows: Sequence[tuple[str, str]]) -> str:
    cells = "".join(f'<tr><th scope="row">{name}</th><td>{value}</td></tr>' for name, value in rows)
    return f'<table class="facts"><tbody>{cells}</tbody></table>' if rows else ""


def _pairs(found: Sequence[tuple[str, str]]) -> str:
    pairs = [f'<span class="pair">{_code(f"{name}={value}")}</span>' for name, value in found[:_MOST_PAIRS]]
    return " ".join([*pairs, *_more(len(found), _MOST_PAIRS, "in appendix B")])


def _more(total: int, shown_count: int, where: str = "in the JSON of this audit") -> list[str]:
    left = total - shown_count
    return [f'<span class="soft">… and {left:,} more, {where}</span>'] if left > 0 else []


def _why(why: str) -> str:
    return f": “{_e(why)}”" if why else ", no reason given"


def _deleted(version: VersionFacts) -> str:
    if version.deleted_at is None:
        return ""
    return f' <span class="tag bad-text">deleted {_e(moment(version.deleted_at))}</span>'


def _lines(text: str) -> str:
    kept, cut = text[:_TEXT_LENGTH], len(text) - _TEXT_LENGTH
    lines = [*kept.splitlines(), *([f"… cut, {cut:,} more characters"] if cut > 0 else [])]
    return "<br>".join(_e(line) for line in lines)


def _kind(text: str) -> str:
    return f'<span class="kind">{_e(text)}</span>' if text else ""


def _code(text: str) -> str:
    return f"<code>{_e(text)}</code>" if text else ""


def _e(text: str, limit: int = _TEXT_LENGTH) -> str:
    return escape(shown(text, limit))
