"""Runs for Keras 3, whatever its backend: `model.fit(..., callbacks=[LinealCallback()])`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from typing import Any, Literal

from lineal.client.integrations.binding import Binding, missing, plain_values
from lineal.client.run import Run
from lineal.core.errors import InvalidArgument

try:
    from keras.callbacks import Callback
except ImportError as problem:
    raise missing("Keras 3 and the backend that KERAS_BACKEND names", "keras torch") from problem

_EPOCH = "epoch/epoch"
_BATCH = "batch/batch"


class LinealCallback(Callback):
    """Records a training: optimizer and model as config, `epoch/*` with the learning rate, the model if asked."""

    def __init__(
        self,
        *,
        run: Run | None = None,
        log_every: int | None = None,
        log_model: Literal["end", "checkpoint"] | None = None,
        model_name: str | None = None,
        monitor: str = "val_loss",
        mode: Literal["min", "max"] = "min",
        **facts: Any,
    ) -> None:
        """`run` is the one to write to (default: the current one, or one that `lineal.init(**facts)` starts).

        `log_every` counts batches between two rows of `batch/*` (None: no such rows). `log_model`: "end" logs the
        model when the training ends, "checkpoint" after each epoch; the alias `best` then follows the epoch whose
        `monitor` is best by `mode`. `model_name` names the collection.
        """
        if log_model not in (None, "end", "checkpoint") or mode not in ("min", "max"):
            raise InvalidArgument("log_model is 'end', 'checkpoint' or None, and mode is 'min' or 'max'")
        if log_every is not None and log_every < 1:
            raise InvalidArgument(f"log_every counts batches, from 1 on, not {log_every}")
        super().__init__()
        self._binding = Binding(run, facts)
        self._log_every = log_every
        self._log_model = log_model
        self._model_name = model_name
        self._monitor, self._mode = monitor, mode
        self._best: float | None = None
        self._batches = 0
        self._fitting = False

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        self._best, self._batches, self._fitting = None, 0, True
        self._binding.begin().config.update(self._config(), allow_val_change=True)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._batches += 1
        if self._log_every is not None and self._batches % self._log_every == 0:
            self._binding.log(_named("batch", logs, self._learning_rate()), _BATCH, self._batches)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._binding.log(_named("epoch", logs, self._learning_rate()), _EPOCH, epoch)
        if self._log_model == "checkpoint":
            best = self._is_best(logs or {})
            self._log_saved([f"epoch-{epoch}", *(["best"] if best else [])], {"epoch": epoch, **(logs or {})})

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        self._fitting = False
        if self._log_model == "end":
            self._log_saved(["final"], dict(logs or {}))
        self._binding.end()

    def on_test_end(self, logs: Mapping[str, Any] | None = None) -> None:
        if not self._fitting:  # a fit's own validation is in its epoch's logs
            self._binding.use().log(_named("test", logs))

    def _config(self) -> dict[str, Any]:
        model, optimizer = self.model, getattr(self.model, "optimizer", None)
        facts: dict[str, Any] = {"model": model.name, "parameters": model.count_params() if model.built else None}
        if optimizer is not None:
            facts["optimizer"] = {"class": type(optimizer).__name__, **optimizer.get_config()}
        return plain_values({**(self.params or {}), **facts})

    def _learning_rate(self) -> float | None:
        optimizer = getattr(self.model, "optimizer", None)
        return None if optimizer is None else float(optimizer.learning_rate)

    def _is_best(self, logs: Mapping[str, Any]) -> bool:
        value = logs.get(self._monitor)
        if value is None:
            return False
        better = self._best is None or (value < self._best if self._mode == "min" else value > self._best)
        if better:
            self._best = value
        return better

    def _log_saved(self, aliases: list[str], metadata: dict[str, Any]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "model.keras")
            self.model.save(file)
            self._binding.log_model(file, self._model_name, aliases=aliases, metadata=plain_values(metadata))


def _named(part: str, logs: Mapping[str, Any] | None, learning_rate: float | None = None) -> dict[str, Any]:
    """The logs as `epoch/loss` and so on, with the learning rate where there is one."""
    values = {f"{part}/{key}": value for key, value in (logs or {}).items()}
    return values if learning_rate is None else {**values, f"{part}/learning_rate": learning_rate}
