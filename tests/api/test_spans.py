"""Spans are nothing until somebody wants them."""

from collections.abc import Iterator
from contextlib import contextmanager

from lineal.api import spans


def test_a_span_is_told_while_somebody_listens() -> None:
    told = []

    @contextmanager
    def make(name: str, **facts: str | int) -> Iterator[None]:
        yield
        told.append((name, facts))

    with spans.span("before"):
        pass
    spans.tell(make)
    try:
        with spans.span("within", rows=3):
            assert told == []
    finally:
        spans.tell(None)
    with spans.span("after"):
        pass
    assert told == [("within", {"rows": 3})]
