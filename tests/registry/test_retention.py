"""What gc decides about a version, reason by reason."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lineal.core.errors import InvalidArgument
from lineal.registry.model import Version
from lineal.registry.retention import MAX_TTL_S, check_ttl, decide

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def version(**given: Any) -> Version:
    values: dict[str, Any] = {
        "entity": "e",
        "project": "p",
        "collection": "c",
        "type": "dataset",
        "number": 0,
        "digest": "sha256:" + "0" * 64,
        "size_bytes": 0,
        "file_count": 1,
        "description": "",
        "metadata": {},
        "tags": (),
        "aliases": (),
        "source": "e/p/c:v0",
        "run_id": None,
        "ttl_s": None,
        "hold": None,
        "created_at": NOON,
        "created_by": "ada",
    }
    return Version(**(values | given))


@pytest.mark.parametrize(
    ("facts", "around", "fate", "why"),
    [
        ({}, {}, "keep", "no ttl"),
        ({"ttl_s": 60}, {"now": NOON + timedelta(seconds=59)}, "keep", "ttl not over before 2026-05-01 12:01Z"),
        ({"ttl_s": 60}, {"now": NOON + timedelta(seconds=60)}, "expire", "ttl over since 2026-05-01 12:01Z"),
        ({"ttl_s": 0}, {"now": NOON}, "expire", "ttl over since 2026-05-01 12:00Z"),
        ({"ttl_s": 0, "hold": "audit"}, {}, "keep", "hold: audit"),
        ({"ttl_s": 0, "aliases": ("a", "b")}, {}, "keep", "alias a, b"),
        ({"ttl_s": 0}, {"linked": ("e/registry/r:v0",)}, "keep", "link e/registry/r:v0"),
        ({"ttl_s": 0}, {"newest": True}, "keep", "newest"),
        ({"ttl_s": 0}, {"used": True}, "keep", "used by a run"),
        ({"deleted_at": NOON}, {}, "purge", "deleted 2026-05-01"),
        ({"deleted_at": NOON, "hold": "audit", "aliases": ("a",)}, {"newest": True}, "purge", "deleted 2026-05-01"),
        ({"hold": "audit", "aliases": ("a",), "ttl_s": 0}, {"newest": True, "used": True}, "keep", "hold: audit"),
        ({"ttl_s": MAX_TTL_S}, {}, "keep", "ttl not over before 3025-09-01 12:00Z"),
    ],
)
def test_the_first_reason_that_holds_decides(
    facts: dict[str, Any], around: dict[str, Any], fate: str, why: str
) -> None:
    given = {"linked": (), "newest": False, "used": False, "now": NOON + timedelta(days=1), **around}
    decision = decide(version(**facts), **given)
    assert (decision.fate, decision.why) == (fate, why)


def test_a_ttl_lies_between_nothing_and_a_thousand_years() -> None:
    assert [check_ttl(n) for n in (0, 1, MAX_TTL_S)] == [0, 1, MAX_TTL_S]
    for ttl_s in (-1, MAX_TTL_S + 1, 1 << 70):
        with pytest.raises(InvalidArgument):
            check_ttl(ttl_s)
