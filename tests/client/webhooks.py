"""A web server on this machine that takes what alerts send, and answers as it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Hook:
    """`answers` are the statuses to come, then 200; 0 is an answer that never comes. `taken` is what came."""

    def __init__(self, port: int, answers: list[int]) -> None:
        self.port, self.answers = port, answers
        self.taken: list[dict[str, Any]] = []
        self.came = threading.Semaphore(0)
        self.over = threading.Event()

    def url(self, path: str = "s3cret-path", query: str = "") -> str:
        return f"json://127.0.0.1:{self.port}/{path}{query}"


@contextmanager
def webhook(*answers: int) -> Iterator[Hook]:
    """A server, for as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = hook.answers.pop(0) if hook.answers else 200
            hook.taken.append(body)
            hook.came.release()
            if status == 0:
                hook.over.wait(30)
                return
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook = Hook(server.server_address[1], list(answers))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hook
    finally:
        hook.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
