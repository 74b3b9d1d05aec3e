"""Passwords: argon2id, a length and nothing else asked of them (NIST SP 800-63B, 5.1.1.2)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from lineal.core.errors import InvalidPassword, MissingDependency
from lineal.core.metadata import check_text

if TYPE_CHECKING:
    from argon2 import PasswordHasher

MIN_LENGTH = 12
MAX_LENGTH = 1024


def check(password: str, name: str) -> str:
    """`password`, if it may be that of the user `name`. Raises invalid.password."""
    if len(password) < MIN_LENGTH:
        raise InvalidPassword(f"a password has at least {MIN_LENGTH} characters; any will do, such as four words")
    if len(password) > MAX_LENGTH:
        raise InvalidPassword(f"a password has at most {MAX_LENGTH} characters")
    if password.casefold() == name.casefold():
        raise InvalidPassword("a password is not the user's name; choose another")
    check_text(password, "the password")
    return password


def hashed(password: str, name: str) -> str:
    """What is stored of the new password. It takes some 50 ms on purpose. Raises invalid.password."""
    return str(_hasher().hash(check(password, name)))


def verify(stored: str | None, password: str) -> bool:
    """Whether the password is the stored one; as long in coming where there is none, so that time tells nothing."""
    hasher = _hasher()
    from argon2.exceptions import VerificationError

    if len(password) > MAX_LENGTH:
        return False
    try:
        good = hasher.verify(stored or _nobody(), password.encode(errors="replace"))
    except VerificationError:
        return False
    return good and stored is not None


@cache
def _hasher() -> PasswordHasher:
    try:
        from argon2 import PasswordHasher
    except ImportError:
        raise MissingDependency("passwords need argon2-cffi: pip install 'lineal[server]'") from None
    return PasswordHasher()


@cache
def _nobody() -> str:
    return str(_hasher().hash("the password of nobody at all"))
