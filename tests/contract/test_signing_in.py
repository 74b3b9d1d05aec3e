"""Who asks a server, over each database that one may have."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineal.backend.connect import connect
from lineal.backend.local.backend import LocalBackend
from lineal.backend.local.vouched import Vouched
from lineal.core import settings
from lineal.core.errors import LoginRefused, SessionEnded

PASSWORD = "four words are enough"
FROM = {"address": "10.0.0.7", "request_id": "r"}
GRACE = Vouched("https://id.test", "42", "grace", "grace@example.org")


@pytest.fixture(params=["folder", "postgres"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalBackend]:
    place = {"url": str(tmp_path / "store")}
    if request.param == "postgres":
        place = {"url": request.getfixturevalue("postgres_url"), "store": str(tmp_path / "store")}
    opened = connect(settings.load(tmp_path, **place))
    assert isinstance(opened, LocalBackend)
    opened.access.add_user("root", admin=True, password=PASSWORD)
    yield opened
    opened.close()


def test_a_session_is_found_until_it_ends(backend: LocalBackend) -> None:
    started = backend.signing_in.sign_in("root", PASSWORD, **FROM)
    found = backend.signing_in.by_session(started.token, changes=True, csrf=started.csrf, **FROM)
    assert (found.caller.name, found.caller.admin, found.due) == ("root", True, False)
    backend.signing_in.extend_session(started.token)
    backend.signing_in.sign_out(started.token)
    with pytest.raises(SessionEnded):
        backend.signing_in.by_session(started.token, changes=False, csrf=None, **FROM)


def test_a_keys_use_is_noted(backend: LocalBackend) -> None:
    secret = backend.access.make_key("laptop", user="root").secret
    known = backend.signing_in.by_key(secret, **FROM)
    assert known.due
    backend.signing_in.note_key(known.caller.key_prefix)
    assert not backend.signing_in.by_key(secret, **FROM).due


def test_one_who_signs_in_twice_at_once_for_the_first_time_is_one_user(backend: LocalBackend) -> None:
    started, together = [], threading.Barrier(4)

    def enter() -> None:
        together.wait()
        started.append(backend.vouched.sign_in(GRACE, domains={"example.org"}, **FROM))

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(started) == 4
    assert [user.name for user in backend.access.list_users()] == ["grace", "root"]


def test_a_password_that_changes_while_it_is_checked_leaves_no_session(backend: LocalBackend, monkeypatch) -> None:
    """However the two fall, whoever knew only the former password is signed in nowhere afterwards."""
    from lineal.access import passwords

    verify = passwords.verify

    def changed_meanwhile(stored: str | None, password: str) -> bool:
        good = verify(stored, password)
        backend.access.change_user("root", password="five words are enough too")
        return good

    monkeypatch.setattr(passwords, "verify", changed_meanwhile)
    with pytest.raises(LoginRefused):
        backend.signing_in.sign_in("root", PASSWORD, **FROM)
