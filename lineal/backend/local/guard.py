"""Acts: what a server does for a caller, from the permission that it takes to the row that it leaves.

An operation that is done for a caller runs as an act. Where a use case looks up a collection, a run or a project, it
asks here, in the transaction in which it acts; an act that asks nothing is a fault. A store that somebody opened by
its folder or database has no acts, and whoever did may do everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal

from lineal.access import audit, grants, protections
from lineal.access.model import Caller
from lineal.access.roles import Permission, Role, allows, reaches
from lineal.core import clock
from lineal.core.errors import AliasProtected, Error, Forbidden, RoleTooSmall, ScopeTooSmall
from lineal.db.session import Database, Session

FOR_ALIASES: Role = "maintainer"  # unless a rule for the alias says another role


@dataclass(slots=True)
class Act:
    """An operation under way: `noun.name`, what it needs, and whether it leaves a row."""

    operation: str
    needs: Permission
    changes: bool
    subject: str = ""  # as its arguments name it, until it asks about a place
    placed: bool = False
    asked: bool = False
    recorded: bool = False
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None


_now: ContextVar[Act | None] = ContextVar("lineal_act", default=None)


def note(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None = None) -> None:
    """What the act under way changes, for its row; without `after`, what was asked for stands there."""
    act = _now.get()
    if act is not None:
        act.before, act.after = before, act.after if after is None else after


@contextmanager
def acting(database: Database, caller: Caller | None, user: str, act: Act) -> Iterator[None]:
    """Runs the block as the act. A refusal is recorded in a transaction of its own."""
    token = _now.set(act)
    try:
        yield
        if not act.asked:
            raise Error(f"{act.operation} did not ask whether it may")
    except Forbidden as problem:
        if act.changes:
            act.recorded = True  # which it is not as done
            with database.begin() as session:
                _record(session, caller, user, act, outcome="refused", why=problem.message)
        raise
    finally:
        _now.reset(token)


def recorder(caller: Caller | None, user: str) -> Callable[[Session | None], None]:
    """What a caller's database does before it commits (with the session), and when it has (with None)."""

    def record(session: Session | None) -> None:
        act = _now.get()
        if act is None or act.recorded or not act.changes:
            return
        if session is None:
            act.recorded = True
            return
        if not act.asked:
            raise Error(f"{act.operation} did not ask whether it may")
        _record(session, caller, user, act)

    return record


def _record(session: Session, caller: Caller | None, user: str, act: Act, **more: Any) -> None:
    more |= {"before": act.before, "after": act.after}
    audit.add(session, caller, act.operation, act.subject, at=clock.now(), user=user, **more)


# ---- asking --------------------------------------------------------------------------------------------------


def check(
    session: Session,
    caller: Caller | None,
    entity: str,
    project: str,
    collection: str = "",
    *,
    needs: Permission | None = None,
    subject: str = "",
    role: Role | Literal["ask"] | None = "ask",
) -> bool:
    """Whether the caller may know of the place, or of the `subject` in it; then they may do what the act takes there.

    What the act takes, or `needs`. `role` is theirs there, where that is known already. Raises forbidden.role,
    forbidden.scope where they know of it but may not.
    """
    wanted = _asked("/".join(part for part in (entity, project, collection, subject) if part), needs)
    if caller is None:
        return True
    scope(caller, wanted)
    if caller.admin:
        return True
    if role == "ask":
        role = grants.role_of(session, caller.user_id, entity, project, collection)
    if role is None:
        return False
    if not allows(role, wanted):
        raise RoleTooSmall(f"{caller.name} is {role} in {entity}/{project}, where that takes the permission {wanted}")
    return True


def check_server(caller: Caller | None) -> None:
    """Refuses whoever doesn't administer the server. Raises forbidden.*."""
    _asked("", None)
    if caller is not None:
        scope(caller, "admin")
        if not caller.admin:
            raise RoleTooSmall(f"only an admin of the server may do that; {caller.name} is none")


def check_aliases(
    session: Session, caller: Caller | None, entity: str, project: str, collection: str, *aliases: str
) -> None:
    """Refuses to move these aliases of the collection, by whatever way. Raises forbidden.*."""
    if caller is None or not aliases:
        return
    needed = protections.needed(session, entity, project, collection, *aliases) or FOR_ALIASES
    scope(caller, "write" if reaches("writer", needed) else "promote")
    if caller.admin:
        return
    role = grants.role_of(session, caller.user_id, entity, project, collection)
    if not reaches(role, needed):
        raise AliasProtected(
            f"moving {', '.join(aliases)} of {project}/{collection} takes the role {needed}; "
            f"{caller.name} is {role or 'nothing there'}"
        )


def scope(caller: Caller, permission: Permission) -> None:
    """Raises forbidden.scope where the caller's key is limited to less."""
    if caller.permissions is not None and permission not in caller.permissions:
        raise ScopeTooSmall(f"the API key {caller.key_prefix} is not for {permission!r}; use another one")


def note_look(caller: Caller | None) -> None:
    """Notes that the act shows only what the caller may read."""
    _asked("", "read")
    if caller is not None:
        scope(caller, "read")


def _asked(subject: str, needs: Permission | None) -> Permission:
    act = _now.get()
    if act is None:
        return needs or "read"
    if subject and not act.placed:
        act.subject, act.placed = subject, True
    act.asked = True
    return needs or act.needs
