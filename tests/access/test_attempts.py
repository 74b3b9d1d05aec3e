"""Nobody can try many passwords."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from lineal.access import attempts
from lineal.core.errors import TooManyAttempts
from lineal.db.schema import login_attempts
from tests.access.conftest import NOON


def after(seconds: float):
    return NOON + timedelta(seconds=seconds)


def test_the_sixth_attempt_in_five_minutes_is_refused_until_the_first_is_old(session) -> None:
    for n in range(5):
        attempts.begin(session, "ada", "1.2.3.4", at=after(n))
    with pytest.raises(TooManyAttempts) as caught:
        attempts.begin(session, "ada", "1.2.3.4", at=after(10))
    assert caught.value.details == {"retry_after_s": 290}
    assert caught.value.http_status == 429
    attempts.begin(session, "bob", "1.2.3.4", at=after(10))
    attempts.begin(session, "ada", "1.2.3.5", at=after(10))
    attempts.begin(session, "ada", "1.2.3.4", at=after(300))


def test_an_address_has_twenty_for_all_names(session) -> None:
    for n in range(20):
        attempts.begin(session, f"user{n}", "1.2.3.4", at=NOON)
    with pytest.raises(TooManyAttempts):
        attempts.begin(session, "another", "1.2.3.4", at=NOON)


def test_a_right_one_makes_those_for_the_name_good(session) -> None:
    for _ in range(4):
        attempts.begin(session, "ada", "1.2.3.4", at=NOON)
    attempts.begin(session, "bob", "1.2.3.4", at=NOON)
    attempts.forgive(session, "ada", "1.2.3.4")
    assert session.scalars(select(login_attempts.c.name)).all() == ["bob"]


def test_a_refused_attempt_counts_for_nothing_so_that_the_wait_does_not_grow(session) -> None:
    for _ in range(5):
        attempts.begin(session, "ada", "1.2.3.4", at=NOON)
    for n in (100, 200, 299):
        with pytest.raises(TooManyAttempts):
            attempts.begin(session, "ada", "1.2.3.4", at=after(n))
    attempts.begin(session, "ada", "1.2.3.4", at=after(300))


def test_a_password_in_the_field_of_the_name_is_not_kept(session) -> None:
    attempts.begin(session, "my secret pass phrase", "x\0y" * 50, at=NOON)
    assert session.scalars(select(login_attempts.c.name)).all() == [""]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:1.2.3.4", "1.2.3.4", True),
        ("1.2.3.4", "1.2.3.5", False),
    ],
)
def test_what_counts_as_one_address(one, other, same) -> None:
    assert (attempts.network(one) == attempts.network(other)) == same


def test_many_attempts_at_once_are_no_way_round_the_limit(database) -> None:
    refused, taken = [], []

    def attempt() -> None:
        try:
            with database.begin() as session:
                taken.append(attempts.begin(session, "ada", "1.2.3.4", at=NOON))
        except TooManyAttempts as problem:
            refused.append(problem)

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(taken), len(refused)) == (5, 3)
