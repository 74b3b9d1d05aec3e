"""Sweeps on the lineage graph: sweep → runs → artifacts, in every implementation."""

from collections.abc import Callable

import pytest

from lineal.core import errors
from lineal.lineage.model import Edge, Graph, Node
from lineal.sweeps.model import Trial

from .conftest import Desk

GRID = {"method": "grid", "metric": {"name": "loss"}, "parameters": {"lr": {"values": [0.1, 0.2, 0.3]}}}


def sweeps(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if node.kind == "sweep"]


def hanging(graph: Graph) -> set[Edge]:
    return {edge for edge in graph.edges if edge.source.startswith("sweep:")}


def ids(graph: Graph) -> set[str]:
    return {node.id.rpartition("/")[2] for node in graph.nodes}


def take(desk: Desk, number: int, sweep: str = "s1") -> Trial:
    trial = desk.backend.sweeps.take(sweep, "a1", f"{sweep}-{number}").trial
    assert trial is not None
    return trial


def run(desk: Desk, trial: Trial, *, makes: str = "") -> str:
    """The id of the trial's run, which used `set` and made a version of the collection `makes`."""
    desk.backend.runs.start(trial.run_id, sweep=trial.sweep, job_type="train")
    desk.backend.artifacts.use("set", trial.run_id)
    if makes:
        desk.log(f"{makes} by {trial.run_id}", makes, "model", run_id=trial.run_id)
    return trial.run_id


@pytest.fixture
def searched(desk: Desk) -> tuple[Desk, list[str]]:
    """raw → clean → set → three trials of s1, of which two make models; the ids of their runs."""
    desk.log("raw", "raw")
    desk.step("clean", ("raw",), ("set",))
    desk.backend.sweeps.create("s1", {**GRID, "name": "rates"})
    return desk, [run(desk, take(desk, number), makes="model" if number < 2 else "") for number in range(3)]


def test_a_sweep_is_a_node_beside_its_runs(searched: tuple[Desk, list[str]]) -> None:
    desk, runs = searched
    sweep = desk.backend.sweeps.get("s1")
    graph = desk.backend.lineage.graph("model:v0")
    (node,) = sweeps(graph)
    assert (node.id, node.name, node.type, node.created_at) == ("sweep:s1", "rates", "grid", sweep.created_at)
    assert (node.depth, node.focus, node.aliases, node.deleted) == (2, False, (), False)
    assert node.detail == {
        "sweep": sweep.path,
        "state": "running",
        "metric": "minimize loss",
        "trials": 3,
        "by": "ada",
    }
    assert hanging(graph) == {Edge("sweep:s1", f"run:{runs[0]}", "trial")}
    assert ids(graph) == {"raw:v0", "run:clean", "set:v0", f"run:{runs[0]}", "model:v0", "sweep:s1"}


def test_a_run_says_in_the_graph_which_trial_it_is(searched: tuple[Desk, list[str]]) -> None:
    desk, runs = searched
    graph = desk.backend.lineage.graph("set", direction="down")
    told = {node.id: node.detail.get("trial") for node in graph.nodes if node.kind == "run"}
    assert told == {f"run:{id_}": number for number, id_ in enumerate(runs)}
    assert {edge.target for edge in hanging(graph)} == told.keys()


def test_a_sweep_as_the_subject_shows_its_runs_and_what_they_used_and_made(searched: tuple[Desk, list[str]]) -> None:
    desk, runs = searched
    lineage = desk.backend.lineage
    own = {"sweep:s1", *(f"run:{id_}" for id_ in runs)}
    above, below = {"set:v0", "run:clean", "raw:v0"}, {"model:v0", "model:v1"}
    assert ids(lineage.graph("sweep:s1")) == own | above | below
    assert ids(lineage.graph("sweep:s1", direction="up")) == own | above
    assert ids(lineage.graph("sweep:s1", direction="up", depth=1)) == own | {"set:v0"}
    assert ids(lineage.graph("sweep:s1", direction="down")) == own | below
    graph = lineage.graph("sweep:s1", depth=0)
    assert ids(graph) == own
    assert [(node.kind, node.depth, node.focus) for node in graph.nodes] == [
        ("sweep", 0, True),
        *[("run", 1, False)] * 3,
    ]
    assert len(hanging(graph)) == 3


def test_a_walk_from_a_sweep_has_its_runs_with_it(searched: tuple[Desk, list[str]]) -> None:
    desk, runs = searched
    own = {f"run:{id_}" for id_ in runs}
    up = {id_.rpartition("/")[2] for id_ in desk.backend.lineage.reach("sweep:s1")}
    assert up == own | {"set:v0", "run:clean", "raw:v0"}
    down = {id_.rpartition("/")[2] for id_ in desk.backend.lineage.reach("sweep:s1", up=False)}
    assert down == own | {"model:v0", "model:v1"}
    assert "sweep:s1" not in desk.backend.lineage.reach("model:v0")


def test_a_sweep_without_runs_is_a_graph_of_one(desk: Desk) -> None:
    desk.backend.sweeps.create("s1", GRID)
    graph = desk.backend.lineage.graph("sweep:s1")
    assert ([node.id for node in graph.nodes], graph.edges) == (["sweep:s1"], ())
    assert desk.backend.lineage.reach("sweep:s1") == []


def test_every_attempt_at_a_trial_hangs_on_its_sweep(desk: Desk) -> None:
    desk.log("set", "set")
    desk.backend.sweeps.create("s1", GRID)
    first = run(desk, take(desk, 0))
    desk.backend.runs.finish(first, "killed")
    again = take(desk, 1)
    assert again.number == 0
    second = run(desk, again)
    assert first != second
    graph = desk.backend.lineage.graph("sweep:s1")
    assert {edge.target for edge in hanging(graph)} == {f"run:{first}", f"run:{second}"}


def test_each_sweep_has_its_own_runs(searched: tuple[Desk, list[str]]) -> None:
    desk, runs = searched
    desk.backend.sweeps.create("s2", GRID)
    other = run(desk, take(desk, 0, "s2"))
    graph = desk.backend.lineage.graph("set")
    assert hanging(graph) == {
        *(Edge("sweep:s1", f"run:{id_}", "trial") for id_ in runs),
        Edge("sweep:s2", f"run:{other}", "trial"),
    }
    assert [node.depth for node in sweeps(graph)] == [2, 2]


def test_a_deleted_sweep_has_no_node_and_its_runs_stay(searched: tuple[Desk, list[str]]) -> None:
    desk, runs = searched
    desk.backend.sweeps.delete("s1")
    graph = desk.backend.lineage.graph("model:v0")
    assert (sweeps(graph), hanging(graph)) == ([], set())
    assert f"run:{runs[0]}" in ids(graph)
    with pytest.raises(errors.SweepNotFound):
        desk.backend.lineage.graph("sweep:s1")


def test_a_sweep_of_another_project_that_has_the_id_now_is_another_one(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(project="vision")
    desk.log("set", "set")
    desk.backend.sweeps.create("s1", GRID)
    run(desk, take(desk, 0))
    desk.backend.sweeps.delete("s1")
    desk.backend.sweeps.create("s1", GRID, project="audio")
    assert sweeps(desk.backend.lineage.graph("set")) == []
    assert ids(desk.backend.lineage.graph("sweep:s1")) == {"sweep:s1"}


@pytest.mark.parametrize("subject", ["sweep:s9", "sweep:", "sweep:a/b"])
def test_a_sweep_that_is_not_there_is_not_found(desk: Desk, subject: str) -> None:
    for ask in (desk.backend.lineage.graph, desk.backend.lineage.reach):
        with pytest.raises(errors.SweepNotFound):
            ask(subject)


def test_an_audit_says_that_a_model_is_a_trial_of_a_sweep(searched: tuple[Desk, list[str]]) -> None:
    desk, runs = searched
    audit = desk.backend.lineage.audit("model:v1")
    told = {run.id: (run.sweep, run.sweep_name, run.trial) for run in audit.runs}
    assert told == {"clean": ("", "", None), runs[1]: ("s1", "rates", 1)}
    assert [node.id for node in sweeps(audit.graph)] == ["sweep:s1"]
    impact = desk.backend.lineage.impact("set")
    assert {(run.sweep, run.sweep_name, run.trial) for run in impact.runs} == {("s1", "rates", n) for n in range(3)}
    desk.backend.sweeps.delete("s1")
    left = {run.id: (run.sweep, run.sweep_name, run.trial) for run in desk.backend.lineage.audit("model:v1").runs}
    assert left[runs[1]] == ("s1", "", 1)
