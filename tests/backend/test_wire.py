import json
from datetime import UTC, datetime

import pytest

from lineal.backend.wire import error_from_json, error_to_json, to_json
from lineal.core.errors import AliasMoved, Error, Invalid
from lineal.storage.digest import Digest
from lineal.tracking.model import Run

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_a_record_is_its_fields_and_what_names_it():
    run = Run("r1", "local", "digits", "n", "train", "running", {"lr": (1, 2)}, {}, "ada", "vm", NOON)
    body = json.loads(json.dumps(to_json(run)))
    assert body["path"] == "local/digits/r1"
    assert body["config"] == {"lr": [1, 2]}
    assert (body["created_at"], body["finished_at"]) == ("2026-05-01T12:00:00Z", None)


def test_lists_sets_mappings_and_digests_are_plain():
    assert to_json({1: [Digest(b"\x00\xff")], "a": (NOON,)}) == {"1": ["00ff"], "a": ["2026-05-01T12:00:00Z"]}
    assert to_json(frozenset({1})) == [1]


def test_an_error_comes_back_as_the_same_class():
    error = AliasMoved("moved", stands="v1", expected="v0")
    back = error_from_json(json.loads(json.dumps(error_to_json(error))))
    assert type(back) is AliasMoved
    assert (back.message, back.details) == ("moved", {"stands": "v1", "expected": "v0"})


@pytest.mark.parametrize("kind", Error.by_code.values(), ids=lambda kind: kind.code)
def test_every_error_survives_the_wire(kind):
    assert type(error_from_json(error_to_json(kind("text")))) is kind


def test_a_code_of_the_future_is_a_plain_error():
    back = error_from_json({"error": {"code": "invalid.of_tomorrow", "message": "text"}})
    assert type(back) is Error
    assert not isinstance(back, Invalid)
