import json
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.lineage import words
from lineal.lineage.records import audit_from_json
from lineal.lineage.report import Audit, Finding, RunFacts, Verification

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def audit() -> Audit:
    return audit_from_json(json.loads(Path(__file__).with_name("sample_audit.json").read_text("utf-8")))


@given(st.text())
def test_a_printable_text_holds_no_character_that_steers(text: str) -> None:
    shown = words.printable(text)
    assert shown.isprintable()
    shown.encode()
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in shown)


@given(st.text(alphabet=st.characters(codec="utf-8", categories=("L", "N", "P", "S"))))
def test_a_text_that_can_be_seen_is_left_as_it_is(text: str) -> None:
    assert words.printable(text) == text


def test_escape_sequences_and_bidi_marks_are_written_as_codes() -> None:
    assert words.printable("a\x1b[2Jb\u202ec\nd\ud800") == "a\\x1b[2Jb\\u202ec\\nd\\ud800"


def test_a_long_text_is_cut_and_says_by_how_much() -> None:
    assert words.shown("x" * 1_000_400) == "x" * 400 + "… cut, 1,000,000 more characters"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        (True, "true"),
        (None, "null"),
        (0.1, "0.1"),
        ([1, "é"], '[1, "é"]'),
        ({"a": 1}, '{"a": 1}'),
    ],
)
def test_values_are_shown_bare_or_as_json(value: object, text: str) -> None:
    assert words.value_text(value) == text


def test_a_value_nested_past_all_measure_is_not_followed() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert words.value_text(deep) == "(nested too deeply to show)"


def test_leaves_stop_at_twelve_levels() -> None:
    tree: dict[str, object] = {"end": 1}
    for level in range(100):
        tree = {f"l{level}": tree}
    [(path, value)] = words.leaves(tree)
    assert path.count(".") == 11
    assert isinstance(value, dict)


def test_leaves_keep_empty_mappings_and_order() -> None:
    assert list(words.leaves({"b": {"y": 1, "x": {}}, "a": [2]})) == [("b.y", 1), ("b.x", {}), ("a", [2])]


def test_metrics_are_the_numbers_but_not_the_truths() -> None:
    assert words.metrics({"f1": 0.9, "rows": 3, "ok": True, "name": "x", "in": {"loss": 1e-9}}) == [
        ("f1", 0.9),
        ("rows", 3),
        ("in.loss", 1e-9),
    ]


def test_each_run_stands_before_what_it_made(audit: Audit) -> None:
    names = [step.name for step in words.steps(audit.versions, audit.runs)]
    assert names == [
        "digits:v0",
        "clean-digits",
        "digits:v1",
        "labels:v2",
        "train-svc",
        "digits-classifier:v1",
    ]


def test_a_run_that_made_nothing_comes_last(audit: Audit) -> None:
    idle = replace(audit.runs[0], id="idle0000", name="idle")
    assert words.steps(audit.versions, (idle, *audit.runs))[-1] is idle


def test_versions_of_the_same_name_are_told_apart_by_their_refs(audit: Audit) -> None:
    one = audit.subject
    other = replace(one, ref="me/letters/digits-classifier:v1")
    assert words.labels([one, other, one]) == {one.ref: one.ref, other.ref: other.ref}
    assert words.labels([one, one]) == {one.ref: one.name}


def test_only_a_current_move_to_the_subject_stands(audit: Audit) -> None:
    [move] = words.standing(audit)
    assert (move.alias, move.user) == ("production", "ana")
    away = replace(move, from_version="v1", to_version="v2")
    assert words.standing(replace(audit, promotions=(away,))) == []
    gone = replace(move, to_version=None)
    assert words.standing(replace(audit, promotions=(gone,))) == []
    linked = replace(move, collection="registry/models/reader", to_version="v7")
    assert words.standing(replace(audit, promotions=(linked,))) == [linked]


def test_promotions_are_told_by_what_they_did(audit: Audit) -> None:
    move, own = audit.promotions[1], audit.subject.ref
    assert words.move_text(move, own) == "production moved from v0 to v1"
    assert words.move_text(replace(move, collection="digits/digits-classifier"), own) == words.move_text(move, own)
    assert words.move_text(replace(move, kind="rollback"), own) == "production rolled back from v0 to v1"
    assert words.move_text(replace(move, from_version=None), own) == "production set at v1"
    assert words.move_text(replace(move, to_version=None), own) == "production removed from v0"
    assert words.move_text(replace(move, from_version=None, to_version=None), own) == "production removed"
    assert words.move_text(replace(move, collection="registry/m/r"), own).startswith("production in registry/m/r ")


def test_code_explains_a_run_only_when_all_of_it_is_committed(audit: Audit) -> None:
    run = audit.runs[0]
    assert words.code_text(run) == ("clean.py on main, all committed", True)
    assert words.code_text(replace(run, dirty=True)) == ("clean.py on main, with uncommitted changes", False)
    assert not words.code_text(replace(run, dirty=None))[1]
    assert words.code_text(replace(run, commit=None, program=None, branch=None)) == (
        "no commit on record",
        False,
    )


def test_a_version_is_told_by_its_run_as_far_as_that_is_known(audit: Audit) -> None:
    runs: dict[str, RunFacts] = {run.id: run for run in audit.runs}
    assert words.made_text(audit.subject, runs).endswith(
        "by ana, in run train-svc (b4t8w2ne), trial 17 of sweep digits-search (k3j2m9)"
    )
    assert words.made_text(audit.subject, {}).endswith("by ana, in run b4t8w2ne")
    assert words.made_text(audit.versions[0], runs).endswith("by ana; no run made it")


def test_a_run_that_goes_on_has_no_length(audit: Audit) -> None:
    run = audit.runs[0]
    assert words.ran_text(run) == "2026-05-01 08:12:13 UTC, finished after 2 min 3 s"
    assert words.ran_text(replace(run, finished_at=None, state="running")) == "2026-05-01 08:12:13 UTC, running"


def test_verification_says_what_was_read() -> None:
    assert (
        words.verification_text(Verification(1, 12))
        == "Every byte was read again (1 blob, 12 bytes) and matches its digest."
    )
    problem = Finding("corrupt", "a:v0", "differs")
    assert (
        words.verification_text(Verification(2, 12, (problem,))) == "1 problem found on re-reading 2 blobs, 12 bytes."
    )


def test_the_gravest_findings_come_first() -> None:
    found = [Finding("no_run", "a", ""), Finding("corrupt", "b", ""), Finding("no_run", "c", "")]
    assert {code: len(group) for code, group in words.by_kind(found).items()} == {"corrupt": 1, "no_run": 2}
    assert list(words.by_kind(found)) == ["corrupt", "no_run"]


@pytest.mark.parametrize(
    ("user", "host", "text"),
    [
        ("ana", "lab", "ana@lab"),
        ("ana", "", "ana"),
        ("", "lab", "lab"),
        ("", "", "unknown"),
        ("a@b.c", "lab", "a@b.c on lab"),
    ],
)
def test_who_is_as_much_as_is_known(user: str, host: str, text: str) -> None:
    assert words.who(user, host) == text


def test_moments_are_shown_in_utc() -> None:
    assert words.moment(NOON.astimezone(timezone(timedelta(hours=5)))) == "2026-05-01 12:00:00 UTC"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "under 1 s"),
        (-5, "under 1 s"),
        (59.6, "1 min"),
        (63, "1 min 3 s"),
        (3600, "1 h"),
        (90_061, "1 d 1 h"),
    ],
)
def test_spans_have_two_units_at_most(seconds: float, text: str) -> None:
    assert words.span(NOON, NOON + timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (999_960, "1.0 MB"),
        (1_437_184, "1.4 MB"),
        (123_456_789, "123 MB"),
        (5 * 10**18, "5,000.0 PB"),
    ],
)
def test_sizes_are_short(size_bytes: int, text: str) -> None:
    assert words.size(size_bytes) == text


def test_a_run_says_which_trial_of_which_sweep_it_was(audit: Audit) -> None:
    alone, trial = audit.runs
    assert words.trial_text(alone) == ""
    assert words.trial_text(trial) == "17 of sweep digits-search (k3j2m9)"
    assert words.trial_text(replace(trial, sweep_name="k3j2m9")) == "17 of sweep k3j2m9"
    assert words.trial_text(replace(trial, sweep_name="")) == "17 of sweep k3j2m9, which is gone"
