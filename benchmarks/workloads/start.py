"""Starting: what `import` costs, and what the shortest whole script does (import, open a run, end it)."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from typing import NamedTuple

import cell

_TIMES = 5
_SCRIPT = "import time; start = time.perf_counter(); {code}; print('took', time.perf_counter() - start)"


class Script(NamedTuple):
    """What to import, and the run after it, as statements."""

    imports: str
    run: str = ""


SCRIPTS = {
    "lineal": Script("import lineal", "lineal.init(project='p').finish()"),
    "trackio": Script(
        "import trackio",
        "trackio.init(project='p', embed=False, auto_log_gpu=False, auto_log_cpu=False); trackio.finish()",
    ),
    "wandb": Script("import wandb", "wandb.init(project='p').finish()"),
    "mlflow": Script("import mlflow", "mlflow.start_run(); mlflow.end_run()"),
    "aim": Script("import aim", "aim.Run(system_tracking_interval=None, capture_terminal_logs=False).close()"),
}


def main() -> None:
    """Measures both, each time in a new interpreter, the first time not counted (it compiles)."""
    here = cell.parse()
    script = SCRIPTS[here.system]
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{here.folder}/mlflow.db"
    here.record("start.import", _median(script.imports))
    here.record("start.run", _median(f"{script.imports}; {script.run}"))


def _median(code: str) -> float:
    taken = [_take(code) for _ in range(_TIMES + 1)]
    return statistics.median(taken[1:])


def _take(code: str) -> float:
    command = [sys.executable, "-c", _SCRIPT.format(code=code)]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return float(said.rpartition("took")[2])


if __name__ == "__main__":
    main()
