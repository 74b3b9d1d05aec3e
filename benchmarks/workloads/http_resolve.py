"""Resolving an alias over HTTP: 8 clients, a registry of 1,000 models × 20 versions in PostgreSQL, one worker.

The clients are the same for both. Lineal's server finds out by an API key who asks and whether they may read that;
mlflow's lets in everybody.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cell
import clients
import databases
import members
import servers

_CLIENTS = 8


class Lineal:
    """The path of a request, its query, and its headers."""

    path = "/api/v1/artifacts/resolve"

    def __init__(self, folder: Path, database: str) -> None:
        self._folder, self._database = folder, database
        self.headers: dict[str, str] = {}

    @contextmanager
    def serving(self, models: int, versions: int) -> Iterator[servers.Server]:
        """The server with its registry."""
        self.headers = {"Authorization": f"Bearer {members.make(self._database, self._folder, 'reader')}"}
        fill_lineal(self._database, models, versions)
        with servers.lineal(self._folder, self._database) as server:
            yield server

    def query(self, model: int) -> dict[str, str]:
        return {"ref": f"{members.TEAM}/{members.PROJECT}/m{model:05d}:production"}


def fill_lineal(database: str, models: int, versions: int) -> None:
    """The registry, in the store that the process works on."""
    import psycopg

    import lineal
    from lineal.client.connection import close_all

    with lineal.init(project=members.PROJECT, settings={"system": False, "console": "off"}) as run:
        for version in range(versions):
            artifact = lineal.Artifact("m00000", type="model")
            artifact.add(f"weights {version}", "weights.txt")
            run.log_artifact(artifact, aliases=["production"])
    close_all()
    with psycopg.connect(database) as session, session.cursor() as cursor:
        tables = {
            "collections": ("id", "name"),
            "versions": ("id", "collection_id"),
            "memberships": ("collection_id", "version_id"),
            "aliases": ("collection_id",),
            "alias_events": ("id", "collection_id"),
        }
        databases.multiply(cursor, tables, times=models)


class Mlflow:
    """As `Lineal`."""

    path = "/api/2.0/mlflow/registered-models/alias"

    def __init__(self, folder: Path, database: str) -> None:
        self._folder, self._database = folder, database
        self.headers: dict[str, str] = {}

    @contextmanager
    def serving(self, models: int, versions: int) -> Iterator[servers.Server]:
        with servers.mlflow(self._folder, self._database) as server:
            self._fill(server, models, versions)
            yield server

    def _fill(self, server: servers.Server, models: int, versions: int) -> None:
        import mlflow
        import psycopg2

        client: Any = mlflow.MlflowClient(server.url)
        client.create_registered_model("m00000")
        for _ in range(versions):
            client.create_model_version("m00000", source="s3://models/m")
        client.set_registered_model_alias("m00000", "production", str(versions))
        with psycopg2.connect(self._database) as session, session.cursor() as cursor:
            names = ("registered_models", "model_versions", "registered_model_aliases")
            databases.multiply(cursor, dict.fromkeys(names, ("name",)), times=models)

    def query(self, model: int) -> dict[str, str]:
        return {"name": f"m{model:05d}", "alias": "production"}


def main() -> None:
    """Asks for some seconds, after as many requests that aren't counted."""
    here = cell.parse()
    models, versions = here.choose(full=1000, quick=20), here.choose(full=20, quick=3)
    with databases.database(here.lineal) as database:
        adapter = {"lineal": Lineal, "mlflow": Mlflow}[here.system](here.folder, database)
        with adapter.serving(models, versions) as server:
            source = random.Random(0)
            picked = [source.randrange(models) for _ in range(here.choose(full=5000, quick=40))]
            requests = [clients.get(adapter.path, adapter.query(model), adapter.headers) for model in picked]
            clients.ask(server.port, requests[: len(requests) // 5], clients=_CLIENTS)
            before = server.cpu_s()
            taken = clients.ask(server.port, requests, clients=_CLIENTS)
            alone = clients.ask(server.port, requests[: len(requests) // 10], clients=1)
            facts = {"count": len(requests), "peak_mb": server.peak_mb(), "cpu_s": server.cpu_s() - before}
    here.record("http.resolve", taken.seconds / len(requests), **facts)
    here.record("http.resolve.median", taken.median, **facts)
    here.record("http.resolve.p99", taken.p99, **facts)
    here.record("http.resolve.alone", alone.median, **facts)


if __name__ == "__main__":
    main()
