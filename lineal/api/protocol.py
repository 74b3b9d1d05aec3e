"""HTTP/1.1 of uvicorn's, with an end to patience: heads that are too long, or never come, close the connection."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_TOO_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Guarded(HttpToolsProtocol):
    """A connection on which a request's line and headers come within `head_s` and `head_bytes`."""

    head_s: ClassVar[float] = 20
    head_bytes: ClassVar[int] = 64 << 10

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._patience: asyncio.TimerHandle | None = None
        self._headed = False  # the head has come, and the body is on its way
        self._came = 0  # bytes of the head

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._enough()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._headed or self.transport.is_closing():
            return
        self._came += len(data)
        if self._patience is None and not self._busy():
            self._wait()  # a stray byte has stopped uvicorn's own clock
        if self._patience is not None and self._came > self.head_bytes:
            self._close(_TOO_LONG)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._came = 0
        self._wait()

    def on_headers_complete(self) -> None:
        self._enough()
        self._headed = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._headed = False
        super().on_message_complete()

    def _busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        self._enough()
        self._patience = self.loop.call_later(self.head_s, self._too_slow)

    def _enough(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _too_slow(self) -> None:
        self._patience = None
        if not self._busy():
            self._close(_TOO_SLOW)

    def _close(self, answer: bytes) -> None:
        self._enough()
        if not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()
