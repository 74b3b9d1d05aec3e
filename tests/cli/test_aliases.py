import json

import pytest

from lineal import Api


@pytest.fixture
def store(cli, log):
    """model v0 and v1; v0 stands at production, for a reason."""
    log("model", {"w": "1"}, "model")
    log("model", {"w": "2"}, "model")
    assert cli("promote", "model:v0", "production", "--why", "first release").code == 0
    return cli


def test_promote_moves_an_alias(store):
    assert store("promote", "model:v1", "production").out == "default/model:production is now v1.\n"
    assert Api().artifact("model:production").version == "v1"
    assert json.loads(store("promote", "model:v0", "production", "--json").out)["version"] == "v0"


def test_promote_only_if_it_stands_where_expected(store):
    said = store("promote", "model:v1", "production", "--expect", "v1")
    assert said.code == 4
    assert "stands at v0, not at v1" in said.err
    assert store("promote", "model:v1", "staging", "--expect", "v0").code == 4
    assert store("promote", "model:v1", "staging", "--expect", "none").code == 0
    assert store("promote", "model:v1", "production", "--expect", "v0").code == 0
    assert store("promote", "model:v1", "production", "--expect", "first").code == 2


@pytest.mark.parametrize(("alias", "code"), [("latest", 2), ("v3", 2), ("a b", 2), ("рrod", 2), ("../x", 2), ("", 2)])
def test_what_cannot_be_an_alias_is_refused(store, alias, code):
    said = store("promote", "model:v1", alias)
    assert said.code == code
    assert "[invalid.alias]" in said.err


def test_demote_takes_the_alias_and_leaves_the_version(store):
    assert store("demote", "model:production").out == "model:production stands nowhere now; it stood at v0.\n"
    assert store("show", "model:production").code == 3
    said = store("demote", "model:production")
    assert (said.code, "lineal aliases model" in said.err) == (3, True)
    assert store("demote", "model:v0").code == 2


def test_rollback_goes_back_one_by_one(store):
    store("promote", "model:v1", "production")
    assert store("rollback", "model:production", "--why", "too slow").out == "model:production is v0 again.\n"
    said = store("rollback", "model:production")
    assert (said.code, "promote a version instead" in said.err) == (3, True)
    assert json.loads(store("history", "model:production", "--json").out)[-1]["why"] == "too slow"


def test_aliases_are_listed_with_latest(store):
    rows = [line.split() for line in store("aliases").out.splitlines()[1:]]
    assert rows == [["default/model", "latest", "v1"], ["default/model", "production", "v0"]]
    assert json.loads(store("aliases", "model", "--json").out)[1] == {
        "collection": "default/model",
        "alias": "production",
        "version": "v0",
    }
    assert store("aliases", "other").code == 3


def test_aliases_of_an_empty_store(cli):
    assert cli("aliases").out == "There are no aliases yet.\n"


def test_history_tells_who_moved_what_when_and_why(store):
    store("promote", "model:v1", "production")
    store("demote", "model:production")
    out = store("history", "model").out
    assert [line.split()[4:7] for line in out.splitlines()[1:]] == [
        ["nowhere", "→", "v0"],
        ["v0", "→", "v1"],
        ["v1", "→", "nowhere"],
    ]
    assert "ada@" in out
    assert "first release" in out
    assert [e["to_number"] for e in json.loads(store("history", "model", "--json").out)] == [0, 1, None]
    assert store("history", "model:staging").out == "No alias of model:staging has ever moved.\n"


def test_who_was_tells_the_stretches_and_one_moment(store):
    then = Api().artifact("model:v0").history()[0].at.isoformat()
    store("promote", "model:v1", "production")
    lines = store("who-was", "model:production").out.splitlines()
    assert [line.split()[0] for line in lines] == ["VERSION", "v0", "v1"]
    assert "now" in lines[2]
    assert [s["number"] for s in json.loads(store("who-was", "model:production", "--at", then, "--json").out)] == [0]
    for words in (("model:production", "--at", "2001-01-01"), ("model:staging",)):
        assert store("who-was", *words).code == 3
    assert store("who-was", "model:v0").code == 2


def test_link_and_unlink(store):
    said = store("link", "model:v1", "registry/classifier", "-a", "prod")
    assert said.out == "local/default/model:v1 is linked as registry/classifier:v0.\n"
    assert store("promote", "registry/classifier:v0", "staging").code == 0
    assert (
        json.loads(store("link", "model:v0", "registry/classifier", "--json").out)["ref"]
        == "local/registry/classifier:v1"
    )
    assert "local/default/model:v1" in store("show", "registry/classifier:prod").out
    assert store("unlink", "registry/classifier:prod").out == (
        "registry/classifier:v0 is no longer linked; local/default/model:v1 stays.\n"
    )
    assert store("show", "registry/classifier:prod").code == 3
    assert store("unlink", "model:v1").code == 2
    assert store("link", "model:v1", "elsewhere/classifier").code == 2
