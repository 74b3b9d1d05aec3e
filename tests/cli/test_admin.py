"""Users, teams and keys from the command line."""

from __future__ import annotations

import io
import json

import pytest
from click.testing import CliRunner

from lineal.access import passwords
from lineal.cli.main import cli as command

GOOD = "correct horse battery"


@pytest.fixture
def admin(cli):
    """`lineal admin …` on a store with an admin, root, and a user, bob."""
    assert cli("admin", "user", "add", "root", "--admin").out == "root is a user now, and an admin.\n"
    assert cli("admin", "user", "add", "bob", "--email", "bob@example.org").out == "bob is a user now.\n"
    return lambda *words: cli("admin", *words)


def rows(said) -> list[list[str]]:
    return [line.split() for line in said.out.splitlines()[1:]]


def test_an_empty_store_has_nobody(cli) -> None:
    assert "lineal admin user add NAME --admin" in cli("admin", "user", "list").out
    assert cli("admin", "team", "list").out.startswith("There are no teams")
    assert cli("admin", "key", "list").out.startswith("There are no API keys")
    said = cli("admin", "user", "add", "bob")
    assert (said.code, "[conflict.last_admin]" in said.err) == (4, True)


def test_users_are_listed_changed_disabled_and_enabled(admin) -> None:
    assert [row[:4] for row in rows(admin("user", "list"))] == [
        ["bob", "person", "bob@example.org", rows(admin("user", "list"))[0][3]],
        ["root", "person", "admin", rows(admin("user", "list"))[1][3]],
    ]
    assert admin("user", "disable", "bob").out == "bob is disabled.\n"
    assert json.loads(admin("user", "list", "--json").out)[0]["disabled_at"] is not None
    assert admin("user", "enable", "bob").out == "bob is enabled.\n"
    assert json.loads(admin("user", "change", "bob", "--admin", "--json").out)["is_admin"] is True
    assert "root" in admin("user", "change", "root", "--no-admin").out
    said = admin("user", "disable", "bob")
    assert (said.code, "[conflict.last_admin]" in said.err) == (4, True)
    assert admin("user", "change", "nobody", "--admin").code == 3


def test_a_password_is_read_and_never_shown(admin, backend_rows, monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(GOOD + "\n"))
    said = admin("user", "add", "ada", "--password-stdin", "--json")
    assert json.loads(said.out)["has_password"] is True
    assert GOOD not in said.out + said.err
    assert passwords.verify(backend_rows("ada"), GOOD)
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    said = admin("user", "add", "eve", "--password-stdin")
    assert (said.code, "[invalid.password]" in said.err) == (2, True)


def test_a_password_is_asked_for_twice_without_echo(admin, backend_rows) -> None:
    words = ["admin", "user", "change", "bob", "--password"]
    answered = CliRunner().invoke(command, words, input=f"{GOOD}\n{GOOD}\n")
    assert answered.exit_code == 0
    assert GOOD not in answered.output
    assert passwords.verify(backend_rows("bob"), GOOD)


@pytest.fixture
def backend_rows():
    """The stored hash of a user's password."""

    def stored(name: str) -> str | None:
        from lineal.access import users
        from lineal.client.connection import connection

        with connection().backend.context.database.read() as session:  # type: ignore[attr-defined]
            return users.get(session, name).password_hash

    return stored


def test_a_service_has_keys_and_no_password(admin, monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(GOOD + "\n"))
    assert admin("user", "add", "ci", "--service", "--password-stdin").code == 2
    assert admin("user", "add", "ci", "--service").code == 0
    assert admin("key", "add", "nightly", "--user", "ci").code == 0


def test_teams_and_their_members(admin) -> None:
    assert admin("team", "add", "vision").code == 0
    assert rows(admin("team", "list")) == [["vision", "nobody"]]
    assert rows(admin("team", "add-member", "vision", "bob")) == [["vision", "bob", "(writer)"]]
    said = admin("team", "add-member", "vision", "root", "--role", "admin", "--json")
    assert json.loads(said.out)["members"] == {"bob": "writer", "root": "admin"}
    assert rows(admin("team", "remove-member", "vision", "bob")) == [["vision", "root", "(admin)"]]
    assert admin("team", "add", "bob").code == 4
    assert admin("team", "add-member", "vision", "bob", "--role", "boss").code == 2


def test_a_key_is_printed_once_alone_on_standard_output(admin) -> None:
    said = admin("key", "add", "laptop", "--user", "bob", "--scope", "read", "--scope", "write", "--expires", "90d")
    prefix, secret = said.out.strip().split("_")[1:]
    assert (len(prefix), len(secret)) == (12, 64)
    assert "read, write only" in said.err
    assert secret not in said.err
    listed = admin("key", "list")
    assert rows(listed)[0][:5] == [prefix, "bob", "laptop", "read,", "write"]
    assert secret not in listed.out + admin("key", "list", "--json").out
    assert admin("key", "revoke", prefix).out == f"bob's key {prefix} (laptop) no longer works.\n"
    assert "revoked" in admin("key", "list", "--user", "bob").out
    assert admin("key", "revoke", "nothing").code == 3
    assert json.loads(admin("key", "add", "x", "--user", "bob", "--json").out)["secret"].startswith("lnl_")
    said = admin("key", "add", "mine")
    assert (said.code, "say whose" in said.err) == (2, True)
