"""The past of an alias as pure functions of its events."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.registry.aliases import before_now, intervals
from lineal.registry.model import AliasEvent

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
wishes = st.lists(st.one_of(st.integers(0, 4), st.just("remove"), st.just("rollback")), max_size=40)


def event(n: int, kind: str, before: int | None, after: int | None) -> AliasEvent:
    return AliasEvent("p/c", "prod", kind, NOON + timedelta(seconds=n), "ada", "host", before, after, f"why {n}")


def played(asked: list[int | str]) -> list[AliasEvent]:
    """The events that the wishes leave, as the use cases record them: no move to where it stands, no empty undo."""
    events: list[AliasEvent] = []
    stands: int | None = None
    for wish in asked:
        to = before_now(events) if wish == "rollback" else None if wish == "remove" else wish
        if to == stands or (wish == "rollback" and (stands is None or to is None)):
            continue
        kind = wish if isinstance(wish, str) else "move"
        events.append(event(len(events), kind, stands, to))
        stands = to
    return events


@settings(deadline=None)
@given(wishes)
def test_a_rollback_never_leads_to_where_the_alias_stands(asked: list[int | str]) -> None:
    events = played(asked)
    if events and events[-1].to_number is not None:
        assert before_now(events) != events[-1].to_number


@settings(deadline=None)
@given(wishes)
def test_rollbacks_go_back_to_the_beginning_and_end_there(asked: list[int | str]) -> None:
    events = played(asked)
    seen = 0
    while events and events[-1].to_number is not None and (to := before_now(events)) is not None:
        events.append(event(len(events), "rollback", events[-1].to_number, to))
        seen += 1
        assert seen <= len(asked)


@settings(deadline=None)
@given(wishes, st.integers(0, 4))
def test_a_rollback_takes_back_a_move(asked: list[int | str], number: int) -> None:
    events = played(asked)
    stood = events[-1].to_number if events else None
    if stood is None or stood == number:
        return
    moved = [*events, event(len(events), "move", stood, number)]
    assert before_now(moved) == stood
    undone = [*moved, event(len(moved), "rollback", number, stood)]
    assert before_now(undone) == before_now(events)


@settings(deadline=None)
@given(wishes)
def test_intervals_tile_the_time_in_which_the_alias_stood(asked: list[int | str]) -> None:
    events = played(asked)
    found = intervals(events)
    assert [(i.number, i.since) for i in found] == [(e.to_number, e.at) for e in events if e.to_number is not None]
    for stretch, after in pairwise(found):
        assert stretch.until is not None
        assert stretch.since < stretch.until <= after.since
    stands = bool(events) and events[-1].to_number is not None
    assert [i for i in found if i.until is None] == (found[-1:] if stands else [])


def test_of_no_events_nothing_stood_and_nothing_can_be_rolled_back() -> None:
    assert (before_now([]), intervals([])) == (None, [])
