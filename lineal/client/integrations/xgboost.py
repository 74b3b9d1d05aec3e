"""Runs for XGBoost: `xgboost.train(..., callbacks=[LinealCallback()])`, also `cv` and the scikit-learn classes."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from typing import Any, Literal

from lineal.client.integrations.binding import Binding, missing, plain_values
from lineal.client.integrations.importance import log_importance
from lineal.client.run import Run
from lineal.core.errors import InvalidArgument

try:
    from xgboost import Booster, collective
    from xgboost.callback import TrainingCallback
except ImportError as problem:
    raise missing("XGBoost", "xgboost") from problem

_STEP = "iteration"


class LinealCallback(TrainingCallback):
    """Records a training: the booster's config, `<data>/<metric>` over `iteration`, importance, the model if asked.

    In a distributed training, only the worker of rank 0 records.
    """

    def __init__(
        self,
        *,
        run: Run | None = None,
        log_model: Literal["ubj", "json"] | None = None,
        model_name: str | None = None,
        importance: Literal["gain", "weight", "cover", "total_gain", "total_cover"] | None = "gain",
        **facts: Any,
    ) -> None:
        """`run` is the one to write to (default: the current one, or one that `lineal.init(**facts)` starts).

        `log_model` is the format in which the booster is logged when the training ends; `model_name` names the
        collection. `importance` is the measure of the table of features (None: no table).
        """
        if log_model not in (None, "ubj", "json"):
            raise InvalidArgument(f"log_model is 'ubj', 'json' or None, not {log_model!r}")
        super().__init__()
        self._binding = Binding(run, facts)
        self._log_model = log_model
        self._model_name = model_name
        self._importance = importance
        self._rows = 0
        self._history: Mapping[str, Mapping[str, list[Any]]] = {}

    def before_training(self, model: Any) -> Any:
        if collective.get_rank() == 0:
            self._rows, self._history = 0, {}
            config = _config(model) if isinstance(model, Booster) else {}
            self._binding.begin().config.update(config, allow_val_change=True)
        return model

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        if collective.get_rank() == 0:
            self._history = evals_log
            self._log_rows()
        return False

    def after_training(self, model: Any) -> Any:
        if collective.get_rank() == 0:
            self._log_rows()  # a callback before this one that stops the training keeps the last row from it
            if isinstance(model, Booster):
                self._finish(model)
            self._binding.end()
        return model

    def _log_rows(self) -> None:
        """Logs the rows of the history that were not logged yet."""
        series = [(f"{data}/{metric}", values) for data, by in self._history.items() for metric, values in by.items()]
        for row in range(self._rows, max((len(values) for _, values in series), default=0)):
            scores: dict[str, float] = {}
            for key, values in series:
                score = values[row]
                if isinstance(score, tuple):  # cross-validation: mean and standard deviation over the folds
                    scores[key], scores[f"{key}-std"] = float(score[0]), float(score[1])
                else:
                    scores[key] = float(score)
            self._binding.log(scores, _STEP, row)
            self._rows = row + 1

    def _finish(self, booster: Booster) -> None:
        run, best = self._binding.use(), booster.attributes()
        facts = {
            key: float(best[key]) if key == "best_score" else int(best[key])
            for key in ("best_score", "best_iteration")
            if key in best
        }
        for key, value in facts.items():
            run.summary[key] = value
        if self._importance:
            log_importance(run, booster.get_score(importance_type=self._importance))
        if self._log_model:
            with tempfile.TemporaryDirectory() as folder:
                file = os.path.join(folder, f"model.{self._log_model}")
                booster.save_model(file)
                self._binding.log_model(file, self._model_name, aliases=["final"], metadata=facts)


def _config(booster: Booster) -> dict[str, Any]:
    """The parameters that the booster stands at, which it keeps as texts deep in a tree; of equal names the first."""
    found: dict[str, Any] = {}

    def gather(tree: Any) -> None:
        for key, value in tree.items():
            if isinstance(value, dict):
                gather(value)
            elif isinstance(value, str):
                found.setdefault(key, _number(value))

    gather(json.loads(booster.save_config()))
    return plain_values(found)


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text
