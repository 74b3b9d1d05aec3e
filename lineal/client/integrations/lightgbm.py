"""Runs for LightGBM: `lightgbm.train(..., callbacks=[LinealCallback()])`, also `cv` and the scikit-learn classes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from typing import Any

from lineal.client import current
from lineal.client.artifact import Artifact
from lineal.client.integrations.binding import Binding, missing, plain_values
from lineal.client.integrations.importance import log_importance
from lineal.client.run import Run, need

try:
    from lightgbm import Booster, LGBMModel
    from lightgbm.callback import CallbackEnv
except ImportError as problem:
    raise missing("LightGBM", "lightgbm") from problem

_STEP = "iteration"


class LinealCallback:
    """Records a training: the parameters as config, `<data>/<metric>` over `iteration`.

    LightGBM tells no callback that the training is over; `log_booster` records what is known then.
    """

    order = 25  # after what changes parameters, before early stopping, which raises
    before_iteration = False

    def __init__(self, *, run: Run | None = None, **facts: Any) -> None:
        """`run` is the one to write to (default: the current one, or one that `lineal.init(**facts)` starts)."""
        self._binding = Binding(run, facts)

    def __call__(self, env: CallbackEnv) -> None:
        if env.iteration == env.begin_iteration:
            self._binding.begin().config.update(plain_values(env.params), allow_val_change=True)
        scores: dict[str, float] = {}
        for data, metric, value, _, *deviation in env.evaluation_result_list or ():
            key = f"{data}/{metric}"
            scores[key] = float(value)
            if deviation:  # cross-validation: over the folds
                scores[f"{key}-std"] = float(deviation[0])
        if scores:
            self._binding.log(scores, _STEP, env.iteration)
        self._binding.end()  # any iteration may be the last, since early stopping ends it without a word to us


def log_booster(
    model: Booster | LGBMModel,
    name: str | None = None,
    *,
    run: Run | None = None,
    importance: str | None = "gain",
    aliases: Sequence[str] = ("final",),
) -> Artifact:
    """The booster as a version of the model `name`, in LightGBM's text format, an output of the run.

    The run (default: the current one) also gets the best iteration and scores in its summary, and the table of
    features by `importance` ("gain" or "split"; None: no table). Raises not_found.run.
    """
    binding = Binding(run or need(current.get()), {})
    booster = model if isinstance(model, Booster) else model.booster_
    target, facts = binding.use(), _facts(booster)
    for key, value in facts.items():
        target.summary[key] = value
    if importance:
        scores = booster.feature_importance(importance_type=importance)
        log_importance(target, dict(zip(booster.feature_name(), map(float, scores), strict=True)))
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "model.txt")
        booster.save_model(file)
        return binding.log_model(file, name, aliases=aliases, metadata=facts)


def _facts(booster: Booster) -> dict[str, Any]:
    facts: dict[str, Any] = {"iterations": booster.current_iteration()}
    if booster.best_iteration > 0:
        facts["best_iteration"] = booster.best_iteration
    for data, scores in booster.best_score.items():
        facts |= {f"best/{data}/{metric}": float(value) for metric, value in scores.items()}
    return facts
