"""Passwords."""

from __future__ import annotations

import time

import pytest

from lineal.access import passwords
from lineal.core.errors import InvalidPassword

GOOD = "correct horse battery"


def test_a_password_is_known_again_and_no_other() -> None:
    stored = passwords.hashed(GOOD, "ada")
    assert stored.startswith("$argon2id$")
    assert stored != passwords.hashed(GOOD, "ada")
    assert passwords.verify(stored, GOOD)
    for wrong in ("", GOOD + " ", GOOD.upper(), "x" * 5000, "\0", "\ud800"):
        assert not passwords.verify(stored, wrong)


def test_nobody_has_no_password_at_all() -> None:
    for text in ("", GOOD, "the password of nobody at all"):
        assert not passwords.verify(None, text)


def test_it_takes_as_long_for_nobody_as_for_somebody() -> None:
    stored = passwords.hashed(GOOD, "ada")
    passwords.verify(None, GOOD)

    def spent(kept: str | None) -> float:
        start = time.process_time()
        passwords.verify(kept, "another pass phrase")
        return time.process_time() - start

    assert min(spent(None) for _ in range(3)) > min(spent(stored) for _ in range(3)) / 2


@pytest.mark.parametrize("text", ["short", "x" * 11, "x" * 1025])
def test_length_is_what_counts(text) -> None:
    with pytest.raises(InvalidPassword, match="characters"):
        passwords.check(text, "ada")
    assert passwords.check("x" * 12, "ada") == "x" * 12


def test_the_name_is_no_password() -> None:
    with pytest.raises(InvalidPassword, match="name"):
        passwords.check("Ada-of-London", "ada-of-london")
