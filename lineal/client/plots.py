"""Charts made of a table and the columns to draw: `lineal.plot.line(table, "step", "loss")`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from lineal.client.media.arrays import is_array, to_numpy
from lineal.client.media.base import Media, need, shown, text
from lineal.client.media.table import Table
from lineal.core.errors import InvalidArgument

MAX_CURVE_POINTS = 1000
MAX_CLASSES = 1000


class Plot(Media):
    """A chart of its table; `fields` says which column has which part in it."""

    kind: ClassVar[str] = "plot"
    type: ClassVar[str] = "plot"

    def __init__(self, plot: str, table: Table, fields: dict[str, str], title: str | None = None) -> None:
        """`plot` is line, scatter, bar, histogram, roc, pr or confusion_matrix. Raises invalid.argument."""
        if not isinstance(table, Table):
            raise InvalidArgument(f"a plot is drawn of a lineal.Table, not of {type(table).__name__}")
        for part, column in fields.items():
            if column not in table.columns:
                known = ", ".join(shown(name) for name in table.columns[:10])
                raise InvalidArgument(f"{part} names the column {shown(str(column))}; the table has {known}")
        self.plot, self.table, self.fields = plot, table, fields
        self.title = text(title, "a plot's title")

    def bind(self, folder: Path, key: str, step: int) -> dict[str, Any]:
        """See `Media.bind`; the file is the table's."""
        value = {"_type": self.type, "kind": self.plot, "title": self.title, "fields": self.fields}
        return value | {"table": self.table.bind(folder, key, step)}


def line(table: Table, x: str, y: str, stroke: str | None = None, title: str | None = None) -> Plot:
    """Lines through the points of the columns `x` and `y`, one for each value of the column `stroke`."""
    return Plot("line", table, {"x": x, "y": y} | ({"stroke": stroke} if stroke is not None else {}), title)


def scatter(table: Table, x: str, y: str, title: str | None = None) -> Plot:
    """The points of the columns `x` and `y`."""
    return Plot("scatter", table, {"x": x, "y": y}, title)


def bar(table: Table, label: str, value: str, title: str | None = None) -> Plot:
    """A bar for each row, as long as its `value`, named by its `label`."""
    return Plot("bar", table, {"label": label, "value": value}, title)


def histogram(table: Table, value: str, title: str | None = None) -> Plot:
    """How often the values of the column `value` occur."""
    return Plot("histogram", table, {"value": value}, title)


def line_series(
    xs: Sequence[Any], ys: Sequence[Any], keys: Sequence[Any] | None = None, title: str | None = None,
    xname: str | None = None,
) -> Plot:  # fmt: skip
    """A line for each list of `ys`, named by `keys`, over its own list of `xs` or over the one that all share."""
    lines = [_values(y, "ys") for y in ys]
    shared = bool(len(xs)) and not isinstance(xs[0], list | tuple) and not getattr(xs[0], "shape", ())
    points = [_values(xs, "xs")] * len(lines) if shared else [_values(x, "xs") for x in xs]
    names = [str(key) for key in keys] if keys is not None else [f"key_{number}" for number in range(len(lines))]
    if not len(points) == len(lines) == len(names):
        raise InvalidArgument(
            f"there are {len(lines)} lists in ys, {len(points)} in xs and {len(names)} keys; make them as many"
        )
    x_column = xname or "x"
    if x_column in ("line", "y"):
        raise InvalidArgument("xname can't be 'line' or 'y', which are columns of the plot's table")
    table = Table(columns=[x_column, "line", "y"])
    for name, xs_, ys_ in zip(names, points, lines, strict=True):
        if len(xs_) != len(ys_):
            raise InvalidArgument(f"the line {shown(name)} has {len(xs_)} xs and {len(ys_)} ys; make them as many")
        for x, y in zip(xs_, ys_, strict=True):
            table.add_data(x, name, y)
    return Plot("line", table, {"x": x_column, "y": "y", "stroke": "line"}, title)


# ---- classifiers ---------------------------------------------------------------------------------------------


def confusion_matrix(
    probs: Any = None, y_true: Any = None, preds: Any = None, class_names: Sequence[str] | None = None,
    title: str | None = None,
) -> Plot:  # fmt: skip
    """How often each class was taken for each: of the `preds`, or of the highest of the `probs` (rows × classes).

    Classes are whole numbers, places in `class_names`, or the names themselves. Pairs that never occur are rows of 0.
    """
    import numpy as np

    if (probs is None) == (preds is None) or y_true is None:
        raise InvalidArgument("a confusion matrix needs y_true, and either probs or preds")
    true = _values(y_true, "y_true")
    guessed = _values(preds, "preds") if preds is not None else _probabilities(probs).argmax(axis=1).tolist()
    if len(true) != len(guessed) or not true:
        raise InvalidArgument(f"there are {len(true)} true classes and {len(guessed)} predicted; make them as many")
    width = 0 if probs is None else _probabilities(probs).shape[1]
    names, places = _classes(true + guessed, class_names, width)
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(counts, ([places[one] for one in true], [places[one] for one in guessed]), 1)
    table = Table(columns=[])
    table.add_column("Actual", [name for name in names for _ in names])
    table.add_column("Predicted", names * len(names))
    table.add_column("nPredictions", counts.ravel())
    fields = {"Actual": "Actual", "Predicted": "Predicted", "nPredictions": "nPredictions"}
    return Plot("confusion_matrix", table, fields, title or "Confusion Matrix")


def roc_curve(
    y_true: Any = None, y_probas: Any = None, labels: Sequence[str] | None = None,
    classes_to_plot: Iterable[Any] | None = None, title: str | None = None,
) -> Plot:  # fmt: skip
    """True by false positive rate, a curve for each class against all others; at most 1,000 points each.

    `y_probas` is rows × classes, or the probability of the second class. `labels` names the classes in their order.
    """
    metrics = need("sklearn.metrics", "scikit-learn", "a ROC curve")

    def curve(is_class: Any, score: Any) -> tuple[Any, Any]:
        fpr, tpr, _ = metrics.roc_curve(is_class, score)
        return fpr, tpr

    return _curves("roc", ("fpr", "tpr"), curve, y_true, y_probas, labels, classes_to_plot, title or "ROC Curve")


def pr_curve(
    y_true: Any = None, y_probas: Any = None, labels: Sequence[str] | None = None,
    classes_to_plot: Iterable[Any] | None = None, title: str | None = None,
) -> Plot:  # fmt: skip
    """Precision by recall, a curve for each class against all others; see `roc_curve`."""
    metrics = need("sklearn.metrics", "scikit-learn", "a precision-recall curve")

    def curve(is_class: Any, score: Any) -> tuple[Any, Any]:
        precision, recall, _ = metrics.precision_recall_curve(is_class, score)
        return recall[::-1], precision[::-1]

    title = title or "Precision-Recall Curve"
    return _curves("pr", ("recall", "precision"), curve, y_true, y_probas, labels, classes_to_plot, title)


def _curves(
    kind: str, axes: tuple[str, str], curve: Any, y_true: Any, y_probas: Any, labels: Sequence[str] | None,
    classes_to_plot: Iterable[Any] | None, title: str,
) -> Plot:  # fmt: skip
    import numpy as np

    if y_true is None or y_probas is None:
        raise InvalidArgument("a curve needs y_true and y_probas")
    true, scores = _values(y_true, "y_true"), _probabilities(y_probas, one_column=True)
    if len(true) != len(scores) or not true:
        raise InvalidArgument(f"there are {len(true)} true classes and {len(scores)} rows of y_probas")
    first = 1 if scores.shape[1] == 1 else 0
    names, places = _classes(true, labels, scores.shape[1] + first)
    if len(names) != scores.shape[1] + first:
        raise InvalidArgument(f"y_probas has {scores.shape[1]} columns, but there are {len(names)} classes")
    at = np.asarray([places[one] for one in true])
    wanted = set(names) if classes_to_plot is None else _wanted(classes_to_plot, names, places)
    table = Table(columns=["class", *axes])
    for column, name in enumerate(names[first:]):
        is_class = at == column + first
        if name in wanted and 0 < is_class.sum() < len(is_class):
            for x, y in zip(*thinned(*curve(is_class, scores[:, column])), strict=True):
                table.add_data(name, float(x), float(y))
    if not len(table):
        raise InvalidArgument("no class to plot occurs beside others in y_true, so there is no curve")
    return Plot(kind, table, {"x": axes[0], "y": axes[1], "stroke": "class"}, title)


def _wanted(chosen: Iterable[Any], names: list[str], places: dict[Any, int]) -> set[str]:
    """The names of the chosen classes, which are named or placed."""
    values = _values(chosen, "classes_to_plot")
    if unknown := [one for one in values if one not in places and str(one) not in names]:
        raise InvalidArgument(f"classes_to_plot names {unknown[0]!r}, which is no class; there are {names[:10]}")
    return {names[places[one]] if one in places else str(one) for one in values}


def thinned(x: Any, y: Any, most: int = MAX_CURVE_POINTS) -> tuple[Any, Any]:
    """At most that many of the curve's points, evenly along its length, the first and last among them.

    So no point left out is farther from one that stays than the curve's length (each axis from 0 to 1) by `most`.
    """
    import numpy as np

    if len(x) <= most:
        return x, y
    steps = sum(np.abs(np.diff(axis)) / (np.ptp(axis) or 1) for axis in (x, y))
    along = np.concatenate([[0], np.cumsum(steps)])
    chosen = np.searchsorted(along, np.linspace(0, along[-1], most)).clip(max=len(x) - 1)
    chosen[-1] = len(x) - 1
    chosen = np.unique(chosen)
    return x[chosen], y[chosen]


def _values(values: Any, what: str) -> list[Any]:
    """The values in a flat list of Python's own types."""
    flat = to_numpy(values).tolist() if is_array(values) else values.tolist() if hasattr(values, "tolist") else values
    if isinstance(flat, str) or not isinstance(flat, Iterable):
        raise InvalidArgument(f"{what} must be a list or a one-dimensional array, not {type(values).__name__}")
    plain = [one.item() if is_array(one) else one for one in flat]
    if any(isinstance(one, list | tuple) for one in plain):
        raise InvalidArgument(f"{what} must have one dimension")
    return plain


def _probabilities(probs: Any, one_column: bool = False) -> Any:
    """Rows × classes of finite floats."""
    import numpy as np

    try:
        array = np.asarray(to_numpy(probs) if is_array(probs) else probs, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidArgument("probabilities must be rows of numbers of equal length") from None
    if array.ndim == 1 and one_column:
        array = array[:, None]
    if array.ndim != 2 or not array.size or not np.isfinite(array).all():
        raise InvalidArgument(f"probabilities must be finite numbers, rows × classes, not of shape {array.shape}")
    return array


def _classes(seen: list[Any], names: Sequence[str] | None, width: int) -> tuple[list[str], dict[Any, int]]:
    """The classes' names in order, and each class's place, by whole number or by name.

    With `width` columns of probabilities there are that many classes: numbered, unless as many others are seen.
    """
    given = [str(name) for name in names] if names is not None else []
    whole = all(isinstance(one, int | bool) or (isinstance(one, float) and one.is_integer()) for one in seen)
    most = len(given) or width
    if whole and min(seen) >= 0 and (max(seen) < most or not most):
        count = most or int(max(seen)) + 1
        shown_ = given or [str(number) for number in range(count)]
        places: dict[Any, int] = {number: number for number in range(count)}
    elif given and set(seen) <= set(given):
        shown_, places = given, {name: place for place, name in enumerate(given)}
    else:
        kinds = _sorted(set(seen))
        shown_, places = given or [str(kind) for kind in kinds], {kind: place for place, kind in enumerate(kinds)}
        if len(shown_) != len(kinds):
            raise InvalidArgument(f"{len(kinds)} classes occur, but {len(shown_)} names are given")
    if len(shown_) > MAX_CLASSES:
        raise InvalidArgument(f"{len(shown_):,} classes are over the {MAX_CLASSES:,} that a plot can show")
    if len(set(shown_)) != len(shown_):
        raise InvalidArgument("two classes have the same name; names of classes are unique")
    return shown_, places


def _sorted(kinds: set[Any]) -> list[Any]:
    try:
        return sorted(kinds)
    except TypeError:
        raise InvalidArgument("classes must all be numbers or all be texts") from None
