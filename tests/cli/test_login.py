"""Signing in from the command line."""

from __future__ import annotations

import io
import json

import pytest

from lineal.core import credentials

URL = "http://127.0.0.1:9"  # nobody listens there


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch):
    def typed_(text: str) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(text))

    return typed_


def test_a_key_that_can_not_be_checked_is_not_kept(cli, typed) -> None:
    typed("lnl_a_secret\n")
    said = cli("login", URL, "--key-stdin")
    assert said.code not in (0, 1)
    assert "lnl_a_secret" not in said.out + said.err
    assert credentials.find(URL) is None
    credentials.keep(URL, "lnl_former_1")
    typed("lnl_a_secret\n")
    assert cli("login", URL, "--key-stdin").code != 0
    assert credentials.find(URL) == "lnl_former_1"


def test_no_key_is_refused(cli, typed) -> None:
    typed("\n")
    said = cli("login", URL, "--key-stdin")
    assert (said.code, "no API key was given" in said.err) == (2, True)


def test_only_a_server_is_logged_in_to(cli, typed) -> None:
    typed("lnl_a_secret\n")
    for words in (("login", "--key-stdin"), ("login", "somewhere", "--key-stdin"), ("logout",)):
        said = cli(*words)
        assert (said.code, "[invalid.settings]" in said.err) == (2, True)


def test_a_key_in_the_environment_would_win_and_is_told(cli, typed, monkeypatch) -> None:
    monkeypatch.setenv("LINEAL_API_KEY", "lnl_other_1")
    typed("lnl_a_secret\n")
    said = cli("login", URL, "--key-stdin")
    assert (said.code, "LINEAL_API_KEY is set" in said.err) == (2, True)


def test_a_key_on_its_way_in_clear_is_told(cli, typed) -> None:
    for url, told in (("http://lineal.invalid", True), (URL, False), ("http://localhost:9", False)):
        typed("\n")
        assert ("not https" in cli("login", url, "--key-stdin").err) == told


def test_logout_forgets_the_key(cli) -> None:
    credentials.keep(URL, "lnl_a_1")
    assert cli("logout", URL).out == f"The key for {URL} is forgotten.\n"
    assert cli("--url", URL, "logout").out == f"No key was kept for {URL}.\n"


def test_who_am_i_at_a_store_of_ones_own(cli, place) -> None:
    assert cli("whoami").out == f"ada at {place.store}, an admin\n"
    assert json.loads(cli("whoami", "--json").out)["is_admin"] is True
