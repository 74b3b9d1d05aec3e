"""A real server on loopback in a thread of the test's process, one at a time."""

import socket
import threading
import time
from pathlib import Path
from typing import Any

import uvicorn

from lineal.api.app import create_app
from lineal.api.oidc import Provider
from lineal.backend.connect import connect
from lineal.backend.local.backend import LocalBackend
from lineal.core import settings

_running: list[tuple[uvicorn.Server, threading.Thread, LocalBackend]] = []


def start(folder: Path, *, provider: Provider | None = None, **given: str) -> str:
    """The URL of a server over a store in `folder`, or at the `url` and `store` that are given."""
    folder.mkdir(parents=True, exist_ok=True)
    backend = connect(settings.load(folder, **{"url": str(folder / "store"), **given}))
    assert isinstance(backend, LocalBackend)
    listening = socket.create_server(("127.0.0.1", 0))
    app = create_app(backend, provider=provider)
    quiet: dict[str, Any] = {"log_config": None, "lifespan": "off", "access_log": False, "proxy_headers": False}
    config = uvicorn.Config(app, **quiet)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    _running.append((server, thread, backend))
    return f"http://127.0.0.1:{listening.getsockname()[1]}"


def served() -> LocalBackend:
    """The backend behind the server that was started last."""
    return _running[-1][2]


def stop() -> None:
    """Stops every server that was started."""
    while _running:
        server, thread, backend = _running.pop()
        server.should_exit = server.force_exit = True
        thread.join(10)
        backend.close()
