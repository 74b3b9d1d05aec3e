"""The error tree: every code is its own and for ever, and every error keeps its family's statuses."""

from __future__ import annotations

import copy
import pickle

import pytest

from lineal.core import errors
from lineal.core.errors import Error

FAMILIES = {
    errors.Invalid: ("invalid", 422, 2),
    errors.NotFound: ("not_found", 404, 3),
    errors.Conflict: ("conflict", 409, 4),
    errors.Unauthenticated: ("unauthenticated", 401, 5),
    errors.Forbidden: ("forbidden", 403, 5),
    errors.Corrupt: ("corrupt", 500, 6),
    errors.Unavailable: ("unavailable", 503, 7),
}
EVERY = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Error)]
KINDS = [kind for kind in EVERY if kind is not Error and kind not in FAMILIES]


def test_no_two_errors_share_a_code() -> None:
    codes = [kind.code for kind in EVERY]
    assert len(set(codes)) == len(codes)


def test_every_code_finds_its_class() -> None:
    for kind in EVERY:
        if kind is not Error:
            assert Error.by_code[kind.code] is kind


def test_the_codes_are_those_that_were_ever_given() -> None:
    """Codes are for ever: one may be added here, none taken away or changed."""
    assert {kind.code for kind in KINDS} >= {
        "invalid.name", "invalid.ref", "invalid.ambiguous_ref", "invalid.alias", "invalid.path",
        "invalid.path_collision", "invalid.manifest", "invalid.digest", "invalid.reference", "invalid.settings",
        "invalid.source", "invalid.target", "invalid.metadata", "invalid.empty_artifact", "invalid.argument",
        "not_found.collection", "not_found.version", "not_found.alias", "not_found.run", "not_found.entry",
        "not_found.blob", "not_found.link", "conflict.alias_moved", "conflict.type", "conflict.version_in_use",
        "conflict.version_purged", "conflict.run_finished", "conflict.source_changed", "conflict.blobs_missing",
        "conflict.plan_outdated", "conflict.artifact_logged", "corrupt.digest_mismatch", "corrupt.pack",
        "corrupt.manifest", "corrupt.database", "unavailable.store", "unavailable.disk_full",
        "unavailable.read_only", "unavailable.newer_format", "unavailable.database_busy", "unavailable.dependency",
        "unavailable.reference",
    }  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_has_its_status_and_exit_code(family: type[Error]) -> None:
    assert (family.code, family.http_status, family.exit_code) == FAMILIES[family]


@pytest.mark.parametrize("kind", KINDS)
def test_a_subclass_adds_only_a_code_to_its_family(kind: type[Error]) -> None:
    (family,) = kind.__bases__
    assert kind.code.startswith(f"{family.code}.")
    status = (
        429 if kind is errors.TooManyAttempts else FAMILIES[family][1]
    )  # what clients and proxies know how to wait for
    assert (kind.http_status, kind.exit_code) == (status, FAMILIES[family][2])


@pytest.mark.parametrize("kind", EVERY)
def test_an_error_survives_pickling_and_copying(kind: type[Error]) -> None:
    error = kind("it failed", path="a/b", size=3)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is kind
        assert str(again) == again.message == "it failed"
        assert again.details == {"path": "a/b", "size": 3}
