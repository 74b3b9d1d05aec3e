"""Runs for `transformers.Trainer`: `Trainer(..., callbacks=[LinealCallback()])`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from typing import Any, Literal

from lineal.client.integrations.binding import Binding, missing, plain_values
from lineal.client.run import Run
from lineal.core.errors import InvalidArgument

try:
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
except ImportError as problem:
    raise missing("transformers", "transformers accelerate torch") from problem

_STEP = "train/global_step"
_ONCE = {"train_runtime", "train_samples_per_second", "train_steps_per_second", "train_loss", "total_flos"}


class LinealCallback(TrainerCallback):
    """Records a training: arguments and the model's config, metrics over `train/global_step`, the model if asked.

    Only the process that is the world's zero records.
    """

    def __init__(
        self,
        *,
        run: Run | None = None,
        log_model: Literal["end", "checkpoint"] | None = None,
        model_name: str | None = None,
        **facts: Any,
    ) -> None:
        """`run` is the one to write to (default: the current one, or one that `lineal.init(**facts)` starts).

        `log_model`: "end" logs the model as the training leaves it (the best one with `load_best_model_at_end`),
        "checkpoint" each checkpoint's folder, whole. `model_name` names the collection.
        """
        if log_model not in (None, "end", "checkpoint"):
            raise InvalidArgument(f"log_model is 'end', 'checkpoint' or None, not {log_model!r}")
        self._binding = Binding(run, facts)
        self._log_model = log_model
        self._model_name = model_name

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **kwargs: Any
    ) -> None:
        if state.is_world_process_zero:
            self._binding.begin(name=_run_name(args, state))
            self._record_config(args, model)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if not state.is_world_process_zero or not logs:
            return
        run = self._binding.use(name=_run_name(args, state))
        for key in _ONCE & set(logs):
            run.summary[key] = logs[key]  # by its own name: the mean loss must not stand for the last one
        metrics = {_metric_name(key): value for key, value in logs.items() if key not in _ONCE}
        if metrics:
            self._binding.log(metrics, _STEP, state.global_step)

    def on_predict(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if state.is_world_process_zero and metrics:
            self._binding.use(name=_run_name(args, state))
            named = {_metric_name(key): value for key, value in metrics.items()}
            self._binding.log(named, _STEP, state.global_step)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self._log_model != "checkpoint" or not state.is_world_process_zero:
            return
        folder = os.path.join(args.output_dir, f"checkpoint-{state.global_step}")
        if not os.path.isdir(folder):  # a search for hyperparameters keeps each trial's checkpoints a folder deeper
            return
        best = state.best_model_checkpoint is not None and os.path.abspath(
            state.best_model_checkpoint
        ) == os.path.abspath(folder)
        aliases = [f"step-{state.global_step}", *(["best"] if best else [])]
        self._binding.log_model(folder, self._model_name, aliases=aliases, metadata=_facts(state))

    def on_train_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: Any = None,
        processing_class: Any = None,
        **kwargs: Any,
    ) -> None:
        if not state.is_world_process_zero:
            return
        if self._log_model == "end" and model is not None:
            with tempfile.TemporaryDirectory() as folder:
                _save(model, processing_class, folder)
                self._binding.log_model(folder, self._model_name, aliases=["final"], metadata=_facts(state))
        self._binding.end()

    def _record_config(self, args: TrainingArguments, model: Any) -> None:
        given: Any = getattr(model, "config", None)
        described = given.to_dict() if hasattr(given, "to_dict") else given
        config = plain_values(args.to_dict())
        if isinstance(described, Mapping):
            config["model_config"] = plain_values(described)
        if hasattr(model, "parameters"):
            config["parameters"] = sum(tensor.numel() for tensor in model.parameters())
        self._binding.use().config.update(config, allow_val_change=True)


def _run_name(args: TrainingArguments, state: TrainerState) -> str | None:
    """What the user calls the run; older versions say the output folder where nobody named it."""
    name = state.trial_name or args.run_name
    return None if name == args.output_dir else name


def _metric_name(key: str) -> str:
    """`eval/loss` for `eval_loss`, `train/loss` for `loss`."""
    for part in ("eval", "test"):
        if key.startswith(f"{part}_"):
            return f"{part}/{key[len(part) + 1 :]}"
    return f"train/{key}"


def _facts(state: TrainerState) -> dict[str, Any]:
    """What is known of the model at this step: the last value of each metric."""
    known: dict[str, Any] = {}
    for row in state.log_history:
        known |= {_metric_name(key): value for key, value in row.items() if key != "step"}
    return plain_values(known) | {"global_step": state.global_step}


def _save(model: Any, processing_class: Any, folder: str) -> None:
    """Writes the model as safetensors, with what else `from_pretrained` needs where the model knows how."""
    if hasattr(model, "save_pretrained"):
        model.save_pretrained(folder)
    else:
        from safetensors.torch import save_model

        save_model(model, os.path.join(folder, "model.safetensors"))
    if hasattr(processing_class, "save_pretrained"):
        processing_class.save_pretrained(folder)
