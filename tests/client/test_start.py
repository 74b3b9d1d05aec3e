import logging
import threading

import pytest

import lineal
from lineal.core import errors
from lineal.core.settings import environment
from tests.client import told


def run_of(values, **choices):
    """A run that logs `a` once for each value, and has ended."""
    with lineal.init(**choices) as run:
        for value in values:
            run.log({"a": value})
    return run


def values(run_id):
    return told.points(run_id, "a")


# ---- resuming ------------------------------------------------------------------------------------------------


def test_a_run_goes_on_where_it_was_as_often_as_one_likes():
    run_of([0, 1], id="long", config={"lr": 1}, name="first", tags=["t"], notes="n")
    for time in (2, 3, 4):
        again = run_of([time], id="long", resume="allow")
        assert again.resumed
        assert (again.name, again.config.lr, again.tags, again.notes) == ("first", 1, ("t",), "n")
    assert values("long") == {n: n for n in range(5)}
    record = told.record("long")
    assert (record.state, record.summary) == ("finished", {"a": 4})


def test_what_is_said_on_resuming_is_taken_over():
    run_of([0], id="long", config={"lr": 1, "a": 1})
    with lineal.init(id="long", resume="must", name="new", group="g", config={"lr": 2}) as run:
        assert run.config == {"lr": 2, "a": 1}
    record = told.record("long")
    assert (record.name, record.group, record.config) == ("new", "g", {"lr": 2, "a": 1})


def test_must_needs_the_run_and_never_needs_it_not_to_be():
    with pytest.raises(errors.RunNotFound, match="no run 'absent'"):
        lineal.init(id="absent", resume="must")
    with pytest.raises(errors.InvalidArgument, match="needs the run's id"):
        lineal.init(resume="must")
    run_of([0], id="there")
    for resume in ("never", None, False):
        with pytest.raises(errors.RunExists, match="resume='allow'"):
            lineal.init(id="there", resume=resume)
    assert lineal.run is None
    assert not run_of([0], id="new", resume="allow").resumed


def test_a_run_that_failed_to_start_leaves_nothing_behind(place):
    run_of([0], id="there")
    for act in (
        lambda: lineal.init(id="there"),
        lambda: lineal.init(id="absent", resume="must"),
        lambda: lineal.init(id="child", fork_from="absent?_step=1"),
        lambda: lineal.init(resume_from="absent?_step=1"),
    ):
        with pytest.raises(errors.Error):
            act()
    assert list((place.cache / "runs").iterdir()) == []
    assert [run.id for run in told.connection().backend.runs.list().runs] == ["there"]


def test_auto_goes_on_with_the_run_that_died_here_and_with_no_other(installation):
    program = (
        "import lineal, os, time\nrun = lineal.init(id='died')\nrun.log({'a': 0})\ntime.sleep(1.2)\nos._exit(1)\n"
    )
    run_of([0], id="ended")
    told.said(told.start(installation, program))
    lineal.init(id="other")
    with lineal.init(resume="auto", reinit="create_new") as run:
        assert run.id == "died"
        run.log({"a": 1})
    assert values("died") == {0: 0, 1: 1}
    assert run_of([0], resume="auto").id not in ("died", "ended", "other")


@pytest.mark.parametrize("resume", ["maybe", 3, ["must"]])
def test_there_is_no_other_way_to_resume(resume):
    with pytest.raises(errors.InvalidArgument, match="no way to resume"):
        lineal.init(id="x", resume=resume)


# ---- going back and branching off ----------------------------------------------------------------------------


def test_a_run_is_rewound_again_and_again():
    run_of(range(10), id="long")
    again = run_of([60, 70], resume_from="long?_step=5")
    assert (again.id, values("long")) == ("long", {**{n: n for n in range(6)}, 6: 60, 7: 70})
    run_of([300], resume_from="local/default/long?_step=2", id="long")
    run_of([301], id="long", resume="must")
    assert values("long") == {0: 0, 1: 1, 2: 2, 3: 300, 4: 301}
    assert told.record("long").summary == {"a": 301}


def test_a_run_is_forked_and_the_fork_forked_again():
    run_of(range(10), id="a")
    child = run_of([40], id="b", fork_from="a?_step=3")
    grandchild = run_of([50], id="c", fork_from="b?_step=4")
    assert (child.step, grandchild.step) == (5, 6)
    assert values("c") == {0: 0, 1: 1, 2: 2, 3: 3, 4: 40, 5: 50}
    assert values("a") == {n: n for n in range(10)}
    records = [told.record(run_id) for run_id in "bc"]
    assert [(record.parent, record.parent_step) for record in records] == [("a", 3), ("b", 4)]


def test_a_fork_beyond_the_parents_end_has_all_of_it():
    run_of([0, 1], id="a")
    assert run_of([2], id="b", fork_from="a?_step=999").step == 3
    assert values("b") == {0: 0, 1: 1, 2: 2}


@pytest.mark.parametrize(
    "text", ["a", "a?_step=", "a?_step=-1", "a?step=1", "?_step=1", "a?_step=1x", "a?_step=1e3", 5]
)
def test_a_point_that_cannot_be_read_is_refused(text):
    for name in ("fork_from", "resume_from"):
        with pytest.raises(errors.InvalidArgument, match="_step=500"):
            lineal.init(**{name: text})
    assert lineal.run is None


def test_going_back_and_branching_off_at_once_is_refused():
    with pytest.raises(errors.InvalidArgument, match="not both"):
        lineal.init(resume_from="a?_step=1", fork_from="a?_step=1")
    with pytest.raises(errors.InvalidArgument, match="names the run"):
        lineal.init(id="b", resume_from="a?_step=1")


# ---- the run before ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reinit", [None, True, False, "default", "finish_previous"])
def test_the_run_before_ends_first(reinit):
    before = lineal.init()
    assert lineal.init(reinit=reinit) is lineal.run
    assert told.record(before.id).state == "finished"


def test_the_run_before_is_given_again_where_asked_for():
    before = lineal.init(reinit="return_previous")
    assert lineal.init(reinit="return_previous") is before
    before.finish()
    assert lineal.init(reinit="return_previous") is not before


def test_runs_beside_each_other_are_nested():
    outer = lineal.init(id="outer")
    with lineal.init(id="inner", reinit="create_new") as inner:
        assert lineal.run is inner
        lineal.log({"a": 1})
        outer.log({"a": 2})
    assert lineal.run is outer
    lineal.log({"a": 3})
    outer.finish()
    assert (values("inner"), values("outer")) == ({0: 1}, {0: 2, 1: 3})


def test_a_run_that_cannot_start_leaves_the_run_before_alone():
    before = lineal.init()
    for bad in ({"reinit": "maybe"}, {"config": 3}, {"project": "a/b"}, {"fork_from": "x"}, {"resume": "must"}):
        with pytest.raises(errors.Invalid):
            lineal.init(**bad)
    assert lineal.run is before
    assert told.record(before.id).state == "running"


# ---- arguments -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad",
    [
        {"name": 5},
        {"name": "\x00"},
        {"notes": ["a"]},
        {"group": 3},
        {"group": "x" * 200},
        {"job_type": b"train"},
        {"tags": "fast"},
        {"tags": [3]},
        {"tags": ["x" * 200]},
        {"settings": 3},
        {"mode": "onlin"},
        {"id": "../x"},
        {"id": "x" * 100},
        {"project": "x" * 200},
    ],
)
def test_bad_arguments_are_refused_before_anything_starts(bad):
    with pytest.raises(errors.Invalid):
        lineal.init(**bad)
    assert lineal.run is None
    assert list(told.connection().backend.runs.list().runs) == []


def test_arguments_that_mean_nothing_here_are_left_out_with_a_warning(caplog):
    caplog.set_level(logging.WARNING, logger="lineal")
    lineal.init(anonymous="allow", sync_tensorboard=True)
    assert "init takes no 'anonymous', 'sync_tensorboard'" in caplog.text


def test_the_code_becomes_an_artifact_where_asked_for(write):
    write({"train.py": "1", "big.bin": "2"}, ".")
    with lineal.init(save_code=True) as run:
        pass
    (artifact,) = lineal.Api().run(run.id).logged_artifacts()
    assert [entry.path for entry in artifact.files()] == ["train.py"]


def test_ten_threads_start_a_run_each_on_a_fresh_store(place):
    begun = threading.Barrier(10)
    problems = []

    def work(number):
        try:
            begun.wait()
            with lineal.init(id=f"run-{number}", reinit="create_new") as run:
                for n in range(20):
                    run.log({"a": n})
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    for n in range(10):
        assert [*values(f"run-{n}").values()] == list(range(20))
        assert told.record(f"run-{n}").state == "finished"
    assert lineal.run is None
    assert environment("LINEAL_URL") == str(place.store)
