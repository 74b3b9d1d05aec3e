"""Runs for PyTorch Lightning: `Trainer(logger=LinealLogger())`, with `lightning` or `pytorch_lightning`."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Mapping
from typing import Any, Literal

from lineal.client.integrations.binding import Binding, missing, plain_values
from lineal.client.run import Run
from lineal.core.errors import InvalidArgument

_STEP = "trainer/global_step"

try:
    if "pytorch_lightning" in sys.modules and "lightning" not in sys.modules:
        raise ModuleNotFoundError  # the training uses the older name, so its classes are the ones to build on
    from lightning.pytorch.loggers.logger import Logger, rank_zero_experiment
    from lightning.pytorch.utilities import rank_zero_only
except ImportError:
    try:
        from pytorch_lightning.loggers.logger import Logger, rank_zero_experiment
        from pytorch_lightning.utilities import rank_zero_only
    except ImportError as problem:
        raise missing("PyTorch Lightning", "lightning") from problem


class LinealLogger(Logger):
    """Records what modules log over `trainer/global_step`, hyperparameters as config, checkpoints if asked.

    Only the process of rank 0 records.
    """

    LOGGER_JOIN_CHAR = "-"

    def __init__(
        self,
        *,
        run: Run | None = None,
        log_model: Literal["end", "checkpoint"] | None = None,
        model_name: str | None = None,
        save_dir: str | os.PathLike[str] = ".",
        prefix: str = "",
        **facts: Any,
    ) -> None:
        """`run` is the one to write to (default: the current one, or one that `lineal.init(**facts)` starts).

        `log_model`: "end" logs the checkpoints that are kept when a fit ends, "checkpoint" each one when it is
        saved; `model_name` names the collection. `prefix` comes before every metric, with a `-`.
        """
        if log_model not in (None, "end", "checkpoint"):
            raise InvalidArgument(f"log_model is 'end', 'checkpoint' or None, not {log_model!r}")
        super().__init__()
        self._binding = Binding(run, facts)
        self._log_model = log_model
        self._model_name = model_name
        self._save_dir = os.fspath(save_dir)
        self._prefix = prefix
        self._checkpoints: dict[int, Any] = {}
        self._logged: dict[str, float] = {}

    @property
    @rank_zero_experiment
    def experiment(self) -> Run:
        """The run; it is found or started on first use."""
        return self._binding.use()

    @property
    def name(self) -> str | None:
        """The run's project: with `version`, the folder below `save_dir` that checkpoints are kept in."""
        run = self._known()
        return None if run is None else run.project

    @property
    def version(self) -> str | None:
        """The run's id."""
        run = self._known()
        return None if run is None else run.id

    @property
    def save_dir(self) -> str:
        return self._save_dir

    @rank_zero_only
    def log_hyperparams(self, params: Mapping[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        values = vars(params) if isinstance(params, Namespace) else params
        self.experiment.config.update(plain_values(values), allow_val_change=True)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        named = {f"{self._prefix}-{key}" if self._prefix else key: value for key, value in metrics.items()}
        if step is None:
            self.experiment.log(named)
        else:
            self._binding.log(named, _STEP, step)

    @rank_zero_only
    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        self._checkpoints[id(checkpoint_callback)] = checkpoint_callback
        if self._log_model == "checkpoint":
            self._log_checkpoints(checkpoint_callback)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        if status != "success":
            return
        if self._log_model == "end":
            for callback in self._checkpoints.values():
                self._log_checkpoints(callback)
        self._binding.end()

    @rank_zero_only
    def _known(self) -> Run | None:
        """The run that was written to last, even if it has ended; None on the other ranks."""
        return self._binding.last or self._binding.use()

    def _log_checkpoints(self, callback: Any) -> None:
        """Logs the checkpoints that the callback keeps and that were not logged as they are, oldest first."""
        scores: dict[str, Any] = dict(callback.best_k_models)
        for path in (callback.last_model_path, callback.best_model_path):
            if path:
                scores.setdefault(path, callback.current_score if path == callback.last_model_path else None)
        there = {path: os.path.getmtime(path) for path in scores if os.path.exists(path)}
        for path in sorted(there, key=lambda path: there[path]):
            if self._logged.get(path) != there[path]:
                self._log_checkpoint(path, scores[path], callback)
                self._logged[path] = there[path]

    def _log_checkpoint(self, path: str, score: Any, callback: Any) -> None:
        newest = callback.last_model_path or ("" if callback.monitor else callback.best_model_path)
        best = callback.best_model_path if callback.monitor else ""  # where nothing is monitored, it is the newest
        aliases = [alias for alias, kept in (("best", best), ("last", newest)) if kept == path]
        facts = {"file": os.path.basename(path), "monitor": callback.monitor, "mode": callback.mode}
        metadata = facts | ({} if score is None else {"score": float(score)})
        self._binding.log_model(path, self._model_name, aliases=aliases, metadata=metadata)
