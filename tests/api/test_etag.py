"""Conditions in headers: reading a version again, and moving an alias from where it is known to stand."""

from collections.abc import Callable

import pytest

from lineal.backend.local.backend import LocalBackend
from lineal.storage import digest as digests
from lineal.storage.cache import Cache
from lineal.storage.manifest import Manifest
from lineal.storage.transfer import Push
from tests.api.conftest import Ask


@pytest.fixture
def log(backend: LocalBackend, tmp_path) -> Callable[[str], None]:
    """Logs a version of `m` with that content."""
    cache = Cache(tmp_path / "cache")

    def logged(text: str) -> None:
        with Push(backend.blobs, cache) as push:
            digest = digests.format(push.manifest(Manifest([push.data("a", text.encode())])))
        backend.artifacts.log("m", "model", digest)

    return logged


def resolve(ask: Ask, ref: str, **headers: str):
    return ask("GET", "/api/v1/artifacts/resolve", params={"ref": ref}, headers=headers)


def move(ask: Ask, ref: str, *, expected: str | None = None, **headers: str):
    body = {"ref": ref, "alias": "production"} | ({"expected": expected} if expected else {})
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ask("PUT", "/api/v1/artifacts/alias", json=body, headers=named)


def test_a_version_that_is_known_is_not_sent_again(ask: Ask, log) -> None:
    log("one")
    first = resolve(ask, "m")
    tag = first.headers["ETag"]
    assert tag.startswith('"v0.')
    for known in (tag, "*", f'"v7.00", {tag}'):
        again = resolve(ask, "m", **{"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert resolve(ask, "m", **{"If-None-Match": '"v0"'}).status_code == 200


def test_the_tag_is_another_once_anything_about_the_version_is(ask: Ask, log) -> None:
    log("one")
    tags = [resolve(ask, "m").headers["ETag"]]
    move(ask, "m:v0")
    tags.append(resolve(ask, "m").headers["ETag"])
    ask("PATCH", "/api/v1/artifacts/version", json={"ref": "m:v0", "description": "better"})
    tags.append(resolve(ask, "m").headers["ETag"])
    log("two")
    tags.append(resolve(ask, "m").headers["ETag"])
    assert len(set(tags)) == 4


def test_an_alias_moves_only_from_where_it_is_said_to_stand(ask: Ask, log) -> None:
    for text in ("one", "two", "three"):
        log(text)
    assert move(ask, "m:v0", If_None_Match="*").status_code == 200
    refused = move(ask, "m:v1", If_None_Match="*")
    assert refused.status_code == 412
    assert refused.json()["error"]["code"] == "conflict.alias_moved"
    assert refused.json()["error"]["details"]["stands"] == "v0"
    assert move(ask, "m:v1", If_Match='"v0"').status_code == 200
    assert move(ask, "m:v2", If_Match='"v0"').status_code == 412
    tag = resolve(ask, "m:production").headers["ETag"]
    assert move(ask, "m:v2", If_Match=tag).json()["version"] == "v2"
    assert move(ask, "m:v0", expected="v1").status_code == 409


def test_a_star_takes_the_alias_from_anywhere_but_not_from_nowhere(ask: Ask, log) -> None:
    log("one")
    log("two")
    refused = move(ask, "m:v0", If_Match="*")
    assert (refused.status_code, refused.json()["error"]["code"]) == (412, "conflict.alias_moved")
    move(ask, "m:v0")
    assert move(ask, "m:v1", If_Match="*").json()["version"] == "v1"


@pytest.mark.parametrize(
    "headers",
    [
        {"If_Match": "v0"},
        {"If_Match": 'W/"v0"'},
        {"If_Match": '"x"'},
        {"If_Match": '"v0", "v1"'},
        {"If_None_Match": '"v0"'},
        {"If_Match": '"v0"', "If_None_Match": "*"},
        {"If_Match": '"v0"', "expected": "v0"},
    ],
)
def test_a_condition_that_is_none_is_refused(ask: Ask, log, headers: dict[str, str]) -> None:
    log("one")
    assert move(ask, "m:v0", **headers).status_code == 422
    assert "production" not in resolve(ask, "m").json()["aliases"]
