"""Signing in by OpenID Connect, with a real provider on loopback, and with one whose answers somebody changes."""

import base64
import hashlib
import hmac
import json
import logging
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from lineal.api.app import create_app
from lineal.api.oidc import Config, Provider, configured
from lineal.backend.local.backend import LocalBackend
from lineal.core.errors import InvalidSettings, Unavailable
from tests import server
from tests.api.conftest import asking
from tests.api.provider import Issuer, issuing

LOGIN = "/api/v1/oidc/login"
SESSION = "/api/v1/session"
SECRET = "the client's secret"


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as running:
        running.knows("42", preferred_username="grace", email="grace@example.org", email_verified=True)
        yield running


Open = Callable[..., httpx.Client]


@pytest.fixture
def browser(tmp_path: Path, issuer: Issuer) -> Iterator[Open]:
    """Opens a browser at a server that knows an admin and takes whom the issuer vouches for at example.org."""
    opened: list[httpx.Client] = []
    url = ""

    def open_(admin: bool = True, domains: str = "example.org", now: Callable[[], float] = time.time) -> httpx.Client:
        nonlocal url
        if not url:
            config = Config(issuer.url, "lineal", SECRET, frozenset(domains.split()))
            url = server.start(tmp_path / "served", provider=Provider(config, now=now))
            if admin:
                server.served().access.add_user("root", admin=True)
        opened.append(httpx.Client(base_url=url))
        return opened[-1]

    yield open_
    for client in opened:
        client.close()
    server.stop()


def leave(client: httpx.Client, next: str = "/") -> str:
    """Where the server sends the browser."""
    answer = client.get(LOGIN, params={"next": next})
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def come(client: httpx.Client, issuer: Issuer, subject: str = "42", **more: str) -> httpx.Response:
    """The server's answer to somebody whom the provider let in."""
    return client.get(issuer.agree(leave(client, **more), subject))


def code(answer: httpx.Response) -> str:
    return "" if answer.status_code < 400 else answer.json()["error"]["code"]


def user(client: httpx.Client) -> str | None:
    found = client.get(SESSION).json()["user"]
    return found and found["name"]


def test_whom_the_issuer_vouches_for_is_made_a_user_and_known_again(browser: Open, issuer: Issuer) -> None:
    client = browser()
    assert client.get(SESSION).json()["ways"] == ["password", "oidc"]
    answer = come(client, issuer, next="/runs?x=1")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/runs?x=1")
    assert user(client) == "grace"
    assert [*client.cookies] == ["lineal"]
    come(browser(), issuer)
    found = {found.name: found for found in server.served().access.list_users()}
    assert found.keys() == {"root", "grace"}
    assert (found["grace"].email, found["grace"].is_admin, found["grace"].has_password) == (
        "grace@example.org",
        False,
        False,
    )


def test_the_question_has_pkce_a_state_and_a_nonce_that_are_new_each_time(browser: Open) -> None:
    client = browser()
    asked = [parse_qs(urlsplit(leave(client)).query) for _ in range(2)]
    for query in asked:
        assert (query["response_type"], query["code_challenge_method"]) == (["code"], ["S256"])
        assert query["redirect_uri"] == [str(client.base_url.join("/api/v1/oidc/callback"))]
    for name in ("state", "nonce", "code_challenge"):
        assert asked[0][name] != asked[1][name]
        assert len(asked[0][name][0]) >= 43
    assert SECRET not in json.dumps(asked)


def test_only_who_asked_knows_the_secret_that_the_code_is_exchanged_with(browser: Open, issuer: Issuer) -> None:
    client = browser()
    where = leave(client)
    challenge = parse_qs(urlsplit(where).query)["code_challenge"][0]
    client.get(issuer.agree(where, "42"))
    (body,) = issuer.exchanged
    verifier = parse_qs(body)["code_verifier"][0]
    assert encoded(hashlib.sha256(verifier.encode()).digest()) == challenge
    assert verifier not in where


def test_a_name_or_an_address_never_leads_to_a_user_who_is_there(browser: Open, issuer: Issuer) -> None:
    client = browser()
    server.served().access.add_user("grace", email="grace@example.org")
    come(client, issuer)
    assert user(client) == "grace-2"


def test_who_changes_their_name_and_address_stays_who_they_are(browser: Open, issuer: Issuer) -> None:
    come(browser(), issuer)
    issuer.knows("42", preferred_username="hopper", email="hopper@other.test", email_verified=True)
    client = browser()
    come(client, issuer)
    assert user(client) == "grace"


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "grace@other.test", "email_verified": True},
        {"email": "grace@example.org", "email_verified": False},
        {"email": "grace@example.org", "email_verified": "true"},
        {"email": "grace@example.org"},
        {"email": "grace@example.org.evil.test", "email_verified": True},
        {"email": "grace@evil-example.org", "email_verified": True},
        {"email": "example.org", "email_verified": True},
        {},
    ],
    ids=str,
)
def test_whose_verified_address_is_elsewhere_is_refused(browser: Open, issuer: Issuer, claims: dict) -> None:
    issuer.knows("43", **claims)
    client = browser()
    answer = come(client, issuer, "43")
    assert code(answer) == "unauthenticated.login"
    assert user(client) is None
    assert [found.name for found in server.served().access.list_users()] == ["root"]


def test_anybody_may_be_let_in_if_the_issuer_is_the_teams_own(browser: Open, issuer: Issuer) -> None:
    issuer.knows("44", name="Ada Lovelace, 1st")
    client = browser(domains="*")
    come(client, issuer, "44")
    assert user(client) == "Ada-Lovelace-1st"


def test_a_disabled_user_is_refused_by_whichever_way(browser: Open, issuer: Issuer) -> None:
    client = browser()
    come(client, issuer)
    server.served().access.change_user("grace", disabled=True)
    assert user(client) is None
    assert code(come(browser(), issuer)) == "unauthenticated.login"


def test_nobody_becomes_the_first_user_without_the_set_up_token(browser: Open, issuer: Issuer) -> None:
    client = browser(admin=False)
    assert "set-up token" in come(client, issuer).json()["error"]["message"]
    assert server.served().access.list_users() == []


def test_who_says_no_at_the_provider_is_told(browser: Open, issuer: Issuer) -> None:
    client = browser()
    where = leave(client)
    state = parse_qs(urlsplit(where).query)["state"][0]  # which this provider forgets when it says no
    answer = client.get(httpx.URL(issuer.agree(where, "42", action="deny")).copy_set_param("state", state))
    assert (answer.status_code, "access_denied" in answer.text) == (401, True)


# ---- answers that are not to be believed ---------------------------------------------------------------------


def test_an_answer_is_taken_once_and_only_where_the_question_was_asked(browser: Open, issuer: Issuer) -> None:
    client, other = browser(), browser()
    where = issuer.agree(leave(client), "42")
    flow = client.cookies["lineal-oidc"]
    assert code(other.get(where)) == "unauthenticated.login"  # another browser: signing in as somebody else
    leave(other)
    assert code(other.get(where)) == "unauthenticated.login"  # one that asks something else
    assert client.get(where).status_code == 303
    assert code(client.get(where)) == "unauthenticated.login"  # the cookie is gone
    again = browser()
    assert code(again.get(where, headers={"Cookie": f"lineal-oidc={flow}"})) == "unauthenticated.login"  # the code is
    assert user(again) is None


def test_another_state_is_refused(browser: Open, issuer: Issuer) -> None:
    client = browser()
    where = issuer.agree(leave(client), "42")
    for state in ("", "x", "é"):
        wrong = httpx.URL(where).copy_set_param("state", state)
        assert code(client.get(wrong)) == "unauthenticated.login"
        client.get(LOGIN)
    without = httpx.URL(where).copy_remove_param("state")
    assert code(client.get(without)) == "unauthenticated.login"


def test_a_cookie_that_the_server_did_not_seal_is_refused(browser: Open, issuer: Issuer) -> None:
    client = browser()
    where = issuer.agree(leave(client), "42")
    flow = client.cookies["lineal-oidc"]
    data, _, seal = flow.partition(".")
    facts = json.loads(base64.urlsafe_b64decode(data)) | {"next": "//evil.test"}
    forged = base64.urlsafe_b64encode(json.dumps(facts).encode()).decode()
    for wrong in (data, f"{data}.", f"{data}.{'0' * 64}", f"{forged}.{seal}", f"x{flow}", "", "."):
        answer = browser().get(where, headers={"Cookie": f"lineal-oidc={wrong}"})
        assert code(answer) == "unauthenticated.login"


def test_who_takes_too_long_begins_again(browser: Open, issuer: Issuer) -> None:
    late = [0.0]
    client = browser(now=lambda: time.time() + late[0])
    where = issuer.agree(leave(client), "42")
    late[0] = 601
    assert "ten minutes" in client.get(where).json()["error"]["message"]


@pytest.mark.parametrize("next", ["//evil.test", "https://evil.test", "/\\evil.test", "/\t/evil.test"])
def test_no_other_sites_page_follows(browser: Open, next: str) -> None:
    answer = browser().get(LOGIN, params={"next": next})
    assert (answer.status_code, code(answer)) == (422, "invalid.argument")


WRONG: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "nonce": lambda claims: {"nonce": "another"},
    "no nonce": lambda claims: {"nonce": None},
    "audience": lambda claims: {"aud": "another"},
    "audiences": lambda claims: {"aud": ["another"]},
    "two audiences without a party": lambda claims: {"aud": ["lineal", "another"]},
    "party": lambda claims: {"azp": "another"},
    "no audience": lambda claims: {"aud": None},
    "issuer": lambda claims: {"iss": "https://evil.test"},
    "issuer with a slash": lambda claims: {"iss": claims["iss"] + "/"},
    "no issuer": lambda claims: {"iss": None},
    "end": lambda claims: {"exp": time.time() - 31},
    "end as a text": lambda claims: {"exp": str(claims["exp"])},
    "no end": lambda claims: {"exp": None},
    "future": lambda claims: {"iat": time.time() + 3600},
    "no subject": lambda claims: {"sub": None},
    "empty subject": lambda claims: {"sub": ""},
    "subject as a number": lambda claims: {"sub": 42},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_word_for_somebody_or_something_else_is_refused(browser: Open, issuer: Issuer, name: str) -> None:
    def changed(token: str) -> str:
        claims = claims_of(token)
        new = {key: value for key, value in (claims | WRONG[name](claims)).items() if value is not None}
        return issuer.signed(new)

    issuer.change = changed
    client = browser(domains="*")
    answer = come(client, issuer)
    assert (answer.status_code, code(answer)) == (401, "unauthenticated.login")
    assert user(client) is None
    issuer.change = lambda token: issuer.signed(claims_of(token))
    assert come(client, issuer).status_code == 303  # it was not the signing


def with_algorithm(token: str, **head: str) -> str:
    """The token with that in its head, its own signature left as it was."""
    header = json.loads(decoded(token.split(".", maxsplit=1)[0])) | head
    return ".".join([encoded(json.dumps(header).encode()), *token.split(".")[1:]])


def forged(issuer: Issuer) -> dict[str, Callable[[str], str]]:
    other = RSAKey.generate_key(2048, private=True)
    public = issuer.key.as_pem(private=False)

    def tampered(token: str) -> str:
        head, _, seal = token.split(".")
        return f"{head}.{encoded(json.dumps(claims_of(token) | {'sub': 'root'}).encode())}.{seal}"

    def none(token: str) -> str:
        head = encoded(b'{"alg": "none", "typ": "JWT"}')
        return f"{head}.{token.split('.')[1]}."

    def by_password(secret: bytes) -> Callable[[str], str]:
        def changed(token: str) -> str:
            head = encoded(json.dumps({"alg": "HS256"}).encode())
            body = f"{head}.{token.split('.')[1]}"
            return f"{body}.{encoded(hmac.digest(secret, body.encode(), 'sha256'))}"

        return changed

    return {
        "claims changed": tampered,
        "signature changed": lambda token: token[:-8] + ("A" * 8 if not token.endswith("A" * 8) else "B" * 8),
        "no signature": lambda token: token.rpartition(".")[0] + ".",
        "alg none": none,
        "alg None": lambda token: with_algorithm(none(token), alg="None"),
        "alg none with the signature": lambda token: with_algorithm(token, alg="none"),
        "another's key": lambda token: jwt.encode({"alg": "RS256"}, claims_of(token), other),
        "the public key as a password": by_password(public),
        "the client's secret": by_password(SECRET.encode()),
        "a key of its own in the head": lambda token: jwt.encode(
            {"alg": "RS256", "jwk": other.as_dict(private=False)}, claims_of(token), other
        ),
        "no token": lambda token: "",
        "no parts": lambda token: "x",
        "five parts": lambda token: f"{token}.x.x",
    }


FORGED = (
    *("claims changed", "signature changed", "no signature", "alg none", "alg None", "alg none with the signature"),
    *("another's key", "the public key as a password", "the client's secret", "a key of its own in the head"),
    *("no token", "no parts", "five parts"),
)


@pytest.mark.parametrize("name", FORGED)
def test_what_the_issuer_did_not_sign_is_refused(browser: Open, issuer: Issuer, name: str) -> None:
    issuer.change = forged(issuer)[name]
    client = browser(domains="*")
    answer = come(client, issuer)
    assert (answer.status_code, code(answer)) == (401, "unauthenticated.login")
    assert user(client) is None


def test_a_key_that_the_issuer_took_up_meanwhile_is_asked_for(browser: Open, issuer: Issuer) -> None:
    late = [0.0]
    client = browser(now=lambda: time.time() + late[0])
    assert come(client, issuer).status_code == 303
    issuer.change_key()
    assert code(come(client, issuer)) == "unauthenticated.login"  # it was asked for a moment ago
    late[0] = 61
    assert come(client, issuer).status_code == 303


def test_another_issuer_in_the_answer_is_refused(browser: Open, issuer: Issuer) -> None:
    client = browser()
    where = httpx.URL(issuer.agree(leave(client), "42"))
    assert code(client.get(where.copy_set_param("iss", "https://evil.test"))) == "unauthenticated.login"


def test_nothing_secret_is_logged(browser: Open, issuer: Issuer, caplog) -> None:
    seen: list[str] = []
    issuer.change = lambda token: seen.append(token) or token
    with caplog.at_level(logging.DEBUG, logger="lineal"):
        client = browser()
        come(client, issuer)
    for secret in (SECRET, client.cookies["lineal"], *seen):
        assert secret not in caplog.text
    assert SECRET not in repr(Config(issuer.url, "lineal", SECRET))


# ---- the provider itself -------------------------------------------------------------------------------------


def test_a_provider_that_is_not_there_is_unavailable(backend: LocalBackend) -> None:
    provider = Provider(Config("http://127.0.0.1:9", "lineal", SECRET))
    answer = asking(create_app(backend, provider=provider))("GET", LOGIN)
    assert (answer.status_code, code(answer)) == (503, "unavailable")


def test_a_page_that_says_another_issuer_is_not_believed(issuer: Issuer) -> None:
    other = issuer.url.replace("localhost", "127.0.0.1")
    issuer.says = issuer.url
    with pytest.raises(Unavailable, match="LINEAL_OIDC_ISSUER"):
        Provider(Config(other, "lineal", SECRET)).begin("http://localhost/x", "/")


def test_one_signs_in_only_where_nobody_reads_along(backend: LocalBackend, issuer: Issuer) -> None:
    provider = Provider(Config(issuer.url, "lineal", SECRET))
    asked = asking(create_app(backend, hosts=["lineal.test"], provider=provider))
    assert code(asked("GET", f"http://lineal.test{LOGIN}")) == "forbidden.plain_http"
    said = asked("GET", f"https://lineal.test{LOGIN}").headers["Set-Cookie"].lower()
    assert said.startswith("__host-lineal-oidc=")
    assert {"secure", "httponly", "samesite=lax"} <= {part.strip() for part in said.split(";")}


def test_without_a_provider_there_is_no_such_way(backend: LocalBackend) -> None:
    assert asking(create_app(backend))("GET", LOGIN).status_code == 404
    assert configured() is None


def test_the_environment_names_the_provider(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LINEAL_OIDC_ISSUER", "https://id.example.org")
    monkeypatch.setenv("LINEAL_OIDC_CLIENT_ID", "lineal")
    with pytest.raises(InvalidSettings, match="LINEAL_OIDC_CLIENT_SECRET"):
        configured()
    monkeypatch.setenv("LINEAL_OIDC_CLIENT_SECRET_FILE", str(tmp_path / "secret"))
    with pytest.raises(InvalidSettings, match="can't be read"):
        configured()
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    monkeypatch.setenv("LINEAL_OIDC_DOMAINS", "Example.org, other.test")
    found = configured()
    assert found is not None
    assert found.domains == {"example.org", "other.test"}
    monkeypatch.setenv("LINEAL_OIDC_ISSUER", "http://id.example.org")
    with pytest.raises(InvalidSettings, match="https"):
        configured()


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims_of(token: str) -> dict[str, Any]:
    return json.loads(decoded(re.split(r"\.", token)[1]))
