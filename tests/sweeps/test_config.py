import json
import math
import subprocess
import sys
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lineal.core.errors import InvalidSweep
from lineal.sweeps import grid
from lineal.sweeps.config import Constraint, Objective, as_json, flatten, nested, parse
from lineal.sweeps.stopping import Hyperband

LOSS = {"name": "loss"}
LR = {"lr": {"min": 0.0, "max": 1.0}}


def config(**more: Any) -> dict[str, Any]:
    return {"method": "random", "parameters": LR, **more}


# As people write them for W&B, from its documentation of the schema.
FIRST = """
program: train.py
name: sweepdemo
method: bayes
metric:
  goal: minimize
  name: validation_loss
parameters:
  learning_rate: {min: 0.0001, max: 0.1}
  batch_size: {values: [16, 32, 64]}
  epochs: {values: [5, 10, 15]}
  optimizer: {values: [adam, sgd]}
"""
NESTED = """
apiVersion: v1
kind: sweep
program: train.py
project: vision
entity: lab
description: The head's width matters more than it should.
method: random
metric: {name: val/acc, goal: maximize, target: 0.99}
run_cap: 50
command:
  - ${env}
  - ${interpreter}
  - ${program}
  - --no-cache
  - ${args}
early_terminate: {type: hyperband, min_iter: 3, eta: 2, strict: true}
parameters:
  optimizer:
    parameters:
      name: {value: adam}
      lr: {distribution: log_uniform_values, min: 1.0e-5, max: 0.1}
      schedule:
        parameters:
          warmup: {distribution: q_uniform, min: 0, max: 1000, q: 100}
  dropout: {distribution: uniform, min: 0, max: 1}
  layers: {min: 1, max: 6}
"""
ALL_KINDS = """
method: random
parameters:
  a: {distribution: constant, value: null}
  b: {distribution: categorical, values: [1, two, [3], {four: 4}, null, true]}
  c: {distribution: categorical_w_probabilities, values: [x, y], probabilities: [0.25, 0.75]}
  d: {distribution: int_uniform, min: -3, max: 3}
  e: {distribution: uniform, min: 0, max: 10}
  f: {distribution: q_uniform, min: 0, max: 1, q: 0.25}
  g: {distribution: log_uniform, min: -9.2, max: -2.3}
  h: {distribution: log_uniform_values, min: 0.0001, max: 0.1}
  i: {distribution: q_log_uniform, min: 0, max: 7, q: 4}
  j: {distribution: q_log_uniform_values, min: 8, max: 512, q: 8}
  k: {distribution: inv_log_uniform, min: 0, max: 5}
  l: {distribution: inv_log_uniform_values, min: 0.9, max: 0.999}
  m: {distribution: normal, mu: 100, sigma: 10}
  n: {distribution: normal}
  o: {distribution: q_normal, mu: 0, sigma: 5, q: 2}
  p: {distribution: log_normal, mu: -2, sigma: 0.5}
  q: {distribution: q_log_normal, mu: 3, sigma: 0.5, q: 1}
  r: {distribution: beta, a: 2, b: 5}
  s: {distribution: q_beta, a: 2, b: 5, q: 0.1}
"""
GRID = """
method: grid
program: train.py
early_terminate: {type: hyperband, max_iter: 27, s: 2}
metric: {name: loss}
parameters:
  seed: {min: 1, max: 5}
  lr: {values: [0.1, 0.01]}
  momentum: {distribution: q_uniform, min: 0.5, max: 0.9, q: 0.1}
  data: {value: s3://bucket/set}
"""
OURS = """
method: tpe
metrics: [{name: acc, goal: maximize}, {name: latency_ms}]
constraints: [{name: size_mb, max: 50}, {name: acc, min: 0.5}]
max_failures: 2
max_attempts: 1
lease_s: 300
seed: 7
parameters:
  momentum: {min: 0.0, max: 0.99, when: {optimizer: [sgd, rmsprop]}}
  optimizer: {values: [sgd, adam, rmsprop]}
  adam:
    when: {optimizer: adam}
    parameters:
      beta1: {min: 0.8, max: 0.99}
"""


@pytest.mark.parametrize("text", [FIRST, NESTED, ALL_KINDS, GRID, OURS])
def test_configs_as_people_write_them_parse_and_are_the_same_after_being_stored(text):
    parsed = parse(yaml.safe_load(text))
    stored = json.loads(json.dumps(as_json(parsed)))
    assert parse(stored) == parsed
    assert as_json(parse(stored)) == stored


def test_what_is_left_out_has_defaults():
    parsed = parse(config(metric=LOSS, early_terminate={"type": "hyperband", "min_iter": 1}))
    assert as_json(parsed) == {
        **config(),
        "metric": {"name": "loss", "goal": "minimize"},
        "early_terminate": {"type": "hyperband", "min_iter": 1, "eta": 3, "strict": False},
        "max_failures": 5,
        "max_attempts": 3,
        "lease_s": 60,
        "seed": 0,
    }
    assert (parsed.max_failures, parsed.max_attempts, parsed.lease_s, parsed.seed) == (5, 3, 60, 0)
    assert parsed.expected_run_count is None


def test_every_part_of_a_config_is_read():
    parsed = parse(yaml.safe_load(NESTED))
    assert parsed.objectives == (Objective("val/acc", "maximize"),)
    assert parsed.target == 0.99
    assert parsed.early == Hyperband(min_iter=3, eta=2, strict=True)
    assert (parsed.run_cap, parsed.expected_run_count) == (50, 50)
    assert (parsed.program, parsed.project, parsed.entity) == ("train.py", "vision", "lab")
    assert parsed.command[0] == "${env}"
    assert parsed.method == "random"
    names = [each.name for each in parsed.space.parameters]
    assert names == ["optimizer.name", "optimizer.lr", "optimizer.schedule.warmup", "dropout", "layers"]


def test_several_objectives_and_constraints_are_one_plan():
    parsed = parse(yaml.safe_load(OURS))
    assert parsed.plan.goals == ("maximize", "minimize")
    assert parsed.plan.constraint_count == 2
    assert parsed.plan.seed == 7
    assert parsed.metrics == ("acc", "latency_ms", "size_mb")


def test_a_constraint_says_by_how_much_it_is_broken():
    assert Constraint("size", high=50).excess(60) == 10
    assert Constraint("size", high=50).excess(40) == -10
    assert Constraint("acc", low=0.5).excess(0.25) == 0.25
    assert Constraint("temp", low=1, high=3).excess(2) == -1


def test_a_grid_knows_how_many_trials_there_will_be():
    parsed = parse(yaml.safe_load(GRID))
    assert parsed.expected_run_count == 5 * 2 * 5
    assert parse({**yaml.safe_load(GRID), "run_cap": 7}).expected_run_count == 7
    assert parse({**yaml.safe_load(GRID), "run_cap": 700}).expected_run_count == 50


def test_numbers_of_numpy_and_tuples_are_taken():
    import numpy as np

    ranges = {"lr": {"min": np.float32(0.5), "max": np.int64(2)}, "n": {"values": (1, 2)}}
    parsed = parse(config(parameters=ranges))
    assert [each.distribution for each in parsed.space.parameters] == ["uniform", "categorical"]
    assert parse(as_json(parsed)) == parsed


REFUSED = [
    ("lr", "a sweep's config must be a mapping, not str"),
    ({}, "method is missing"),
    ({"method": "random"}, "parameters is missing"),
    (config(method="bayse"), "method 'bayse' is unknown; did you mean bayes? There are grid, random, bayes, tpe"),
    (config(method="custom"), "a search of your own"),
    (config(methd="grid"), "key 'methd' is unknown; did you mean method?"),
    (config(metric="loss"), "metric must be a mapping, not 'loss'"),
    (config(metric={"goal": "minimize"}), "metric.name is missing"),
    (config(metric={"name": "loss", "gaol": "minimize"}), "metric: key 'gaol' is unknown; did you mean goal?"),
    (
        config(metric={"name": "loss", "goal": "minimise"}),
        "metric.goal 'minimise' is unknown; did you mean minimize?",
    ),
    (
        config(metric={"name": "loss", "target": "1e-3"}),
        "metric.target is the text '1e-3', not a number: write 1.0e-3",
    ),
    (config(metric={"name": "loss", "target": math.inf}), "config.metric.target is inf"),
    (config(metric={"name": "loss", "impute": "best"}), "metric.impute can't be 'best'"),
    (config(metric={"name": " "}), "metric.name is empty"),
    (config(metric=LOSS, metrics=[LOSS]), "metric and metrics exclude each other"),
    (config(metrics=[LOSS, LOSS]), "metrics: loss is there twice"),
    (config(metrics=[]), "metrics is empty"),
    (config(metrics=[{**LOSS, "target": 1}]), "metrics[0]: key 'target' is unknown"),
    (config(metrics=["loss"]), "metrics[0] must be a mapping"),
    (config(method="bayes"), "metric is missing, and method bayes needs one: write metric: {name: …"),
    (config(method="tpe"), "metric is missing, and method tpe needs one"),
    (
        config(early_terminate={"type": "hyperband", "min_iter": 3}),
        "metric is missing, and early_terminate needs one",
    ),
    (config(constraints=[{"name": "size", "max": 1}]), "metric is missing, and constraints needs one"),
    (config(metric=LOSS, constraints=[{"name": "size"}]), "constraints[0] says nothing about size"),
    (
        config(metric=LOSS, constraints=[{"name": "s", "min": 2, "max": 1}]),
        "constraints[0]: min (2) must not be more",
    ),
    (config(metric=LOSS, constraints=[{"name": "s", "max": 1}] * 2), "constraints: s is there twice"),
    (config(metric=LOSS, early_terminate={"min_iter": 3}), "early_terminate.type is missing"),
    (config(metric=LOSS, early_terminate={"type": "median"}), "early_terminate: type 'median' is unknown"),
    (config(metric=LOSS, early_terminate={"type": "hyperband"}), "early_terminate needs either min_iter or max_iter"),
    (
        config(metric=LOSS, early_terminate={"type": "hyperband", "min_iter": 1, "max_iter": 9}),
        "either min_iter or max_iter: leave one of them out",
    ),
    (
        config(metric=LOSS, early_terminate={"type": "hyperband", "min_iter": 1, "s": 2}),
        "early_terminate.s counts the bands below max_iter",
    ),
    (config(metric=LOSS, early_terminate={"type": "hyperband", "min_iter": 0}), "min_iter (0) must be at least 1"),
    (config(metric=LOSS, early_terminate={"type": "hyperband", "max_iter": 2}), "max_iter (2) divided by eta (3)"),
    (
        config(metric=LOSS, early_terminate={"type": "hyperband", "min_iter": 1, "eta": 1}),
        "eta (1) must be more than",
    ),
    (config(run_cap=0), "run_cap (0) must be at least 1"),
    (config(run_cap="10"), "run_cap is the text '10', not a number: write 10"),
    (config(run_cap=1.5), "run_cap must be a whole number, not 1.5"),
    (config(run_cap=True), "run_cap must be a whole number, not true"),
    (config(lease_s=0), "lease_s (0) must be at least 1"),
    (config(lease_s=86_401), "lease_s (86401) must be at most 86400"),
    (config(max_failures=0), "max_failures (0) must be at least 1"),
    (config(seed=-1), "seed (-1) must be at least 0"),
    (config(command="python train.py"), "command must be a list, not 'python train.py'"),
    (config(command=["python", 3]), "command[1] must be a text, not 3"),
    (config(command=[]), "command is empty"),
    (config(name=3), "name must be a text, not 3"),
    (config(kind="job"), "kind 'job' is unknown"),
    (config(description=object()), "config.description is a object, which JSON can't say"),
    (config(description="x" * (1 << 20)), "bytes as JSON"),
    (config(method="grid"), "parameters.lr: a grid can't have all values of uniform; list values"),
    (
        config(method="grid", parameters={"a": {"values": [1, 2], "probabilities": [0.5, 0.5]}}),
        "parameters.a: a grid tries every value once; leave probabilities out",
    ),
]


@pytest.mark.parametrize(("given_", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_what_is_wrong_is_named_with_its_key_and_the_fix(given_, message):
    with pytest.raises(InvalidSweep) as problem:
        parse(given_)
    assert message in problem.value.message


def test_a_config_nested_without_end_is_refused():
    inner: dict[str, Any] = {"value": 1}
    for _ in range(80):
        inner = {"parameters": {"a": inner}}
    with pytest.raises(InvalidSweep, match="nested deeper than 64 levels"):
        parse(config(parameters={"a": inner}))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
words = st.sampled_from(
    ["metric", "name", "goal", "values", "min", "max", "q", "distribution", "when", "loss", "grid"]
)
keys = words | st.sampled_from(["method", "parameters"])


@given(st.dictionaries(keys, json_values | words | st.dictionaries(words, json_values | words), max_size=5))
def test_whatever_is_given_is_parsed_or_refused_as_an_invalid_sweep(given_):
    given_ = {"method": "random", **given_}
    try:
        parsed = parse(given_)
    except InvalidSweep:
        return
    assert parse(as_json(parsed)) == parsed


# ---- points and configs --------------------------------------------------------------------------------------


def test_dotted_names_become_mappings():
    assert nested({"a": 1, "o.lr": 2, "o.s.w": 3}) == {"a": 1, "o": {"lr": 2, "s": {"w": 3}}}


@given(st.integers(0, 3 * 2 * 4 - 1))
def test_a_point_is_found_again_in_its_runs_config(index):
    space = parse(
        {
            "method": "grid",
            "parameters": {
                "o": {"parameters": {"name": {"values": ["sgd", None, 1]}, "n": {"min": 1, "max": 2}}},
                "step": {"distribution": "q_uniform", "min": 0.1, "max": 0.4, "q": 0.1},
            },
        }
    ).space
    point = grid.point(space, index)
    assert flatten({**nested(point), "other": 1}, space) == point


SPACE = parse(
    {
        "method": "random",
        "parameters": {
            "opt": {"values": ["sgd", "adam", True]},
            "momentum": {"min": 0.0, "max": 1.0, "when": {"opt": "sgd"}},
            "o": {"parameters": {"layers": {"min": 1, "max": 4}}},
            "epochs": {"value": 10},
        },
    }
).space
GOOD = {"opt": "sgd", "momentum": 0.5, "o": {"layers": 2}}


def test_a_prior_runs_point_has_what_is_active_and_the_spaces_own_constants():
    assert flatten({**GOOD, "epochs": 3}, SPACE) == {"opt": "sgd", "momentum": 0.5, "o.layers": 2, "epochs": 10}
    assert flatten({"opt": "adam", "o.layers": 2.0}, SPACE) == {"opt": "adam", "o.layers": 2, "epochs": 10}


@pytest.mark.parametrize(
    "wrong",
    [
        {"opt": "lion"},
        {"opt": 1},
        {"momentum": 1.5},
        {"momentum": "0.5"},
        {"momentum": math.nan},
        {"momentum": True},
        {"o": {}},
        {"o": 3},
        {"o": {"layers": 2.5}},
        {"o": {"layers": 5}},
    ],
)
def test_a_prior_run_that_has_something_elsewhere_is_no_point(wrong):
    assert flatten({**GOOD, **wrong}, SPACE) is None


def test_the_ends_of_a_log_scale_are_points_for_all_that_rounding_does():
    space = parse(config(parameters={"lr": {"distribution": "log_uniform", "min": -9.2, "max": -2.3}})).space
    assert flatten({"lr": math.exp(-9.2)}, space)
    assert flatten({"lr": 0.2}, space) is None


def test_importing_the_config_loads_neither_pydantic_nor_numpy():
    code = (
        "import sys, lineal.sweeps.config, lineal.sweeps.insight, lineal.sweeps.values; "
        "print(sorted({'pydantic', 'numpy', 'sklearn', 'scipy'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
