"""lineal server migrate."""

from __future__ import annotations

import json

import pytest

from lineal.db.schema import FORMAT
from tests.formats import bring_folder


@pytest.fixture
def former(place):
    bring_folder(1, place.store)
    return place.store


def test_a_check_tells_and_changes_nothing(cli, former):
    for _ in range(2):
        said = cli("server", "migrate", "--check", "--url", former)
        assert said.code == 7
        assert "format 1" in said.err
        assert "unavailable.older_format" in said.err


def test_a_store_is_upgraded_once(cli, former):
    said = cli("server", "migrate", "--url", former)
    assert (said.code, said.out) == (0, f"Upgraded from format 1 to {FORMAT}.\n")
    for words in (("migrate",), ("migrate", "--check")):
        said = cli("server", *words, "--url", former)
        assert (said.code, said.out) == (0, f"The store has format {FORMAT}.\n")


def test_programs_are_told_as_json_and_the_url_may_stand_before_the_command(cli, former):
    said = cli("--url", former, "server", "migrate", "--json")
    assert json.loads(said.out) == {"before": 1, "now": FORMAT}
