"""What a server writes down: one JSON object a line."""

from __future__ import annotations

import json
import logging
import os
import traceback
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from lineal.core import clock

_LOGGERS = ("lineal", "uvicorn")
STDERR = 2


class JsonLines(logging.Handler):
    """Writes log records as lines of the same kind; what failed comes with its traceback."""

    def __init__(self, descriptor: int = STDERR) -> None:
        super().__init__()
        self._descriptor = descriptor

    def emit(self, record: logging.LogRecord) -> None:
        line: dict[str, Any] = {
            "time": clock.format_time(clock.now()),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        if (request := getattr(record, "request", None)) is not None:
            line["request"] = request
        if record.exc_info and record.exc_info[1] is not None:
            line["traceback"] = "".join(traceback.format_exception(record.exc_info[1]))
        write_line(line, self._descriptor)


def write_line(line: Mapping[str, Any], descriptor: int = STDERR) -> None:
    """Writes the line in one piece, so that several processes can share a file; a reader may have gone."""
    data = json.dumps(line, separators=(",", ":")).encode("ascii") + b"\n"
    with suppress(OSError):
        os.write(descriptor, data)


def start(descriptor: int = STDERR) -> None:
    """Sends what Lineal and uvicorn report, warnings and worse, to the log."""
    handler = JsonLines(descriptor)
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.WARNING)
