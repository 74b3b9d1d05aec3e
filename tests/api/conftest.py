"""An app over a store of its own, asked without a socket."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from lineal.api.app import create_app
from lineal.backend.connect import connect
from lineal.backend.local.backend import LocalBackend
from lineal.core import settings

Ask = Callable[..., httpx.Response]


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[LocalBackend]:
    opened = connect(settings.load(tmp_path, url=str(tmp_path / "store"), user="ada"))
    assert isinstance(opened, LocalBackend)
    yield opened
    opened.close()


@pytest.fixture
def ask(backend: LocalBackend) -> Ask:
    return asking(create_app(backend))


@pytest.fixture
def key(backend: LocalBackend) -> Callable[..., dict[str, str]]:
    """The headers with a new key of that user, who is made if they aren't there; the first one is an admin."""

    def key_(user: str, **more: Any) -> dict[str, str]:
        there = [found.name for found in backend.access.list_users()]
        if user not in there:
            backend.access.add_user(user, admin=not there)
        return {"Authorization": f"Bearer {backend.access.make_key('laptop', user=user, **more).secret}"}

    return key_


def asking(app: FastAPI, peer: str = "10.0.0.7") -> Ask:
    """Asks the app from the address `peer`: method, path, and what httpx takes."""

    def asked(method: str, path: str, **more: Any) -> httpx.Response:
        async def once() -> httpx.Response:
            transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(peer, 1234))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await client.request(method, path, **more)

        return asyncio.run(once())

    return asked
