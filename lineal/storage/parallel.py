"""Many slow acts at once, their results in order: what requests to a store across a network need."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Given = TypeVar("_Given")
_Made = TypeVar("_Made")


def in_order(act: Callable[[_Given], _Made], over: Iterable[_Given], at_once: int) -> Generator[_Made, None, None]:
    """What `act` makes of each of `over`, in their order, `at_once` of them under way or waiting to be taken.

    The first that raises ends it: what hasn't begun is dropped, and what has is waited for. So does leaving it early;
    close the generator where that has to happen at once.
    """
    pool = ThreadPoolExecutor(at_once, thread_name_prefix="lineal-ahead")
    waiting: deque[Future[_Made]] = deque()
    try:
        for given in over:
            try:
                waiting.append(pool.submit(act, given))
            except RuntimeError:  # no threads any more: the interpreter is on its way out
                while waiting:
                    yield waiting.popleft().result()
                yield act(given)
            if len(waiting) >= at_once:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def ranges(start: int, end: int, step: int) -> Iterator[tuple[int, int]]:
    """`start` to `end` cut into stretches of `step` bytes, as (start, end) each; the last may be shorter."""
    for at in range(start, end, step):
        yield at, min(at + step, end)
