"""What `lineal server` refuses before it listens, and what it says of itself. That it serves is in journeys/."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lineal.access import users
from lineal.backend.connect import connect
from lineal.backend.local.backend import LocalBackend
from lineal.cli import server as module
from lineal.core import clock, settings


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOST", "PORT", "WORKERS", "NAMES", "TRUSTED_PROXIES", "METRICS_FROM"):
        monkeypatch.delenv(f"LINEAL_SERVER_{name}", raising=False)


@pytest.fixture
def peopled(tmp_path: Path) -> Path:
    """A store that has a user."""
    backend = connect(settings.load(tmp_path, url=str(tmp_path / "store")))
    assert isinstance(backend, LocalBackend)
    with backend.context.database.begin() as session:
        users.add(session, "ada", at=clock.now(), admin=True)
    backend.close()
    return tmp_path / "store"


@pytest.mark.parametrize(
    "options",
    [("--host", "0.0.0.0"), ("--host", "::"), ("--name", "lineal.example.org"), ("--trusted-proxy", "127.0.0.1")],
)
def test_a_store_without_users_is_served_to_this_machine_only(
    cli: Callable[..., Any], tmp_path: Path, options
) -> None:
    said = cli("server", "--db", tmp_path / "store", "--port", "0", *options)
    assert said.code == 2
    assert "lineal admin user add" in said.err
    assert "[invalid.settings]" in said.err


@pytest.mark.parametrize(
    "options",
    [
        ("--port", "http"),
        ("--port", "70000"),
        ("--workers", "0"),
        ("--name", "http://x"),
        ("--trusted-proxy", "proxy"),
        ("--metrics-from", "10.0.0.1/8"),
        ("--stop-within", "soon"),
        ("--max-upload", "much"),
        ("--db", "https://lineal.example.org"),
        ("--db", "memory:", "--workers", "2"),
        ("--host", "203.0.113.9"),
    ],
)
def test_what_makes_no_sense_is_refused(cli: Callable[..., Any], peopled: Path, options) -> None:
    said = cli("server", "--db", peopled, *options)
    assert said.code == 2
    assert "[invalid." in said.err


def test_commands_for_upkeep_are_in_the_same_group(cli: Callable[..., Any]) -> None:
    said = cli("server", "--help")
    assert {"migrate", "backup", "restore"} <= set(said.out.split())
    assert module.server.name == "server"
