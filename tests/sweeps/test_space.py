"""Which parameters a point has, and when two values are the same."""

from __future__ import annotations

from lineal.sweeps.space import Parameter, Space, key

OPTIMIZER = Parameter("optimizer", "categorical", values=("adam", "sgd", None))
MOMENTUM = Parameter("momentum", "uniform", when={"optimizer": ("sgd", None)})
NESTEROV = Parameter("nesterov", "categorical", values=(True, False), when={"momentum": (0.5,)})
SPACE = Space((OPTIMIZER, MOMENTUM, NESTEROV))


def test_a_parameter_is_active_with_the_values_it_asks_for():
    assert SPACE.active(OPTIMIZER, {})
    assert SPACE.active(MOMENTUM, {"optimizer": "sgd"})
    assert SPACE.active(MOMENTUM, {"optimizer": None})
    assert not SPACE.active(MOMENTUM, {"optimizer": "adam"})


def test_without_its_parent_a_parameter_is_inactive():
    assert not SPACE.active(NESTEROV, {"optimizer": "adam"})
    assert SPACE.active(NESTEROV, {"optimizer": "sgd", "momentum": 0.5})


def test_values_are_the_same_as_json_has_it():
    assert key(1) == key(1.0)
    assert key([1, {"a": [2.0], "b": None}]) == key((1.0, {"b": None, "a": (2,)}))
    different = [1, True, "1", [1], {"a": 1}, {"a": True}, None, 0, False, "", [], {}, 2**60, 2**60 + 1]
    assert len({key(value) for value in different}) == len(different)
