"""A registry of 1,000 models with 20 versions each: what an alias stands at, and moving it to another version."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cell
import rows

_SEEDING_S = 60


class Adapter:
    """A system with its registry below `folder`; versions are counted from 0, and `production` starts at the last."""

    can_read = False

    def __init__(self, folder: Path, models: int, versions: int) -> None:
        self.folder, self.models, self.versions = folder, models, versions
        self.open()

    def open(self) -> None:
        raise NotImplementedError

    def seed(self) -> None:
        """Fills the registry."""
        raise NotImplementedError

    def resolve(self, model: int) -> object:
        raise NotImplementedError

    def move(self, model: int, version: int) -> object:
        raise NotImplementedError

    def read(self, model: int) -> object:
        """What a script would call to resolve, where that is more than `resolve`."""
        raise NotImplementedError


class Lineal(Adapter):
    can_read = True

    def open(self) -> None:
        import os

        import lineal
        from lineal.client.connection import connection

        os.environ["LINEAL_URL"] = str(self.folder / "store")
        self._lineal, self._backend = lineal, connection().backend

    def seed(self) -> None:
        with self._lineal.init(project="p") as run:
            for version in range(self.versions):
                artifact = self._lineal.Artifact("m00000", type="model")
                artifact.add(f"weights {version}", "weights.txt")
                run.log_artifact(artifact, aliases=["production"])
        rows.clone_group(
            self.folder / "store/lineal.db",
            {
                "collections": ("id", "name"),
                "versions": ("id", "collection_id"),
                "memberships": ("collection_id", "version_id"),
                "aliases": ("collection_id",),
                "alias_events": ("id", "collection_id"),
            },
            times=self.models,
        )

    def resolve(self, model: int) -> object:
        return self._backend.artifacts.resolve(f"p/m{model:05d}:production")

    def move(self, model: int, version: int) -> object:
        return self._backend.artifacts.move_alias(f"p/m{model:05d}:v{version}", "production")

    def read(self, model: int) -> object:
        return self._lineal.Api().artifact(f"p/m{model:05d}:production")


class Mlflow(Adapter):
    def open(self) -> None:
        import mlflow

        mlflow.set_tracking_uri(f"sqlite:///{self.folder}/mlflow.db")
        self._client: Any = mlflow.MlflowClient()

    def seed(self) -> None:
        self._client.create_registered_model("m00000")
        self._client.create_model_version("m00000", source="none")
        self._client.set_registered_model_alias("m00000", "production", "1")
        names = [f"m{model:05d}" for model in range(self.models)]
        pairs = [(name, version) for name in names for version in range(1, self.versions + 1)]
        rows.clone(
            self.folder / "mlflow.db",
            {
                "registered_models": ({"name": name} for name in names),
                "model_versions": ({"name": name, "version": version} for name, version in pairs),
                "registered_model_aliases": ({"name": name, "version": self.versions} for name in names),
            },
        )

    def resolve(self, model: int) -> object:
        return self._client.get_model_version_by_alias(f"m{model:05d}", "production")

    def move(self, model: int, version: int) -> object:
        return self._client.set_registered_model_alias(f"m{model:05d}", "production", str(version + 1))


class Trackio(Adapter):
    """Its registry holds links to versions; linking one that is linked already moves the alias.

    It can only be seeded call by call, so its models have two versions each; it has fewer rows than the others.
    """

    _linked = 2

    def open(self) -> None:
        import trackio

        self._trackio: Any = trackio
        self._run = trackio.init(project="p", embed=False, auto_log_gpu=False, auto_log_cpu=False)
        self._sources: dict[int, Any] = {}
        self.versions = self._linked

    def seed(self) -> None:
        self._trackio.Api().create_registry("models")
        for version in range(self.versions):
            file = self.folder / "weights.txt"
            file.write_text(f"weights {version}")
            self._trackio.log_artifact(str(file), name=f"source{version}", type="model")
        end = time.perf_counter() + _SEEDING_S
        for model in range(self.models):
            for version in range(self.versions):
                self.move(model, version)
            if time.perf_counter() > end:
                cell.note(f"trackio: seeding stopped after {model + 1} models")
                break
        (self.folder / "models").write_text(str(model + 1))

    def resolve(self, model: int) -> object:
        return self._trackio.use_artifact(f"registry-models/m{model:05d}:production")

    def move(self, model: int, version: int) -> object:
        if version not in self._sources:
            self._sources[version] = self._trackio.use_artifact(f"source{version}:latest")
        target = f"registry-models/m{model:05d}"
        return self._run.link_artifact(self._sources[version], target, aliases=["production"])


ADAPTERS: dict[str, Callable[[Path, int, int], Adapter]] = {"lineal": Lineal, "mlflow": Mlflow, "trackio": Trackio}


def main() -> None:
    """Seeds the registry, or takes the median of many calls on it."""
    here = cell.parse()
    models, versions = here.choose(full=1000, quick=20), here.choose(full=20, quick=3)
    adapter = ADAPTERS[here.system](here.folder, models, versions)
    if here.seed:
        adapter.seed()
        return
    seeded = here.folder / "models"
    picked = _picked(int(seeded.read_text()) if seeded.exists() else models, here.choose(full=500, quick=10))
    adapter.resolve(0)
    _record(here, "registry.resolve", [partial(adapter.resolve, model) for model in picked])
    if adapter.can_read:
        _record(here, "registry.read", [partial(adapter.read, model) for model in picked])
    _record(here, "registry.move", list(_moves(adapter, picked)))


def _picked(models: int, count: int) -> list[int]:
    source = random.Random(0)
    return [source.randrange(models) for _ in range(count)]


def _moves(adapter: Adapter, picked: list[int]) -> Iterator[Callable[[], object]]:
    """Each puts the alias on a version that it does not stand at."""
    at: dict[int, int] = {}
    for model in picked:
        at[model] = (at.get(model, adapter.versions - 1) + 1) % adapter.versions
        yield partial(adapter.move, model, at[model])


def _record(here: cell.Cell, work: str, calls: list[Callable[[], object]], limit_s: float = 15) -> None:
    end = time.perf_counter() + limit_s
    taken = []
    for call in calls:
        taken.append(cell.timed(call))
        if time.perf_counter() > end:
            break
    here.record(work, statistics.median(taken), count=len(taken), p99=sorted(taken)[len(taken) * 99 // 100])


if __name__ == "__main__":
    main()
