"""Who holds which blob."""

from __future__ import annotations

import pytest
from sqlalchemy import insert

from lineal.access import holders
from lineal.db.schema import collections, versions
from lineal.storage.digest import of_bytes
from tests.access.conftest import NOON

A, B, C, D = (of_bytes(text) for text in (b"a", b"b", b"c", b"d"))


def test_a_blob_is_held_by_a_readable_project_or_by_whoever_sent_it(session) -> None:
    holders.add(session, [A, B], holders.PROJECT, 7)
    holders.add(session, [B, C], holders.PROJECT, 8)
    holders.add(session, [D], holders.USER, 7)
    every = [A, B, C, D]
    assert holders.held(session, every, [7], 1) == {A, B}
    assert holders.held(session, every, {7, 8}, 1) == {A, B, C}
    assert holders.held(session, every, [], 7) == {D}
    assert holders.held(session, every, [9], 9) == set()
    assert holders.held(session, [], [7], 7) == set()


def test_a_holder_is_entered_once_and_forgotten_with_the_blob(session) -> None:
    holders.add(session, [A, A, B], holders.PROJECT, 7)
    holders.add(session, [A], holders.PROJECT, 7)
    holders.add(session, [], holders.PROJECT, 7)
    holders.forget(session, [A])
    holders.forget(session, [])
    assert holders.held(session, [A, B], [7], 1) == {B}


def test_a_question_about_very_many_is_one(session) -> None:
    digests = [of_bytes(str(n).encode()) for n in range(5000)]
    holders.add(session, digests[::2], holders.PROJECT, 40_000)
    assert holders.held(session, digests, range(50_000), 1) == set(digests[::2])


@pytest.fixture
def made(session) -> list[int]:
    line = {"entity": "e", "project": "p", "name": "m", "type": "model", "created_at": NOON, "next_number": 3}
    line_id = session.execute(insert(collections).values(line).returning(collections.c.id)).scalar_one()
    facts = {"size": 1, "file_count": 1, "metadata": {}, "tags": [], "created_at": NOON, "created_by": "u"}
    rows = [facts | {"collection_id": line_id, "number": n, "digest": d} for n, d in enumerate((A, B, C))]
    ids = [session.execute(insert(versions).values(row).returning(versions.c.id)).scalar_one() for row in rows]
    session.execute(versions.update().where(versions.c.id == ids[1]).values(purged_at=NOON, deleted_at=NOON))
    return ids


def test_versions_made_past_a_server_are_found_until_they_are_entered(session, made) -> None:
    found = holders.unheld_versions(session, 2)
    assert found == [
        holders.Unheld(made[0], A, "e", "p", False),
        holders.Unheld(made[1], B, "e", "p", True),
    ]
    holders.mark_held(session, made[:2])
    holders.mark_held(session, [])
    assert [unheld.id for unheld in holders.unheld_versions(session, 10)] == made[2:]
