"""Roles: names for sets of permissions, each holding all of the one before. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, get_args

from lineal.core.errors import InvalidArgument

Permission = Literal["read", "write", "promote", "delete", "admin"]
Role = Literal["reader", "writer", "maintainer", "admin"]
Visibility = Literal["private", "team", "public"]

PERMISSIONS: Final[tuple[Permission, ...]] = get_args(Permission)
ROLES: Final[tuple[Role, ...]] = get_args(Role)
VISIBILITIES: Final[tuple[Visibility, ...]] = get_args(Visibility)

_OF: Final[dict[Role, frozenset[Permission]]] = {
    "reader": frozenset({"read"}),
    "writer": frozenset({"read", "write"}),
    "maintainer": frozenset({"read", "write", "promote", "delete"}),
    "admin": frozenset(PERMISSIONS),
}


def permissions(role: Role) -> frozenset[Permission]:
    """What the role may do."""
    return _OF[role]


def allows(role: Role | None, permission: Permission) -> bool:
    """Whether the role has the permission; no role has none."""
    return role is not None and permission in _OF[role]


def reaches(role: Role | None, least: Role) -> bool:
    """Whether the role is `least` or more."""
    return role is not None and ROLES.index(role) >= ROLES.index(least)


def largest(found: Iterable[Role]) -> Role | None:
    """The role that holds all others of `found`; None of none."""
    return max(found, key=ROLES.index, default=None)


def check_role(text: str) -> Role:
    """`text`, if it is a role. Raises invalid.argument."""
    if text not in ROLES:
        raise InvalidArgument(f"{_shown(text)} is no role; say {', '.join(ROLES)}")
    return text


def check_visibility(text: str) -> Visibility:
    """`text`, if it is a visibility. Raises invalid.argument."""
    if text not in VISIBILITIES:
        raise InvalidArgument(f"{_shown(text)} is no visibility; say {', '.join(VISIBILITIES)}")
    return text


def check_permissions(texts: Iterable[str]) -> tuple[Permission, ...]:
    """The permissions, in their order, each once. Raises invalid.argument."""
    given = [texts] if isinstance(texts, str) else list(texts)
    for text in given:
        if text not in PERMISSIONS:
            raise InvalidArgument(f"{_shown(text)} is no permission; say {', '.join(PERMISSIONS)}")
    return tuple(permission for permission in PERMISSIONS if permission in given)


def _shown(text: object) -> str:
    return ascii(text)[:40]
