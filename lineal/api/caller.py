"""Who asks, and with which defaults: a backend for each caller, over the one store of the server."""

from __future__ import annotations

from functools import lru_cache

from fastapi import Request

from lineal.backend.local.backend import LocalBackend
from lineal.backend.local.served import ServedBackend
from lineal.core.metadata import check_text
from lineal.core.names import check_name

_MAX_TEXT = 256


class Desk:
    """The server's store as each caller sees it."""

    def __init__(self, backend: LocalBackend) -> None:
        self.backend = backend
        self._served_to = lru_cache(maxsize=1024)(backend.served_to)

    def of(self, request: Request) -> ServedBackend:
        """The store as the caller's headers ask for it. Raises invalid.name."""
        headers = request.headers
        entity, project = headers.get("lineal-entity"), headers.get("lineal-project")
        here = self.backend.context
        return self._served_to(
            None,
            entity=check_name(entity, "entity") if entity else here.entity,
            project=check_name(project, "project") if project else here.project,
            user=_text(headers.get("lineal-user")) or here.user,
            host=_text(headers.get("lineal-host")) or here.host,
        )


def _text(value: str | None) -> str | None:
    if value is None:
        return None
    text = value.encode("latin-1").decode("utf-8", "replace")  # headers come as latin-1; ours are UTF-8
    return check_text(text[:_MAX_TEXT], "user")
