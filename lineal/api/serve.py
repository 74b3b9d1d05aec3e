"""A server from its settings: it listens, answers by one process or several, and ends when it is told to."""

from __future__ import annotations

import errno
import os
import socket
import tempfile
from collections.abc import Callable
from contextlib import suppress

from lineal.api.plan import Plan
from lineal.core.errors import AddressInUse, InvalidSettings

_BACKLOG = 2048
_OPEN_FILES = 65_536


def listen(host: str, port: int) -> socket.socket:
    """The socket on which others connect. Raises unavailable.address, invalid.settings."""
    where = f"{host}:{port}"
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError) as problem:
        raise InvalidSettings(f"there is no address {ascii(host)[:80]} to listen at: {problem}") from None
    try:
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as problem:
        if problem.errno == errno.EADDRINUSE:
            raise AddressInUse(
                f"another program listens at {where}; stop it, or choose another port: `--port {port + 1}`"
            ) from None
        if problem.errno in (errno.EACCES, errno.EPERM):
            raise AddressInUse(f"you may not listen at {where}; choose a port above 1023: `--port 8230`") from None
        if problem.errno == errno.EADDRNOTAVAIL:
            raise InvalidSettings(f"{host} is no address of this machine; set `--host` to one") from None
        raise AddressInUse(f"can't listen at {where}: {problem.strerror}") from None


def serve(plan: Plan, listening: socket.socket, *, ready: Callable[[], None]) -> int:
    """The exit code of the server, once it has been told to stop; `ready` is called when it answers requests."""
    _allow_files()
    if plan.server.workers == 1:
        from lineal.api import worker

        worker.serve(plan, listening, ready=ready)
        return 0
    if os.name != "posix":
        raise InvalidSettings("several workers need a POSIX system; start several servers at ports of their own")
    from lineal.api.workers import Workers

    with tempfile.TemporaryDirectory(prefix="lineal-server-") as metrics:  # nobody else may look into it
        return Workers(plan, listening, metrics, ready).run()


def _allow_files() -> None:
    """Lets this process have as many connections as the system would give it."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
        if soft < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
