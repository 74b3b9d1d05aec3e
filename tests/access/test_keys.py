"""API keys: who they stand for, when they no longer do, and that nobody can read them out of the database."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from lineal.access import keys, users
from lineal.core.errors import InvalidArgument, KeyNotFound, KeyRefused
from lineal.db.session import open_file
from tests.access.conftest import NOON

LATER = NOON + timedelta(seconds=59)


@pytest.fixture
def made(session, user):
    return keys.make(session, user("ada"), "ada", "laptop", at=NOON, scopes=["write", "read"], expires_in_s=3600)


def test_a_key_stands_for_its_user_with_its_limits(session, user, made) -> None:
    known = keys.find_caller(session, made.secret, at=NOON, address="::1", request_id="r1")
    caller = known.caller
    assert (caller.user_id, caller.name, caller.admin) == (user("ada"), "ada", False)
    assert (caller.permissions, caller.key_prefix) == ({"read", "write"}, made.key.prefix)
    assert (caller.address, caller.request_id, known.due) == ("::1", "r1", True)
    assert made.key.scopes == ("read", "write")
    assert made.key == keys.get(session, made.key.prefix) == keys.list_all(session, user="ada")[0]
    assert keys.list_all(session, user="bob") == []


def test_a_key_without_limits_may_all_that_its_user_may(session, user) -> None:
    made = keys.make(session, user("ada"), "ada", "all", at=NOON)
    assert keys.find_caller(session, made.secret, at=NOON).caller.permissions is None
    assert (made.key.scopes, made.key.expires_at) == (None, None)


def test_the_database_never_has_a_secret(tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    database = open_file(str(folder / "lineal.db"))
    with database.begin() as session:
        ada = users.add(session, "ada", at=NOON)
        made = keys.make(session, ada.id, "ada", "laptop", at=NOON)
        keys.note_use(session, made.key.prefix, at=NOON)
    database.close()
    stored = b"".join(file.read_bytes() for file in folder.iterdir())
    assert made.key.prefix.encode() in stored
    assert made.secret.rpartition("_")[2].encode() not in stored
    assert made.secret not in repr(made)


def test_no_two_keys_are_alike(session, user) -> None:
    ada = user("ada")
    found = {keys.make(session, ada, "ada", "x", at=NOON).secret for _ in range(50)}
    assert len(found) == len({text.split("_")[1] for text in found}) == 50


def test_another_secret_and_what_is_no_key_are_refused_alike(session, made) -> None:
    prefix = made.key.prefix
    wrong = [
        f"lnl_{prefix}_{'0' * 64}",
        f"lnl_{'a' * 12}_{'0' * 64}",
        "",
        prefix,
        made.secret[:-1],
        "é",
        "\0",
        "\ud800",
    ]
    for token in [*wrong, made.secret + "0", made.secret.upper(), " " + made.secret, made.secret + "\n"]:
        with pytest.raises(KeyRefused, match="no API key of this server"):
            keys.find_caller(session, token, at=NOON)


def test_an_expired_key_is_refused_from_its_moment_on(session, made) -> None:
    ends = NOON + timedelta(hours=1)
    assert keys.find_caller(session, made.secret, at=ends - timedelta(microseconds=1)).caller
    with pytest.raises(KeyRefused, match="expired"):
        keys.find_caller(session, made.secret, at=ends)


def test_a_revoked_key_is_refused_and_stays_revoked(session, made) -> None:
    gone = keys.revoke(session, made.key.prefix, at=NOON)
    assert keys.revoke(session, made.key.prefix, at=LATER) == gone
    assert gone.revoked_at == NOON
    with pytest.raises(KeyRefused, match="revoked"):
        keys.find_caller(session, made.secret, at=NOON)
    with pytest.raises(KeyNotFound):
        keys.revoke(session, "none", at=NOON)


def test_keys_of_a_disabled_user_are_refused_until_they_may_again(session, user, made) -> None:
    users.change(session, user("ada"), {"disabled_at": NOON})
    with pytest.raises(KeyRefused, match="disabled"):
        keys.find_caller(session, made.secret, at=NOON)
    users.change(session, user("ada"), {"disabled_at": None})
    assert keys.find_caller(session, made.secret, at=NOON).caller.name == "ada"


def test_its_use_is_noted_at_most_once_a_minute(session, made) -> None:
    prefix = made.key.prefix
    keys.note_use(session, prefix, at=NOON)
    keys.note_use(session, prefix, at=LATER)
    assert keys.get(session, prefix).last_used_at == NOON
    assert keys.find_caller(session, made.secret, at=LATER).due is False
    after = NOON + timedelta(seconds=60)
    assert keys.find_caller(session, made.secret, at=after).due is True
    keys.note_use(session, prefix, at=after)
    assert keys.get(session, prefix).last_used_at == after


@pytest.mark.parametrize(
    "given",
    [
        {"name": ""},
        {"name": " "},
        {"name": "x" * 129},
        {"expires_in_s": 0},
        {"expires_in_s": 10**12},
        {"scopes": []},
        {"scopes": ["all"]},
    ],
)
def test_what_can_be_no_key_is_refused(session, user, given) -> None:
    with pytest.raises(InvalidArgument):
        keys.make(session, user("ada"), "ada", at=NOON, **{"name": "x", **given})
