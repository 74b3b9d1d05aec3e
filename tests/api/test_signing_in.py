"""Signing in for people, by a browser that keeps cookies, at a real server."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from statistics import median

import httpx
import pytest

from lineal.access import sessions
from lineal.api.app import create_app
from lineal.api.signing_in import check_local
from lineal.backend.local.backend import LocalBackend
from lineal.core import clock
from lineal.core.errors import InvalidArgument
from tests import server
from tests.api.conftest import Ask, asking

PASSWORD = "four words are enough"
OTHER = "five words are enough too"
SESSION = "/api/v1/session"
Open = Callable[[], httpx.Client]


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Open]:
    """Opens a browser, without cookies, at a server that knows ada, an admin, and bob."""
    url = server.start(tmp_path / "served")
    access = server.served().access
    access.add_user("ada", admin=True, password=PASSWORD)
    access.add_user("bob", password=OTHER)
    opened: list[httpx.Client] = []

    def open_() -> httpx.Client:
        opened.append(httpx.Client(base_url=url, headers={"Sec-Fetch-Site": "same-origin", "Origin": url}))
        return opened[-1]

    yield open_
    for client in opened:
        client.close()
    server.stop()


def sign_in(client: httpx.Client, name: str = "ada", password: str = PASSWORD) -> httpx.Response:
    body = json.dumps({"name": name, "password": password})
    answer = client.post(SESSION, content=body, headers={"Content-Type": "application/json"})
    if answer.is_success:
        client.headers["X-Lineal-CSRF"] = answer.json()["csrf"]
    return answer


def code(answer: httpx.Response) -> str:
    return "" if answer.is_success else answer.json()["error"]["code"]


def test_who_signs_in_is_known_until_they_sign_out(browser: Open) -> None:
    client = browser()
    assert client.get(SESSION).json() == {"user": None, "csrf": None, "ways": ["password"]}
    assert code(client.get("/api/v1/projects")) == "unauthenticated"
    answer = sign_in(client)
    assert answer.status_code == 200
    found = client.get(SESSION).json()
    assert found["user"] == {"name": "ada", "is_admin": True, "key_prefix": ""}
    assert found["csrf"] == answer.json()["csrf"]
    assert client.post("/api/v1/runs", json={"run_id": "r1"}).json()["user"] == "ada"
    assert client.delete(SESSION).status_code == 204
    assert not client.cookies
    assert code(client.get("/api/v1/projects")) == "unauthenticated"


def test_a_session_that_was_signed_out_of_is_over_for_whoever_kept_its_cookie(browser: Open) -> None:
    client, other = browser(), browser()
    sign_in(client)
    other.cookies.update(client.cookies)
    assert other.get("/api/v1/projects").status_code == 200
    client.delete(SESSION)
    assert code(other.get("/api/v1/projects")) == "unauthenticated.session"
    assert other.get(SESSION).json()["user"] is None


def test_the_cookie_is_read_by_no_script_and_sent_to_no_other_site(browser: Open) -> None:
    said = sign_in(browser()).headers["Set-Cookie"].lower()
    assert said.startswith("lineal=")
    assert {part.strip() for part in said.split(";")} >= {"httponly", "samesite=strict", "path=/"}


def test_e2_what_a_session_changes_needs_its_own_token(browser: Open) -> None:
    client, other = browser(), browser()
    sign_in(client)
    sign_in(other, "bob", OTHER)
    for wrong in ("", "x", other.headers["X-Lineal-CSRF"], client.cookies["lineal"]):
        answer = client.post("/api/v1/runs", json={"run_id": "r1"}, headers={"X-Lineal-CSRF": wrong})
        assert (answer.status_code, code(answer)) == (403, "forbidden.csrf")
    alien = {"Origin": "http://evil.test", "Sec-Fetch-Site": "cross-site"}
    assert code(client.post("/api/v1/runs", json={"run_id": "r1"}, headers=alien)) == "forbidden.csrf"
    assert code(client.delete(SESSION, headers={"X-Lineal-CSRF": ""})) == "forbidden.csrf"
    assert client.get("/api/v1/runs/r1").status_code == 404
    assert client.post("/api/v1/runs", json={"run_id": "r1"}).status_code == 200


def test_e2_another_sites_page_signs_nobody_in(browser: Open) -> None:
    facts = {"name": "ada", "password": PASSWORD}
    client = browser()
    assert code(client.post(SESSION, json=facts, headers={"Origin": "http://evil.test"})) == "forbidden.csrf"
    assert code(client.post(SESSION, data=facts)) == "forbidden.csrf"
    assert not client.cookies


def test_each_signing_in_is_a_new_session_and_ends_the_one_before(browser: Open) -> None:
    client, thief = browser(), browser()
    chosen = {"Cookie": "lineal=chosen-by-somebody"}
    client.post(SESSION, json={"name": "ada", "password": PASSWORD}, headers=chosen)
    first = client.cookies["lineal"]
    assert first != "chosen-by-somebody"
    thief.cookies.set("lineal", first)
    sign_in(client)
    assert client.cookies["lineal"] != first
    assert code(thief.get("/api/v1/projects")) == "unauthenticated.session"


def test_f8_a_new_password_ends_all_sessions(browser: Open) -> None:
    client, other = browser(), browser()
    sign_in(client)
    sign_in(other)
    changed = client.put("/api/v1/access/me/password", json={"current": PASSWORD, "new": OTHER})
    assert changed.status_code == 200
    assert code(other.get("/api/v1/projects")) == "unauthenticated.session"
    assert code(sign_in(browser())) == "unauthenticated.login"
    assert sign_in(browser(), password=OTHER).status_code == 200


def test_f8_a_disabled_user_is_out_at_once_and_told_nothing(browser: Open) -> None:
    client = browser()
    sign_in(client, "bob", OTHER)
    server.served().access.change_user("bob", disabled=True)
    assert client.get("/api/v1/projects").status_code == 401
    refused, wrong = sign_in(browser(), "bob", OTHER), sign_in(browser(), "bob", "wrong wrong wrong")
    assert refused.json() == wrong.json()


def test_f8_a_name_that_nobody_has_is_refused_in_the_same_words_and_time(browser: Open, monkeypatch) -> None:
    monkeypatch.setattr("lineal.access.attempts.PER_ADDRESS", 1000)
    monkeypatch.setattr("lineal.access.attempts.PER_NAME", 1000)
    client = browser()
    took: dict[str, list[float]] = {"ada": [], "nobody": []}
    for _ in range(7):
        for name, times in took.items():
            began = time.perf_counter()
            answer = sign_in(client, name, "wrong wrong wrong")
            times.append(time.perf_counter() - began)
            assert answer.json() == {
                "error": {
                    "code": "unauthenticated.login",
                    "message": "that name and that password don't go together",
                    "details": {},
                }
            }
    known, unknown = median(took["ada"]), median(took["nobody"])
    assert 0.4 < known / unknown < 2.5  # without the hash of nobody's it is some 20


def test_f8_five_wrong_passwords_are_enough_for_a_while(browser: Open) -> None:
    client = browser()
    for _ in range(5):
        assert code(sign_in(client, password="wrong wrong wrong")) == "unauthenticated.login"
    for forged in ({}, {"X-Forwarded-For": "1.2.3.4"}, {"Forwarded": "for=1.2.3.4"}):
        client.headers.update(forged)
        answer = sign_in(client)
        assert (answer.status_code, code(answer)) == (429, "unavailable.too_many_attempts")
        assert 0 < int(answer.headers["Retry-After"]) <= 300
    assert sign_in(client, "bob", OTHER).status_code == 200


def test_who_signed_in_and_who_failed_is_on_record_without_what_was_typed(browser: Open, caplog) -> None:
    with caplog.at_level(logging.DEBUG):
        sign_in(browser())
        sign_in(browser(), "bob", PASSWORD)
        sign_in(browser(), OTHER.replace(" ", ""), "x")
    rows = server.served().access.audit_log(operation="session.sign_in").rows
    told = [(row.user, row.subject, row.outcome, row.address) for row in rows]
    assert told == [
        ("", "user:", "refused", "127.0.0.1"),
        ("", "user:bob", "refused", "127.0.0.1"),
        ("ada", "user:ada", "done", "127.0.0.1"),
    ]
    for secret in (PASSWORD, OTHER.replace(" ", "")):
        assert secret not in caplog.text + repr(rows)


def test_a_session_that_is_used_lasts_longer(browser: Open, monkeypatch) -> None:
    client = browser()
    sign_in(client)
    asked = asking(create_app(server.served()))  # which answers once all is noted, where a server answers before
    cookie = {"Cookie": f"lineal={client.cookies['lineal']}"}
    began = clock.now()
    for days in range(13, 90, 13):
        monkeypatch.setattr(clock, "now", lambda days=days: began + timedelta(days=days))
        assert asked("GET", "/api/v1/projects", headers=cookie).status_code == 200
    monkeypatch.setattr(clock, "now", lambda: began + timedelta(seconds=sessions.LONGEST_S + 60))
    assert code(asked("GET", "/api/v1/projects", headers=cookie)) == "unauthenticated.session"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"name": "ada"}', b'{"name": "ada", "password": 1}', b"[" * 9999]
)
def test_a_body_that_can_not_be_right_is_refused_and_not_repeated(browser: Open, body: bytes) -> None:
    answer = browser().post(SESSION, content=body, headers={"Content-Type": "application/json"})
    assert code(answer) == "invalid.argument"


def test_a_body_from_nobody_may_not_be_large(browser: Open) -> None:
    assert code(sign_in(browser(), password="x" * 20_000)) == "invalid.argument"


@pytest.mark.parametrize("name", ["", "a b", "ad\0a", "\ud800", "a" * 10_000, "Ada", "ada "])
def test_what_is_no_name_signs_nobody_in(browser: Open, name: str) -> None:
    assert code(sign_in(browser(), name)) == "unauthenticated.login"


# ---- the set-up token ----------------------------------------------------------------------------------------


@pytest.fixture
def new(tmp_path: Path) -> Iterator[httpx.Client]:
    """A browser at a server that has no users."""
    with httpx.Client(base_url=server.start(tmp_path / "served")) as client:
        yield client
    server.stop()


def facts(token: object, password: str = PASSWORD) -> dict[str, object]:
    return {"token": token, "name": "ada", "password": password}


def test_f1_a_new_server_has_no_password_at_all(new: httpx.Client) -> None:
    assert new.get(SESSION).json()["ways"] == ["setup"]
    for name in ("admin", "root", "lineal", "local"):
        assert code(sign_in(new, name, "password1234")) == "unauthenticated.login"
    assert server.served().access.list_users() == []


def test_f1_the_set_up_token_makes_the_first_admin_once(new: httpx.Client) -> None:
    token = server.served().signing_in.set_up_token()
    for wrong in ("", "x", f"{token}x"):
        assert code(new.post("/api/v1/setup", json=facts(wrong))) == "unauthenticated.login"
    assert code(new.post("/api/v1/setup", json=facts(token, "short"))) == "invalid.password"
    assert new.post("/api/v1/setup", json=facts(token)).status_code == 200
    assert new.get(SESSION).json()["user"] == {"name": "ada", "is_admin": True, "key_prefix": ""}
    new.cookies.clear()
    assert code(new.post("/api/v1/setup", json={**facts(token), "name": "eve"})) == "conflict.already_set_up"
    assert code(new.get("/api/v1/projects")) == "unauthenticated"
    assert server.served().signing_in.set_up_token() is None


def test_f1_without_a_token_that_was_made_there_is_none(new: httpx.Client) -> None:
    for token in ("", "None", "null"):
        assert code(new.post("/api/v1/setup", json=facts(token))) == "unauthenticated.login"


def test_f1_only_the_last_token_counts(new: httpx.Client) -> None:
    first, last = (server.served().signing_in.set_up_token() for _ in range(2))
    assert code(new.post("/api/v1/setup", json=facts(first))) == "unauthenticated.login"
    assert new.post("/api/v1/setup", json=facts(last)).status_code == 200


def test_f1_set_up_tokens_can_not_be_tried_at_will(new: httpx.Client) -> None:
    token = server.served().signing_in.set_up_token()
    for _ in range(5):
        assert code(new.post("/api/v1/setup", json=facts("wrong"))) == "unauthenticated.login"
    answer = new.post("/api/v1/setup", json=facts(token))
    assert (answer.status_code, "Retry-After" in answer.headers) == (429, True)


# ---- where one may sign in -----------------------------------------------------------------------------------


def test_over_https_the_cookie_is_the_hosts_alone(backend: LocalBackend) -> None:
    backend.access.add_user("ada", admin=True, password=PASSWORD)
    asked = asking(create_app(backend, hosts=["lineal.test"]))
    answer = asked("POST", f"https://lineal.test{SESSION}", json={"name": "ada", "password": PASSWORD})
    said = answer.headers["Set-Cookie"]
    assert said.startswith("__Host-lineal=")
    assert "; secure" in said.lower()
    token = said.split(";")[0].partition("=")[2]
    for cookie, status in ((f"__Host-lineal={token}", 200), (f"lineal={token}", 401)):
        found = asked("GET", "https://lineal.test/api/v1/projects", headers={"Cookie": cookie})
        assert found.status_code == status


@pytest.mark.parametrize("path", [SESSION, "/api/v1/setup"])
def test_a_password_is_not_taken_in_clear_from_another_machine(backend: LocalBackend, path: str) -> None:
    asked = asking(create_app(backend, hosts=["lineal.test"]))
    answer = asked("POST", f"http://lineal.test{path}", json={"token": "x", "name": "ada", "password": PASSWORD})
    assert (answer.status_code, code(answer)) == (403, "forbidden.plain_http")
    assert "--trusted-proxy" in answer.json()["error"]["message"]


def test_whoever_has_a_key_may_ask_who_they_are(ask: Ask, key: Callable[..., dict[str, str]]) -> None:
    found = ask("GET", SESSION, headers=key("ada")).json()
    assert (found["user"]["name"], found["csrf"]) == ("ada", None)
    assert ask("GET", SESSION, headers={"Authorization": "Bearer x"}).status_code == 401


def test_a_cookie_of_a_store_that_is_no_more_does_not_close_an_open_one(ask: Ask) -> None:
    assert ask("GET", "/api/v1/projects", headers={"Cookie": "lineal=old"}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/runs", "/a/b?c=d#e", "/%2e%2e//x", "/:80"])
def test_a_page_of_this_server_may_follow(path: str) -> None:
    assert check_local(path) == path


@pytest.mark.parametrize(
    "path",
    [
        *(
            "",
            "runs",
            "//evil.test",
            "/\\evil.test",
            "\\\\evil.test",
            "/\t/evil.test",
            "/\n/evil.test",
            "/ /evil.test",
        ),
        *(
            "https://evil.test",
            "http:evil.test",
            "javascript:alert(1)",
            " //evil.test",
            "/é",
            "/\0",
            "/" + "x" * 3000,
        ),
    ],
)
def test_no_other_sites_page_follows(path: str) -> None:
    with pytest.raises(InvalidArgument):
        check_local(path)
