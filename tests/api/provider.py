"""A real OpenID Connect provider on loopback, whose word somebody on the way may change."""

from __future__ import annotations

import io
import json
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import RSAKey


class Issuer:
    """The provider: `change` is done to each ID token that it gives, `says` is what it calls itself."""

    def __init__(self, url: str, app: Any) -> None:
        self.url = url
        self.change: Callable[[str], str] = lambda token: token
        self.says = ""
        self.exchanged: list[str] = []  # what came to its token endpoint
        self._app, self._inner = app, app.wsgi_app
        app.wsgi_app = self
        self._storage: Any = None
        self.key = self._key()

    def knows(self, subject: str, **claims: object) -> None:
        """The provider knows somebody, with these claims."""
        assert httpx.put(f"{self.url}/users/{subject}", json=claims).status_code == 204

    def agree(self, url: str, subject: str, action: str = "") -> str:
        """Where the provider sends the browser that came by `url`, once `subject` agrees there."""
        answer = httpx.post(url, data={"sub": subject} | ({"action": action} if action else {}))
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"]

    def signed(self, claims: dict[str, Any]) -> str:
        """The claims, signed by the provider's own key."""
        return jwt.encode({"alg": "RS256"}, claims, self.key)

    def change_key(self) -> None:
        """From now on the provider signs by another key."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._storage.jwk = type(self._storage.jwk).generate_key(is_private=True)
        self.key = self._key()

    def _key(self) -> RSAKey:
        if self._storage is None:
            with self._app.test_request_context():
                self._app.preprocess_request()
                import flask

                self._storage = flask.g.oidc_provider_mock_storage
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return RSAKey.import_key(self._storage.jwk.as_dict(is_private=True))

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """The provider's answer, with what is to be changed of it."""
        begun: list[Any] = []
        path = environ["PATH_INFO"]
        if path == "/oauth2/token":
            came = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            self.exchanged.append(came.decode())
            environ["wsgi.input"] = io.BytesIO(came)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = b"".join(self._inner(environ, lambda *given: begun.append(given)))
        status, headers, *more = begun[0]
        if path == "/oauth2/token" and b"id_token" in body:
            facts = json.loads(body)
            body = json.dumps(facts | {"id_token": self.change(facts["id_token"])}).encode()
        elif path.startswith("/.well-known") and self.says:
            body = json.dumps(json.loads(body) | {"issuer": self.says}).encode()
        headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
        start_response(status, [*headers, ("Content-Length", str(len(body)))], *more)
        return [body]


@contextmanager
def issuing() -> Iterator[Issuer]:
    """A provider that runs until the block ends."""
    import authlib.deprecate  # noqa: F401 - it sets filters of its own

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is written for a former Authlib
        from oidc_provider_mock._app import app as make_app
        from werkzeug.serving import make_server

        app = make_app(require_nonce=True)
        app.debug = False
        app.wsgi_app = app.wsgi_app.app  # without the debugger around it
    running = make_server("localhost", 0, app, threaded=True)
    thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield Issuer(f"http://localhost:{running.server_port}", app)
    finally:
        running.shutdown()
        thread.join(10)
        running.server_close()
