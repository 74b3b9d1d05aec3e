"""One process that answers requests: the app in uvicorn, from a socket that listens until it is told to stop.

`python -m lineal.api.worker` is such a process under `workers.py`. It is told its plan through stdin, which then
stays open as long as its supervisor lives: a worker that has lost it ends as if asked to.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

import uvicorn

from lineal.api import logs
from lineal.api.access_log import AccessLog
from lineal.api.app import API, create_app
from lineal.api.bounds import Limits
from lineal.api.health import State
from lineal.api.plan import Plan
from lineal.api.protocol import Guarded
from lineal.backend.connect import connect
from lineal.backend.local.backend import LocalBackend
from lineal.core.errors import Error

if TYPE_CHECKING:
    from lineal.api.telemetry import Telemetry

AT_ONCE = 130
_OVERTIME_S = 5
READY = b"r"


class Server(uvicorn.Server):
    """uvicorn's, which stops gracefully at the first signal and at once at the second, and then ends as it should."""

    def __init__(self, config: uvicorn.Config, state: State, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._state = state
        self._ready = ready

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            os._exit(AT_ONCE)  # rows and objects are whole at any moment: that is what a crash would leave
        self.stop()

    def stop(self) -> None:
        """Has it stop: no more requests are taken, those under way end."""
        self._state.stopping = True
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        patience = (self.config.timeout_graceful_shutdown or 0) + _OVERTIME_S
        overtime = threading.Timer(patience, os._exit, (1,))  # a use case in a thread can't be cancelled
        overtime.daemon = True
        overtime.start()
        await super().shutdown(sockets)
        overtime.cancel()


def serve(plan: Plan, listening: socket.socket, *, ready: Callable[[], None], lifeline: Any = None) -> None:
    """Answers requests until it is told to stop. Raises what `connect` does."""
    logs.start()
    backend = connect(plan.store)
    assert isinstance(backend, LocalBackend)
    state, telemetry = State(), _telemetry(plan, backend)
    server = Server(_config(plan, backend, state, telemetry), state, ready)
    if lifeline is not None:
        threading.Thread(target=_until_gone, args=(lifeline, server), daemon=True).start()
    try:
        server.run(sockets=[listening])
    finally:
        if telemetry is not None:
            telemetry.close()
        backend.close()


def _telemetry(plan: Plan, backend: LocalBackend) -> Telemetry | None:
    if not plan.server.telemetry:
        return None
    from lineal.api.telemetry import Telemetry

    return Telemetry(backend)


def _config(plan: Plan, backend: LocalBackend, state: State, telemetry: Telemetry | None) -> uvicorn.Config:
    from lineal.api import oidc
    from lineal.api.metrics import Metrics

    server = plan.server
    metrics = Metrics(backend, readers=server.metrics_from)
    app: Any = create_app(
        backend,
        hosts=server.answers_to,
        limits=Limits(upload_bytes=server.max_upload_bytes, stall_s=server.stall_after_s),
        listeners=(AccessLog(), metrics),
        state=state,
        provider=oidc.configured(),
        more=(metrics.router(),),
    )
    return uvicorn.Config(
        telemetry.around(app, API) if telemetry is not None else app,
        http=Guarded,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(server.trusted_proxies),
        forwarded_allow_ips=list(server.trusted_proxies),
        timeout_graceful_shutdown=max(1, round(server.stop_within_s)),
    )


def _until_gone(lifeline: Any, server: Server) -> None:
    while lifeline.read(4096):
        pass
    server.stop()


def main() -> int:
    """The exit code of a worker under a supervisor: argv has the descriptors of the socket and of the pipe to it."""
    listening = socket.socket(fileno=int(sys.argv[1]))
    told = int(sys.argv[2])
    os.set_inheritable(told, False)
    lifeline = os.fdopen(0, "rb", buffering=0, closefd=False)
    line = b""
    while not line.endswith(b"\n") and (piece := lifeline.read(1)):
        line += piece
    if not line:
        return 1
    try:
        serve(Plan.from_line(line), listening, ready=lambda: _tell(told), lifeline=lifeline)
    except Error as problem:
        logs.write_line({"level": "error", "message": f"{problem.message} [{problem.code}]"})
        return problem.exit_code
    return 0


def _tell(descriptor: int) -> None:
    os.write(descriptor, READY)


if __name__ == "__main__":
    sys.exit(main())
