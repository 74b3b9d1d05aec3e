"""Charts: which columns they draw, what the classes' curves are, and how these are thinned out."""

from __future__ import annotations

import numpy as np
import pytest

from lineal.client import plots
from lineal.client.media.table import Table
from lineal.client.media.values import as_value, files_of, from_value
from lineal.core.errors import InvalidArgument


def rows(plot: plots.Plot) -> list[list[object]]:
    return plot.table.data


@pytest.mark.parametrize(
    ("make", "kind", "fields"),
    [
        (lambda t: plots.line(t, "a", "b", title="T"), "line", {"x": "a", "y": "b"}),
        (lambda t: plots.line(t, "a", "b", stroke="c", title="T"), "line", {"x": "a", "y": "b", "stroke": "c"}),
        (lambda t: plots.scatter(t, "a", "b", title="T"), "scatter", {"x": "a", "y": "b"}),
        (lambda t: plots.bar(t, "c", "b", title="T"), "bar", {"label": "c", "value": "b"}),
        (lambda t: plots.histogram(t, "a", title="T"), "histogram", {"value": "a"}),
    ],
)
def test_a_plot_is_its_table_and_the_parts_its_columns_have(tmp_path, make, kind, fields):
    value = as_value(make(Table(columns=["a", "b", "c"], data=[[1, 2, "x"]])), tmp_path, "k", 0)
    assert (value["_type"], value["kind"], value["title"], value["fields"]) == ("plot", kind, "T", fields)
    assert from_value(value["table"], lambda path: tmp_path / path).data == [[1, 2, "x"]]  # type: ignore
    assert len(list(files_of(value, tmp_path))) == 1


def test_a_column_that_is_not_there_is_named():
    with pytest.raises(InvalidArgument, match=r"y names the column 'z'; the table has 'a'"):
        plots.line(Table(columns=["a"]), "a", "z")
    with pytest.raises(InvalidArgument, match="Table"):
        plots.line([[1, 2]], "a", "b")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="title"):
        plots.histogram(Table(columns=["a"]), "a", title=5)  # type: ignore[arg-type]


def test_series_of_lines_share_their_xs_or_have_their_own():
    shared = plots.line_series([0, 1], [[5, 6], np.array([7, 8])], keys=["a", "b"], xname="epoch")
    assert shared.table.columns == ["epoch", "line", "y"]
    assert rows(shared) == [[0, "a", 5], [1, "a", 6], [0, "b", 7], [1, "b", 8]]
    own = plots.line_series([[0], [1, 2]], [[5], [6, 7]])
    assert rows(own) == [[0, "key_0", 5], [1, "key_1", 6], [2, "key_1", 7]]
    assert rows(plots.line_series(np.arange(2), np.ones((1, 2)))) == [[0, "key_0", 1], [1, "key_0", 1]]


@pytest.mark.parametrize(
    ("xs", "ys", "keys", "xname"),
    [
        ([0, 1], [[5]], None, None),
        ([[0]], [[5], [6]], None, None),
        ([0], [[5]], ["a", "b"], None),
        ([0], [5], None, None),
        ([0], [[5]], None, "y"),
        ([0], [[[5]]], None, None),
    ],
)
def test_series_that_do_not_fit_are_refused(xs, ys, keys, xname):
    with pytest.raises(InvalidArgument):
        plots.line_series(xs, ys, keys, xname=xname)


def test_a_confusion_matrix_counts_every_pair():
    plot = plots.confusion_matrix(y_true=[0, 1, 1], preds=[0, 1, 0], class_names=["cat", "dog"])
    assert plot.title == "Confusion Matrix"
    assert rows(plot) == [["cat", "cat", 1], ["cat", "dog", 0], ["dog", "cat", 1], ["dog", "dog", 1]]


def test_a_confusion_matrix_takes_probabilities_names_and_tensors():
    probs = [[0.9, 0.1, 0], [0.2, 0.8, 0]]
    assert rows(plots.confusion_matrix(probs=probs, y_true=[0, 0]))[:2] == [["0", "0", 1], ["0", "1", 1]]
    assert len(rows(plots.confusion_matrix(probs=probs, y_true=[0, 0]))) == 9
    by_name = plots.confusion_matrix(y_true=["b", "a"], preds=["b", "b"])
    assert rows(by_name) == [["a", "a", 0], ["a", "b", 1], ["b", "a", 0], ["b", "b", 1]]
    in_order = plots.confusion_matrix(y_true=["b", "a"], preds=["b", "b"], class_names=["b", "a"])
    assert rows(in_order)[0] == ["b", "b", 1]
    torch = pytest.importorskip("torch")
    tensors = plots.confusion_matrix(y_true=[torch.tensor(1), torch.tensor(0)], preds=torch.tensor([1, 1]))
    assert rows(tensors) == [["0", "0", 0], ["0", "1", 1], ["1", "0", 0], ["1", "1", 1]]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"y_true": [1]},
        {"y_true": [1], "preds": [1], "probs": [[1]]},
        {"y_true": [1, 0], "preds": [1]},
        {"y_true": [], "preds": []},
        {"y_true": [1], "probs": [1.0]},
        {"y_true": [1], "probs": [[float("nan")]]},
        {"y_true": ["a", 1], "preds": ["a", 1]},
        {"y_true": [5], "preds": [5], "class_names": ["a", "b"]},
        {"y_true": [0], "preds": [1], "class_names": ["a", "a"]},
        {"y_true": [0], "preds": [5000]},
        {"y_true": 5, "preds": [1]},
        {"y_true": "ab", "preds": [1, 2]},
        {"y_true": [[1]], "preds": [[1]]},
    ],
)
def test_a_confusion_matrix_of_what_does_not_fit_is_refused(given):
    with pytest.raises(InvalidArgument):
        plots.confusion_matrix(**given)


def classified(count: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(0)
    true = chance.integers(0, classes, count)
    scores = np.eye(classes)[true] + chance.normal(size=(count, classes))
    probabilities = np.exp(scores)
    return true, probabilities / probabilities.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("make", "kind", "columns"),
    [(plots.roc_curve, "roc", ["class", "fpr", "tpr"]), (plots.pr_curve, "pr", ["class", "recall", "precision"])],
)
def test_every_class_has_a_curve_of_at_most_1000_points(make, kind, columns):
    pytest.importorskip("sklearn")
    true, probabilities = classified(50_000, 3)
    plot = make(true, probabilities, labels=["a", "b", "c"])
    assert plot.plot == kind
    assert plot.table.columns == columns
    names = plot.table.get_column("class")
    assert set(names) == {"a", "b", "c"}
    assert all(100 < names.count(name) <= 1000 for name in "abc")
    assert {row[0] for row in rows(make(true, probabilities, ["a", "b", "c"], classes_to_plot=[1, "c"]))} == {
        "b",
        "c",
    }


def test_the_curves_are_those_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    true, probabilities = classified(50, 3)
    roc = plots.roc_curve(true, probabilities, classes_to_plot=[2])
    fpr, tpr, _ = metrics.roc_curve(true == 2, probabilities[:, 2])
    assert rows(roc) == [["2", x, y] for x, y in zip(fpr.tolist(), tpr.tolist(), strict=True)]
    recall = plots.pr_curve(true, probabilities).table.get_column("recall")
    assert recall[0] == 0 and 1 in recall


def test_two_classes_may_have_one_column_and_names():
    pytest.importorskip("sklearn")
    plot = plots.roc_curve(["no", "yes", "no"], [0.1, 0.9, 0.2])
    assert {row[0] for row in rows(plot)} == {"yes"}
    assert {row[0] for row in rows(plots.pr_curve([0, 1, 1], np.array([0.1, 0.9, 0.2]), labels=["n", "y"]))} == {"y"}


@pytest.mark.parametrize(
    "given",
    [
        (None, None),
        ([0, 1], [[0.5, 0.5]]),
        ([0, 1], [[0.5, 0.5], [0.5, float("nan")]]),
        ([0, 0], [[0.5, 0.5], [0.5, 0.5]]),
        ([0, 1], [[0.5, 0.5], [0.5, 0.5]], ["a", "b", "c"]),
        (["a", "b"], [[0.5, 0.5, 0], [0.5, 0.5, 0]]),
        ([], []),
    ],
)
def test_curves_of_what_does_not_fit_are_refused(given):
    pytest.importorskip("sklearn")
    with pytest.raises(InvalidArgument):
        plots.roc_curve(*given)


def test_a_class_to_plot_that_is_unknown_is_refused():
    pytest.importorskip("sklearn")
    assert {row[0] for row in rows(plots.roc_curve([5, 9], [[0.4, 0.6], [0.5, 0.5]], classes_to_plot=[9]))} == {"9"}
    with pytest.raises(InvalidArgument, match="'zebra'"):
        plots.roc_curve([0, 1], [[0.4, 0.6], [0.5, 0.5]], classes_to_plot=["zebra"])


def test_no_point_left_out_is_far_from_one_that_stays():
    chance = np.random.default_rng(0)
    x = np.sort(chance.random(100_000))
    y = np.where(x < 0.001, 0, x**0.1) + chance.normal(size=len(x)) * 1e-4
    few_x, few_y = plots.thinned(x, y)
    assert len(few_x) <= 1000
    assert (few_x[0], few_x[-1], few_y[0], few_y[-1]) == (x[0], x[-1], y[0], y[-1])
    length = (np.abs(np.diff(x)) / np.ptp(x) + np.abs(np.diff(y)) / np.ptp(y)).sum()
    near = np.searchsorted(few_x, x, side="right") - 1
    away = np.abs(few_x[near] - x) / np.ptp(x) + np.abs(few_y[near] - y) / np.ptp(y)
    assert away.max() <= length / 999 + 1e-9


def test_a_short_or_flat_curve_stays_whole_enough():
    x = np.arange(5.0)
    assert plots.thinned(x, x)[0] is x
    few_x, few_y = plots.thinned(np.zeros(5000), np.zeros(5000))
    assert 1 <= len(few_x) <= 2 and few_y[-1] == 0
