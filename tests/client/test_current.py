import threading

import pytest

import lineal
from lineal.client import current
from lineal.client.outbox import End
from lineal.core import errors
from tests.client import told


def test_the_names_of_the_module_act_on_the_current_run(write):
    write({"a.txt": "1", "train.py": "1"}, ".")
    run = lineal.init(config={"lr": 1})
    lineal.config.batch = 2
    lineal.define_metric("a", summary="max")
    lineal.log({"a": 1}, step=3)
    lineal.log({"b": 2}, commit=True)
    lineal.summary["c"] = 3
    lineal.save("a.txt")
    lineal.log_code(".")
    lineal.unwatch()
    lineal.finish()
    record = told.record(run.id)
    assert (record.config, record.summary) == ({"lr": 1, "batch": 2}, {"a": {"max": 1}, "b": 2, "c": 3})
    assert told.points(run.id, "b") == {3: 2}
    assert told.files(run.id) == {"a.txt": 1}


def test_without_a_run_they_say_what_to_do():
    for act in (
        lambda: lineal.log({"a": 1}),
        lambda: lineal.define_metric("a"),
        lambda: lineal.save("a"),
        lambda: lineal.log_code(),
        lambda: lineal.watch(None),
    ):
        with pytest.raises(errors.RunNotFound, match=r"lineal\.init"):
            act()
    assert (lineal.run, lineal.config, lineal.summary) == (None, None, None)


def test_a_run_that_cannot_end_does_not_keep_others_from_ending(caplog):
    class Broken:
        id = "broken"

        def _end(self, end):
            raise RuntimeError("no")

    good = lineal.init()
    current._open.append(Broken())
    try:
        current.end_all(End("killed", 143, "why"))
    finally:
        current._open[:] = []
    assert told.record(good.id).state == "killed"
    assert "run broken did not end well" in caplog.text


def test_a_run_of_another_thread_is_the_processes_current_one():
    threading.Thread(target=lineal.init, kwargs={"id": "threads-own"}).start()
    assert any(lineal.run is not None or threading.Event().wait(0.01) for _ in range(1000))
    lineal.log({"a": 1})
    lineal.finish()
    assert told.points("threads-own", "a") == {0: 1}


def test_logging_in_is_not_needed_and_touches_nothing(place):
    assert lineal.login(key="0" * 40) is True
    assert not place.store.exists()
