from datetime import timedelta

import lineal
from lineal.client.connection import connection
from lineal.client.reproduce_result import compared, find_reproduction, own_tags
from lineal.core import clock


def test_a_run_that_reproduces_another_says_so_in_its_tags(monkeypatch):
    assert own_tags() == []
    monkeypatch.setenv("LINEAL_REPRODUCES", "abcd1234")
    with lineal.init(tags=["mine"]) as run:
        pass
    assert run.tags == ("mine", "reproduces:abcd1234")


def test_the_reproduction_is_the_first_run_since(monkeypatch):
    backend, began = connection().backend, clock.now()
    monkeypatch.setenv("LINEAL_REPRODUCES", "abcd1234")
    with lineal.init() as first:
        pass
    with lineal.init():
        pass
    found = find_reproduction(backend, "abcd1234", began)
    assert found is not None
    assert found.id == first.id
    assert find_reproduction(backend, "abcd1234", clock.now() + timedelta(seconds=1)) is None
    assert find_reproduction(backend, "another", began) is None


def test_a_variable_that_is_no_id_tags_nothing(monkeypatch):
    monkeypatch.setenv("LINEAL_REPRODUCES", "a\nb")
    assert own_tags() == []


def test_summaries_are_compared_by_dotted_key():
    nan = float("nan")
    before = {"acc": 0.5, "val": {"f1": nan, "n": 3}, "_runtime": 1.0, "gone": 1}
    after = {"acc": 0.5, "val": {"f1": nan, "n": 4}, "_runtime": 2.0, "new": None}
    assert [(row.key, row.equal) for row in compared(before, after)] == [
        ("acc", True),
        ("gone", False),
        ("new", False),
        ("val.f1", True),
        ("val.n", False),
    ]
