import pytest

import lineal
from lineal import Api
from lineal.core import errors


@pytest.fixture
def api() -> Api:
    """Twelve runs r0 … r11 in the project vision, one in text."""
    for n in range(12):
        with lineal.init(
            project="vision", id=f"r{n}", config={"lr": n / 10}, tags=["even"] if n % 2 == 0 else []
        ) as run:
            for step in range(4):
                run.log({"acc": n + step})
    with lineal.init(project="text", id="other"):
        pass
    return Api()


def ids(runs) -> list[str]:  # type: ignore[no-untyped-def]
    return [run.id for run in runs]


def test_runs_are_read_page_by_page_as_they_are_needed(api: Api) -> None:
    runs = api.runs("vision", per_page=5)
    assert runs._read == []
    assert runs[0].id == "r11"
    assert len(runs._read) == 5
    assert ids(runs[3:7]) == ["r8", "r7", "r6", "r5"]
    assert len(runs._read) == 10
    assert len(runs) == 12
    assert (runs[-1].id, ids(runs[-2:]), ids(runs[:2]), ids(runs[::-6])) == (
        "r0",
        ["r1", "r0"],
        ["r11", "r10"],
        ["r0", "r6"],
    )
    assert ids(runs) == [f"r{n}" for n in reversed(range(12))]
    assert len(runs) == 12
    with pytest.raises(IndexError):
        runs[12]


def test_runs_are_filtered_by_a_mapping_or_a_line_and_sorted(api: Api) -> None:
    best = api.runs("vision", {"config.lr": {"$gte": 0.5}, "tags": "even"}, order="-summary_metrics.acc")
    assert ids(best) == ["r10", "r8", "r6"]
    assert ids(api.runs("local/vision", "config.lr >= 0.5 and tags has even", order="+summary_metrics.acc")) == [
        "r6",
        "r8",
        "r10",
    ]
    assert not api.runs("vision", "config.lr > 5")
    assert api.runs("vision", "config.lr > 1")


def test_a_path_is_a_project_and_none_is_every_project(api: Api) -> None:
    assert len(api.runs()) == 13
    assert ids(api.runs("text")) == ids(Api(project="text").runs()) == ["other"]
    assert ids(api.runs("somebody/vision")) == []
    assert repr(api.runs("vision")) == "<Runs local/vision by -created_at>"


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        (lambda api: api.runs("a/b/c"), errors.InvalidArgument),
        (lambda api: api.runs("../x"), errors.InvalidName),
        (lambda api: api.runs(order="loss"), errors.InvalidArgument),
        (lambda api: api.runs(filters={"loss": 1}), errors.InvalidFilter),
        (lambda api: api.runs(filters="loss > 1"), errors.InvalidFilter),
        (lambda api: api.runs(per_page=0), errors.InvalidArgument),
    ],
)
def test_what_can_not_be_asked_is_refused_at_once(api: Api, ask, error) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error):
        ask(api)


def test_the_history_of_many_runs_comes_at_once(api: Api) -> None:
    found = api.runs("vision", "config.lr < 0.15").history(["acc", "nothing"], samples=2, pandas=False)
    assert [(one.run, one.key, list(one.low), list(one.high)) for one in found] == [
        ("r1", "acc", [1, 3], [2, 4]),
        ("r0", "acc", [0, 2], [1, 3]),
    ]
    frame = pytest.importorskip("pandas") and api.runs("vision", "config.lr < 0.15").history(["acc"], samples=2)
    assert list(frame.columns) == ["run", "key", "_step", "value", "low", "high", "mean"]
    assert list(frame[frame.run == "r0"]["value"]) == [1, 3]


def test_runs_become_a_dataframe_from_which_the_best_is_found(api: Api) -> None:
    pytest.importorskip("pandas")
    frame = api.runs("vision").to_dataframe()
    assert len(frame) == 12
    assert frame.loc[frame["summary.acc"].idxmax(), "id"] == "r11"
    assert str(frame["created_at"].dtype).startswith("datetime64")


def test_runs_become_tables_of_other_libraries(api: Api) -> None:
    table = api.runs("vision", order="config.lr").to_arrow()
    assert table.column("id").to_pylist()[:2] == ["r0", "r1"]
    assert table.column("config.lr").to_pylist()[1] == 0.1
    polars = pytest.importorskip("polars")
    frame = api.runs("vision").to_polars()
    assert frame.filter(polars.col("config.lr") > 1)["id"].to_list() == ["r11"]
