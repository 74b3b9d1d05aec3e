import math

from hypothesis import given
from hypothesis import strategies as st

from lineal.client import held


def test_held_values_are_put_where_their_dotted_names_lead():
    values = {"epochs": 3, "optimizer": {"name": "adam"}}
    assert held.hold(values, {"lr": 0.1, "optimizer.lr": 0.2, "a.b.c": [1]}) == {}
    assert values == {
        "epochs": 3,
        "optimizer": {"name": "adam", "lr": 0.2},
        "lr": 0.1,
        "a": {"b": {"c": [1]}},
    }


def test_what_stood_there_instead_is_told():
    values = {"lr": 5, "optimizer": {"lr": 6}, "same": 1, "nan": math.nan}
    replaced = held.hold(values, {"lr": 0.1, "optimizer.lr": 0.2, "same": 1.0, "nan": math.nan})
    assert replaced == {"lr": 5, "optimizer.lr": 6}
    assert (values["lr"], values["optimizer"]) == (0.1, {"lr": 0.2})


def test_a_value_where_a_level_belongs_gives_way():
    values = {"optimizer": "adam"}
    held.hold(values, {"optimizer.lr": 0.2})
    assert values == {"optimizer": {"lr": 0.2}}


def test_held_values_are_copies():
    layers = [1, 2]
    values: dict[str, object] = {}
    held.hold(values, {"layers": layers})
    layers.append(3)
    assert values == {"layers": [1, 2]}


def test_what_is_held_can_be_taken_out_of_a_value():
    names = {"lr": 1, "optimizer.lr": 2, "optimizer.inner.beta": 3}
    assert held.without(5, "lr", names) is held.NOTHING
    assert held.without({"lr": 2}, "optimizer", names) is held.NOTHING
    assert held.without({"lr": 2, "inner": {"beta": 3}}, "optimizer", names) is held.NOTHING
    assert held.without({"lr": 2, "name": "sgd"}, "optimizer", names) == {"name": "sgd"}
    assert held.without(None, "other", names) is None


NAMES = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(".".join)


@given(st.dictionaries(NAMES, st.integers(), max_size=5))
def test_holding_twice_changes_nothing_more(params):
    params = {name: value for name, value in params.items() if not any(o.startswith(f"{name}.") for o in params)}
    values: dict[str, object] = {}
    held.hold(values, params)
    assert held.hold(values, params) == {}
