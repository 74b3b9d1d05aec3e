"""Lists that may grow are read page by page: `limit` and `after` of the operations that have a cursor."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from lineal.backend import operation, remote
from lineal.backend.declared import operations
from lineal.backend.port import Backend
from lineal.core import errors
from lineal.tracking.model import Alert, Batch, RunFile

from .conftest import Desk
from .test_history import say

AT = datetime(2026, 1, 2, tzinfo=UTC)
LISTS: dict[str, Callable[..., Any]] = {
    "artifacts.list_collections": lambda b, **page: b.artifacts.list_collections(**page),
    "artifacts.list_versions": lambda b, **page: b.artifacts.list_versions("default/many", **page),
    "artifacts.list_alias_events": lambda b, **page: b.artifacts.list_alias_events("default/many", **page),
    "artifacts.search": lambda b, **page: b.artifacts.search(**page),
    "runs.list_keys": lambda b, **page: b.runs.list_keys("r1", **page),
    "runs.list_files": lambda b, **page: b.runs.list_files("r1", **page),
    "sweeps.list": lambda b, **page: b.sweeps.list(**page),
    "sweeps.list_trials": lambda b, **page: b.sweeps.list_trials("s1", **page),
    "sweeps.list_agents": lambda b, **page: b.sweeps.list_agents("s1", **page),
    "runs.list_alerts": lambda b, **page: b.runs.list_alerts("r1", **page),
}
PAGED = {f"{d.noun}.{d.name}": d.operation.cursor for d in operations() if d.operation.cursor}


@pytest.fixture
def filled(desk: Desk) -> Backend:
    """Five of everything that is listed, and some of other collections and projects."""
    desk.run("r1")
    for n in range(5):
        desk.log(f"v{n}", "many")
        desk.backend.artifacts.move_alias(f"default/many:v{n}", "best")
    for project, name in (("a", "z"), ("a", "b"), ("b", "a"), ("b", "many")):
        desk.log("x", name, project=project)
    say(desk, "r1", (0, {f"k{n}": n for n in range(5)}))
    digest = desk.push_bytes(b"file")
    files = [RunFile(f"f{n}", digest, 4) for n in range(5)]
    alerts = [Alert(f"a{9 - n}", f"no {n}", "", "info", AT) for n in range(5)]
    every = {"method": "random", "parameters": {"lr": {"min": 0.0, "max": 1.0}}}
    for n in range(5):
        desk.backend.sweeps.create(f"s{n}", every)
    for n in range(5):
        desk.backend.sweeps.take("s1", f"a{9 - n}", f"t{n}")
    desk.backend.runs.append("r1", "p9", 1, Batch(files=files, alerts=alerts))
    return desk.backend


def test_every_operation_with_a_cursor_is_tested_here() -> None:
    assert PAGED.keys() == LISTS.keys()


@pytest.mark.parametrize("name", LISTS)
def test_pages_lead_through_the_whole_list_in_its_order(
    filled: Backend, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, cursor = LISTS[name], PAGED[name]
    assert cursor is not None
    whole = list(ask(filled))
    assert len(whole) >= 5
    for limit in (1, 2, len(whole), len(whole) + 1):
        found: list[Any] = []
        while page := ask(filled, limit=limit, after=cursor(found[-1]) if found else None):
            assert len(page) <= limit
            found += page
        assert found == whole
    monkeypatch.setattr(remote, "PAGE", 2)  # a client asks for less at once, and has the same in the end
    assert list(ask(filled)) == whole
    assert list(ask(filled, limit=3)) == whole[:3]


@pytest.mark.parametrize("name", LISTS)
def test_so_many_can_not_be_asked_for(filled: Backend, name: str) -> None:
    for limit in (0, -1):
        with pytest.raises(errors.InvalidArgument, match="limit"):
            LISTS[name](filled, limit=limit)


def test_a_cursor_that_can_be_none_is_refused(filled: Backend) -> None:
    for ask, wrong in (
        (filled.artifacts.list_collections, "x"),
        (filled.artifacts.list_collections, "e/p/x"),
        (lambda after: filled.artifacts.list_versions("default/many", after=after), "3"),
        (lambda after: filled.artifacts.list_alias_events("default/many", after=after), "x"),
        (lambda after: filled.artifacts.search(after=after), "p/x"),
        (lambda after: filled.sweeps.list_trials("s1", after=after), "x"),
        (lambda after: filled.sweeps.list_agents("s1", after=after), "x"),
    ):
        with pytest.raises(errors.Invalid):
            ask(after=wrong)


def test_a_page_is_not_larger_than_an_answer_may_be() -> None:
    assert operation.PAGE == 1000
