from datetime import UTC, datetime

import pytest

from lineal.client import frames
from lineal.core.errors import MissingDependency
from lineal.tracking.model import Run, Samples

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def run(run_id: str, config: dict[str, object], summary: dict[str, object]) -> Run:
    return Run(run_id, "e", "p", run_id, "", "finished", config, {}, "ada", "host", NOON, summary=summary)


def test_runs_are_rows_with_a_column_for_each_dotted_key() -> None:
    columns = frames.of_runs([run("a", {"z": 1, "o": {"lr": 2}}, {"acc": 0.5}), run("b", {"z": "x"}, {})])
    assert columns["id"] == ["a", "b"]
    assert list(columns)[-3:] == ["config.o.lr", "config.z", "summary.acc"]
    assert columns["config.z"] == [1, "x"]
    assert columns["summary.acc"] == [0.5, None]
    assert frames.of_runs([]) == {}


def test_rows_are_columns_with_the_step_first() -> None:
    rows = [{"loss": 1, "_timestamp": 5.0, "_step": 0}, {"_step": 1, "acc": 2}]
    assert frames.of_rows(rows) == {
        "_step": [0, 1],
        "acc": [None, 2],
        "loss": [1, None],
        "_timestamp": [5.0, None],
    }


def test_samples_are_a_row_for_each_bucket() -> None:
    found = frames.of_samples([Samples("r", "loss", 4, [1, 3], [1, 2], [5, 6], [3, 4], [2, 2])])
    assert found == {
        "run": ["r", "r"],
        "key": ["loss", "loss"],
        "_step": [1, 3],
        "value": [2, 2],
        "low": [1, 2],
        "high": [5, 6],
        "mean": [3, 4],
    }


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ([1, None, 2], [1, None, 2]),
        ([1, 2.5], [1.0, 2.5]),
        ([None, None], [None, None]),
        ([[1, 2], None], [[1, 2], None]),
        ([[1, "a"]], ['[1, "a"]']),
        ([1, "x", True, None], ["1", "x", "true", None]),
        ([{"_type": "image"}], ['{"_type": "image"}']),
        ([10**30], [str(10**30)]),
        ([NOON], [NOON]),
    ],
)
def test_a_column_of_several_kinds_is_json_in_arrow(values: list[object], kept: list[object]) -> None:
    assert frames.to_arrow({"x": values}).column("x").to_pylist() == kept


def test_a_library_that_is_not_there_is_named() -> None:
    with pytest.raises(MissingDependency, match="pip install no_such_library"):
        frames.need("no_such_library")
