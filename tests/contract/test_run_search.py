"""The sentences of `port.Runs` about finding runs, held against every implementation."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineal.core import clock, errors
from lineal.core.clock import new_id
from lineal.tracking.filters import MAX_CONDITIONS, MAX_VALUES
from lineal.tracking.leaves import columns, flatten
from lineal.tracking.model import CRASHED_AFTER_S, Alert, Batch, Run, RunFile
from lineal.tracking.rows import encode

from .conftest import Desk

Open = Callable[..., Desk]
NAN, INF = math.nan, math.inf


def ids(desk: Desk, filters: Mapping[str, Any] | None = None, order: str = "created_at", **more: Any) -> list[str]:
    return [run.id for run in desk.backend.runs.list(filters=filters, order=order, **more).runs]


def by_pages(desk: Desk, size: int, **more: Any) -> list[str]:
    found: list[str] = []
    after = None
    while True:
        page = desk.backend.runs.list(limit=size, after=after, **more)
        found += [run.id for run in page.runs]
        assert len(page.runs) == size or page.after is None
        if (after := page.after) is None:
            return found


@contextmanager
def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> Iterator[None]:
    now = clock.now
    with monkeypatch.context() as patch:
        patch.setattr(clock, "now", lambda: now() + timedelta(seconds=seconds))
        yield


@pytest.fixture
def shelf(desk: Desk) -> Desk:
    """Four runs with their summaries: a (best), b, c, and d without any; a and c are tagged."""
    runs = desk.backend.runs
    runs.start("a", name="first", config={"lr": 0.1, "opt": {"name": "adam"}, "deep": True}, tags=["baseline", "x"])
    runs.start(
        "b", name="second", config={"lr": 0.01, "opt": {"name": "sgd"}, "seed": "7"}, group="g", job_type="train"
    )
    runs.start("c", name="third", config={"lr": 1, "layers": [1, 2], "none": None}, tags=["base"], notes="odd one")
    runs.start("d", name="Fourth")
    for run_id, summary in {
        "a": {"acc": 0.9, "val/f1": 3},
        "b": {"acc": 0.5},
        "c": {"acc": 0.7, "note": "x"},
    }.items():
        runs.change(run_id, summary=summary)
        runs.finish(run_id, "failed" if run_id == "c" else "finished")
    return desk


# ---- conditions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, "abcd"),
        ({"config.lr": 0.1}, "a"),
        ({"config.lr.value": {"$gte": 0.1}}, "ac"),
        ({"config.lr": {"$ne": 0.1}}, "bcd"),
        ({"config.lr": {"$gt": 0.01, "$lt": 1}}, "a"),
        ({"config.lr": {"$in": [0.01, 1, "no"]}}, "bc"),
        ({"config.lr": {"$nin": [0.01, 1]}}, "ad"),
        ({"config.lr": "0.1"}, ""),
        ({"config.seed": "7"}, "b"),
        ({"config.seed": 7}, ""),
        ({"config.opt.name": "adam"}, "a"),
        ({"config.opt": {"$exists": True}}, "ab"),
        ({"config.op": {"$exists": True}}, ""),
        ({"config.none": {"$exists": True}}, "c"),
        ({"config.none": None, "config.lr": {"$exists": True}}, "abc"),
        ({"config.lr": None}, "d"),
        ({"config.lr": {"$in": [None, 1]}}, "cd"),
        ({"config.deep": True}, "a"),
        ({"config.deep": False}, ""),
        ({"config.layers": [1, 2]}, "c"),
        ({"config.opt.name": {"$regex": "^a"}}, "a"),
        ({"config.opt.name": {"$not": {"$regex": "^a"}}}, "bcd"),
        ({"summary_metrics.acc": {"$gt": 0.6}}, "ac"),
        ({"summary.val/f1": {"$exists": True}}, "a"),
        ({"tags": "base"}, "c"),
        ({"tags": "Base"}, ""),
        ({"tags": {"$in": ["x", "base"]}}, "ac"),
        ({"tags": {"$nin": ["x", "base"]}}, "bd"),
        ({"tags": {"$exists": False}}, "bd"),
        ({"tags": {"$regex": "^base"}}, "ac"),
        ({"group": "g"}, "b"),
        ({"group": {"$exists": True}}, "b"),
        ({"group": None}, "acd"),
        ({"jobType": "train"}, "b"),
        ({"name": "second"}, "b"),
        ({"name": {"$in": ["a", "second"]}}, "ab"),
        ({"name": {"$ne": "a"}}, "bcd"),
        ({"display_name": "a"}, ""),
        ({"display_name": {"$regex": "(?i)^f"}}, "ad"),
        ({"id": {"$gte": "b"}, "notes": ""}, "bd"),
        ({"state": "finished"}, "ab"),
        ({"state": {"$in": ["failed", "running"]}}, "cd"),
        ({"user": "ada"}, "abcd"),
        ({"project": {"$ne": "default"}}, ""),
        ({"created_at": {"$gt": "2020-01-01"}}, "abcd"),
        ({"finished_at": {"$exists": False}}, "d"),
        ({"finished_at": {"$not": {"$gt": "2020-01-01"}}}, "d"),
        ({"last_step": {"$lt": 0}}, "abcd"),
        ({"$or": [{"config.lr": 1}, {"tags": "x"}]}, "ac"),
        ({"$nor": [{"config.lr": 1}, {"tags": "x"}]}, "bd"),
        ({"$and": [{"state": "finished"}, {"$not": {"group": "g"}}]}, "a"),
        ({"$or": [{"notes": {"$regex": "odd"}}, {"state": "running"}]}, "cd"),
    ],
    ids=str,
)
def test_the_runs_that_meet_a_filter_are_found(shelf: Desk, filters: dict[str, Any], found: str) -> None:
    assert "".join(ids(shelf, filters)) == found
    assert "".join(sorted(ids(shelf, filters, "-summary_metrics.acc"))) == found
    assert shelf.backend.runs.list(filters=filters, limit=0, count=True).total == len(found)


def test_texts_are_found_by_their_first_256_characters(desk: Desk) -> None:
    desk.run("r", config={"prompt": "x" * 1000})
    assert ids(desk, {"config.prompt": "x" * 1000}) == ids(desk, {"config.prompt": "x" * 256}) == ["r"]
    assert ids(desk, {"config.prompt": "x" * 255}) == []


@pytest.mark.parametrize(
    "filters",
    [
        {"$or": [{"config.lr": n} for n in range(MAX_CONDITIONS)]},
        {"$nor": [{"$not": {f"config.k{n}": {"$exists": True}}} for n in range(MAX_CONDITIONS)]},
        {"tags": {"$in": [f"t{n}" for n in range(MAX_CONDITIONS)]}},
        {"config.lr": {"$in": [n / 3 for n in range(MAX_VALUES)]}},
        {"name": {"$in": [f"n{n}" for n in range(MAX_VALUES // 2)]}},
        {"$or": [{"display_name": {"$regex": str(n)}} for n in range(300, 300 + MAX_CONDITIONS)]},
    ],
    ids=["conditions", "denied", "tags", "values", "names", "patterns"],
)
def test_a_filter_as_large_as_filters_may_be_is_answered(shelf: Desk, filters: dict[str, Any]) -> None:
    for order in ("-summary_metrics.acc", "-created_at"):
        page = shelf.backend.runs.list(filters=filters, order=order, count=True)
        assert page.total == len(page.runs)


def test_a_filter_that_can_not_be_read_is_refused(desk: Desk) -> None:
    with pytest.raises(errors.InvalidFilter, match="loss"):
        desk.backend.runs.list(filters={"loss": 1})


@pytest.mark.parametrize("tag", ['"', "a, b", "[", "]", '\\"', ", ", "ü", "🙂", "%", "_", "\\"])
def test_a_tag_is_found_whatever_its_letters(desk: Desk, tag: str) -> None:
    desk.run("whole", tags=["first", tag])
    desk.run("part", tags=[f"{tag}x"])
    desk.run("none")
    assert ids(desk, {"tags": tag}) == ["whole"]


def test_changes_are_found_at_once(shelf: Desk) -> None:
    shelf.backend.runs.change("a", config={"lr": 5}, summary={"acc": 0.1}, tags=["new"])
    assert ids(shelf, {"config.lr": 5, "tags": "new"}) == ["a"]
    assert ids(shelf, {"config.opt.name": "adam"}) == []
    assert ids(shelf, order="-summary_metrics.acc") == ["c", "b", "a", "d"]


# ---- state -----------------------------------------------------------------------------------------------------


def test_a_silent_run_is_found_as_crashed_as_it_is_shown(shelf: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ids(shelf, {"state": "running"}) == ["d"]
    with later(monkeypatch, CRASHED_AFTER_S + 5):
        assert ids(shelf, {"state": "running"}) == []
        (run,) = shelf.backend.runs.list(filters={"state": "crashed"}).runs
        assert (run.id, run.state) == ("d", "crashed")
        assert ids(shelf, {"state": {"$ne": "crashed"}}) == ["a", "b", "c"]
        assert ids(shelf, {"state": {"$regex": "^cra"}}) == ["d"]
        assert ids(shelf, order="state") == ["d", "c", "b", "a"]
    assert ids(shelf, order="-state") == ["d", "b", "a", "c"]


# ---- order and pages -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ("created_at", "abcd"),
        ("-created_at", "dcba"),
        ("+summary_metrics.acc", "bcad"),
        ("-summary_metrics.acc", "acbd"),
        ("-config.lr", "cabd"),
        ("config.opt.name", "abdc"),
        ("-config.opt.name", "badc"),
        ("name", "dabc"),
        ("-name", "cbad"),
        ("group", "bdca"),
        ("-summary_metrics.nothing", "dcba"),
        ("finished_at", "abcd"),
        ("-finished_at", "cbad"),
        ("heartbeat", "dabc"),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 10])
def test_runs_come_in_order_page_by_page(shelf: Desk, order: str, found: str, size: int) -> None:
    assert "".join(by_pages(shelf, size, order=order)) == found


def test_newest_first_is_the_default(shelf: Desk) -> None:
    assert [run.id for run in shelf.backend.runs.list().runs] == ["d", "c", "b", "a"]


def test_values_that_are_no_numbers_have_their_place(desk: Desk) -> None:
    for run_id, value in {"n": NAN, "i": INF, "j": -INF, "t": "text", "o": 0.5, "l": None, "b": True}.items():
        desk.run(run_id)
        desk.backend.runs.change(run_id, summary={"m": value})
    desk.run("z")
    for size in (1, 3, 50):
        assert "".join(by_pages(desk, size, order="-summary_metrics.m")) == "ibojtnzl"
        assert "".join(by_pages(desk, size, order="+summary_metrics.m")) == "jobintzl"


def test_ties_come_newest_first_over_pages(desk: Desk) -> None:
    for n in range(12):
        desk.run(f"r{n}", config={"lr": n % 2, "name": "x"})
    for order in ("-config.lr", "config.lr", "config.name", "-state"):
        whole = ids(desk, order=order)
        assert by_pages(desk, 5, order=order) == whole
        for lr in (0, 1):
            mine = [int(run[1:]) for run in whole if int(run[1:]) % 2 == lr]
            assert mine == sorted(mine, reverse=True)


def test_a_page_tells_how_many_there_are_when_asked(shelf: Desk) -> None:
    page = shelf.backend.runs.list(limit=1, count=True)
    assert (len(page.runs), page.total, page.after is None) == (1, 4, False)
    assert shelf.backend.runs.list(limit=1).total is None


def test_runs_that_come_in_meanwhile_do_not_shift_the_pages(shelf: Desk) -> None:
    first = shelf.backend.runs.list(limit=2)
    shelf.run("e")
    second = shelf.backend.runs.list(limit=2, after=first.after)
    assert [run.id for run in (*first.runs, *second.runs)] == ["d", "c", "b", "a"]


def test_a_pattern_is_looked_for_over_pages_of_candidates(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from lineal.tracking import search

    monkeypatch.setattr(search, "_CANDIDATES", 2)
    for n in range(9):
        desk.run(f"r{n}", name="even" if n % 2 == 0 else "odd", config={"lr": n})
    filters = {"display_name": {"$regex": "^e"}}
    assert by_pages(desk, 2, filters=filters, order="-config.lr") == ["r8", "r6", "r4", "r2", "r0"]
    assert desk.backend.runs.list(filters=filters, limit=1, count=True).total == 5


@pytest.mark.parametrize("order", ["loss", "", "tags", "-"])
def test_an_order_that_is_none_is_refused(desk: Desk, order: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="sorted by"):
        desk.backend.runs.list(order=order)


@pytest.mark.parametrize("limit", [-1, 10_001])
def test_a_page_has_a_size_that_can_be(desk: Desk, limit: int) -> None:
    with pytest.raises(errors.InvalidArgument, match="page"):
        desk.backend.runs.list(limit=limit)


@pytest.mark.parametrize("after", ["x", "é", "bnVsbA", "W10", "W251bGwsMSwyLDMsNF0"])
def test_a_cursor_that_is_none_is_refused(shelf: Desk, after: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="cursor"):
        shelf.backend.runs.list(after=after)


def test_a_cursor_of_another_order_is_refused(shelf: Desk) -> None:
    after = shelf.backend.runs.list(limit=1, order="config.lr").after
    for order in ("-config.lr", "summary_metrics.acc", "created_at"):
        with pytest.raises(errors.InvalidArgument, match="cursor"):
            shelf.backend.runs.list(order=order, after=after)


# ---- projects --------------------------------------------------------------------------------------------------


def test_projects_are_kept_apart(desk: Desk) -> None:
    desk.run("a", project="vision")
    desk.run("b", project="text")
    assert ids(desk) == ["a", "b"]
    assert ids(desk, project="vision") == ids(desk, project="vision", order="-config.lr") == ["a"]
    assert ids(desk, project="vision", entity="somebody") == []
    assert ids(desk, {"project": "text"}) == ["b"]


def test_projects_are_those_with_runs_or_collections(desk: Desk) -> None:
    assert desk.backend.runs.list_projects() == []
    desk.run("a", project="vision")
    desk.log("x", "data", project="archive")
    desk.backend.artifacts.link("archive/data:v0", "registry/data")
    assert desk.backend.runs.list_projects() == ["archive", "vision"]
    assert desk.backend.runs.list_projects(entity="local") == ["archive", "vision"]
    assert desk.backend.runs.list_projects(entity="nobody") == []


# ---- deleting --------------------------------------------------------------------------------------------------


def test_a_deleted_run_is_gone_with_its_inputs_and_values(shelf: Desk) -> None:
    version = shelf.log("x")
    shelf.run("e", config={"lr": 0.2, "opt": {"name": "adam"}})
    shelf.backend.artifacts.use("data:v0", "e")
    gone = shelf.backend.runs.delete("e")
    assert (gone.id, gone.config["lr"]) == ("e", 0.2)
    assert ids(shelf, order="-config.lr") == ["c", "a", "b", "d"]
    assert shelf.backend.lineage.used_by(version.ref) == []
    for ask in (shelf.backend.runs.get, shelf.backend.runs.delete, shelf.backend.runs.list_files):
        with pytest.raises(errors.RunNotFound):
            ask("e")
    shelf.run("e", config={"lr": 2})
    assert ids(shelf, {"config.opt.name": "adam"}) == ["a"]


def test_a_run_that_made_something_stays(desk: Desk) -> None:
    desk.step("maker", (), ("data",))
    with pytest.raises(errors.RunInUse, match="1 version"):
        desk.backend.runs.delete("maker")
    assert desk.backend.runs.get("maker").id == "maker"


def test_a_run_that_others_were_forked_from_stays(desk: Desk) -> None:
    desk.run("parent")
    desk.backend.runs.append("parent", "w", 1, Batch({"history": encode([(0, 1.0, {"loss": 1})])}, 0))
    desk.run("child")
    desk.backend.runs.fork("child", "parent", 0)
    with pytest.raises(errors.RunInUse, match="child"):
        desk.backend.runs.delete("parent")
    desk.backend.runs.delete("child")
    desk.backend.runs.delete("parent")


def test_all_that_a_run_recorded_goes_with_it_and_its_bytes_with_gc(desk: Desk) -> None:
    digest = desk.push_bytes(b"a picture")
    alert = Alert("1", "Low", "too low", "warn", clock.now())
    for run_id in ("a", "b"):
        desk.run(run_id)
        rows = {"history": encode([(0, 1.0, {"loss": 1})]), "console": encode([(0, 1.0, {"stdout": "hello"})])}
        batch = Batch(rows, 0, summary={"loss": 1}, files=[RunFile("x.png", digest, 9)], alerts=[alert])
        desk.backend.runs.append(run_id, "w", 1, batch)
        desk.backend.runs.finish(run_id)
    assert [file.path for file in desk.backend.runs.list_files("a")] == ["x.png"]
    assert [one.title for one in desk.backend.runs.list_alerts("a")] == ["Low"]
    desk.backend.runs.delete("a")
    assert ids(desk, {"summary.loss": 1}) == ["b"]
    assert desk.backend.store.plan_gc(grace_s=0).blob_count == 2  # of its rows; the picture is b's too
    desk.backend.runs.delete("b")
    assert desk.backend.store.plan_gc(grace_s=0).blob_count == 5
    desk.run("a")
    assert (
        desk.backend.runs.rows("a") == desk.backend.runs.list_files("a") == desk.backend.runs.list_alerts("a") == []
    )


def test_what_is_kept_beside_a_run_is_asked_of_a_run_that_is_there(desk: Desk) -> None:
    desk.run("r")
    assert desk.backend.runs.list_files("r") == []
    assert desk.backend.runs.list_alerts("r") == []
    for ask in (desk.backend.runs.list_files, desk.backend.runs.list_alerts):
        with pytest.raises(errors.RunNotFound):
            ask("nobody")


# ---- every filter, against a filter that looks at each run ------------------------------------------------------

KEYS = ("config.a", "config.b.c", "summary.m")
VALUES = st.sampled_from([0, 1, 2.5, -1, True, False, "x", "X", "true", "1", "", None, NAN, INF])
TEXTS = st.sampled_from(["x", "X", "y", ""])


def _tests(values: st.SearchStrategy[Any], *, ordered: bool = True) -> st.SearchStrategy[Any]:
    known = values.filter(lambda v: v is not None)
    compared = known.filter(lambda v: not isinstance(v, bool) and v == v)
    one = [
        values,
        values.map(lambda v: {"$eq": v}),
        values.map(lambda v: {"$ne": v}),
        st.lists(values, max_size=3).map(lambda v: {"$in": v}),
        st.lists(values, max_size=3).map(lambda v: {"$nin": v}),
        st.booleans().map(lambda v: {"$exists": v}),
        st.sampled_from(["x", "(?i)^x$", "^$", "1|true"]).map(lambda v: {"$regex": v}),
    ]
    if ordered:
        one.append(st.tuples(st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), compared).map(lambda p: {p[0]: p[1]}))
    return st.one_of(one)


CONDITIONS = st.one_of(
    st.tuples(st.sampled_from(KEYS), _tests(VALUES)),
    st.tuples(st.sampled_from(["display_name", "group", "notes"]), _tests(TEXTS)),
    st.tuples(st.just("tags"), _tests(TEXTS, ordered=False)),
).map(lambda pair: {pair[0]: pair[1]})
FILTERS = st.recursive(
    CONDITIONS,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["$and", "$or", "$nor"]), st.lists(inner, min_size=1, max_size=3)).map(
            lambda pair: {pair[0]: pair[1]}
        ),
        inner.map(lambda f: {"$not": f}),
        st.tuples(inner, inner).map(lambda pair: pair[0] | pair[1]),
    ),
    max_leaves=5,
)
RUNS = st.lists(
    st.fixed_dictionaries(
        {"name": TEXTS, "group": TEXTS, "notes": TEXTS, "tags": st.lists(TEXTS, max_size=2, unique=True)},
        optional={"a": VALUES, "c": VALUES, "m": VALUES},
    ),
    min_size=1,
    max_size=6,
)


def meets(run: Run, filters: Mapping[str, Any]) -> bool:
    def part(key: str, value: Any) -> bool:
        if key in ("$and", "$or", "$nor"):
            found = [meets(run, inner) for inner in value]
            return all(found) if key == "$and" else any(found) if key == "$or" else not any(found)
        if key == "$not":
            return not meets(run, value)
        if not isinstance(value, Mapping):
            value = {"$eq": value}
        return all(holds(run, key, op, wanted) for op, wanted in value.items())

    return all(part(key, value) for key, value in filters.items())


def holds(run: Run, key: str, op: str, wanted: Any) -> bool:
    if op in ("$ne", "$nin"):
        return not holds(run, key, {"$ne": "$eq", "$nin": "$in"}[op], wanted)
    if op == "$in":
        return any(holds(run, key, "$eq", one) for one in wanted)
    if key == "tags":
        return held_by_tags(run.tags, op, wanted)
    if key in KEYS:
        leaves = dict(flatten(run.config, "config")) | dict(flatten(run.summary, "summary"))
        there = key in leaves
        number, text = columns(leaves.get(key))
        if op == "$exists":
            return there == wanted
        other = columns(wanted)
    else:
        number, text = None, {"display_name": run.name, "group": run.group, "notes": run.notes}[key]
        if op == "$exists" or wanted is None:
            return bool(text) == (op == "$exists" and wanted)
        other = (None, wanted)
    if op == "$regex":
        return text is not None and re.search(wanted, text) is not None
    if op == "$eq" and wanted is not None and other[1] is None:
        return number == other[0]
    if op == "$eq":
        return (number, text) == other if other[0] is not None or wanted is None else text == other[1]
    mine, theirs = (number, other[0]) if other[1] is None else (text, other[1])
    if mine is None:
        return False
    return {"$gt": mine > theirs, "$gte": mine >= theirs, "$lt": mine < theirs, "$lte": mine <= theirs}[op]


def held_by_tags(tags: tuple[str, ...], op: str, wanted: Any) -> bool:
    if op == "$exists" or wanted is None:
        return bool(tags) == (op == "$exists" and wanted)
    return any(re.search(wanted, tag) for tag in tags) if op == "$regex" else wanted in tags


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    facts=RUNS, filters=FILTERS, order=st.sampled_from(["-config.a", "summary.m", "name", "-group", "-created_at"])
)
def test_any_filter_finds_what_looking_at_each_run_would_find(
    desk: Desk, facts: list[dict[str, Any]], filters: dict[str, Any], order: str
) -> None:
    project = new_id()
    for fact in facts:
        config = {
            key: value for key, value in (("a", fact.get("a", ...)), ("b", {"c": fact.get("c")})) if value is not ...
        }
        if "c" not in fact:
            config.pop("b", None)
        more = {key: fact[key] for key in ("name", "group", "notes", "tags")}
        run = desk.backend.runs.start(new_id(), project=project, config=config, **more)
        if not fact["name"]:
            desk.backend.runs.change(run.id, name="y")
        if "m" in fact:
            desk.backend.runs.change(run.id, summary={"m": fact["m"]})
    every = desk.backend.runs.list(project=project).runs
    wanted = {run.id for run in every if meets(run, filters)}
    page = desk.backend.runs.list(project=project, filters=filters, order=order, count=True)
    assert {run.id for run in page.runs} == wanted
    assert page.total == len(wanted)
    assert sorted(by_pages(desk, 1, project=project, filters=filters, order=order)) == sorted(wanted)


def test_a_moment_may_be_given_as_one(shelf: Desk) -> None:
    created: list[datetime] = [shelf.backend.runs.get(run_id).created_at for run_id in "abcd"]
    assert ids(shelf, {"created_at": {"$gt": created[1]}}) == ["c", "d"]
    assert ids(shelf, {"created_at": created[1]}) == ["b"]


def test_of_very_many_keys_all_are_kept_and_the_first_are_found_by(desk: Desk) -> None:
    config = {f"k{number:05}": number for number in range(20_001)}
    run = desk.backend.runs.start("many", config=config)
    assert run.config == config
    assert [r.id for r in desk.backend.runs.list(filters={"config.k19999": 19_999}).runs] == ["many"]
    assert desk.backend.runs.list(filters={"config.k20000": 20_000}).runs == ()
