"""Files: log one large file, or a folder of many small ones; log it again; change some of it; get it back.

An adapter's `put` returns once the version is committed; its `get` puts the newest version into an empty folder.
What a system has to do around them that its user would not wait for is in `prepare`, which is not timed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cell
import data

_CHANGED_FILES = 100


class Adapter:
    """A system with its store below `folder`. `source` is where the data to log lies."""

    can_get = True

    def __init__(self, folder: Path, source: Path) -> None:
        self.folder, self.source = folder, source

    def prepare(self, step: str) -> None:
        """What comes before a step, untimed."""

    def put(self) -> None:
        raise NotImplementedError

    def get(self, target: Path) -> None:
        raise NotImplementedError

    def object_count(self) -> int:
        """The files that a store is made of, where they are counted."""
        return 0


class Lineal(Adapter):
    """The SDK on a folder store. A cold download is one with an empty cache, as on another machine."""

    def __init__(self, folder: Path, source: Path) -> None:
        super().__init__(folder, source)
        import lineal

        self._lineal, self._store = lineal, folder / "store"
        os.environ["LINEAL_URL"] = str(self._store)
        os.environ["LINEAL_CACHE_DIR"] = str(folder / "cache")
        self._run = lineal.init(project="p")

    def prepare(self, step: str) -> None:
        if step in ("get", "link_cold"):
            os.environ["LINEAL_CACHE_DIR"] = str(self.folder / f"cache-{step}")
        elif step == "link":
            os.environ["LINEAL_CACHE_DIR"] = str(self.folder / "cache")

    def put(self) -> None:
        artifact = self._lineal.Artifact("a", type="dataset")
        (artifact.add_dir if self.source.is_dir() else artifact.add_file)(self.source)
        self._run.log_artifact(artifact)

    def get(self, target: Path) -> None:
        self._lineal.Api(project="p").artifact("a:latest").download(target)

    def link(self, target: Path) -> None:
        self._lineal.Api(project="p").artifact("a:latest").download(target, mode="link")

    def object_count(self) -> int:
        files = [path for path in self._store.rglob("*") if path.is_file()]
        return sum(not path.name.startswith("lineal.db") for path in files)


class Trackio(Adapter):
    def __init__(self, folder: Path, source: Path) -> None:
        super().__init__(folder, source)
        import trackio

        self._trackio = trackio
        trackio.init(project="p", embed=False, auto_log_gpu=False, auto_log_cpu=False)

    def put(self) -> None:
        artifact = self._trackio.Artifact("a", type="dataset")
        (artifact.add_dir if self.source.is_dir() else artifact.add_file)(str(self.source))
        self._trackio.log_artifact(artifact)
        artifact.wait()

    def get(self, target: Path) -> None:
        self._trackio.use_artifact("a:latest").download(str(target))


class Wandb(Adapter):
    """Offline: files are hashed, staged and written into the run's own log; nothing can be downloaded."""

    can_get = False

    def prepare(self, step: str) -> None:
        import wandb

        self._wandb = wandb
        quiet = wandb.Settings(x_disable_stats=True, console="off")
        self._run = wandb.init(project="p", dir=str(self.folder), settings=quiet)

    def put(self) -> None:
        artifact = self._wandb.Artifact("a", type="dataset")
        (artifact.add_dir if self.source.is_dir() else artifact.add_file)(str(self.source))
        self._run.log_artifact(artifact)
        self._run.finish()


class Mlflow(Adapter):
    """Files are copied, and not hashed."""

    def __init__(self, folder: Path, source: Path) -> None:
        super().__init__(folder, source)
        import mlflow

        self._mlflow, self._count, self._path = mlflow, 0, ""
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        self._run_id = mlflow.start_run().info.run_id

    def put(self) -> None:
        self._count += 1
        self._path = f"v{self._count}"
        log = self._mlflow.log_artifacts if self.source.is_dir() else self._mlflow.log_artifact
        log(str(self.source), artifact_path=self._path)

    def get(self, target: Path) -> None:
        self._mlflow.artifacts.download_artifacts(run_id=self._run_id, artifact_path=self._path, dst_path=str(target))


class Aim(Adapter):
    def __init__(self, folder: Path, source: Path) -> None:
        super().__init__(folder, source)
        import aim

        (folder / "artifacts").mkdir()
        self._run = aim.Run(repo=str(folder), system_tracking_interval=None, capture_terminal_logs=False)
        self._run.set_artifacts_uri(f"file://{folder}/artifacts")
        self._count, self._name = 0, ""

    def put(self) -> None:
        self._count += 1
        self._name = f"v{self._count}"
        log = self._run.log_artifacts if self.source.is_dir() else self._run.log_artifact
        log(str(self.source), name=self._name, block=True)

    def get(self, target: Path) -> None:
        for name, artifact in self._run.artifacts.items():
            if name.startswith(self._name):
                artifact.download(str(target))


class Dvc(Adapter):
    """The command line, as documented: the data lies in a workspace, a fresh clone pulls it from a local remote."""

    def __init__(self, folder: Path, source: Path) -> None:
        self._workspace, self._clone = folder / "workspace", folder / "clone"
        super().__init__(folder, self._workspace / "x")
        self._workspace.mkdir()
        if source.is_file():
            shutil.copyfile(source, self.source)
        self._dvc("init", "--no-scm")
        self._dvc("config", "core.check_update", "false")
        self._dvc("remote", "add", "-d", "remote", str(folder / "remote"))

    def prepare(self, step: str) -> None:
        if step == "get":
            self._dvc("push")
            shutil.copytree(
                self._workspace / ".dvc", self._clone / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp")
            )
            shutil.copy(self._workspace / "x.dvc", self._clone)
        elif step == "get_elsewhere":
            data = self._clone / "x"
            shutil.rmtree(data) if data.is_dir() else data.unlink()

    def put(self) -> None:
        self._dvc("add", "x")

    def get(self, target: Path) -> None:
        first = not (self._clone / ".dvc/cache").exists()
        self._dvc("pull" if first else "checkout", at=self._clone)

    def _dvc(self, *arguments: str, at: Path | None = None) -> None:
        subprocess.run(["dvc", *arguments, "-q"], cwd=at or self._workspace, check=True, stdout=sys.stderr)


ADAPTERS: dict[str, Callable[[Path, Path], Adapter]] = {
    "lineal": Lineal,
    "trackio": Trackio,
    "wandb": Wandb,
    "mlflow": Mlflow,
    "aim": Aim,
    "dvc": Dvc,
}


class Steps:
    """The steps of one adapter, each recorded with its seconds and the bytes that it left on disk."""

    def __init__(self, here: cell.Cell, given: Path) -> None:
        self._cell, self._given = here, given
        self._own, self._target = here.folder / "source", here.folder / "target"
        self._other = here.folder / "other"
        whole = given.is_file()
        self.adapter = ADAPTERS[here.system](here.folder, given if whole else self._own)
        if not whole:
            shutil.copytree(given, self.adapter.source)
        cell.warm(given, above_bytes=0)
        self._settled_bytes = (given.stat().st_size if whole else cell.disk_usage(given)) * 5 // 4

    def put(self, step: str) -> None:
        """Logs the data as it is now."""
        self._take(step, self.adapter.put)

    def get(self, step: str) -> None:
        """Gets the newest version into an empty folder."""
        shutil.rmtree(self._target, ignore_errors=True)
        self.get_again(step)

    def get_again(self, step: str) -> None:
        """Gets it into the folder that has it already."""
        self._target.mkdir(exist_ok=True)
        self._take(step, lambda: self.adapter.get(self._target))

    def link(self, adapter: Lineal) -> None:
        """Gets it by link: where it was logged, on a machine that knows nothing, and there once more."""
        for step, target in (("link", self._target), ("link_cold", self._target), ("link_elsewhere", self._other)):
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir()
            self._take(step, partial(adapter.link, target))

    def _take(self, step: str, action: Callable[[], None]) -> None:
        self.adapter.prepare(step)
        if self._cell.form == "file":
            cell.warm(self._given, self._cell.folder)
        cell.settle(self._cell.folder, self._settled_bytes)
        before, objects = self._usage(), self.adapter.object_count()
        seconds = cell.timed(action)
        os.sync()
        made = self.adapter.object_count() - objects
        self._cell.record(f"{self._cell.form}.{step}", seconds, bytes=self._usage() - before, objects=made)

    def _usage(self) -> int:
        return cell.disk_usage(self._cell.folder, without=(self._own, self._target, self._other, self.adapter.source))


def main() -> None:
    """Takes every step that the system has."""
    here = cell.parse()
    if here.form == "file":
        steps = Steps(here, data.large_file(here.data, here.choose(full=2048, quick=32)))
    else:
        steps = Steps(here, data.small_files(here.data, here.choose(full=20_000, quick=300)))
    steps.put("put")
    steps.put("put_again")
    if here.form == "tree":
        data.change(steps.adapter.source, _CHANGED_FILES)
        steps.put("put_changed")
    if steps.adapter.can_get:
        steps.get("get")
        steps.get_again("get_again")
        steps.get("get_elsewhere")
    if isinstance(steps.adapter, Lineal) and here.form == "file":
        steps.link(steps.adapter)


if __name__ == "__main__":
    main()
