import pytest

import lineal
from lineal.core.errors import InvalidArgument, InvalidSweep, RunNotFound, StoreUnavailable, SweepEnded, SweepNotFound

GRID = {"method": "grid", "metric": {"name": "loss"}, "parameters": {"lr": {"values": [3, 1, 2]}}}


def train():
    with lineal.init() as run:
        run.log({"loss": run.config.lr, "size": -run.config.lr})


def view(sweep_id):
    return lineal.Api().sweep(sweep_id)


def test_a_sweep_is_made_of_a_mapping_and_known_by_its_id():
    sweep_id = lineal.sweep(GRID, "digits", "team")
    found = view(f"team/digits/{sweep_id}")
    assert (found.id, found.name, found.entity, found.project) == (sweep_id, sweep_id, "team", "digits")
    assert (found.path, found.state, found.message) == (f"team/digits/{sweep_id}", "running", "")
    assert found.config["parameters"] == GRID["parameters"]
    assert (found.expected_run_count, found.counts, found.url) == (3, {}, None)
    assert found.created_at.endswith("Z")
    assert repr(found) == f"<Sweep team/digits/{sweep_id} (running)>"


def test_a_sweep_is_made_of_a_file(tmp_path):
    file = tmp_path / "sweep.yaml"
    file.write_text(
        "name: my sweep\nproject: digits\nentity: team\nmethod: random\nrun_cap: 4\nmetric: {name: loss}\n"
        "parameters: {lr: {min: 0.0, max: 1.0}}\n"
    )
    for path in (file, str(file)):
        found = view(lineal.sweep(path))
        assert (found.name, found.project, found.entity) == ("my sweep", "digits", "team")
        assert found.expected_run_count == 4
    assert view(lineal.sweep(file, project="other")).project == "other"


@pytest.mark.parametrize(("config", "problem"), [({}, InvalidSweep), (5, InvalidArgument), ("no.yaml", InvalidSweep)])
def test_what_is_no_config_is_refused(config, problem):
    with pytest.raises(problem):
        lineal.sweep(config)


def test_runs_before_it_can_be_evidence():
    with pytest.raises(RunNotFound):
        lineal.sweep(GRID, prior_runs=["nothing"])
    with lineal.init(config={"lr": 1}) as run:
        run.log({"loss": 4})
    assert view(lineal.sweep(GRID, prior_runs=[run.id])).counts == {}


def test_a_sweep_whose_making_got_lost_on_the_way_is_made_once(monkeypatch):
    sweeps = lineal.Api()._connection.backend.sweeps
    calls = []

    def create(*args, **kwargs):
        calls.append(args[0])
        made = type(sweeps).create(sweeps, *args, **kwargs)
        if len(calls) == 1:
            raise StoreUnavailable("the answer got lost")
        return made

    monkeypatch.setattr(sweeps, "create", create, raising=False)
    sweep_id = lineal.sweep(GRID)
    assert calls == [sweep_id, sweep_id]
    assert [one.id for one in lineal.Api().sweeps()] == [sweep_id]


def test_sweeps_of_a_project_are_listed_newest_first():
    first, second, other = lineal.sweep(GRID, "digits"), lineal.sweep(GRID, "digits"), lineal.sweep(GRID, "other")
    assert [one.id for one in lineal.Api().sweeps("digits")] == [second, first]
    assert [one.id for one in lineal.Api().sweeps()] == [other, second, first]


def test_what_hangs_on_a_sweep_can_be_read():
    sweep_id = lineal.sweep(GRID, "digits")
    assert view(sweep_id).best_run() is None
    assert list(view(sweep_id).runs) == []
    with lineal.init(project="digits") as beside:
        beside.log({"loss": 0})
    lineal.agent(sweep_id, train)
    found = view(sweep_id)
    assert (found.state, found.counts) == ("finished", {"finished": 3})
    best = found.best_run()
    assert best is not None
    assert (best.config["lr"], best.summary["loss"]) == (1, 1)
    biggest = found.best_run(order="+summary_metrics.size")
    assert biggest is not None
    assert biggest.config["lr"] == 3
    assert len(found.runs) == 3
    assert {run.config["lr"] for run in found.runs} == {1, 2, 3}
    assert [trial.values["loss"] for trial in found.trials] == [3, 1, 2]
    assert found.insight().best_so_far == ((0, 3.0), (1, 1.0), (2, 1.0))
    assert len(found.agents) == 1
    best.delete()
    assert found.best_run() is None


def test_a_sweep_is_paused_resumed_stopped_cancelled_and_deleted():
    found = view(lineal.sweep(GRID))
    assert found.pause().state == "paused"
    assert found.message == "paused by ada"
    assert lineal.Api().sweep(found.id).resume().state == "running"
    assert found.load().stop().state == "stopped"
    assert found.cancel().state == "cancelled"
    with pytest.raises(SweepEnded):
        found.resume()
    found.delete()
    with pytest.raises(SweepNotFound):
        view(found.id)


@pytest.mark.parametrize("path", ["nothing", "", "other/{id}", "local/other/{id}"])
def test_a_path_that_leads_nowhere_is_told(path):
    sweep_id = lineal.sweep(GRID, "digits")
    with pytest.raises((SweepNotFound, lineal.errors.Invalid)):
        view(path.format(id=sweep_id))
    assert view(f"/local/digits/sweeps/{sweep_id}/").id == sweep_id
