"""Protected aliases."""

from __future__ import annotations

import pytest

from lineal.access import protections
from lineal.core.errors import InvalidAlias, InvalidArgument, InvalidName, ProtectionNotFound


def test_an_alias_is_protected_by_name_or_pattern_the_strictest_counts(session) -> None:
    protections.protect(session, "vision", "digits", "", "prod*", "maintainer")
    protections.protect(session, "vision", "digits", "model", "production", "admin")
    needed = protections.needed
    assert needed(session, "vision", "digits", "model", "production") == "admin"
    assert needed(session, "vision", "digits", "model", "prod-eu") == "maintainer"
    assert needed(session, "vision", "digits", "data", "production") == "maintainer"
    assert needed(session, "vision", "digits", "model", "staging") is None
    assert needed(session, "vision", "digits", "model", "Production") is None
    assert needed(session, "vision", "other", "model", "production") is None
    assert needed(session, "other", "digits", "model", "production") is None
    assert needed(session, "vision", "digits", "model", "staging", "prod-eu", "production") == "admin"
    assert needed(session, "vision", "digits", "model") is None


def test_a_protection_is_changed_and_ended(session) -> None:
    assert protections.protect(session, "e", "p", "", "best", "writer") is None
    assert protections.protect(session, "e", "p", "", "best", "admin") == "writer"
    assert [(p.path, p.alias, p.role) for p in protections.list_all(session)] == [("e/p", "best", "admin")]
    assert protections.list_all(session, entity="e", project="q") == []
    assert protections.unprotect(session, "e", "p", "", "best") == "admin"
    with pytest.raises(ProtectionNotFound):
        protections.unprotect(session, "e", "p", "", "best")


@pytest.mark.parametrize("alias", ["", "a b", "[a-z]", "pröd", "-x", "x" * 129, "a/b", "*\n"])
def test_what_names_no_alias_is_refused(session, alias) -> None:
    with pytest.raises(InvalidAlias):
        protections.protect(session, "e", "p", "", alias, "admin")


def test_a_place_or_a_role_that_can_not_be_is_refused(session) -> None:
    with pytest.raises(InvalidName):
        protections.protect(session, "e", "p q", "", "a", "admin")
    with pytest.raises(InvalidName):
        protections.protect(session, "e", "p", "c/d", "a", "admin")
    with pytest.raises(InvalidArgument):
        protections.protect(session, "e", "p", "", "a", "boss")
