"""An environment of its own that sees this interpreter's packages: what a user has after installing Lineal."""

from __future__ import annotations

import os
import site
import sysconfig
import venv
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Installation(NamedTuple):
    """A virtual environment without pip."""

    folder: Path

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

    @property
    def python(self) -> Path:
        return self.bin / "python"

    @property
    def site_packages(self) -> Path:
        return Path(sysconfig.get_path("purelib", "venv", {"base": str(self.folder)}))

    def environment(self) -> dict[str, str]:
        """The process's environment with this installation first on PATH, and nothing of another in it."""
        found = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        return found | {"PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}", "VIRTUAL_ENV": str(self.folder)}


def install(folder: Path, code: Iterable[Path] = ()) -> Installation:
    """The environment in `folder`: this interpreter, its packages, what lies in `code`, and the command `lineal`."""
    venv.create(folder, symlinks=True, with_pip=False)
    made = Installation(folder)
    own = [*site.getsitepackages(), *((site.getusersitepackages(),) if site.ENABLE_USER_SITE else ())]
    paths = [*map(str, code), *own]
    (made.site_packages / "dependencies.pth").write_text("\n".join(paths) + "\n")
    if code:
        command = made.bin / "lineal"
        command.write_text(f"#!{made.python}\nfrom lineal.cli.main import run\n\nrun()\n")
        command.chmod(0o755)
    return made
