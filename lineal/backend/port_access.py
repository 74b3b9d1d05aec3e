"""The port's operations on access: users, teams, keys, roles, protected aliases, and the record of what was done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from lineal.backend.operation import operation

if TYPE_CHECKING:
    from lineal.access.model import AuditPage, Grant, Key, Me, NewKey, Project, Protection, Team, User
    from lineal.access.roles import Role, Visibility


class Access:
    """Who may do what. A place is `entity/project`, or `entity/project/collection` for one collection.

    Besides what an operation needs of a key, it asks for a role: that of the server's admin where nothing else is
    said. Whoever opened the store by its folder or its database may do everything. Raises forbidden.role,
    forbidden.scope; for a project that the caller may not read, not_found.project.
    """

    @operation("GET", "/access/me", needs="read")
    def whoami(self) -> Me:
        """Who asks, as the store sees them."""
        raise NotImplementedError

    @operation("PUT", "/access/me/password", needs="read")
    def change_password(self, current: str, new: str) -> User:
        """The caller, with the new password; they are signed in nowhere any more.

        Raises unauthenticated.login for another current one, unavailable.too_many_attempts, invalid.password.
        """
        raise NotImplementedError

    @operation("POST", "/access/users", needs="admin")
    def add_user(
        self, name: str, *, kind: str = "person", email: str = "", admin: bool = False, password: str | None = None
    ) -> User:
        """The new user, a `person` or a `service`. The first one is an admin.

        Raises conflict.user_exists where a user or a team has the name, conflict.last_admin, invalid.password.
        """
        raise NotImplementedError

    @operation("PATCH", "/access/users/{name}", needs="admin")
    def change_user(
        self,
        name: str,
        *,
        disabled: bool | None = None,
        admin: bool | None = None,
        email: str | None = None,
        password: str | None = None,
    ) -> User:
        """The user with what is given set. Whoever is disabled, or has a new password, is signed out everywhere.

        Raises conflict.last_admin if no admin would be left, not_found.user, invalid.*.
        """
        raise NotImplementedError

    @operation("GET", "/access/users", needs="admin")
    def list_users(self) -> Sequence[User]:
        """Every user, by name."""
        raise NotImplementedError

    @operation("POST", "/access/teams", needs="admin")
    def add_team(self, name: str) -> Team:
        """The new team, whose name is an entity from now on. Raises conflict.team_exists."""
        raise NotImplementedError

    @operation("PUT", "/access/teams/{team}/members/{user}", needs="admin")
    def add_member(self, team: str, user: str, *, role: Role = "writer") -> Team:
        """The team, in which the user has the role now. For its admins too."""
        raise NotImplementedError

    @operation("DELETE", "/access/teams/{team}/members/{user}", needs="admin")
    def remove_member(self, team: str, user: str) -> Team:
        """The team without the user. For its admins too. Raises not_found.grant."""
        raise NotImplementedError

    @operation("GET", "/access/teams", needs="read")
    def list_teams(self) -> Sequence[Team]:
        """The teams by name: all of them for an admin, their own for others."""
        raise NotImplementedError

    @operation("POST", "/access/keys", needs="read")
    def make_key(
        self,
        name: str,
        *,
        user: str | None = None,
        scopes: Sequence[str] | None = None,
        expires_in_s: int | None = None,
    ) -> NewKey:
        """A new key of the caller's, or for an admin of any `user`'s, with its secret, which nobody can show again.

        `scopes` are the permissions that it is limited to. A key that is limited itself makes none: forbidden.scope.
        """
        raise NotImplementedError

    @operation("GET", "/access/keys", needs="read")
    def list_keys(self, *, user: str | None = None) -> Sequence[Key]:
        """The keys of the caller, or for an admin of any `user`, or of all; newest first."""
        raise NotImplementedError

    @operation("DELETE", "/access/keys/{prefix}", needs="read")
    def revoke_key(self, prefix: str) -> Key:
        """The key, which no longer works: one of the caller's own, or for an admin any. Raises not_found.key."""
        raise NotImplementedError

    @operation("GET", "/access/projects", needs="read")
    def list_accessible(self) -> Sequence[Project]:
        """The projects that the caller may read, by name."""
        raise NotImplementedError

    @operation("PUT", "/access/projects/visibility", needs="admin")
    def set_visibility(self, place: str, visibility: Visibility) -> Project:
        """The project with who may read it set. For its admins too, who stay that if they make it private."""
        raise NotImplementedError

    @operation("PUT", "/access/grants", needs="admin")
    def grant(self, place: str, role: Role, *, user: str | None = None, team: str | None = None) -> Grant:
        """The role that the user or the team has there from now on. For the project's admins too.

        A place with a collection is one of the registry. Raises not_found.user, not_found.team, invalid.*.
        """
        raise NotImplementedError

    @operation("DELETE", "/access/grants", needs="admin")
    def revoke(self, place: str, *, user: str | None = None, team: str | None = None) -> Grant:
        """The grant that the user or the team had there. For the project's admins too. Raises not_found.grant."""
        raise NotImplementedError

    @operation("GET", "/access/grants", needs="admin")
    def list_grants(self, *, place: str | None = None) -> Sequence[Grant]:
        """The grants in a project, for its admins too, or all."""
        raise NotImplementedError

    @operation("PUT", "/access/protections", needs="admin")
    def protect_alias(self, place: str, alias: str, *, role: Role = "maintainer") -> Protection:
        """The alias (a name, or a pattern with `*` and `?`), which takes the role to be moved from now on.

        For the project's admins too. Raises invalid.alias.
        """
        raise NotImplementedError

    @operation("DELETE", "/access/protections", needs="admin")
    def unprotect_alias(self, place: str, alias: str) -> Protection:
        """The protection that the alias had. For the project's admins too. Raises not_found.protection."""
        raise NotImplementedError

    @operation("GET", "/access/protections", needs="read")
    def list_protections(self, *, place: str | None = None) -> Sequence[Protection]:
        """The protected aliases of a project, or of all that the caller may read."""
        raise NotImplementedError

    @operation("GET", "/access/audit", needs="admin")
    def audit_log(
        self,
        *,
        user: str | None = None,
        operation: str | None = None,
        subject: str | None = None,
        outcome: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> AuditPage:
        """A page of the record, newest first; `after` is the cursor of the page before.

        A `subject` finds what lies below it too. For a project's admins too, where it lies in their project.
        """
        raise NotImplementedError
