"""Projects, roles, protected aliases and the record from the command line."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def admin(cli):
    """`lineal admin …` on a store with an admin, root, a user, bob, and a team, vision."""
    for words in (("user", "add", "root", "--admin"), ("user", "add", "bob"), ("team", "add", "vision")):
        assert cli("admin", *words).code == 0
    return lambda *words: cli("admin", *words)


def rows(said) -> list[list[str]]:
    return [line.split() for line in said.out.splitlines()[1:]]


def test_who_may_read_a_project(admin) -> None:
    assert admin("project", "list").out == "There are no projects.\n"
    assert admin("project", "visibility", "vision/digits", "public").out == "vision/digits is public now.\n"
    assert rows(admin("project", "list"))[0][:2] == ["vision/digits", "public"]
    assert json.loads(admin("project", "list", "--json").out)[0]["path"] == "vision/digits"
    assert admin("project", "visibility", "vision/digits", "open").code == 2
    assert admin("project", "visibility", "a/b/c/d", "team").code == 2


def test_roles_are_granted_and_taken_back(admin) -> None:
    assert admin("role", "list").out == "No role was granted.\n"
    said = admin("role", "grant", "vision/digits", "writer", "--user", "bob")
    assert said.out == "bob is writer in vision/digits now.\n"
    said = admin("role", "grant", "vision/registry/best", "maintainer", "--team", "vision")
    assert said.out == "vision is maintainer in vision/registry/best now.\n"
    assert rows(admin("role", "list")) == [
        ["vision/digits", "user", "bob", "writer"],
        ["vision/registry/best", "team", "vision", "maintainer"],
    ]
    assert len(json.loads(admin("role", "list", "vision/digits", "--json").out)) == 1
    said = admin("role", "revoke", "vision/digits", "--user", "bob")
    assert said.out == "bob is no longer writer in vision/digits by a grant.\n"
    assert admin("role", "revoke", "vision/digits", "--user", "bob").code == 3
    assert admin("role", "grant", "vision/digits", "writer").code == 2
    assert admin("role", "grant", "vision/digits", "writer", "--user", "eve").code == 3


def test_aliases_are_protected(admin) -> None:
    assert admin("alias", "list").out == "No alias is protected.\n"
    said = admin("alias", "protect", "vision/digits", "prod*")
    assert said.out == "prod* in vision/digits is moved by maintainers only.\n"
    assert admin("alias", "protect", "vision/digits/model", "best", "--role", "admin").code == 0
    assert rows(admin("alias", "list", "vision/digits"))[0] == ["vision/digits", "prod*", "maintainer"]
    assert json.loads(admin("alias", "list", "--json").out)[1]["path"] == "vision/digits/model"
    said = admin("alias", "unprotect", "vision/digits", "prod*")
    assert said.out == "prod* in vision/digits is no longer protected.\n"
    assert admin("alias", "unprotect", "vision/digits", "prod*").code == 3
    assert admin("alias", "protect", "vision/digits", "[ab]").code == 2


def test_the_record_is_listed_newest_first(cli, admin) -> None:
    admin("role", "grant", "vision/digits", "writer", "--user", "bob")
    admin("role", "grant", "vision/digits", "admin", "--user", "bob")
    lines = cli("audit-log").out.splitlines()
    assert "access.grant" in lines[1]
    assert '{"user:bob": "writer"} → {"user:bob": "admin"}' in lines[1]
    assert "access.add_user" in lines[-1]
    found = json.loads(cli("audit-log", "--subject", "vision/digits", "--json").out)
    assert [row["operation"] for row in found] == ["access.grant"] * 2
    assert len(cli("audit-log", "--limit", "1").out.splitlines()) == 2
    assert cli("audit-log", "--refused").out == "Nothing of that kind is on record.\n"
    assert cli("audit-log", "--user", "eve", "--since", "2026-01-01").out == "Nothing of that kind is on record.\n"
    assert cli("audit-log", "--since", "yesterday").code == 2
    assert cli("audit-log", "--limit", "0").code == 2


def test_a_long_record_is_read_to_the_end(cli, admin, monkeypatch) -> None:
    from lineal.cli import admin_roles

    monkeypatch.setattr(admin_roles, "_PAGE", 2)
    found = json.loads(cli("audit-log", "--limit", "9", "--json").out)
    assert [row["operation"] for row in found] == ["access.add_team", "access.add_user", "access.add_user"]
