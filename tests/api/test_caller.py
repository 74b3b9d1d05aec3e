"""Who asks, and with which defaults."""

import pytest

from lineal.backend.local.backend import LocalBackend
from tests.api.conftest import Ask


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
    assert (
        backend.served_to(None, entity="e", project=None, host="h", user="a").context.manifests
        is backend.context.manifests
    )
