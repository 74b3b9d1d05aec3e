"""Records and errors as JSON and back."""

import json
import pickle
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lineal.backend.port import Logged
from lineal.backend.wire import batch_from_json, batch_to_json, error_from_json, error_to_json, to_json
from lineal.core.errors import Error, InvalidMetadata
from lineal.core.metadata import MAX_DEPTH, check_metadata
from lineal.tracking.model import Alert, Batch, RunFile

from ..registry.test_retention import version

FAMILIES = {
    "invalid": (422, 2),
    "not_found": (404, 3),
    "conflict": (409, 4),
    "unauthenticated": (401, 5),
    "forbidden": (403, 5),
    "corrupt": (500, 6),
    "unavailable": (503, 7),
}


@pytest.mark.parametrize("code", sorted(Error.by_code))
def test_every_error_comes_back_as_the_class_that_was_raised(code: str) -> None:
    kind = Error.by_code[code]
    error = kind("what happened", digests=["sha256:00"], stands=None, count=3)
    again = error_from_json(json.loads(json.dumps(error_to_json(error))))
    assert type(again) is kind
    assert (again.code, again.message, again.details) == (code, error.message, error.details)
    assert str(again) == "what happened"
    status, exit_code = FAMILIES[code.partition(".")[0]]
    status = 429 if code == "unavailable.too_many_attempts" else status
    assert (again.http_status, again.exit_code) == (status, exit_code)


@pytest.mark.parametrize("code", sorted(Error.by_code))
def test_every_error_survives_pickling_between_processes(code: str) -> None:
    error = Error.by_code[code]("what happened", digests=["x"])
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.message, again.details) == (type(error), error.message, error.details)


def test_an_error_of_a_newer_server_is_a_plain_one() -> None:
    error = error_from_json({"error": {"code": "conflict.of_tomorrow", "message": "m"}})
    assert (type(error), error.message, error.details) == (Error, "m", {})


def test_the_envelope_holds_code_message_and_details() -> None:
    error = Error.by_code["conflict.alias_moved"]("moved", stands="v3", at=datetime(2026, 1, 2, tzinfo=UTC), t=(1, 2))
    details = {"stands": "v3", "at": "2026-01-02T00:00:00Z", "t": [1, 2]}
    body = {"code": "conflict.alias_moved", "message": "moved", "details": details}
    assert error_to_json(error) == {"error": body}


def test_a_record_is_its_fields_and_its_names() -> None:
    logged = version(metadata={"deep": {"x": (1, 2)}}, created_at=datetime(2026, 1, 2, tzinfo=UTC))
    body = to_json(Logged(logged, True))
    assert json.loads(json.dumps(body)) == body
    assert body["made"] is True
    inner = body["version"]
    assert (inner["ref"], inner["version"], inner["number"]) == ("e/p/c:v0", "v0", 0)
    assert (inner["created_at"], inner["deleted_at"]) == ("2026-01-02T00:00:00Z", None)
    assert inner["metadata"] == {"deep": {"x": [1, 2]}}


def test_bytes_are_hex_and_sets_are_lists() -> None:
    assert to_json({"d": b"\x00\xff", "s": {1}, 3: None}) == {"d": "00ff", "s": [1], "3": None}


# ---- batches ---------------------------------------------------------------------------------------------------

AT = datetime(2026, 5, 1, 12, 30, 1, 5, UTC)
BATCHES = [
    Batch(),
    Batch({"history": b"rows", "console": b""}, 7),
    Batch(config={}, metrics=[], environment={}, code={}),
    Batch(
        config={"lr": 0.1, "deep": {"a": [1, None, float("inf")]}},
        summary={"acc": float("-inf"), "gone": None},
        metrics=[{"name": "acc", "goal": "max"}],
        environment={"python": "3"},
        code={"commit": "abc"},
        files=[RunFile("a/b.txt", "sha256:" + "0" * 64, 3)],
        alerts=[Alert("a1", "t", "x", "warn", AT, {"mail": "failed: no"}), Alert("a2", "", "", "info", AT)],
    ),
]


@pytest.mark.parametrize("batch", BATCHES, ids=["nothing", "rows", "emptied", "all"])
def test_a_batch_comes_back_as_it_was(batch):
    facts = json.loads(json.dumps(batch_to_json(batch), allow_nan=False))
    assert batch_from_json(facts, batch.rows) == replace(batch, files=[*batch.files], alerts=[*batch.alerts])


def test_a_batch_says_nothing_of_what_it_does_not_change():
    assert batch_to_json(Batch()) == {"last_step": -1}
    assert set(batch_to_json(BATCHES[2])) == {"last_step", "config", "metrics", "environment", "code"}


def test_a_config_as_deep_as_a_run_may_have_fits_into_a_batch():
    deep = {"a": 1}
    for _ in range(MAX_DEPTH - 1):
        deep = {"a": deep}
    assert check_metadata(deep) == deep
    assert batch_from_json(batch_to_json(Batch(config=deep, summary=deep)), {}).config == deep
    with pytest.raises(InvalidMetadata, match="summary"):
        batch_to_json(Batch(summary={"a": {"a": deep}}))
