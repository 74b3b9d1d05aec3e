"""Spans of requests, operations, statements and objects, collected by the real SDK."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from lineal.api.app import API, create_app
from lineal.api.telemetry import Telemetry
from lineal.backend.local.backend import LocalBackend
from lineal.storage.blobs import object_key
from lineal.storage.digest import of_bytes
from tests.api.conftest import Ask, asking


@pytest.fixture
def exporter(backend: LocalBackend) -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def ask(backend: LocalBackend, exporter: InMemorySpanExporter) -> Iterator[Ask]:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    telemetry = Telemetry(backend, provider)
    yield asking(telemetry.around(create_app(backend), API))
    telemetry.close()


def named(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in exporter.get_finished_spans()}


def test_a_request_its_operation_and_its_statements_are_one_trace(ask: Ask, exporter: InMemorySpanExporter) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    answer = ask("GET", "/api/v1/runs/secret", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    spans = named(exporter)
    request, operation = spans["GET /api/v1/runs/{run_id}"], spans["runs.get"]
    statement = spans["database SELECT"]
    assert format(request.context.trace_id, "032x") == trace
    assert operation.parent.span_id == request.context.span_id
    assert statement.parent.span_id == operation.context.span_id
    assert request.attributes == {
        "http.request.method": "GET",
        "http.route": "/api/v1/runs/{run_id}",
        "http.response.status_code": 404,
        "lineal.request": answer.headers["X-Request-Id"],
    }
    assert "?" in statement.attributes["db.query.text"]
    assert operation.attributes == {"error.type": "not_found.run"}
    assert "secret" not in "".join(span.to_json() for span in exporter.get_finished_spans())


def test_objects_of_the_store_have_spans(ask: Ask, exporter: InMemorySpanExporter) -> None:
    key = object_key(of_bytes(b"bytes"))
    assert ask("PUT", f"/api/v1/objects/{key}", content=b"bytes").status_code == 204
    assert ask("GET", f"/api/v1/objects/{key}").content == b"bytes"
    assert ask("GET", f"/api/v1/objects/{key}", headers={"Range": "bytes=0-1"}).content == b"by"
    assert {"store open", "store read"} <= set(named(exporter))


def test_a_statement_that_fails_has_a_span_too(
    ask: Ask, backend: LocalBackend, exporter: InMemorySpanExporter
) -> None:
    from sqlalchemy import text

    from lineal.core.errors import StoreUnavailable

    for _ in range(2):
        with pytest.raises(StoreUnavailable), backend.context.database.read() as session:
            session.execute(text("SELECT nothing FROM nowhere"))
    assert named(exporter)["database SELECT"].attributes["db.query.text"] == "SELECT nothing FROM nowhere"


def test_a_server_without_telemetry_loads_no_sdk() -> None:
    code = "import sys, lineal.api.worker; sys.exit('opentelemetry.sdk' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
