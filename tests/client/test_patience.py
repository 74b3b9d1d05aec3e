import threading

import pytest

from lineal.client import patience
from lineal.client.patience import patiently
from lineal.core.errors import InvalidArgument, MissingDependency, StoreUnavailable


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 0.001)


class Store:
    """Answers after it was away for some calls."""

    def __init__(self, *problems):
        self.problems = list(problems)
        self.asked = 0

    def __call__(self):
        self.asked += 1
        if self.problems:
            raise self.problems.pop(0)
        return "here"


def test_a_store_that_comes_back_answers(caplog):
    store = Store(StoreUnavailable("away"), StoreUnavailable("away"), StoreUnavailable("away"))
    assert patiently(store) == "here"
    assert store.asked == 4
    assert [record.getMessage() for record in caplog.records] == [
        "the store can't be reached: away; it is tried again"
    ]


def test_one_that_stays_away_is_given_up():
    with pytest.raises(StoreUnavailable):
        patiently(Store(*[StoreUnavailable("away")] * 1000), patience_s=0.01)


@pytest.mark.parametrize("kind", [InvalidArgument, MissingDependency])
def test_what_waiting_does_not_mend_is_raised_at_once(kind):
    store = Store(kind("no"))
    with pytest.raises(kind):
        patiently(store)
    assert store.asked == 1


def test_who_is_to_leave_waits_no_more():
    leaving = threading.Event()
    leaving.set()
    store = Store(StoreUnavailable("away"))
    with pytest.raises(StoreUnavailable):
        patiently(store, until=leaving)
    assert store.asked == 1
