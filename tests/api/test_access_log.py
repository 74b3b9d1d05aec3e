"""The access log's lines."""

import json
import os

from lineal.api.access_log import AccessLog
from lineal.api.served import Served


def line(served: Served) -> dict:
    reading, writing = os.pipe()
    AccessLog(writing).ended(served)
    os.close(writing)
    with os.fdopen(reading, "rb") as lines:
        (only,) = lines.readlines()
    return json.loads(only)


def test_a_line_says_what_was_asked_what_became_of_it_and_who_asked() -> None:
    found = line(Served("r1", "GET", "/a/{b}", 200, 0.01234, 5, 6, "ada", "abc", "10.0.0.1", 0))
    assert found.pop("time").endswith("Z")
    assert found == {
        "request": "r1",
        "method": "GET",
        "route": "/a/{b}",
        "status": 200,
        "ms": 12.34,
        "in": 5,
        "out": 6,
        "peer": "10.0.0.1",
        "caller": "ada",
        "key": "abc",
    }


def test_a_caller_that_is_not_known_is_left_out() -> None:
    found = line(Served("r1", "GET", None, 404, 0, 0, 0, "", "", "::1", 0))
    assert "caller" not in found
    assert found["route"] is None
