from typing import Any

import pytest
import yaml

from lineal.core.errors import InvalidSweep
from lineal.sweeps.parameters import MAX_PARAMETERS, parse
from lineal.sweeps.space import Parameter


def one(**section: Any) -> Parameter:
    return parse({"p": section}).parameters[0]


def names(raw: dict[str, Any]) -> list[str]:
    return [each.name for each in parse(raw).parameters]


def test_the_distribution_follows_from_what_is_given():
    assert one(value=3) == Parameter("p", "constant", values=(3,))
    assert one(value=None) == Parameter("p", "constant", values=(None,))
    assert one(values=[1, "a"]) == Parameter("p", "categorical", values=(1, "a"))
    assert one(min=1, max=3) == Parameter("p", "int_uniform", low=1, high=3)
    assert one(min=1, max=3.0) == Parameter("p", "uniform", low=1, high=3)
    assert one(min=1, max=3, distribution="uniform") == Parameter("p", "uniform", low=1, high=3)


def test_a_distribution_has_its_fields_and_defaults():
    assert one(distribution="normal") == Parameter("p", "normal", mu=0, sigma=1)
    assert one(distribution="q_normal", mu=3, q=2) == Parameter("p", "q_normal", mu=3, q=2)
    assert one(distribution="q_beta", a=2, b=3, q=0.1) == Parameter("p", "q_beta", a=2, b=3, q=0.1)
    assert one(distribution="categorical_w_probabilities", values=[1, 2], probabilities=[0.1, 0.9]).probabilities == (
        0.1,
        0.9,
    )


def test_floats_are_floats_and_whole_numbers_whole():
    assert isinstance(one(min=0, max=1, distribution="uniform").high, float)
    assert isinstance(one(min=0, max=1).high, int)
    assert isinstance(one(min=0, max=8, q=2, distribution="q_uniform").q, int)


def test_true_and_one_are_two_values():
    assert one(values=[1, True, "1"]).values == (1, True, "1")


def test_nested_names_are_dotted_in_the_order_of_the_config():
    raw = {"z": {"value": 1}, "o": {"parameters": {"b": {"value": 1}, "a": {"value": 2}}}, "model.x": {"value": 3}}
    assert names(raw) == ["z", "o.b", "o.a", "model.x"]


def test_a_condition_comes_behind_what_it_looks_at():
    raw = {
        "c": {"value": 1, "when": {"b": 2}},
        "x": {"value": 1},
        "b": {"values": [1, 2], "when": {"a": "on"}},
        "a": {"values": ["on", "off"]},
    }
    assert names(raw) == ["x", "a", "b", "c"]
    assert parse(raw).parameters[-1].when == {"b": (2,)}


def test_the_condition_of_a_group_is_that_of_all_in_it():
    raw = {
        "opt": {"values": ["sgd", "adam"]},
        "n": {"min": 1, "max": 3},
        "sgd": {"when": {"opt": "sgd"}, "parameters": {"lr": {"value": 1}, "m": {"value": 1, "when": {"n": [1, 2]}}}},
    }
    whens = {each.name: each.when for each in parse(raw).parameters}
    assert whens["sgd.lr"] == {"opt": ("sgd",)}
    assert whens["sgd.m"] == {"opt": ("sgd",), "n": (1, 2)}


def test_yaml_that_reads_a_number_as_a_text_is_explained():
    with pytest.raises(InvalidSweep, match=r"parameters\.lr\.min is the text '1e-3', not a number: write 1\.0e-3"):
        parse(yaml.safe_load("lr: {min: 1e-3, max: 0.1}"))
    with pytest.raises(InvalidSweep, match=r"parameters\.lr\.values: '1e-3' is a text, .*: write 1\.0e-3"):
        parse(yaml.safe_load("lr: {values: [1e-3, 1e-4]}"))
    with pytest.raises(InvalidSweep, match=r"parameters\.lr\.value: '1e3' is a text, .*: write 1\.0e\+3"):
        parse(yaml.safe_load("lr: {value: 1e3}"))
    assert yaml.safe_load("[1.0e-3, 1.0e+3]") == [0.001, 1000]
    assert parse({"v": {"values": ["1", "2"]}, "sha": {"values": ["12e4567", "main"]}})


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({}, "parameters must be a mapping of at least one parameter, not {}"),
    ({"o": {"parameters": {}}}, "parameters.o.parameters must be a mapping of at least one parameter"),
    ({"lr": 0.1}, "parameters.lr must be a mapping, not 0.1; write {value: 0.1} if that is meant"),
    ({"lr": [1, 2]}, "write {values: [1, 2]} if that is meant"),
    ({"lr": None}, "parameters.lr must be a mapping, not null"),
    ({"lr": {}}, "parameters.lr has nothing to choose from"),
    ({"lr": {"min": 0.1, "max": 0.01}}, "parameters.lr: min (0.1) must be less than max (0.01)"),
    ({"lr": {"min": 3, "max": 3}}, "parameters.lr: min (3) must be less than max (3); for one value write value: 3"),
    ({"lr": {"min": 3}}, "parameters.lr.max is missing: uniform needs min and max"),
    ({"lr": {"mim": 1, "max": 3}}, "parameters.lr: key 'mim' is unknown; did you mean min?"),
    ({"lr": {"min": "small", "max": 3}}, "parameters.lr.min is the text 'small', not a number"),
    ({"lr": {"min": True, "max": 3}}, "parameters.lr.min is true, not a number"),
    ({"lr": {"min": 10**400, "max": 3}}, "parameters.lr.min is too large a number"),
    (
        {"lr": {"distribution": "unifrom", "min": 1, "max": 3}},
        "distribution 'unifrom' is unknown; did you mean uniform",
    ),
    ({"lr": {"distribution": ["uniform"]}}, 'parameters.lr: distribution ["uniform"] is unknown'),
    ({"lr": {"distribution": "uniform"}}, "parameters.lr.min is missing: uniform needs min and max"),
    ({"lr": {"distribution": "uniform", "min": 1, "max": 3, "q": 1}}, "parameters.lr.q is of no use to uniform"),
    ({"lr": {"distribution": "normal", "min": 1}}, "parameters.lr.min is of no use to normal, which takes mu, sigma"),
    ({"lr": {"distribution": "normal", "sigma": 0}}, "sigma (0) must be more than 0; for one value write value"),
    ({"lr": {"distribution": "beta", "a": -1}}, "a (-1) must be more than 0"),
    ({"lr": {"mu": 1}}, "parameters.lr.mu says nothing without a distribution; write distribution: normal, say"),
    (
        {"lr": {"distribution": "log_uniform_values", "min": 0, "max": 3}},
        "min (0) must be more than 0 for log_uniform",
    ),
    ({"lr": {"distribution": "inv_log_uniform_values", "min": -1, "max": 3}}, "min (-1) must be more than 0"),
    ({"lr": {"distribution": "log_uniform", "min": 1, "max": 1000}}, "are exponents of e, and may be up to 690"),
    ({"lr": {"distribution": "log_normal", "mu": 1000}}, "those of the logarithm"),
    ({"lr": {"distribution": "int_uniform", "min": 1.5, "max": 3}}, "min (1.5) must be a whole number"),
    ({"lr": {"min": 1, "max": 1 << 60}}, "must be a whole number up to 2**53"),
    ({"lr": {"distribution": "q_uniform", "min": 1, "max": 3, "q": 0}}, "q (0) must be more than 0"),
    ({"lr": {"distribution": "q_uniform", "min": 1, "max": 3, "q": 10}}, "no multiple of q (10) lies between"),
    ({"lr": {"distribution": "q_log_uniform", "min": 0, "max": 1, "q": 5}}, "no multiple of q (5) lies between"),
    ({"lr": {"values": []}}, "parameters.lr.values is empty"),
    ({"lr": {"values": 3}}, "parameters.lr.values must be a list, not 3"),
    ({"lr": {"values": [1, 1]}}, "parameters.lr.values: 1 is there twice"),
    ({"lr": {"values": [1, 1.0]}}, "parameters.lr.values: 1.0 is the same as 1"),
    ({"lr": {"values": [{"a": 1}, {"a": 1}]}}, "is there twice"),
    ({"lr": {"values": [1], "value": 1}}, "parameters.lr has both value and values"),
    ({"lr": {"values": [1, 2], "probabilities": [1]}}, "has 1 numbers for 2 values"),
    ({"lr": {"values": [1, 2], "probabilities": [0.5, 0.6]}}, "must sum to 1, not to 1.1"),
    ({"lr": {"values": [1, 2], "probabilities": [-0.5, 1.5]}}, "-0.5 is less than 0"),
    ({"1r": {"value": 1}}, "parameters: '1r' can't be a parameter's name"),
    ({"a b": {"value": 1}}, "'a b' can't be a parameter's name"),
    ({"a.": {"value": 1}}, "'a.' can't be a parameter's name"),
    ({"a" * 201: {"value": 1}}, "can't be a parameter's name"),
    (
        {"o": {"parameters": {"a": {"value": 1}}, "min": 3}},
        "parameters.o has parameters within, so it can't have min",
    ),
    ({"o": {"parameters": {"a": {"value": 1}}}, "o.a": {"value": 2}}, "parameters.o.a is there twice"),
    ({"o": {"value": 1}, "o.a": {"value": 2}}, "parameters.o can't have a value and hold o.a as well"),
    ({"a": {"value": 1, "when": {"b": 1}}}, "parameters.a.when: parameter 'b' is unknown"),
    ({"a": {"value": 1, "when": {"a": 1}}}, "the conditions of a wait for one another"),
    ({"a": {"value": 1, "when": {"b": 1}}, "b": {"value": 1, "when": {"a": 1}}}, "the conditions of a, b wait"),
    ({"a": {"values": ["x", "y"]}, "b": {"value": 1, "when": {"a": "z"}}}, "a’s value 'z' is unknown"),
    ({"a": {"values": [1, 2]}, "b": {"value": 1, "when": {"a": True}}}, "a’s value true is unknown"),
    ({"a": {"values": [1, 2]}, "b": {"value": 1, "when": {"a": []}}}, "parameters.b.when.a is empty"),
    ({"a": {"min": 1, "max": 3}, "b": {"value": 1, "when": {"a": 4}}}, "4 is no value of a, which has whole numbers"),
    (
        {"a": {"min": 0.5, "max": 3}, "b": {"value": 1, "when": {"a": 1}}},
        "a is uniform, whose values can't be listed",
    ),
    ({"a": {"value": 1, "when": "b"}}, "parameters.a.when must be a mapping, not 'b'"),
    (
        {"a": {"value": 1}, "o": {"when": {"a": 1}, "parameters": {"b": {"value": 1, "when": {"a": 1}}}}},
        "parameters.o.parameters.b.when: a has a condition in the group already",
    ),
]


@pytest.mark.parametrize(("raw", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_what_is_wrong_is_named_with_its_key_and_the_fix(raw, message):
    with pytest.raises(InvalidSweep) as problem:
        parse(raw)
    assert message in problem.value.message


def test_a_thousand_parameters_are_enough():
    many = {f"p{n}": {"value": n} for n in range(MAX_PARAMETERS)}
    assert len(parse(many).parameters) == MAX_PARAMETERS
    with pytest.raises(InvalidSweep, match="more than 1000"):
        parse({**many, "q": {"value": 1}})


def test_a_chain_of_a_thousand_conditions_is_put_in_order():
    chain = {f"p{n}": {"value": n, **({"when": {f"p{n + 1}": n + 1}} if n < 999 else {})} for n in range(1000)}
    assert names(chain) == [f"p{n}" for n in reversed(range(1000))]
