"""OpenTelemetry, where it is asked for: spans of requests, operations, statements and objects, sent by OTLP.

Where to, how often and which share of them is said by OpenTelemetry's own OTEL_* variables. No span has a query, a
header, a body, a parameter of a statement or a path: a request is told by the template of its route.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lineal.api import spans
from lineal.api.outer import App, Receive, Scope, Send
from lineal.api.served import route_of
from lineal.backend.local.backend import LocalBackend
from lineal.backend.local.observed import observe
from lineal.core.errors import MissingDependency
from lineal.core.settings import environment

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer


class Telemetry:
    """The spans of one process. Raises unavailable.dependency without OpenTelemetry."""

    def __init__(self, backend: LocalBackend, provider: TracerProvider | None = None) -> None:
        """`provider` takes the place of the one that the OTEL_* variables describe."""
        self._provider = provider or _provider()
        self._tracer: Tracer = self._provider.get_tracer("lineal")
        spans.tell(self._span)
        observe(backend, self._span)

    def around(self, app: App, prefix: str = "") -> App:
        """The app with a span around each request; `prefix` is as for `Watched`."""
        return _Traced(app, self._tracer, prefix)

    def close(self) -> None:
        """Sends what is not sent yet; no more spans are made."""
        spans.tell(None)
        self._provider.shutdown()

    @contextmanager
    def _span(self, name: str, **facts: str | int) -> Iterator[None]:
        from opentelemetry.trace import StatusCode

        with self._tracer.start_as_current_span(
            name, attributes=facts, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield
            except Exception as problem:  # told by its code: its message may name what is nobody else's business
                span.set_attribute("error.type", getattr(problem, "code", type(problem).__name__))
                span.set_status(StatusCode.ERROR)
                raise


class _Traced:
    def __init__(self, app: App, tracer: Tracer, prefix: str) -> None:
        self._app = app
        self._tracer = tracer
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        from opentelemetry import propagate
        from opentelemetry.trace import SpanKind, StatusCode

        carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        method = scope["method"]
        with self._tracer.start_as_current_span(
            method,
            context=propagate.extract(carrier),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": method},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:

            async def say(message: MutableMapping[str, Any]) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= 500:
                        span.set_status(StatusCode.ERROR)
                await send(message)

            try:
                await self._app(scope, receive, say)
            finally:
                span.set_attribute("lineal.request", scope.get("state", {}).get("request_id", ""))
                if (route := route_of(scope, self._prefix)) is not None:
                    span.update_name(f"{method} {route}")
                    span.set_attribute("http.route", route)


def _provider() -> TracerProvider:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as problem:
        raise MissingDependency(
            f"telemetry needs more packages ({problem.name}): pip install 'lineal[server,telemetry]'"
        ) from None
    named = {} if environment("OTEL_SERVICE_NAME") else {"service.name": "lineal"}
    provider = TracerProvider(resource=Resource.create(named))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider
