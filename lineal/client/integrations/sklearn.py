"""Runs for scikit-learn: an estimator's parameters, its evaluation with the usual plots, the estimator itself.

Whatever has scikit-learn's interface works: pipelines, searches, the estimators of XGBoost and LightGBM. Estimators
are never pickled; `log_model` writes them with skops.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from lineal.client import current
from lineal.client.artifact import Artifact
from lineal.client.integrations.binding import Binding, missing, plain_values
from lineal.client.integrations.importance import log_importance
from lineal.client.run import Run, need
from lineal.core.errors import InvalidArgument

try:
    import sklearn
    from sklearn.base import is_classifier, is_regressor
except ImportError as problem:
    raise missing("scikit-learn", "scikit-learn") from problem


def log_estimator(estimator: Any, run: Run | None = None, *, key: str = "estimator") -> None:
    """Records the estimator's class and parameters under `key` of the run's config (default: the current run's).

    Parameters that are no plain values are left out; those of the estimators inside have their own names, such as
    `classify__C`. Raises not_found.run.
    """
    facts = {"class": _class_name(estimator), **estimator.get_params(deep=True)}
    (run or need(current.get())).config.update({key: plain_values(facts)}, allow_val_change=True)


def log_evaluation(
    estimator: Any,
    X: Any,  # noqa: N803 - as scikit-learn calls it
    y: Any,
    *,
    labels: Sequence[str] | None = None,
    run: Run | None = None,
    prefix: str = "eval",
) -> dict[str, float]:
    """The scores of the fitted estimator on this data, which the run (default: the current one) gets as `eval/...`.

    Of a classifier: accuracy, precision, recall and f1 (of the second class where there are two, else the mean over
    the classes), with probabilities also log_loss and roc_auc; confusion matrix, ROC and PR curves. Of a regressor:
    r2, mae, rmse, median_error. Of both the importance of the features, where it is known. `labels` are the names of
    the classes, in the order of `classes_`. Raises invalid.argument, not_found.run.
    """
    import numpy as np

    run, y = run or need(current.get()), np.asarray(y)
    if y.ndim != 1:
        raise InvalidArgument("log_evaluation takes one target: y has one dimension; log other targets one by one")
    if is_classifier(estimator):
        judged = _Classified(estimator, X, y, labels)
        scores, pictures = judged.scores(), judged.plots()
    elif is_regressor(estimator):
        scores, pictures = _regression_scores(y, estimator.predict(X)), {}
    else:
        raise InvalidArgument(f"{_class_name(estimator)} is neither a classifier nor a regressor")
    run.log({f"{prefix}/{name}": value for name, value in (scores | pictures).items()})
    log_importance(run, feature_importance(estimator), f"{prefix}/feature_importance")
    return scores


def log_model(
    estimator: Any,
    name: str | None = None,
    *,
    run: Run | None = None,
    aliases: Sequence[str] = (),
    metadata: Mapping[str, Any] | None = None,
) -> Artifact:
    """The estimator as a version of the model `name`, written with skops, an output of the run (default: current).

    `skops.io.load(file, trusted=...)` reads it back and runs none of its code; the types it must be told to trust
    stand in the version's metadata as `untrusted_types`. Raises not_found.run, unavailable.dependency.
    """
    try:
        from skops import io
    except ImportError as problem:
        raise missing("skops", "skops") from problem
    binding = Binding(run or need(current.get()), {})
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "model.skops")
        io.dump(estimator, file)
        facts = {
            "class": _class_name(estimator),
            "sklearn": sklearn.__version__,
            "untrusted_types": io.get_untrusted_types(file=file),
        }
        return binding.log_model(file, name, aliases=aliases, metadata=facts | dict(metadata or {}))


def feature_importance(estimator: Any) -> dict[str, float]:
    """How much each feature counts: `feature_importances_`, else the size of `coef_` (mean over classes), if any."""
    import numpy as np

    estimator = getattr(estimator, "best_estimator_", estimator)
    steps = getattr(estimator, "steps", None)
    last = steps[-1][1] if steps else estimator
    scores = getattr(last, "feature_importances_", None)
    if scores is None and (weights := getattr(last, "coef_", None)) is not None:
        weights = weights.toarray() if hasattr(weights, "toarray") else np.asarray(weights)
        scores = np.abs(weights).reshape(-1, weights.shape[-1]).mean(axis=0)
    if scores is None:
        return {}
    names = _feature_names(estimator, last, steps, len(scores))
    return dict(zip(names, map(float, scores), strict=True))


def _feature_names(estimator: Any, last: Any, steps: Any, count: int) -> list[str]:
    names = getattr(last, "feature_names_in_", None)
    if names is None and steps and len(steps) > 1:
        try:
            names = estimator[:-1].get_feature_names_out()
        except (AttributeError, ValueError):  # a step that has no names for what it makes
            names = None
    if names is None or len(names) != count:
        return [f"x{number}" for number in range(count)]
    return [str(name) for name in names]


class _Classified:
    """What a classifier says of the data, next to what is true of it."""

    def __init__(self, estimator: Any, X: Any, y: Any, labels: Sequence[str] | None) -> None:  # noqa: N803
        import numpy as np

        self.known = np.asarray(estimator.classes_)
        if labels is not None and len(labels) != len(self.known):
            raise InvalidArgument(f"labels names {len(labels)} classes, but the estimator has {len(self.known)}")
        self.y, self.predicted = y, np.asarray(estimator.predict(X))
        self.all = np.unique(np.concatenate([self.known, y]))
        named = dict(zip(self.known.tolist(), labels or map(str, self.known), strict=True))
        self.names = [str(named.get(value, value)) for value in self.all.tolist()]
        certain = hasattr(estimator, "predict_proba") and len(self.all) == len(self.known)
        self.probabilities = estimator.predict_proba(X) if certain else None

    def scores(self) -> dict[str, float]:
        from sklearn import metrics

        two = len(self.all) == 2
        averaged: dict[str, Any] = {"average": "binary", "pos_label": self.all[1]} if two else {"average": "macro"}
        parts = metrics.precision_recall_fscore_support(self.y, self.predicted, zero_division=0, **averaged)
        scores = {"accuracy": metrics.accuracy_score(self.y, self.predicted)}
        scores |= dict(zip(("precision", "recall", "f1"), parts, strict=False))
        if self.probabilities is not None:
            scores["log_loss"] = metrics.log_loss(self.y, self.probabilities, labels=self.known)
            if len(set(self.y.tolist())) == len(self.known) > 1:
                certainty = self.probabilities[:, 1] if two else self.probabilities
                scores["roc_auc"] = metrics.roc_auc_score(self.y, certainty, multi_class="ovr")
        return {name: float(value) for name, value in scores.items()}

    def plots(self) -> dict[str, Any]:
        import numpy as np

        from lineal.client import plots

        truth, said = np.searchsorted(self.all, self.y), np.searchsorted(self.all, self.predicted)
        made: dict[str, Any] = {
            "confusion_matrix": plots.confusion_matrix(y_true=truth, preds=said, class_names=self.names)
        }
        if self.probabilities is not None and len(set(self.y.tolist())) > 1:
            made["roc"] = plots.roc_curve(truth, self.probabilities, labels=self.names)
            made["pr"] = plots.pr_curve(truth, self.probabilities, labels=self.names)
        return made


def _regression_scores(y: Any, predicted: Any) -> dict[str, float]:
    from sklearn import metrics

    scores = {
        "r2": metrics.r2_score(y, predicted),
        "mae": metrics.mean_absolute_error(y, predicted),
        "rmse": metrics.root_mean_squared_error(y, predicted),
        "median_error": metrics.median_absolute_error(y, predicted),
    }
    return {name: float(value) for name, value in scores.items()}


def _class_name(estimator: Any) -> str:
    return f"{type(estimator).__module__.split('.')[0]}.{type(estimator).__qualname__}"
