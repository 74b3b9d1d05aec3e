import lineal
from lineal import Api
from lineal.cli.run_page import facts, show


def test_a_page_is_not_endless_and_says_what_is_left_out(capsys) -> None:  # type: ignore[no-untyped-def]
    lineal.init(id="r", config={f"k{n}": n for n in range(100)}, notes="why\nnot", tags=["a"]).finish()
    show(Api().run("r"))
    out = capsys.readouterr().out
    assert "… and 40 more; --json shows all" in out
    assert "notes        why not" in out


def test_json_has_the_record_and_what_hangs_on_it() -> None:
    lineal.init(id="r").finish()
    found = facts(Api().run("r"))
    assert set(found) == {"run", "inputs", "outputs", "files", "alerts", "metrics"}


def test_a_run_of_a_sweep_says_which_trial_it_is(capsys) -> None:  # type: ignore[no-untyped-def]
    backend = Api()._connection.backend
    backend.sweeps.create("s1", {"method": "grid", "parameters": {"lr": {"values": [1, 2]}}}, project="p")
    trial = backend.sweeps.take("s1", "a", "t").trial
    assert trial is not None
    backend.runs.start(trial.run_id, project="p", sweep="s1")
    show(Api().run(trial.run_id))
    assert "trial        0 of sweep s1" in capsys.readouterr().out.splitlines()
