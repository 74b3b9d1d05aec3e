import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, RenderableType

from lineal.lineage.model import Graph
from lineal.lineage.records import audit_from_json, impact_from_json
from lineal.lineage.report import Audit, Finding, Impact, Promotion, Verification
from lineal.lineage.text import audit_text, impact_text


def sample(name: str) -> Any:
    return json.loads(Path(__file__).with_name(f"sample_{name}.json").read_text("utf-8"))


@pytest.fixture
def audit() -> Audit:
    return audit_from_json(sample("audit"))


@pytest.fixture
def impact() -> Impact:
    return impact_from_json(sample("impact"))


def lines(shown: RenderableType, *, width: int = 100) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width).print(shown)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_the_headline_says_who_promoted_it_when_and_why(audit: Audit) -> None:
    told = lines(audit_text(audit))
    assert told[0] == "digits-classifier:v1  model"
    assert f"digest   {audit.subject.digest}" in told
    assert "in use   production since 2026-05-02 09:14:13 UTC, promoted by ana@lab: “better F1”" in told
    assert "metrics  f1=0.972735  accuracy=0.973333  confusion.eights_as_ones=4" in told


def test_the_chain_leads_from_raw_data_to_the_subject(audit: Audit) -> None:
    marks = [line.split()[1] for line in lines(audit_text(audit)) if line.startswith(("●", "▶"))]
    assert marks == [
        "digits:v0",
        "clean-digits",
        "digits:v1",
        "labels:v2",
        "train-svc",
        "digits-classifier:v1",
    ]


def test_a_run_shows_what_it_read_its_code_and_its_configuration(audit: Audit) -> None:
    told = lines(audit_text(audit))
    at = told.index("▶ train-svc  run b4t8w2ne  train")
    assert told[at + 1 : at + 5] == [
        "│ trial     17 of sweep digits-search (k3j2m9)",
        "│ reads     digits:v1 as train, labels:v2 as labels",
        "│ code      9be01d7734 train.py on better-f1, with uncommitted changes",
        "│ ran       2026-05-01 09:00:13 UTC, finished after 9 min 41 s, by ana@lab",
    ]
    assert "kernel.gamma=0.001" in "".join(told[at : at + 8])


@pytest.mark.parametrize("width", [20, 80, 120])
def test_no_line_is_wider_than_the_terminal(audit: Audit, impact: Impact, width: int) -> None:
    assert all(len(line) <= width for line in lines(audit_text(audit), width=width))
    assert all(len(line) <= width for line in lines(impact_text(impact), width=width))


def test_the_digest_stays_whole_at_80_columns(audit: Audit) -> None:
    assert any(audit.subject.digest in line for line in lines(audit_text(audit), width=80))


def test_names_are_no_markup_and_no_control_characters(audit: Audit, impact: Impact) -> None:
    evil = "[red]x[/red][link=file:///]y\x1b[2J\x07\u202e:smile:"
    safe = "[red]x[/red][link=file:///]y\\x1b[2J\\x07\\u202e:smile:"
    subject = replace(audit.subject, name=evil, ref=evil, type=evil, description=evil, metadata={evil: evil})
    run = replace(audit.runs[0], name=evil, program=evil, user=evil, config={evil: [evil]}, inputs=((evil, evil),))
    told = audit_text(
        replace(
            audit,
            subject=subject,
            versions=(*audit.versions[:-1], subject),
            runs=(run,),
            findings=(Finding("no_run", evil, evil),),
            promotions=tuple(replace(move, alias=evil, why=evil, user=evil) for move in audit.promotions),
            made_by=evil,
        )
    )
    text = "\n".join(lines(told, width=2000))
    assert all(c == "\n" or c.isprintable() for c in text)
    assert text.count(safe) > 12
    standing = tuple(replace(one, alias=evil, ref=evil, user=evil) for one in impact.standing)
    told = impact_text(replace(impact, asked=evil, subjects=(subject,), standing=standing, links=((evil, evil),)))
    text = "\n".join(lines(told, width=2000))
    assert all(c == "\n" or c.isprintable() for c in text)
    assert text.count(safe) > 8


def test_nothing_unexplained_is_said_plainly(audit: Audit) -> None:
    assert "Nothing unexplained." in lines(audit_text(replace(audit, findings=())))


def test_ten_thousand_findings_are_counted_not_listed(audit: Audit) -> None:
    found = tuple(Finding("no_run", f"a:v{number}", "no run made it") for number in range(10_000))
    told = lines(audit_text(replace(audit, findings=found)))
    assert "Versions that no run made (10,000)" in told
    assert "  … and 9,980 more of this kind" in told
    assert len(told) < 120


def test_long_values_and_many_of_them_stay_bounded(audit: Audit) -> None:
    run = replace(audit.runs[1], config={f"k{number}": "x" * 1_000_000 for number in range(100)})
    text = "\n".join(lines(audit_text(replace(audit, runs=(run,)))))
    assert "… cut, 999,940 more characters" in text.replace("\n│          ", "")
    assert "and 76 more" in text
    assert len(text) < 12_000


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (None, "The bytes were not read again for this report; --verify does so."),
        (Verification(2, 10), "Every byte was read again (2 blobs, 10 bytes) and matches its digest."),
        (
            Verification(2, 10, (Finding("corrupt", "digits:v0", "a.csv is not what was logged"),)),
            "  digits:v0: a.csv is not what was logged",
        ),
    ],
)
def test_the_verification_is_told(audit: Audit, found: Verification | None, text: str) -> None:
    assert text in lines(audit_text(replace(audit, verification=found)))


def test_promotions_that_stand_no_more_are_no_use(audit: Audit) -> None:
    past: tuple[Promotion, ...] = tuple(replace(move, current=False) for move in audit.promotions)
    assert "in use   not now; see Promotions" in lines(audit_text(replace(audit, promotions=past)))
    never = lines(audit_text(replace(audit, promotions=())))
    assert "in use   never promoted" in never
    assert "No alias was ever moved to it or away from it." in never


def test_a_deleted_version_is_marked(audit: Audit) -> None:
    gone = replace(audit.versions[0], deleted_at=audit.made_at)
    told = lines(audit_text(replace(audit, versions=(gone, *audit.versions[1:]))))
    assert "│ deleted 2026-05-03 09:00:13 UTC" in told


def test_an_empty_configuration_takes_no_line(audit: Audit) -> None:
    bare = tuple(replace(run, config={}, job_type="", inputs=(), outputs=()) for run in audit.runs)
    told = lines(audit_text(replace(audit, runs=bare)))
    assert not any("config" in line for line in told)
    assert told.count("│ reads     nothing on record") == 2


def test_an_impact_says_first_what_is_in_use(impact: Impact) -> None:
    told = lines(impact_text(impact), width=80)
    at = told.index(" IN USE NOW   production since 2026-05-02 09:14:13 UTC")
    assert told[at + 1].strip() == "digits-classifier:v1, by ana"
    assert at < told.index(" was production from 2026-05-01 09:00:13 UTC to 2026-05-02 09:14:13 UTC")
    assert any(line.strip() == "digits-classifier:v1 in registry/models/digit-reader, by ben" for line in told)


def test_an_impact_lists_all_that_came_of_it(impact: Impact) -> None:
    told = lines(impact_text(impact))
    assert any(line.startswith("Downstream: 4 versions, 5 runs ") for line in told)
    assert sum(line.startswith("●") for line in told) == 4
    assert sum(line.startswith("▶") for line in told) == 5
    assert "digits-classifier:v1 is registry/models/digit-reader:v3" in told


def test_an_impact_of_nothing_says_so(impact: Impact) -> None:
    nothing = Impact("sha256:ab", (), (), (), (), (), Graph(truncated=True), impact.made_at)
    told = lines(impact_text(nothing))
    assert "No version on record holds it." in told
    assert "Nothing that it touched ever bore an alias." in told
    assert "Nothing on record was made from it." in told
    assert "The walk stopped at its limit: there may be more downstream." in told


def test_an_impact_that_is_only_past_says_so(impact: Impact) -> None:
    past = tuple(one for one in impact.standing if one.until)
    told = lines(impact_text(replace(impact, standing=past)))
    assert "Nothing that it touched bears an alias now." in told
    assert not any("IN USE NOW" in line for line in told)


def test_of_a_very_long_chain_both_ends_are_shown(audit: Audit) -> None:
    many = tuple(replace(audit.versions[0], ref=f"a/b/c:v{n}", name=f"c:v{n}") for n in range(5000))
    told = lines(audit_text(replace(audit, versions=(*many, audit.subject), runs=())))
    marks = [line.split()[1] for line in told if line.startswith("●")]
    assert (len(marks), marks[0], marks[-1]) == (200, "c:v0", "digits-classifier:v1")
    assert "⋮ 4,801 more steps between these, not shown here" in told
