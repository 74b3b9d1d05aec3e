"""Many acts at once: in order, bounded, ended by the first that fails."""

from __future__ import annotations

import threading

import pytest

from lineal.storage.parallel import in_order, ranges
from tests.processes import RunChild


def test_results_come_in_order_whoever_is_done_first() -> None:
    second = threading.Event()

    def act(n: int) -> int:
        if n == 0:
            assert second.wait(10)
        if n == 1:
            second.set()
        return n * n

    assert list(in_order(act, range(20), 3)) == [n * n for n in range(20)]


def test_no_more_than_asked_are_made_ahead_of_whoever_takes_them() -> None:
    begun: list[int] = []
    made = in_order(lambda n: begun.append(n) or n, range(100), 4)  # type: ignore[func-returns-value]
    assert [next(made), next(made)] == [0, 1]
    assert len(begun) <= 6
    made.close()
    assert len(begun) <= 6


def test_the_first_that_fails_ends_it() -> None:
    begun: list[int] = []

    def act(n: int) -> int:
        begun.append(n)
        if n == 5:
            raise ValueError("five")
        return n

    taken: list[int] = []
    with pytest.raises(ValueError, match="five"):
        taken.extend(in_order(act, range(1000), 4))
    assert taken in ([], [0, 1, 2, 3, 4])  # a list may drop what it was extended by when that fails
    assert max(begun) < 20


def test_nothing_in_gives_nothing() -> None:
    assert list(in_order(str, [], 4)) == []


def test_it_works_while_the_interpreter_ends(run_child: RunChild) -> None:
    code = """
import threading
from lineal.storage.parallel import in_order
main = threading.main_thread()
def late():
    main.join()
    print(list(in_order(str, range(5), 2)))
threading.Thread(target=late).start()
"""
    assert run_child(code) == "['0', '1', '2', '3', '4']"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ((0, 0, 5), []),
        ((0, 5, 5), [(0, 5)]),
        ((0, 6, 5), [(0, 5), (5, 6)]),
        ((3, 12, 4), [(3, 7), (7, 11), (11, 12)]),
    ],
)
def test_a_range_is_cut_without_gaps(given: tuple[int, int, int], wanted: list[tuple[int, int]]) -> None:
    assert list(ranges(*given)) == wanted
