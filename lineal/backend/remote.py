"""The remote backend: the port's operations asked over HTTP, each derived from its declaration."""

from __future__ import annotations

import inspect
import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any

import httpx

from lineal.backend import port, wire
from lineal.backend.declared import NOUNS, Declared, operations
from lineal.backend.operation import PAGE
from lineal.backend.remote_blobs import RemoteBlobs
from lineal.core import credentials
from lineal.core.errors import InvalidArgument, InvalidSettings, StoreUnavailable
from lineal.core.metadata import check_metadata, check_text
from lineal.core.settings import Settings, api_key, shown
from lineal.storage.manifest import Manifest
from lineal.tracking.model import Batch

API = "/api/v1"
_TIMEOUT = httpx.Timeout(60, connect=10)
_TRIES = 5
_AGAIN = {429, 502, 503, 504}
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 20
_MAX_JSON_BYTES = 64 << 20
_log = logging.getLogger("lineal")
_warned: set[str] = set()


class Http:
    """One server: pooled connections, bounded retries. Every request may be repeated, as ids are the caller's."""

    def __init__(self, settings: Settings) -> None:
        self._base = settings.url.rstrip("/")
        headers = {"Lineal-Entity": settings.entity, "Lineal-User": settings.user, "Lineal-Host": settings.host}
        if settings.project is not None:
            headers["Lineal-Project"] = settings.project
        self._headers = {key: value.encode("utf-8") for key, value in headers.items()}
        key = api_key(settings.url)
        self._auth = None if key is None else _Key(self._base, key)
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None

    def client(self) -> httpx.Client:
        """The connections, opened when first needed."""
        with self._lock:
            if self._client is None:
                more: dict[str, Any] = {"headers": self._headers, "auth": self._auth}
                self._client = httpx.Client(base_url=self._base, timeout=_TIMEOUT, follow_redirects=False, **more)
            return self._client

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """The server's answer. Raises the error that it tells of, or unavailable.store where there is no answer."""
        for attempt in range(_TRIES):
            last = attempt == _TRIES - 1
            try:
                answer = self.client().request(method, path, **more)
            except httpx.TransportError as problem:
                if last:
                    raise self._gone(problem) from None
                pause = 0.0
            else:
                if answer.status_code not in _AGAIN or last:
                    return _checked(answer)
                pause = _pause(answer)
            time.sleep(max(pause, random.uniform(0, _FIRST_PAUSE_S * 2**attempt)))  # noqa: S311 - jitter, no secret
        raise AssertionError("unreachable")

    def tell(self, path: str, asked: Any) -> Any:
        """What the server makes of the JSON. An error may come late, behind blanks, as the end of an answer."""
        headers = {"Content-Type": "application/json"}
        answer = self.ask("POST", path, content=json.dumps(asked).encode(), headers=headers)
        try:
            told = answer.json()
        except ValueError:
            raise _strange(answer) from None
        if isinstance(told, dict) and "error" in told:
            raise wire.error_from_json(told)
        return told

    @contextmanager
    def stream(self, path: str, **more: Any) -> Iterator[httpx.Response]:
        """The server's answer, its body still to be read. Raises as `ask` does."""
        try:
            with self.client().stream("GET", path, **more) as answer:
                if answer.is_error:
                    answer.read()
                    _checked(answer)
                yield answer
        except httpx.TransportError as problem:
            raise self._gone(problem) from None

    def _gone(self, problem: Exception) -> StoreUnavailable:
        return StoreUnavailable(f"the server {self._base} can't be reached: {problem or type(problem).__name__}")

    def close(self) -> None:
        if self._client is not None:
            self._client.close()


class _Key(httpx.Auth):
    """The caller's API key, which only the server that it is for ever sees."""

    def __init__(self, base: str, key: str) -> None:
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise InvalidSettings("the API key holds what no key has; `lineal login` takes another")
        self._place, self._key = _place(httpx.URL(base)), key
        if credentials.in_clear(base) and base not in _warned:
            _warned.add(base)
            _log.warning("%s is not https: whoever is on the way can read the API key", shown(base))

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        if _place(request.url) == self._place:
            request.headers["Authorization"] = f"Bearer {self._key}"
        yield request


def _place(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _pause(answer: httpx.Response) -> float:
    """The seconds that the server asks to wait for."""
    try:
        return min(float(answer.headers.get("Retry-After", "0")), _LONGEST_PAUSE_S)
    except ValueError:
        return 0.0


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    try:
        problem = wire.error_from_json(answer.json())
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _strange(answer) from None
    raise problem


def _strange(answer: httpx.Response) -> StoreUnavailable:
    where = answer.url.copy_with(query=None)
    return StoreUnavailable(f"{where} answered {answer.status_code}, but not as Lineal does; is LINEAL_URL right?")


def _read(kind: Any, answer: httpx.Response) -> Any:
    """What the answer says, as a `kind`."""
    try:
        return wire.from_json(kind, answer.json())
    except (ValueError, InvalidArgument):
        raise _strange(answer) from None


class RemoteBackend(port.Backend):
    """The store behind the server at `settings.url`."""

    def __init__(self, settings: Settings) -> None:
        self.url = settings.url
        self._http = Http(settings)
        for noun, kind in _remote_kinds().items():
            setattr(self, noun, kind(self._http))
        self.blobs = self._blobs = RemoteBlobs(self._http, settings.url, settings.cache_dir)

    def close(self) -> None:
        self._blobs.close()
        self._http.close()


class _Remote:
    def __init__(self, http: Http) -> None:
        self._http = http


def _remote_kinds() -> dict[str, type[Any]]:
    methods: dict[str, dict[str, Any]] = {noun: {} for noun in NOUNS}
    for declared in operations():
        special = _SPECIAL.get((declared.noun, declared.name))
        methods[declared.noun][declared.name] = special or _method(declared)
    return {noun: type(f"Remote{kind.__name__}", (_Remote, kind), methods[noun]) for noun, kind in NOUNS.items()}


def _method(declared: Declared) -> Callable[..., Any]:
    signature = inspect.Signature(list(declared.parameters.values()))
    returns = declared.hints["return"]
    method, path = declared.operation.method, API + declared.operation.path

    def call(self: _Remote, *given: Any, **named: Any) -> Any:
        values = dict(signature.bind(*given, **named).arguments)
        for name, value in values.items():
            if isinstance(value, Mapping) and name != "filters":  # refused while it still is what the caller gave
                values[name] = check_metadata(value, name, finite=False, max_bytes=_MAX_JSON_BYTES)
        where = path.format(**{name: _quoted(values.pop(name)) for name in declared.in_path})
        if declared.in_body:
            body = json.dumps(wire.strict_json(values)).encode()
            answer = self._http.ask(method, where, content=body, headers={"Content-Type": "application/json"})
        else:
            answer = self._http.ask(method, where, params=_query(values))
        return _read(returns, answer)

    call.__name__, call.__doc__ = declared.name, declared.doc
    return _paged(call, declared.operation.cursor) if declared.operation.cursor else call


def _paged(call: Callable[..., Any], cursor: Callable[[Any], str]) -> Callable[..., Any]:
    """The call, which asks page by page, so that each answer is bounded."""

    @wraps(call)
    def every(self: _Remote, *given: Any, limit: int | None = None, after: str | None = None, **named: Any) -> Any:
        found: list[Any] = []
        while True:
            most = PAGE if limit is None else min(PAGE, limit - len(found))
            page = call(self, *given, limit=most, after=after, **named)
            found += page
            if len(page) < most or len(found) == limit:
                return found
            after = cursor(page[-1])

    return every


def _query(values: Mapping[str, Any]) -> dict[str, str]:
    """Values as a query: texts as they are, the rest as JSON; what is None is left out."""
    plain = {key: wire.strict_json(value) for key, value in values.items() if value is not None}
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in plain.items()}
    for key, text in texts.items():
        check_text(text, key)
    return texts


def _quoted(value: Any) -> str:
    """The value as one piece of a path. Raises invalid.argument for what can be none."""
    from urllib.parse import quote

    try:
        piece = quote(str(value), safe="")
    except UnicodeEncodeError:
        piece = ""
    if not piece or piece in (".", ".."):
        raise InvalidArgument(f"{ascii(value)[:80]} names nothing")
    return piece


def _append(self: _Remote, run_id: str, writer: str, seq: int, batch: Batch) -> Any:
    from lineal.tracking.model import Heard

    answer = self._http.ask(
        "POST",
        f"{API}/runs/{_quoted(run_id)}/batches",
        params={"writer": writer, "seq": str(seq)},
        content=wire.batch_to_bytes(batch),
        headers={"Content-Type": "application/octet-stream"},
    )
    return _read(Heard, answer)


def _manifest(self: _Remote, digest: str) -> Manifest:
    answer = self._http.ask("GET", f"{API}/artifacts/manifest", params={"digest": digest})
    return Manifest.parse(answer.content)


_SPECIAL: dict[tuple[str, str], Callable[..., Any]] = {
    ("runs", "append"): _append,
    ("artifacts", "manifest"): _manifest,
}
