"""Sessions of a browser."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from lineal.access import sessions, users
from lineal.core.errors import CsrfRefused, SessionEnded
from lineal.db.schema import sessions as table
from tests.access.conftest import NOON


def test_a_session_is_its_users_until_it_ends(session, user) -> None:
    started = sessions.start(session, user("ada"), at=NOON)
    caller = sessions.find_caller(session, started.token, at=NOON, address="1.2.3.4").caller
    assert (caller.name, caller.permissions, caller.key_prefix, caller.address) == ("ada", None, "", "1.2.3.4")
    sessions.end(session, started.token)
    sessions.end(session, started.token)
    with pytest.raises(SessionEnded):
        sessions.find_caller(session, started.token, at=NOON)


def test_a_session_that_is_over_is_refused_and_forgotten_in_time(session, user) -> None:
    started = sessions.start(session, user("ada"), at=NOON, life_s=60)
    after = NOON + timedelta(seconds=60)
    with pytest.raises(SessionEnded):
        sessions.find_caller(session, started.token, at=after)
    sessions.start(session, user("bob"), at=after)
    assert session.scalar(select(func.count()).select_from(table)) == 1


def test_what_changes_something_needs_the_token_of_our_page(session, user) -> None:
    one, other = (sessions.start(session, user("ada"), at=NOON) for _ in range(2))
    assert sessions.find_caller(session, one.token, at=NOON, changes=True, csrf=one.csrf).caller.name == "ada"
    for wrong in (None, "", other.csrf, one.token, "é\ud800"):
        with pytest.raises(CsrfRefused):
            sessions.find_caller(session, one.token, at=NOON, changes=True, csrf=wrong)


def test_a_disabled_user_is_signed_in_nowhere(session, user) -> None:
    started = sessions.start(session, user("ada"), at=NOON)
    users.change(session, user("ada"), {"disabled_at": NOON})
    with pytest.raises(SessionEnded):
        sessions.find_caller(session, started.token, at=NOON)


def test_all_sessions_of_a_user_end_at_once(session, user) -> None:
    mine = [sessions.start(session, user("ada"), at=NOON) for _ in range(2)]
    other = sessions.start(session, user("bob"), at=NOON)
    sessions.end_all(session, user("ada"))
    for started in mine:
        with pytest.raises(SessionEnded):
            sessions.find_caller(session, started.token, at=NOON)
    assert sessions.find_caller(session, other.token, at=NOON).caller.name == "bob"


def test_tokens_are_stored_as_hashes_and_not_shown(session, user) -> None:
    started = sessions.start(session, user("ada"), at=NOON)
    stored = session.execute(select(table)).one()
    assert not {started.token.encode(), started.csrf.encode()} & set(stored)
    assert started.token not in repr(started)


def test_a_session_that_is_used_lasts_longer_but_not_for_ever(session, user) -> None:
    started = sessions.start(session, user("ada"), at=NOON)
    assert not sessions.find_caller(session, started.token, at=NOON + timedelta(minutes=59)).due
    day = NOON
    while (day := day + timedelta(days=13)) < NOON + timedelta(days=90):
        assert sessions.find_caller(session, started.token, at=day).due
        sessions.extend(session, started.token, at=day)
        assert not sessions.find_caller(session, started.token, at=day).due
    end = NOON + timedelta(days=90)
    assert not sessions.find_caller(session, started.token, at=end - timedelta(seconds=1)).due
    sessions.extend(session, started.token, at=end)
    with pytest.raises(SessionEnded):
        sessions.find_caller(session, started.token, at=end)


def test_a_session_that_nobody_used_for_a_fortnight_is_over(session, user) -> None:
    started = sessions.start(session, user("ada"), at=NOON)
    late = NOON + timedelta(days=14)
    sessions.extend(session, started.token, at=late)
    with pytest.raises(SessionEnded):
        sessions.find_caller(session, started.token, at=late)


def test_the_page_may_be_told_its_token_again_and_nobody_finds_the_session_by_it(session, user) -> None:
    started = sessions.start(session, user("ada"), at=NOON)
    assert sessions.csrf_of(started.token) == started.csrf
    with pytest.raises(SessionEnded):
        sessions.find_caller(session, started.csrf, at=NOON)
