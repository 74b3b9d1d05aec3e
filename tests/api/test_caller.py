"""Who asks, and with which defaults."""

from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import event

from lineal.api.app import create_app
from lineal.backend.local.backend import LocalBackend
from lineal.core import clock
from tests.api.conftest import Ask, asking

Keys = Callable[..., dict[str, str]]


def start(ask: Ask, run_id: str, headers: dict[str, str | bytes]) -> dict:
    answer = ask("POST", "/api/v1/runs", json={"run_id": run_id}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_what_the_caller_says_of_itself_stands_in_for_the_servers_own(ask: Ask) -> None:
    said = {"Lineal-Entity": "team", "Lineal-Project": "p", "Lineal-User": "grace", "Lineal-Host": "box"}
    run = start(ask, "r1", said)
    assert (run["entity"], run["project"], run["user"], run["host"]) == ("team", "p", "grace", "box")


def test_without_a_word_the_servers_entity_and_the_default_project_are_meant(ask: Ask, backend: LocalBackend) -> None:
    run = start(ask, "r1", {})
    assert (run["entity"], run["project"]) == (backend.context.entity, "default")


def test_names_beyond_ascii_pass(ask: Ask) -> None:
    assert start(ask, "r1", {"Lineal-User": "Zoë".encode(), "Lineal-Host": "台".encode()})["user"] == "Zoë"


@pytest.mark.parametrize("name", ["../x", "a b", "x" * 200, "a/b"])
@pytest.mark.parametrize("header", ["Lineal-Entity", "Lineal-Project"])
def test_a_name_that_is_none_is_refused(ask: Ask, header: str, name: str) -> None:
    answer = ask("GET", "/api/v1/projects", headers={header: name})
    assert answer.json()["error"]["code"] == "invalid.name"


def test_all_callers_share_what_the_server_remembers(backend: LocalBackend) -> None:
    asked = {"entity": "local", "project": None, "host": "box", "user": "a"}
    assert backend.served_to(None, **asked).context.manifests is backend.context.manifests


# ---- keys ----------------------------------------------------------------------------------------------------


def code(answer: httpx.Response) -> str:
    return "" if answer.is_success else answer.json()["error"]["code"]


def test_whoever_has_a_key_acts_under_their_own_name_whatever_they_say(ask: Ask, key: Keys) -> None:
    run = start(ask, "r1", key("ada") | {"Lineal-User": "grace", "Lineal-Host": "box"})
    assert (run["user"], run["host"]) == ("ada", "box")


@pytest.mark.parametrize(
    ("said", "entity"), [({}, "ada"), ({"Lineal-Entity": "local"}, "ada"), ({"Lineal-Entity": "vision"}, "vision")]
)
def test_an_entity_that_nobody_chose_is_the_callers_own(ask: Ask, key: Keys, said: dict, entity: str) -> None:
    assert start(ask, "r1", key("ada") | said)["entity"] == entity


def test_a_store_with_a_user_must_know_who_asks(ask: Ask, key: Keys) -> None:
    assert ask("GET", "/api/v1/projects").status_code == 200
    headers = key("ada")
    answer = ask("GET", "/api/v1/projects")
    assert (answer.status_code, code(answer)) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "lineal login" in answer.json()["error"]["message"]
    assert ask("GET", "/api/v1/projects", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "given",
    [
        "",
        "Bearer",
        "Bearer  ",
        "Bearer lnl_x",
        "Bearer lnl_aaaaaaaaaaaa_" + "0" * 64,
        "Bearer " + "x" * 5000,
        "Basic YWRhOmFkYQ==",
        "Token t",
        "Bearer é".encode(),
    ],
)
def test_what_is_no_key_of_a_user_is_refused(ask: Ask, key: Keys, given: str | bytes) -> None:
    key("ada")
    answer = ask("GET", "/api/v1/projects", headers={"Authorization": given})
    assert answer.status_code == 401
    assert code(answer) in ("unauthenticated", "unauthenticated.key")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_key_that_belongs_to_another_store_is_refused_by_an_open_one_too(ask: Ask) -> None:
    answer = ask("GET", "/api/v1/projects", headers={"Authorization": "Bearer lnl_aaaaaaaaaaaa_" + "0" * 64})
    assert code(answer) == "unauthenticated.key"


def test_f8_a_revoked_key_and_a_disabled_user_are_out_at_once(ask: Ask, key: Keys, backend: LocalBackend) -> None:
    key("root")
    lost, mine = key("ada"), key("ada")
    for headers in (lost, mine):
        assert ask("GET", "/api/v1/projects", headers=headers).status_code == 200
    backend.access.revoke_key(lost["Authorization"].split("_")[1])
    assert code(ask("GET", "/api/v1/projects", headers=lost)) == "unauthenticated.key"
    assert ask("GET", "/api/v1/projects", headers=mine).status_code == 200
    backend.access.change_user("ada", disabled=True)
    assert code(ask("GET", "/api/v1/projects", headers=mine)) == "unauthenticated.key"


def test_an_expired_key_is_refused(ask: Ask, key: Keys, backend: LocalBackend, monkeypatch) -> None:
    key("root")
    headers = key("ada", expires_in_s=60)
    assert ask("GET", "/api/v1/projects", headers=headers).status_code == 200
    later = clock.now() + timedelta(seconds=61)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert code(ask("GET", "/api/v1/projects", headers=headers)) == "unauthenticated.key"


def test_that_a_key_was_used_is_noted(ask: Ask, key: Keys, backend: LocalBackend) -> None:
    headers = key("ada")
    ask("GET", "/api/v1/projects", headers=headers)
    (found,) = backend.access.list_keys()
    assert found.last_used_at is not None


def test_who_asks_costs_one_query_and_nobody_none(ask: Ask, key: Keys, backend: LocalBackend) -> None:
    headers = key("ada")
    for _ in range(2):
        ask("GET", "/api/v1/store", headers=headers)
        ask("GET", "/api/v1/store")
    asked: list[str] = []
    listening = backend.context.database._engine, "before_cursor_execute", lambda *given: asked.append(given[2])
    event.listen(*listening)
    ask("GET", "/nowhere", headers=headers)
    assert len(asked) == 1
    ask("GET", "/nowhere")
    assert len(asked) == 1
    event.remove(*listening)


FORGED = {
    "X-Forwarded-For": "1.2.3.4",
    "Forwarded": "for=1.2.3.4",
    "X-Real-IP": "1.2.3.4",
    "Via": "1.1 1.2.3.4",
    "True-Client-IP": "1.2.3.4",
}


def test_e4_the_address_is_the_peers_whatever_the_request_says(key: Keys, backend: LocalBackend) -> None:
    asked = asking(create_app(backend), peer="10.1.2.3")
    answer = asked("POST", "/api/v1/access/teams", json={"name": "vision"}, headers=key("ada") | FORGED)
    row = backend.access.audit_log(subject="team:vision").rows[0]
    assert (row.user, row.address, row.request_id) == ("ada", "10.1.2.3", answer.headers["X-Request-Id"])


@pytest.mark.parametrize("header", ["X-Remote-User", "Remote-User", "X-Forwarded-User", "X-Auth-Request-User"])
def test_f9_a_name_in_a_header_is_nobody(ask: Ask, key: Keys, header: str) -> None:
    key("ada")
    assert code(ask("GET", "/api/v1/projects", headers={header: "ada"})) == "unauthenticated"


def test_the_access_log_is_told_the_name_and_the_keys_prefix(key: Keys, backend: LocalBackend) -> None:
    app, told = create_app(backend), {}

    async def looking(scope, receive, send) -> None:
        await app(scope, receive, send)
        told.update(scope["state"])

    headers = key("ada")
    asking(looking)("GET", "/api/v1/projects", headers=headers)
    assert (told["caller"].name, told["caller"].key_prefix) == ("ada", headers["Authorization"].split("_")[1])


def test_a_limited_key_is_its_limits(key: Keys, ask: Ask) -> None:
    me = ask("GET", "/api/v1/access/me", headers=key("ada", scopes=["read"])).json()
    assert (me["name"], me["scopes"]) == ("ada", ["read"])
