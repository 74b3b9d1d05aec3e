"""What a user's role comes to, by every way that leads to one; compared with the rules said once more in Python."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from lineal.access import grants, projects, teams, users
from lineal.access.roles import ROLES, VISIBILITIES, largest
from lineal.core.errors import GrantNotFound, InvalidArgument, InvalidName, TeamNotFound, UserNotFound
from lineal.db.session import open_file
from tests.access.conftest import NOON

NAMES = ("ada", "bob", "vision")
PROJECTS = ("digits", "registry")
LINES = ("", "best")
role = st.sampled_from(ROLES)
place = st.tuples(st.sampled_from(NAMES), st.sampled_from(PROJECTS), st.sampled_from(LINES)).filter(
    lambda p: not p[2] or p[1] == "registry"
)
granted = st.dictionaries(
    st.tuples(st.sampled_from(("user:ada", "user:bob", "team:vision")), place), role, max_size=5
)
members = st.dictionaries(st.sampled_from(("ada", "bob")), role)
seen = st.dictionaries(st.tuples(st.sampled_from(NAMES), st.sampled_from(PROJECTS)), st.sampled_from(VISIBILITIES))


def test_a_user_without_any_grant_sees_nothing(session, user) -> None:
    projects.get_or_add(session, "vision", "digits", at=NOON)
    assert grants.role_of(session, user("ada"), "vision", "digits") is None
    assert grants.readable(session, user("ada")) == (frozenset(), frozenset(), frozenset())


def test_a_users_own_entity_is_theirs(session, user) -> None:
    row_id = projects.get_or_add(session, "ada", "digits", at=NOON)
    projects.set_visibility(session, "ada", "digits", "private", at=NOON)
    assert grants.role_of(session, user("ada"), "ada", "digits") == "admin"
    assert grants.role_of(session, user("ada"), "ada", "not-yet-there") == "admin"
    assert grants.role_of(session, user("bob"), "ada", "digits") is None
    assert grants.readable(session, user("ada")).ids == {row_id}


def test_members_have_the_teams_role_unless_the_project_is_private(session, user) -> None:
    ada = user("ada")
    teams.add(session, "vision", at=NOON)
    assert teams.set_member(session, "vision", "ada", "writer") is None
    projects.get_or_add(session, "vision", "digits", at=NOON)
    assert grants.role_of(session, ada, "vision", "digits") == "writer"
    assert grants.role_of(session, ada, "vision", "without-a-row") == "writer"
    assert grants.readable(session, ada).projects == {("vision", "digits")}
    assert projects.set_visibility(session, "vision", "digits", "private", at=NOON) == "team"
    assert grants.role_of(session, ada, "vision", "digits") is None
    assert grants.readable(session, ada).projects == frozenset()
    assert grants.set_role(session, "team", "vision", "vision", "digits", "", "reader") is None
    assert grants.role_of(session, ada, "vision", "digits") == "reader"


def test_a_grant_for_a_collection_of_the_registry_is_for_it_alone(session, user) -> None:
    ada = user("ada")
    grants.set_role(session, "user", "ada", "vision", "registry", "best", "maintainer")
    assert grants.role_of(session, ada, "vision", "registry", "best") == "maintainer"
    assert grants.role_of(session, ada, "vision", "registry", "other") is None
    assert grants.role_of(session, ada, "vision", "registry") is None
    assert grants.readable(session, ada) == (frozenset(), {("vision", "registry", "best")}, frozenset())


def test_a_grant_is_changed_and_taken_back(session, user) -> None:
    ada = user("ada")
    assert grants.set_role(session, "user", "ada", "vision", "digits", "", "reader") is None
    assert grants.set_role(session, "user", "ada", "vision", "digits", "", "admin") == "reader"
    assert [(g.subject, g.path, g.role) for g in grants.list_all(session)] == [("ada", "vision/digits", "admin")]
    assert grants.list_all(session, entity="vision", project="other") == []
    assert grants.remove(session, "user", "ada", "vision", "digits", "") == "admin"
    assert grants.role_of(session, ada, "vision", "digits") is None
    with pytest.raises(GrantNotFound):
        grants.remove(session, "user", "ada", "vision", "digits", "")


@pytest.mark.parametrize(
    ("kind", "subject", "place", "role", "error"),
    [
        ("user", "nobody", ("e", "p", ""), "reader", UserNotFound),
        ("team", "ada", ("e", "p", ""), "reader", TeamNotFound),
        ("all", "ada", ("e", "p", ""), "reader", InvalidArgument),
        ("user", "ada", ("e", "p", ""), "owner", InvalidArgument),
        ("user", "ada", ("e", "../p", ""), "reader", InvalidName),
        ("user", "ada", ("e", "p", "line"), "reader", InvalidArgument),
        ("user", "ada", ("e", "registry", "a b"), "reader", InvalidName),
    ],
)
def test_what_can_not_be_granted_is_refused(session, user, kind, subject, place, role, error) -> None:
    user("ada")
    with pytest.raises(error):
        grants.set_role(session, kind, subject, *place, role)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(granted=granted, members=members, seen=seen)
def test_the_role_is_the_largest_that_any_rule_gives(tmp_path_factory, granted, members, seen) -> None:
    database = open_file(str(tmp_path_factory.mktemp("rules") / "lineal.db"))
    with database.begin() as session:
        ids = {name: users.add(session, name, at=NOON).id for name in ("ada", "bob")}
        teams.add(session, "vision", at=NOON)
        for name, held in members.items():
            teams.set_member(session, "vision", name, held)
        for (entity, project), visibility in seen.items():
            projects.set_visibility(session, entity, project, visibility, at=NOON)
        for (subject, where), held in granted.items():
            grants.set_role(session, *subject.split(":"), *where, held)
        for name, user_id in ids.items():
            may_read = grants.readable(session, user_id)
            for entity in NAMES:
                for project in PROJECTS:
                    for line in LINES if project == "registry" else ("",):
                        want = expected(name, (entity, project, line), granted, members, seen)
                        assert grants.role_of(session, user_id, entity, project, line) == want
                        asked = {"me": user_id, "of": entity, "within": project, "named": line}
                        assert grants.role_at(session.scalar(select(grants.ROLE_RANK), asked)) == want
                        if (entity, project) in seen and not line:
                            assert ((entity, project) in may_read.projects) == (want is not None)
    database.close()


def expected(name, where, granted, members, seen):
    entity, project, line = where
    visibility = seen.get((entity, project), "team")
    found = ["admin"] if name == entity else []
    for (subject, (of, within, named)), held in granted.items():
        meant = subject == f"user:{name}" or (subject == "team:vision" and name in members)
        if meant and (of, within) == (entity, project) and named in ("", line):
            found.append(held)
    if entity == "vision" and name in members and visibility != "private":
        found.append(members[name])
    if visibility == "public":
        found.append("reader")
    return largest(found)


def test_one_database_says_what_the_other_says(session, user, tmp_path: Path) -> None:
    """The query is the same text; what differs is how a database joins it."""
    ada = user("ada")
    teams.add(session, "vision", at=NOON)
    teams.set_member(session, "vision", "ada", "reader")
    for project, visibility in (("a", "private"), ("b", "team"), ("c", "public")):
        projects.set_visibility(session, "vision", project, visibility, at=NOON)
        projects.set_visibility(session, "other", project, visibility, at=NOON)
    grants.set_role(session, "team", "vision", "other", "a", "", "writer")
    may_read = grants.readable(session, ada).projects
    assert may_read == {("vision", "b"), ("vision", "c"), ("other", "a"), ("other", "c")}
    assert grants.role_of(session, ada, "other", "a") == "writer"
