import pytest

from lineal.core.errors import InvalidSweep
from lineal.sweeps import schema


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1e-3", "1.0e-3"),
        ("1E3", "1.0e+3"),
        ("-2.5e7", "-2.5e+7"),
        ("1.e-3", "1.0e-3"),
        ("0.1", "0.1"),
        (" 3", "3"),
        ("abc", None),
        ("", None),
    ],
)
def test_a_text_that_stands_for_a_number_is_told_as_yaml_writes_it(text, number):
    assert schema.as_number(text) == number


def test_a_word_is_answered_with_the_nearest_and_all_that_are_known():
    told = schema.unknown("bays", "method", ["grid", "bayes"])
    assert told == "method 'bays' is unknown; did you mean bayes? There are grid, bayes"
    assert schema.unknown("x", "key", ["grid"]) == "key 'x' is unknown. There are grid"
    assert schema.unknown("x", "key", [f"k{n}" for n in range(30)]).endswith("k19, …")


def test_a_long_value_is_cut():
    assert len(schema.shown(["a" * 1000])) == 78


def test_a_misspelt_key_is_told_before_the_one_that_is_missing():
    with pytest.raises(InvalidSweep, match=r"^metric: key 'nam' is unknown; did you mean name\?"):
        schema.read(schema.Metric, {"nam": "loss"}, "metric")


def test_every_method_and_distribution_of_the_records_is_known():
    assert schema.METHODS == ("grid", "random", "bayes", "tpe")
    assert len(schema.DISTRIBUTIONS) == 17
