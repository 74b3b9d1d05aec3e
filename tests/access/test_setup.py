"""The first admin of a server."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from lineal.access import setup, users
from lineal.core.errors import AlreadySetUp, LoginRefused
from lineal.db.schema import meta
from tests.access.conftest import NOON


def test_the_token_makes_the_first_admin_and_works_once(session) -> None:
    token = setup.make_token(session)
    made = setup.make_admin(session, token, "ada", "hash", at=NOON, email="ada@example.org").user
    assert (made.is_admin, made.has_password, made.email) == (True, True, "ada@example.org")
    for wrong in (token, "", "x"):
        with pytest.raises(AlreadySetUp):
            setup.make_admin(session, wrong, "bob", "hash", at=NOON)
    with pytest.raises(AlreadySetUp):
        setup.make_token(session)


def test_another_token_makes_nobody(session) -> None:
    with pytest.raises(LoginRefused):
        setup.make_admin(session, "", "ada", "hash", at=NOON)
    former = setup.make_token(session)
    token = setup.make_token(session)
    for wrong in (former, "", token[:-1], "\ud800"):
        with pytest.raises(LoginRefused):
            setup.make_admin(session, wrong, "ada", "hash", at=NOON)
    assert not users.any_at_all(session)


def test_only_the_hash_of_the_token_is_stored(session) -> None:
    token = setup.make_token(session)
    assert token not in session.scalars(select(meta.c.value)).all()
