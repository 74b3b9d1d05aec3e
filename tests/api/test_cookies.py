"""Cookies that only this server's pages send back."""

import pytest
from fastapi import Request, Response

from lineal.api import cookies
from lineal.core.errors import PlainHttp


def asked(scheme: str, host: str, cookie: str = "") -> Request:
    headers = [(b"host", host.encode()), (b"cookie", cookie.encode())]
    return Request({"type": "http", "scheme": scheme, "headers": headers})


def test_over_https_a_cookie_is_the_hosts_alone_and_never_sent_in_clear() -> None:
    answer = Response()
    cookies.put(asked("https", "lineal.test"), answer, "lineal", "token", life_s=60)
    said = answer.headers["Set-Cookie"]
    assert said.startswith("__Host-lineal=token;")
    parts = {part.strip().lower() for part in said.split(";")[1:]}
    assert parts == {"httponly", "max-age=60", "path=/", "samesite=strict", "secure"}
    cookies.drop(asked("https", "lineal.test"), answer, "lineal")
    assert answer.headers.getlist("Set-Cookie")[1].startswith('__Host-lineal="";')


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:80", "[::1]:9", "[::1]"])
def test_on_loopback_it_may_go_without_https(host: str) -> None:
    answer = Response()
    cookies.put(asked("http", host), answer, "lineal", "token", life_s=60)
    assert answer.headers["Set-Cookie"].startswith("lineal=token;")
    assert "secure" not in answer.headers["Set-Cookie"].lower()


@pytest.mark.parametrize("host", ["lineal.test", "10.0.0.7:8000", "localhost.evil.test", ""])
def test_elsewhere_nothing_secret_is_set_in_clear(host: str) -> None:
    with pytest.raises(PlainHttp):
        cookies.put(asked("http", host), Response(), "lineal", "token", life_s=60)


def test_a_cookie_that_was_set_in_clear_counts_for_nothing_over_https() -> None:
    assert cookies.take(asked("https", "lineal.test", "lineal=evil"), "lineal") is None
    assert cookies.take(asked("https", "lineal.test", "lineal=evil; __Host-lineal=mine"), "lineal") == "mine"
    assert cookies.take(asked("http", "localhost", "lineal=mine"), "lineal") == "mine"
