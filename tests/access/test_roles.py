"""Roles are sets of permissions, each within the next."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.access.roles import (
    PERMISSIONS,
    ROLES,
    allows,
    check_permissions,
    check_role,
    check_visibility,
    largest,
    permissions,
    reaches,
)
from lineal.core.errors import InvalidArgument

roles = st.sampled_from(ROLES)


def test_each_role_holds_more_than_the_one_before() -> None:
    assert all(permissions(small) < permissions(large) for small, large in pairwise(ROLES))
    assert permissions("reader") == {"read"}
    assert permissions("admin") == set(PERMISSIONS)


@given(roles, roles)
def test_a_role_reaches_another_exactly_if_it_may_do_all_that_the_other_may(one, other) -> None:
    assert reaches(one, other) == (permissions(one) >= permissions(other))


@given(roles, roles, st.sampled_from(PERMISSIONS))
def test_a_larger_role_never_may_less(one, other, permission) -> None:
    if reaches(one, other) and allows(other, permission):
        assert allows(one, permission)


@given(st.lists(roles))
def test_the_largest_of_some_roles_may_what_any_of_them_may(found) -> None:
    top = largest(found)
    assert (top is None) == (not found)
    if top is not None:
        assert permissions(top) == frozenset().union(*(permissions(role) for role in found))


def test_no_role_may_nothing() -> None:
    assert not any(allows(None, permission) for permission in PERMISSIONS)
    assert not any(reaches(None, role) for role in ROLES)


@given(st.lists(st.sampled_from(PERMISSIONS)))
def test_permissions_are_kept_once_and_in_their_order(given_) -> None:
    kept = check_permissions(given_)
    assert set(kept) == set(given_)
    assert list(kept) == sorted(kept, key=PERMISSIONS.index)


@pytest.mark.parametrize("text", ["", "Admin", "owner", "read", "reader ", "рeader"])
def test_what_is_no_role_is_refused(text) -> None:
    with pytest.raises(InvalidArgument, match="reader, writer, maintainer, admin"):
        check_role(text)


def test_what_is_no_visibility_or_permission_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="private, team, public"):
        check_visibility("open")
    with pytest.raises(InvalidArgument, match="read, write, promote"):
        check_permissions(["read", "own"])
    with pytest.raises(InvalidArgument):
        check_permissions("x")
