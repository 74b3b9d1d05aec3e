"""The access log: a line for each request, without anything that could be a secret."""

from __future__ import annotations

from typing import Any

from lineal.api.logs import STDERR, write_line
from lineal.api.served import Listener, Served
from lineal.core import clock


class AccessLog(Listener):
    """Writes a line for each request."""

    def __init__(self, descriptor: int = STDERR) -> None:
        self._descriptor = descriptor

    def ended(self, served: Served) -> None:
        line: dict[str, Any] = {
            "time": clock.format_time(clock.now()),
            "request": served.request_id,
            "method": served.method,
            "route": served.route,
            "status": served.status,
            "ms": round(served.seconds * 1000, 2),
            "in": served.bytes_in,
            "out": served.bytes_out,
            "peer": served.peer,
        }
        if served.caller:
            line |= {"caller": served.caller, "key": served.key_prefix}
        write_line(line, self._descriptor)
