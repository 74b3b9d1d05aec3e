"""Very many small records: the collector is held meanwhile, and no longer."""

import gc

import pytest

from lineal.storage.records import uncollected


def test_the_collector_is_held_inside_and_runs_again_after() -> None:
    with uncollected():
        assert not gc.isenabled()
        with uncollected():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_an_error_frees_the_collector_too() -> None:
    with pytest.raises(ZeroDivisionError), uncollected():
        raise ZeroDivisionError
    assert gc.isenabled()


def test_who_holds_the_collector_himself_keeps_holding_it() -> None:
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
