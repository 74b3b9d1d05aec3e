import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.core.errors import InvalidArgument
from lineal.lineage.model import Graph
from lineal.lineage.records import audit_from_json, impact_from_json, to_json
from lineal.lineage.report import (
    Audit,
    Finding,
    Impact,
    Promotion,
    RunFacts,
    Standing,
    Verification,
    VersionFacts,
)

texts = st.text(alphabet=st.characters(codec="utf-8"), max_size=8)
zones = st.sampled_from([UTC, timezone(timedelta(hours=-7))])
moments = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=zones)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
trees = st.dictionaries(texts, values, max_size=3)


def build(kind: type, **more: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Records of a kind, their moments aware."""
    for field in fields(kind):
        if field.name not in more and "datetime" in str(field.type):
            more[field.name] = st.none() | moments if "None" in str(field.type) else moments
    return st.builds(kind, **more)


versions = build(VersionFacts, metadata=trees)
runs = build(RunFacts, config=trees)
verifications = st.none() | build(Verification, problems=st.lists(build(Finding), max_size=2).map(tuple))


def some(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(strategy, max_size=2).map(tuple)


audits = build(
    Audit,
    subject=versions,
    versions=some(versions),
    runs=some(runs),
    promotions=some(build(Promotion)),
    findings=some(build(Finding)),
    graph=st.just(Graph()),
    verification=verifications,
)
impacts = build(
    Impact,
    subjects=some(versions),
    versions=some(versions),
    runs=some(runs),
    standing=some(build(Standing)),
    graph=st.just(Graph()),
)


def sample(name: str) -> dict[str, Any]:
    return json.loads(Path(__file__).with_name(f"sample_{name}.json").read_text("utf-8"))


@given(audits)
def test_an_audit_survives_the_way_through_json(audit: Audit) -> None:
    assert audit_from_json(json.loads(json.dumps(to_json(audit)))) == audit


@given(impacts)
def test_an_impact_survives_the_way_through_json(impact: Impact) -> None:
    assert impact_from_json(json.loads(json.dumps(to_json(impact)))) == impact


def test_the_kept_form_of_an_audit_does_not_change() -> None:
    assert to_json(audit_from_json(sample("audit"))) == sample("audit")


def test_the_kept_form_of_an_impact_does_not_change() -> None:
    assert to_json(impact_from_json(sample("impact"))) == sample("impact")


def test_moments_are_rfc_3339_in_utc() -> None:
    audit = audit_from_json(sample("audit"))
    there = timezone(timedelta(hours=2))
    moved = replace(audit, made_at=datetime(2026, 5, 1, 14, 0, 0, 250_000, tzinfo=there))
    assert to_json(moved)["made_at"] == "2026-05-01T12:00:00.250000Z"
    assert to_json(audit)["made_at"] == "2026-05-03T09:00:13Z"


def test_metadata_of_a_hundred_levels_is_kept() -> None:
    deep: dict[str, Any] = {"end": 1}
    for _ in range(100):
        deep = {"in": deep}
    audit = audit_from_json(sample("audit"))
    audit = replace(audit, subject=replace(audit.subject, metadata=deep))
    assert audit_from_json(json.loads(json.dumps(to_json(audit)))) == audit


def test_texts_in_metadata_that_look_like_moments_stay_texts() -> None:
    raw = sample("audit")
    raw["subject"]["metadata"] = {"day": "2026-05-01T00:00:00"}
    assert audit_from_json(raw).subject.metadata == {"day": "2026-05-01T00:00:00"}


def test_what_a_newer_lineal_adds_is_passed_over() -> None:
    assert audit_from_json({**sample("audit"), "novelty": 1}) == audit_from_json(sample("audit"))


def test_what_is_no_audit_is_refused_with_its_place() -> None:
    raw = sample("audit")
    raw["versions"][1]["size_bytes"] = "many"
    with pytest.raises(InvalidArgument, match=r"as an audit: versions\.1\.size_bytes: Input should be"):
        audit_from_json(raw)


@pytest.mark.parametrize("raw", [{}, [], None, "text", {"asked": 1}])
def test_what_is_no_record_at_all_is_refused(raw: Any) -> None:
    with pytest.raises(InvalidArgument):
        audit_from_json(raw)
    with pytest.raises(InvalidArgument, match="as an impact"):
        impact_from_json(raw)


def test_a_moment_without_a_zone_is_refused() -> None:
    raw = sample("audit")
    raw["promotions"][0]["at"] = "2026-05-01T12:00:00"
    with pytest.raises(InvalidArgument, match="no time zone"):
        audit_from_json(raw)


def test_an_audit_from_before_there_were_sweeps_can_be_read() -> None:
    raw = sample("audit")
    for run in raw["runs"]:
        for key in ("sweep", "sweep_name", "trial"):
            del run[key]
    assert {(run.sweep, run.sweep_name, run.trial) for run in audit_from_json(raw).runs} == {("", "", None)}
