"""The questions that are asked all the time follow an index on both databases: they never read a whole table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Engine, Table, event, func, insert, select, text

from lineal.access import grants, holders, keys, protections, sessions, teams, users
from lineal.backend.connect import connect
from lineal.backend.port import Backend
from lineal.core import settings
from lineal.core.errors import KeyRefused, SessionEnded
from lineal.db import schema
from lineal.db.session import Session, insert_many
from lineal.storage import digest as digests
from lineal.storage import index
from lineal.tracking import rows, streams
from lineal.tracking.cursors import Cursor, Place, format_cursor
from lineal.tracking.model import Batch
from tests.postgres import drop_database, new_database, shared_url

PREFIX = "abcdefghijkl"
MANY = 4000
SMALL = 1000  # reading all of a table with so few rows is the quickest way
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Store(NamedTuple):
    """A store with some thousand rows in every table that grows."""

    backend: Backend
    engine: Engine
    counts: dict[str, int]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("plans")
    given: dict[str, Any] = {"url": str(folder / "store")}
    if request.param == "postgres":
        given = {"url": new_database(shared_url()), "store": given["url"]}
    backend = connect(settings.load(folder, user="ada", project="p", cache_dir=str(folder / "cache"), **given))
    database = backend.context.database  # type: ignore[attr-defined]
    with database.begin() as session:
        fill(session)
    with database.begin() as session:
        session.execute(text("ANALYZE"))
        counts = {
            table.name: session.scalar(select(func.count()).select_from(table)) or 0
            for table in schema.metadata.sorted_tables
        }
    yield Store(backend, database._engine, counts)
    backend.close()
    if request.param == "postgres":
        drop_database(given["url"])


def fill(session: Session) -> None:
    every = range(MANY)
    ids = {}

    def add(table: Table, rows_: list[dict[str, Any]]) -> list[int]:
        session.execute(insert(table), rows_)
        return list(session.scalars(select(table.c.id).order_by(table.c.id))) if "id" in table.c else []

    run = {"entity": "local", "project": "p", "state": "finished", "config": {}, "code": {}, "user": "u", "host": "h"}
    ids["runs"] = add(
        schema.runs,
        [{**run, "run_id": f"r{n}", "name": f"n{n}", "created_at": NOON + timedelta(seconds=n)} for n in every],
    )
    session.execute(schema.runs.update().where(schema.runs.c.run_id == "r0").values(state="running"))
    line = {
        "entity": "local",
        "project": "p",
        "type": "model",
        "created_at": NOON,
        "description": "",
        "next_number": 1,
    }
    ids["lines"] = add(schema.collections, [{**line, "name": f"m{n}"} for n in every])
    version = {
        "number": 0,
        "size": 1,
        "file_count": 1,
        "metadata": {},
        "tags": [],
        "created_at": NOON,
        "description": "",
    }
    ids["versions"] = add(
        schema.versions,
        [
            {**version, "collection_id": line, "digest": digest(n), "created_by": "u", "run_id": ids["runs"][n]}
            for n, line in enumerate(ids["lines"])
        ],
    )
    placed = [
        {"collection_id": c, "number": 0, "version_id": v} for c, v in zip(ids["lines"], ids["versions"], strict=True)
    ]
    add(schema.memberships, [{**p, "linked_at": NOON, "linked_by": "u"} for p in placed])
    add(schema.aliases, [{"collection_id": p["collection_id"], "name": "production", "number": 0} for p in placed])
    moved = {"alias": "production", "kind": "move", "at": NOON, "user": "u", "host": "h", "to_number": 0, "why": ""}
    add(schema.alias_events, [{**moved, "collection_id": p["collection_id"]} for p in placed])
    add(schema.objects, [{"key": f"k{n}", "size": 9, "created_at": NOON} for n in every])
    objects = list(session.scalars(select(schema.objects.c.id)))
    insert_many(session, schema.blobs, [(digest(n), o, 0, 9, 9, bytes(16), 0) for n, o in enumerate(objects)])
    edges = [(r, 1, v, "output", n) for n, (r, v) in enumerate(zip(ids["runs"], ids["versions"], strict=True))]
    edges += [(r, 0, ids["versions"][max(n - 1, 0) // 40 * 40], "input", n) for n, r in enumerate(ids["runs"])]
    add(
        schema.edges,
        [dict(zip(("run_id", "output", "version_id", "role"), e, strict=False), recorded_at=NOON) for e in edges],
    )
    insert_many(session, schema.run_keys, [("summary.loss",), ("summary.name",)])
    loss, name = session.scalars(select(schema.run_keys.c.id).order_by(schema.run_keys.c.name))
    insert_many(
        session, schema.run_values, [(r, loss, float(n * 7919 % MANY), None) for n, r in enumerate(ids["runs"])]
    )
    insert_many(session, schema.run_values, [(r, name, None, f"t{n}") for n, r in enumerate(ids["runs"])])
    add(schema.run_writers, [{"run_id": r, "writer": "w", "seq": 1} for r in ids["runs"]])
    chunk = {"stream": "history", "era": 0, "data": rows.encode([(0, 0.0, {"x": 1})]), "size": 60}
    add(schema.run_chunks, [{**chunk, "run_id": r} for r in ids["runs"]])
    part = {"stream": "history", "era": 0, "level": 0, "size": 1, "rows": 1}
    add(schema.run_parts, [{**part, "run_id": r, "digest": digest(n)} for n, r in enumerate(ids["runs"])])
    add(
        schema.run_files,
        [
            {"run_id": r, "path": "a", "digest": digest(n), "size": 1, "created_at": NOON}
            for n, r in enumerate(ids["runs"])
        ],
    )
    fill_access(session, ids["lines"])


def fill_access(session: Session, lines: list[int]) -> None:
    every = range(MANY)

    def add(table: Table, rows_: list[dict[str, Any]]) -> None:
        session.execute(insert(table), rows_)

    since = {"created_at": NOON}
    add(schema.users, [{"id": n + 1, "name": f"u{n}", "kind": "person", "email": "", **since} for n in every])
    add(schema.teams, [{"id": n + 1, "name": f"t{n}", **since} for n in every])
    add(schema.team_members, [{"user_id": n + 1, "team_id": n // 4 * 4 + 1, "role": "writer"} for n in every])
    place = {"entity": "local", "collection": "", "role": "reader"}
    add(schema.projects, [{"entity": f"t{n}", "project": "p", "visibility": "team", **since} for n in every])
    add(schema.roles, [{**place, "user_id": n + 1, "project": f"p{n % 50}"} for n in every])
    add(schema.roles, [{**place, "team_id": n + 1, "project": f"p{n % 50}"} for n in every])
    key = {"hash": bytes(32), "name": "k", **since}
    add(schema.api_keys, [{**key, "prefix": PREFIX if n == 7 else f"k{n}", "user_id": n + 1} for n in every])
    ends = {"csrf_hash": bytes(32), "expires_at": NOON, **since}
    add(schema.sessions, [{**ends, "hash": digest(n), "user_id": n + 1} for n in every])
    alias = {"entity": "local", "collection": "", "alias": "prod*", "role": "admin"}
    add(schema.protected_aliases, [{**alias, "project": f"p{n}"} for n in every])
    insert_many(session, schema.blob_holders, [(digest(n), n % 2, n) for n in every])
    act = {"key_prefix": "", "address": "", "request_id": "", "outcome": "done", "why": "", "at": NOON}
    add(schema.audit_log, [{**act, "user": f"u{n}", "operation": f"o{n}", "subject": f"e/p{n}"} for n in every])
    session.execute(schema.versions.update().where(schema.versions.c.id > 9).values(held=1))


def digest(number: int) -> digests.Digest:
    return digests.of_bytes(str(number).encode())


def plans(store: Store, act: Callable[[Backend], Any]) -> list[tuple[str, set[str]]]:
    """Each statement that `act` executes, with the tables that it reads from one end to the other."""
    found: list[tuple[str, set[str]]] = []

    def explain(_connection: Any, cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        asks = statement.lstrip("( ").split()[0].upper() in ("SELECT", "WITH", "UPDATE", "DELETE")
        if asks and "pg_advisory" not in statement:
            first = parameters[0] if many else parameters
            sqlite = store.engine.dialect.name == "sqlite"
            other = cursor.connection.cursor()
            other.execute(("EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN (FORMAT JSON) ") + statement, first)
            read = sqlite_scans(other.fetchall()) if sqlite else postgres_scans(other.fetchone()[0])
            found.append((statement, {name for name in read if store.counts.get(name, 0) > SMALL}))

    event.listen(store.engine, "before_cursor_execute", explain)
    try:
        act(store.backend)
    finally:
        event.remove(store.engine, "before_cursor_execute", explain)
    assert found
    return found


def postgres_scans(answer: Any) -> set[str]:
    def walk(node: dict[str, Any]) -> Iterator[str]:
        if node["Node Type"] == "Seq Scan":
            yield node["Relation Name"]
        for below in node.get("Plans", ()):
            yield from walk(below)

    return set(walk((json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]))


def sqlite_scans(answer: list[Any]) -> set[str]:
    """`SCAN t` reads the table, `SCAN t USING INDEX i` follows the index's order and stops where the query does."""
    details = [row[3].split() for row in answer]
    names = {
        "h": "blob_holders",
        "r": "runs",
        "s": "run_values",
        "v": "run_values",
        "e": "edges",
        "b": "blobs",
        "o": "objects",
    }
    return {names.get(words[1], words[1]) for words in details if words[0] == "SCAN" and "USING" not in words}


def rows_of(ask: Callable[[Session], Any]) -> Callable[[Backend], Any]:
    """A question on rows alone, in a session of its own."""

    def asked(backend: Backend) -> None:
        with backend.context.database.read() as session:  # type: ignore[attr-defined]
            ask(session)

    return asked


def rows_begun(act: Callable[[Session], Any]) -> Callable[[Backend], Any]:
    """An act on rows alone, in a session that is undone."""

    def acted(backend: Backend) -> None:
        with suppress(_Undone), backend.context.database.begin() as session:  # type: ignore[attr-defined]
            act(session)
            raise _Undone

    return acted


class _Undone(Exception):
    """Ends a session without a commit."""


def append(backend: Backend) -> None:
    data = rows.encode([(1, 1.0, {"x": 2})])
    batch = Batch({"history": data}, last_step=1, summary={"loss": 0.5})
    backend.runs.append("r0", "w", append.seq, batch)  # type: ignore[attr-defined]
    append.seq += 1  # type: ignore[attr-defined]


append.seq = 2  # type: ignore[attr-defined]


def follow(backend: Backend) -> None:
    """A look at a run by somebody who has seen all of it."""
    backend.runs.events("r7", after=follow.after)  # type: ignore[attr-defined]


follow.after = format_cursor(Cursor({"history": Place(10**9, 10**9, step=None)}))  # type: ignore[attr-defined]


def asked_by(session: Session, token: str) -> None:
    with pytest.raises(KeyRefused):
        keys.find_caller(session, token, at=NOON)


def signed_in(session: Session, token: str) -> None:
    with pytest.raises(SessionEnded):
        sessions.find_caller(session, token, at=NOON)


QUESTIONS: dict[str, Callable[[Backend], Any]] = {
    "resolve an alias": lambda b: b.artifacts.resolve("p/m7:production"),
    "resolve the newest": lambda b: b.artifacts.resolve("p/m7"),
    "resolve a number in any project": lambda b: b.artifacts.resolve("m7:v0"),
    "move an alias": lambda b: b.artifacts.move_alias("p/m8:v0", "staging", expected="none"),
    "list the versions of a collection": lambda b: b.artifacts.list_versions("p/m7"),
    "a page of the versions of a collection": lambda b: b.artifacts.list_versions("p/m7", limit=10, after="v9"),
    "a page of an alias's events": lambda b: b.artifacts.list_alias_events("p/m7:production", limit=10, after="3"),
    "a page of a run's files": lambda b: b.runs.list_files("r7", limit=10, after="a"),
    "what is new of a run": follow,
    "log a version again": lambda b: b.artifacts.log("m7", "model", digests.format(digest(7)), project="p"),
    "use a version": lambda b: b.artifacts.use("p/m9:v0", "r0"),
    "what is missing of a few blobs": lambda b: b.blobs.missing([digest(n) for n in range(5)]),
    "find a few blobs": lambda b: b.blobs.find([digest(n) for n in range(5)]),
    "append a batch": append,
    "read a run": lambda b: b.runs.get("r7"),
    "read a run's rows": lambda b: b.runs.list_files("r7"),
    "the best runs by a metric": lambda b: b.runs.list(project="p", entity="local", order="summary.loss", limit=20),
    "the worst runs by a metric": lambda b: b.runs.list(project="p", entity="local", order="-summary.loss", limit=20),
    "runs with a metric in a range": lambda b: b.runs.list(
        filters={"summary.loss": {"$lt": 10}}, order="summary.loss", limit=5
    ),
    "the newest runs": lambda b: b.runs.list(project="p", entity="local", limit=20),
    "what a version came from": lambda b: b.lineage.reach("p/m100:v0", up=True),
    "what came of a version": lambda b: b.lineage.reach("p/m3960:v0", up=False),
    "what came of a version, two steps": lambda b: b.lineage.reach("p/m3960:v0", up=False, depth=2),
    "who used a version": lambda b: b.lineage.used_by("p/m3960:v0"),
    "a user's role": rows_of(lambda s: grants.role_of(s, 8, "t4", "p", "m7")),
    "what a user may read": rows_of(lambda s: grants.readable(s, 8)),
    "who has a key": rows_of(lambda s: asked_by(s, f"lnl_{PREFIX}_{'0' * 64}")),
    "whose a session is": rows_of(lambda s: signed_in(s, "x")),
    "which blobs somebody holds": rows_of(lambda s: holders.held(s, [digest(n) for n in range(5)], range(1, 100), 8)),
    "which role an alias takes": rows_of(lambda s: protections.needed(s, "local", "p7", "m7", "production")),
    "which versions' blobs are not entered": rows_of(lambda s: holders.unheld_versions(s, 5)),
    "what somebody did": lambda b: b.access.audit_log(user="u7"),
    "what was done to something": lambda b: b.access.audit_log(subject="e/p7"),
    "how often something was done": lambda b: b.access.audit_log(operation="o7"),
    "what was done on a day": lambda b: b.access.audit_log(
        since=NOON - timedelta(days=2), until=NOON - timedelta(days=1)
    ),
    "the moves of an alias": lambda b: b.artifacts.list_alias_events("p/m7:production"),
    "a user by name": rows_of(lambda s: users.find(s, "u7")),
    "a user by the identity provider's word": rows_of(lambda s: users.by_subject(s, "issuer", "s7")),
    "a user's teams": rows_of(lambda s: teams.of_user(s, 8)),
    "whether blobs are a run's": rows_of(lambda s: streams.unreferenced(s, {digest(n) for n in range(5)})),
    "the rows of a run that wait to become a file": rows_of(lambda s: streams.waiting(s, 8, "history", 0)),
    "the last batch of a writer": rows_of(lambda s: streams.last_seq(s, 8, "w")),
    "forget who holds blobs": rows_begun(lambda s: holders.forget(s, [digest(n) for n in range(5)])),
    "forget blobs": rows_begun(lambda s: index.forget(s, [digest(n) for n in range(5)])),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_asked_all_the_time_reads_no_whole_table(store: Store, question: str) -> None:
    asked = plans(store, QUESTIONS[question])
    assert [(statement, tables) for statement, tables in asked if tables] == []


@pytest.mark.parametrize("ask", [lambda s: grants.role_of(s, 8, "t4", "p"), lambda s: grants.readable(s, 8)])
def test_what_a_user_may_is_one_query(store: Store, ask: Callable[[Session], Any]) -> None:
    assert len(plans(store, rows_of(ask))) == 1


def test_a_whole_table_read_is_seen(store: Store) -> None:
    (_, tables), *_ = plans(store, lambda b: b.artifacts.list_collections())
    assert tables & {"collections", "memberships", "versions"}
