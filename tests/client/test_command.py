import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.client import command
from lineal.core.errors import InvalidSweep

PARAMS = {
    "lr": 0.1,
    "optimizer.lr": 1e-05,
    "fast": True,
    "slow": False,
    "layers": [1, 2],
    "name": "a b",
    "none": None,
}


def built(template, params=PARAMS, *, program="train.py", variables=None):
    return command.build(
        template, program, params, variable=(variables or {}).get, write=lambda text: f"/tmp/{len(text)}.json"
    )


def test_the_default_is_python_with_the_program_and_every_parameter():
    assert built(command.DEFAULT, {"lr": 0.1, "optimizer.lr": 0.2}) == [
        "/usr/bin/env",
        sys.executable,
        "train.py",
        "--lr=0.1",
        "--optimizer.lr=0.2",
    ]


def test_arguments_are_values_as_python_prints_them_and_json():
    assert built(["${args}"]) == [
        "--lr=0.1",
        "--optimizer.lr=1e-05",
        "--fast=True",
        "--slow=False",
        "--layers=[1, 2]",
        "--name=a b",
        "--none=None",
    ]


def test_arguments_without_hyphens():
    assert built(["python", "${args_no_hyphens}"], {"lr": 0.1, "a.b": {"c": "ä"}}) == [
        "python",
        "lr=0.1",
        'a.b={"c": "ä"}',
    ]


def test_true_is_a_flag_and_false_is_nothing_without_boolean_flags():
    assert built(["${args_no_boolean_flags}"], {"fast": True, "slow": False, "n": 1}) == ["--fast", "--n=1"]


def test_arguments_as_json_are_nested():
    (text,) = built(["${args_json}"], {"lr": 0.1, "optimizer.lr": 0.2})
    assert json.loads(text) == {"lr": 0.1, "optimizer": {"lr": 0.2}}


def test_arguments_in_a_file_are_told_by_its_path():
    kept = []

    def write(text):
        kept.append(text)
        return "/tmp/args.json"

    words = command.build(
        ["prog", "--config=${args_json_file}"], None, {"a.b": 1}, variable=lambda _: None, write=write
    )
    assert words == ["prog", "--config=/tmp/args.json"]
    assert [json.loads(text) for text in kept] == [{"a": {"b": 1}}]


def test_variables_of_the_environment_go_anywhere_in_a_word():
    template = ["${envvar:HOME}/bin/run", "--at=${envvar:A}${envvar:B}"]
    variables = {"HOME": "/opt/tools", "A": "1", "B": "$(id)"}
    assert built(template, variables=variables) == ["/opt/tools/bin/run", "--at=1$(id)"]


def test_what_a_variable_or_the_program_holds_is_no_template():
    assert built(["${program}", "${envvar:A}"], program="${args}", variables={"A": "${program}"}) == [
        "${args}",
        "${program}",
    ]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("${arg}", r"\$\{arg\} in `command` means nothing"),
        ("${HOME}", r"\$\{envvar:HOME\} is a variable of the environment"),
        ("${}", "means nothing"),
        ("${envvar:MISSING}", "MISSING.* is not set here"),
        ("${envvar:}", "not set here"),
        ("x${args}", "make it an item of `command` by itself"),
    ],
)
def test_a_macro_without_a_meaning_is_named(item, message):
    with pytest.raises(InvalidSweep, match=message):
        built([item])


def test_a_command_that_runs_no_program_needs_one():
    with pytest.raises(InvalidSweep, match="names no `program`"):
        built(command.DEFAULT, program=None)
    assert built(["make", "${args_no_hyphens}"], {"a": 1}, program=None) == ["make", "a=1"]
    with pytest.raises(InvalidSweep, match="is empty"):
        built([])


NASTY = ["a b", "'", '"', "$(id)", "`id`", "; rm -rf x", "a\nb", "\\", "*", "-x", "${args}", "ü", "", "\t", "%s"]
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)


@given(st.lists(TEXTS, max_size=5))
def test_every_value_stays_one_word_as_it_is(texts):
    params = {f"p{place}": text for place, text in enumerate([*NASTY, *texts])}
    assert built(["${args}"], params) == [f"--{name}={text}" for name, text in params.items()]
    assert built(["${args_no_hyphens}"], params) == [f"{name}={text}" for name, text in params.items()]


def test_a_program_gets_the_words_as_they_are():
    params = {f"p{place}": text for place, text in enumerate(NASTY)}
    echo = "import json, sys; print(json.dumps(sys.argv[1:]))"
    words = built(["${env}", "${interpreter}", "-c", "${program}", "${args}"], params, program=echo)
    said = json.loads(subprocess.run(words, capture_output=True, check=True, text=True).stdout)
    assert said == [f"--{name}={text}" for name, text in params.items()]
