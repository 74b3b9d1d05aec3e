import math

import lineal
from lineal import Api
from lineal.cli.run_diff import run_differences
from lineal.client.run_view import RunView


def start(run_id: str, **facts: object) -> RunView:
    lineal.init(id=run_id, **facts).finish()  # type: ignore[arg-type]
    return Api().run(run_id)


def test_values_differ_by_value_and_by_kind() -> None:
    before = start("a", config={"same": math.nan, "n": {"x": 1}, "kind": True, "gone": None, "list": [1]})
    after = start("b", config={"same": math.nan, "n": {"x": 2}, "kind": 1, "list": [1, 2]})
    assert run_differences(before, after)["config"] == {
        "n.x": (1, 2),
        "kind": (True, 1),
        "list": ([1], [1, 2]),
    }


def test_packages_differ_by_version_whatever_the_spelling() -> None:
    from lineal.backend.connect import connect
    from lineal.core.settings import load
    from lineal.tracking.model import Batch

    start("a")
    start("b")
    backend = connect(load())
    backend.runs.append("a", "w", 1, Batch(environment={"python": "3.12", "packages": ["numpy==1.0", "My_Lib==2"]}))
    packages = ["numpy==2.0", "my-lib==2", "own @ file:///x"]
    backend.runs.append("b", "w", 1, Batch(environment={"python": "3.13", "packages": packages}))
    backend.close()
    found = run_differences(Api().run("a"), Api().run("b"))
    assert found["packages"] == {"numpy": ("1.0", "2.0"), "own": (None, "file:///x")}
    assert found["environment"] == {"python": ("3.12", "3.13")}
    assert found["inputs"] == {}
