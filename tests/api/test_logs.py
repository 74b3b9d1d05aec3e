"""Lines of the log: JSON, one piece each."""

import json
import logging
import os
from collections.abc import Iterator

import pytest

from lineal.api import logs


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


def test_what_is_reported_becomes_a_line_with_request_and_traceback(pipe: tuple[int, int]) -> None:
    logger = logging.Logger("lineal.test")
    logger.addHandler(logs.JsonLines(pipe[1]))
    try:
        raise ValueError("no\nnewline")
    except ValueError as problem:
        logger.error("request %s failed", "r1", exc_info=problem, extra={"request": "r1"})
    logger.warning("half \ud800")
    lines = [json.loads(line) for line in os.read(pipe[0], 9999).splitlines()]
    assert len(lines) == 2
    assert (lines[0]["level"], lines[0]["request"], lines[0]["message"]) == ("error", "r1", "request r1 failed")
    assert lines[0]["traceback"].endswith("ValueError: no\nnewline\n")
    assert "traceback" not in lines[1]
    assert lines[1]["time"].endswith("Z")


def test_a_reader_that_has_gone_is_no_fault() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    logs.write_line({"a": 1}, writing)
    os.close(writing)


def test_lineal_and_uvicorn_report_warnings_there_and_nothing_else(pipe: tuple[int, int]) -> None:
    names = ("lineal", "uvicorn")
    before = [
        (logging.getLogger(n).handlers, logging.getLogger(n).propagate, logging.getLogger(n).level) for n in names
    ]
    try:
        logs.start(pipe[1])
        logging.getLogger("uvicorn.error").info("started")
        logging.getLogger("uvicorn.error").warning("odd")
        logging.getLogger("lineal.server").error("bad")
    finally:
        for name, (handlers, propagate, level) in zip(names, before, strict=True):
            logger = logging.getLogger(name)
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(level)
    assert [json.loads(line)["message"] for line in os.read(pipe[0], 9999).splitlines()] == ["odd", "bad"]
