import logging
import math
import threading

import numpy as np
import pytest

import lineal
from lineal.client import outbox
from lineal.core import errors
from lineal.tracking.rows import MAX_STEP
from tests.client import told


@pytest.fixture
def warned(caplog):
    """The warnings so far, in one text."""
    caplog.set_level(logging.WARNING, logger="lineal")
    return lambda: "\n".join(r.getMessage() for r in caplog.records if r.name == "lineal")


def logged(*calls):
    """The rows that are read back of these calls of `log`: mappings, or (mapping, keywords)."""
    with lineal.init() as run:
        for call in calls:
            data, choices = call if isinstance(call, tuple) else (call, {})
            run.log(data, **choices)
    return told.rows(run.id)


# ---- steps ---------------------------------------------------------------------------------------------------


def test_steps_go_on_by_themselves():
    assert logged({"a": 1}, {"a": 2}, {"b": 3}) == [{"a": 1}, {"a": 2}, {"b": 3}]


def test_an_explicit_step_is_kept_and_stays_open():
    with lineal.init() as run:
        run.log({"a": 1}, step=5)
        run.log({"b": 2}, step=5)
        run.log({"c": 3})
        assert run.step == 6
        run.log({"a": 4}, step=100, commit=True)
        assert run.step == 101
    assert told.points(run.id, "a") == {5: 1, 100: 4}
    assert told.rows(run.id) == [{"a": 1, "b": 2, "c": 3}, {"a": 4}]


def test_calls_for_one_step_merge_and_the_last_value_of_a_key_counts():
    assert logged(({"a": 1, "b": 1}, {"commit": False}), {"b": 2}, {"b": 3}) == [{"a": 1, "b": 2}, {"b": 3}]


def test_an_empty_call_moves_the_step_on():
    assert logged({"a": 1}, {}, {"a": 2}) == [{"a": 1}, {"a": 2}]
    assert logged({}, ({"a": 1}, {"commit": False}), {}) == [{"a": 1}]


def test_a_step_that_is_over_is_left_out_warned_of_once_and_counted(warned):
    with lineal.init() as run:
        for step in (10, 3, 4, 11):
            run.log({"a": step}, step=step)
        assert run._history.refused == 2
        assert warned().count("step 3 is over, the run is at step 10") == 1
    assert "step 4" not in warned()
    assert told.points(run.id, "a") == {10: 10, 11: 11}


@pytest.mark.parametrize("step", [-1, 2**63, 2**200])
def test_a_step_beyond_what_is_possible_is_left_out(step, warned):
    assert logged({"a": 1}, ({"a": 2}, {"step": step}), {"a": 3}) == [{"a": 1}, {"a": 3}]
    assert f"not from 0 to {MAX_STEP}" in warned()


def test_the_largest_step_is_possible_and_the_last():
    assert logged(({"a": 1}, {"step": MAX_STEP, "commit": True}), {"b": 2}) == [{"a": 1, "b": 2}]


@pytest.mark.parametrize("kind", [np.int64, np.int8, np.uint32])
def test_whole_numbers_of_numpy_are_steps(kind):
    with lineal.init() as run:
        run.log({"a": 1}, step=kind(7))
        assert type(run.step) is int
        run.log({"a": 2}, step=kind(9))
    assert told.points(run.id, "a") == {7: 1, 9: 2}


@pytest.mark.parametrize("step", [1.0, "1", True, np.float32(1), [1], np.array([1, 2]), math.nan])
def test_a_step_that_is_no_whole_number_is_refused(step):
    with lineal.init() as run:
        with pytest.raises(errors.InvalidArgument, match="a step is a whole number"):
            run.log({"a": 1}, step=step)
        run.log({"a": 2})
    assert told.rows(run.id) == [{"a": 2}]


def test_keys_with_a_step_of_their_own_may_come_late_and_bring_it_along(warned):
    with lineal.init() as run:
        run.define_metric("val/*", step_metric="epoch")
        run.log({"loss": 1}, step=10)
        run.log({"val/acc": 0.5, "epoch": 1, "loss": 9}, step=2)
    assert told.points(run.id, "val/acc") == {10: 0.5}
    assert told.points(run.id, "epoch") == {10: 1}
    assert told.points(run.id, "loss") == {10: 1}
    assert "step 2 is over" in warned()


def test_the_step_metric_is_filled_in_where_a_row_lacks_it():
    with lineal.init() as run:
        run.define_metric("acc", step_metric="epoch")
        run.define_metric("quiet", step_metric="epoch", step_sync=False)
        run.log({"acc": 0})
        run.log({"epoch": 3})
        run.log({"acc": 1})
        run.log({"quiet": 1})
    assert told.rows(run.id) == [{"acc": 0}, {"epoch": 3}, {"acc": 1, "epoch": 3}, {"quiet": 1}]


# ---- keys ----------------------------------------------------------------------------------------------------


def test_nested_mappings_become_dotted_keys_and_slashes_stay():
    assert logged({"a": {"b": {"c": 1}, "d": 2.5}, "a/b": 3, "e": {}}) == [{"a.b.c": 1, "a.d": 2.5, "a/b": 3}]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("", "can't be a key"),
        ("k" * (1 << 20), "1 to 1024"),
        ("a\nb", "printable"),
        ("a\x00", "printable"),
        ("\ud800", "printable"),
        ("_step", "Lineal's own"),
        (1, "can't be a key"),
        (None, "can't be a key"),
        (("a",), "can't be a key"),
    ],
)
def test_a_key_that_cannot_be_is_left_out_by_itself(key, said, warned):
    assert logged({key: 1.0, "a": 2.0}, {key: "text", "a": "text"}) == [{"a": 2.0}, {"a": "text"}]
    assert "is not logged" in warned()
    assert said in warned() or "a key is a text" in warned()
    assert len(warned()) < 1000


def test_keys_of_any_language_are_keys():
    assert logged({"größe/δ 🙂": 1}) == [{"größe/δ 🙂": 1}]


def test_a_hundred_thousand_keys_fit_in_a_call():
    data = {f"key/{n}": float(n) for n in range(100_000)}
    assert logged(data) == [data]


def test_what_is_nested_too_deep_or_holds_itself_is_left_out(warned):
    own: dict[str, object] = {"a": 1}
    own["x"] = own["y"] = own
    deep: dict[str, object] = {"v": 1}
    for _ in range(100):
        deep = {"d": deep}
    assert logged({"own": own, "deep": deep, "ok": 1}) == [{"own.a": 1, "ok": 1}]
    assert "nested too deep, or holds itself" in warned()


@pytest.mark.parametrize("data", [None, 1, [("a", 1)], "a", {"a"}])
def test_what_is_no_mapping_is_refused(data):
    with lineal.init() as run, pytest.raises(errors.InvalidArgument, match="takes a mapping"):
        run.log(data)


# ---- values --------------------------------------------------------------------------------------------------


def test_numbers_that_json_lacks_survive():
    (row,) = logged({"nan": math.nan, "inf": math.inf, "neg": -math.inf, "mixed": [math.nan, 1]})
    assert math.isnan(row["nan"])
    assert (row["inf"], row["neg"]) == (math.inf, -math.inf)
    assert math.isnan(row["mixed"][0])


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (np.float32(0.5), 0.5),
        (np.float64(0.1), 0.1),
        (np.int64(-3), -3),
        (np.uint8(3), 3),
        (np.bool_(True), True),
        (np.array(2.5), 2.5),
        (np.array([7]), 7),
        (np.str_("a"), "a"),
        (True, True),
        (None, None),
        ("text", "text"),
        ([1, 2.5, "a", None], [1, 2.5, "a", None]),
        ((1, [2]), [1, [2]]),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
        ("\x00", "\x00"),
        ("\ud800", "\ud800"),
    ],
)
def test_values_come_back_as_they_were(value, found):
    (row, ok) = logged({"a": value}, {"ok": 1})
    assert (row["a"], type(row["a"])) == (found, type(found))
    assert ok == {"ok": 1}


@pytest.mark.parametrize("library", ["torch", "jax.numpy"])
def test_scalars_of_torch_and_jax_are_numbers(library):
    module = pytest.importorskip(library)
    scalar = module.tensor if library == "torch" else module.array
    assert logged({"a": scalar(0.5), "b": scalar([3])}) == [{"a": 0.5, "b": 3}]


class Breaks:
    def __float__(self):
        raise RuntimeError("no")

    @property
    def shape(self):
        raise RuntimeError("not even that")


@pytest.mark.parametrize(
    "value",
    [object(), Breaks(), {1, 2}, b"x", 2**63, 10**5000, 1j, print, [object()], {"_type": "mine"}, iter("a")],
    ids=lambda value: type(value).__name__,
)
def test_a_value_that_cannot_be_stored_names_its_key_and_the_training_goes_on(value, warned):
    assert logged({"bad/key": value, "ok": 1}, {"ok": 2}) == [{"ok": 1}, {"ok": 2}]
    assert "bad/key" in warned()


def test_what_is_refused_again_and_again_is_said_once(warned):
    logged(*[{"bad": object(), "ok": n} for n in range(50)])
    assert warned().count("bad") == 1 or warned().count("is not logged") == 1


def test_a_long_text_is_kept_and_a_huge_one_refused(warned):
    assert logged({"a": "x" * (1 << 20)}, {"b": "x" * (17 << 20), "c": 1}) == [{"a": "x" * (1 << 20)}, {"c": 1}]
    assert "17,825,792 characters" in warned()


def test_many_long_texts_at_once_go_through_in_pieces(monkeypatch):
    monkeypatch.setattr(outbox, "_BATCH_BYTES", 1 << 20)
    with lineal.init(settings={"console": "off"}) as run:
        for n in range(20):
            run.log({"a": str(n % 10) * (300 << 10)})
    assert [len(row["a"]) for row in told.rows(run.id)] == [300 << 10] * 20
    assert run._outbox.refused == 0


def test_what_the_caller_changes_after_log_is_not_logged():
    data = {"a": 1.0, "l": [1], "n": {"b": 1}}
    with lineal.init() as run:
        run.log(data)
        data["a"] = 2.0
        data["l"].append(2)
        data["n"]["b"] = 2
        plain = {"z": 1.0}
        run.log(plain)
        plain["z"] = 2.0
    assert told.rows(run.id) == [{"a": 1.0, "l": [1], "n.b": 1}, {"z": 1.0}]


# ---- who logs, and when --------------------------------------------------------------------------------------


def test_every_row_of_eight_threads_arrives_once():
    def work(name):
        for n in range(2000):
            run.log({name: n})

    with lineal.init() as run:
        threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for n in range(8):
        assert [*told.points(run.id, f"t{n}").values()] == list(range(2000))
    assert told.record(run.id).last_step == 15_999


def test_after_the_end_log_says_so():
    run = lineal.init()
    run.finish()
    with pytest.raises(errors.RunFinished, match="has ended"):
        run.log({"a": 1})
    with pytest.raises(errors.RunFinished):
        run.define_metric("a")


def test_times_do_not_go_back_when_the_clock_does(monkeypatch):
    import time

    now = time.time()
    with lineal.init() as run:
        run.log({"a": 1})
        monkeypatch.setattr(time, "time", lambda: now - 3600)
        run.log({"a": 2})
    first, second = (row["_timestamp"] for row in told.connection().backend.runs.rows(run.id))
    assert now - 60 < first <= second
