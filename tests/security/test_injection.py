"""Texts that would be SQL or patterns if anybody took them for such (G8), on both databases."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineal.api.app import create_app
from lineal.backend.connect import connect
from lineal.backend.local.backend import LocalBackend
from lineal.core import settings
from tests.api.conftest import asking
from tests.security.asking import API, asked, texts, value_for

HOSTILE = [
    "' OR '1'='1",
    "x'; DROP TABLE runs; --",
    '") OR 1=1 --',
    "x' UNION SELECT hash FROM api_keys --",
    "$.a'||pg_sleep(30)||'",
    "%' ESCAPE '\\",
    "{{7*7}}%(x)s:name?1",
    "\\'; SELECT 1",
]


@pytest.fixture(params=["folder", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalBackend]:
    url, more = str(tmp_path / "store"), {}
    if request.param == "postgres":
        url, more = request.getfixturevalue("postgres_url"), {"store": url}
    opened = connect(settings.load(tmp_path, url=url, user="ada", **more))
    assert isinstance(opened, LocalBackend)
    yield opened
    opened.close()


@pytest.mark.parametrize("text", HOSTILE)
def test_g8_no_text_in_any_parameter_is_taken_for_sql(store: LocalBackend, text: str) -> None:
    ask = asking(create_app(store))
    store.runs.start("r1", config={"lr": 0.1}, project="p")
    store.runs.start("secret", config={"lr": 0.2}, project="q")
    for declared, name in texts():
        answer = asked(ask, declared, **{name: value_for(declared, name, text)})
        assert answer.status_code < 500, (declared.noun, declared.name, name, answer.text[:300])
    for filters in (
        {text: 1},
        {f"config.{text}": 1},
        {"config.lr": text},
        {"name": {"$regex": re.escape(text)}},
        {text: {text: text}},
    ):
        answer = ask("POST", f"{API}/runs/search", json={"filters": filters, "project": "q"})
        assert answer.status_code in (200, 422), answer.text[:300]
        assert answer.status_code == 422 or answer.json()["runs"] == [], (filters, answer.text)
    for order in (text, f"+{text}", f"-config.{text}", f"+summary_metrics.{text}"):
        answer = ask("POST", f"{API}/runs/search", json={"order": order, "project": "q"})
        assert answer.status_code in (200, 422), answer.text[:300]
        assert answer.status_code == 422 or [run["id"] for run in answer.json()["runs"]] == ["secret"], answer.text
    for query in ({"user": text}, {"operation": text}, {"subject": text}, {"outcome": text}):
        answer = ask("GET", f"{API}/access/audit", params=query)
        assert answer.status_code == 422 or answer.json()["rows"] == [], (query, answer.text[:300])
    assert store.runs.get("secret").config == {"lr": 0.2}
    assert store.store.fsck().problems == ()
