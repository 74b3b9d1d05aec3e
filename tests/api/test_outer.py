"""What surrounds every request."""

import pytest

from lineal.api.app import create_app
from lineal.backend.local.backend import LocalBackend
from tests.api.conftest import Ask, asking


def test_every_answer_has_an_id_of_its_own_and_keeps_browsers_from_guessing(ask: Ask) -> None:
    first, second = ask("GET", "/health"), ask("GET", "/api/v1/projects")
    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]
    for answer in (first, second, ask("GET", "/nowhere")):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("host", ["evil.test", "evil.test:80", "localhost.evil.test", "127.0.0.1.evil.test", ""])
@pytest.mark.parametrize("path", ["/api/v1/projects", "/api/v1/openapi.json", "/nowhere"])
def test_a_name_that_is_not_the_servers_is_refused_with_a_way_out(ask: Ask, host: str, path: str) -> None:
    answer = ask("GET", path, headers={"Host": host})
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "forbidden.host"
    assert "--name" in answer.json()["error"]["message"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8000", "LOCALHOST", "[::1]:80", "[::1]"])
def test_the_servers_own_names_are_heard_with_and_without_port(ask: Ask, host: str) -> None:
    assert ask("GET", "/api/v1/projects", headers={"Host": host}).status_code == 200


def test_whether_the_server_is_well_may_be_asked_by_any_name(ask: Ask) -> None:
    assert ask("GET", "/health", headers={"Host": "10.0.0.7"}).json()["status"] == "ok"
    assert ask("GET", "/ready", headers={"Host": "10.0.0.7"}).json() == {"status": "ready"}


def test_names_that_are_given_take_the_place_of_the_loopbacks(backend: LocalBackend) -> None:
    asked = asking(create_app(backend, hosts=["lineal.test"]))
    assert asked("GET", "http://lineal.test/api/v1/projects").status_code == 200
    assert asked("GET", "http://localhost/api/v1/projects").status_code == 403
