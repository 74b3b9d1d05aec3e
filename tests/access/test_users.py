"""Users, and the names they share with teams."""

from __future__ import annotations

import threading

import pytest

from lineal.access import teams, users
from lineal.core.errors import (
    GrantNotFound,
    InvalidArgument,
    InvalidName,
    LastAdmin,
    TeamExists,
    TeamNotFound,
    UserExists,
    UserNotFound,
)
from tests.access.conftest import NOON


def test_a_user_is_found_by_name_id_and_subject(session) -> None:
    made = users.add(session, "ada", at=NOON, email="ada@example.org", issuer="https://id", subject="42")
    assert users.get(session, "ada") == users.by_id(session, made.id) == made
    assert users.by_subject(session, "https://id", "42") == made
    assert users.by_subject(session, "https://other", "42") is None
    assert users.find(session, "bob") is None
    assert not made.user.has_password
    for lookup in (lambda: users.get(session, "bob"), lambda: users.by_id(session, 10**6)):
        with pytest.raises(UserNotFound):
            lookup()


def test_a_name_is_one_users_or_one_teams_in_whatever_case(session) -> None:
    users.add(session, "ada", at=NOON, issuer="https://id", subject="42")
    teams.add(session, "vision", at=NOON)
    for name in ("ada", "Ada", "vision", "VISION"):
        with pytest.raises(UserExists):
            users.add(session, name, at=NOON)
        with pytest.raises(TeamExists):
            teams.add(session, name, at=NOON)
    with pytest.raises(UserExists):
        users.add(session, "bob", at=NOON, issuer="https://id", subject="42")


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"name": "a b"}, InvalidName),
        ({"name": ""}, InvalidName),
        ({"name": "аda"}, InvalidName),
        ({"kind": "robot"}, InvalidArgument),
        ({"email": "nobody"}, InvalidArgument),
        ({"email": "a@b\r\nBcc: c"}, InvalidArgument),
        ({"issuer": "https://id"}, InvalidArgument),
    ],
)
def test_what_can_be_no_user_is_refused(session, given, error) -> None:
    with pytest.raises(error):
        users.add(session, at=NOON, **{"name": "ada", **given})


def test_the_last_admin_stays_one(session) -> None:
    ada = users.add(session, "ada", at=NOON, admin=True)
    bob = users.add(session, "bob", at=NOON, admin=True)
    users.change(session, bob.id, {"disabled_at": NOON})
    for values in ({"is_admin": False}, {"disabled_at": NOON}):
        with pytest.raises(LastAdmin):
            users.change(session, ada.id, values)
    users.change(session, bob.id, {"disabled_at": None})
    assert not users.change(session, ada.id, {"is_admin": False}).user.is_admin


def test_two_admins_can_not_take_each_other_away(database) -> None:
    with database.begin() as session:
        ids = [users.add(session, name, at=NOON, admin=True).id for name in ("ada", "bob")]
    refused = []

    def take(user_id: int) -> None:
        try:
            with database.begin() as session:
                users.change(session, user_id, {"is_admin": False})
        except LastAdmin as problem:
            refused.append(problem)

    threads = [threading.Thread(target=take, args=(user_id,)) for user_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        assert [user.is_admin for user in users.list_all(session)].count(True) == 1
    assert len(refused) == 1


def test_members_join_change_and_leave(session, user) -> None:
    ada = user("ada")
    teams.add(session, "vision", at=NOON)
    assert teams.list_all(session)[0].members == {}
    assert teams.set_member(session, "vision", "ada", "reader") is None
    assert teams.set_member(session, "vision", "ada", "admin") == "reader"
    assert [(team.name, team.members) for team in teams.list_all(session)] == [("vision", {"ada": "admin"})]
    assert teams.of_user(session, ada) == {"vision": "admin"}
    assert teams.remove_member(session, "vision", "ada") == "admin"
    with pytest.raises(GrantNotFound):
        teams.remove_member(session, "vision", "ada")
    with pytest.raises(TeamNotFound):
        teams.set_member(session, "sound", "ada", "reader")
    with pytest.raises(UserNotFound):
        teams.set_member(session, "vision", "bob", "reader")
    with pytest.raises(InvalidArgument):
        teams.set_member(session, "vision", "ada", "boss")


def test_a_free_name_is_as_like_as_it_can_be(session) -> None:
    for wanted, given in (("Ada Lovelace", "Ada-Lovelace"), ("../x", "x"), ("é", "user"), ("con", "con-2")):
        assert users.free_name(session, wanted) == given
    assert users.free_name(session, "local") == "local-2"
    users.add(session, "ada", at=NOON)
    teams.add(session, "ada-2", at=NOON)
    assert users.free_name(session, "ADA") == "ADA-3"
    assert len(users.free_name(session, "x" * 5000)) == 100


def test_a_user_who_is_held_is_found_as_they_are(session) -> None:
    made = users.add(session, "ada", at=NOON)
    assert users.hold(session, made.id) == made
