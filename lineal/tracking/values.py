"""Values to find runs by: config and summary, flattened to dotted keys, a number or the start of a text each."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from sqlalchemy import bindparam, delete, select

from lineal.db.schema import run_keys, run_values, runs
from lineal.db.session import Session, insert_many
from lineal.tracking.leaves import columns, flatten

_KEYS = select(run_keys.c.name, run_keys.c.id).where(run_keys.c.name.in_(bindparam("names", expanding=True)))
_FORGET = delete(run_values).where(
    (run_values.c.run_id == bindparam("of")) & run_values.c.key_id.in_(bindparam("keys", expanding=True))
)
_AT_ONCE = 5000
_MAX_KEY = 512  # characters: what is under a longer one isn't found by it, as PostgreSQL's index ends at 2,700 bytes

_MAX_KEYS = 20_000  # of a config or a summary: a run isn't found by those beyond, of which there is no end


def record(session: Session, id_: int, kind: str, values: Mapping[str, Any]) -> None:
    """Notes the values of the run under `config` or `summary`, and no others."""
    like = run_keys.c.name.like(f"{kind}.%")
    mine = select(run_keys.c.id).where(like).scalar_subquery()
    session.execute(delete(run_values).where((run_values.c.run_id == id_) & run_values.c.key_id.in_(mine)))
    _add(session, id_, _leaves(values, kind))


def record_all(session: Session) -> None:
    """Notes the config of every run, in a store that had no such values yet."""
    for id_, config in session.execute(select(runs.c.id, runs.c.config)).all():
        record(session, id_, "config", config)


def update(session: Session, id_: int, kind: str, values: Mapping[str, Any], *, before: Mapping[str, Any]) -> None:
    """Notes the values of the run in the place of those that the same keys had `before`."""
    leaves = _leaves(values, kind)
    old = _leaves({key: before[key] for key in values if key in before}, kind)
    gone = list(_key_ids(session, list(leaves.keys() | old.keys())).values())
    for start in range(0, len(gone), _AT_ONCE):
        session.execute(_FORGET, {"of": id_, "keys": gone[start : start + _AT_ONCE]})
    _add(session, id_, leaves)


def _leaves(values: Mapping[str, Any], kind: str) -> dict[str, Any]:
    found = ((name, value) for name, value in flatten(values, kind) if len(name) <= _MAX_KEY)
    return dict(islice(found, _MAX_KEYS))


def _add(session: Session, id_: int, leaves: Mapping[str, Any]) -> None:
    ids = _key_ids(session, list(leaves))
    insert_many(session, run_values, [(id_, ids[name], *columns(value)) for name, value in leaves.items()])


def _key_ids(session: Session, names: list[str]) -> dict[str, int]:
    found = _known(session, names)
    if new := [name for name in names if name not in found]:
        insert_many(session, run_keys, [(name,) for name in sorted(new)])
        found |= _known(session, new)
    return found


def _known(session: Session, names: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(names), _AT_ONCE):
        rows = session.execute(_KEYS, {"names": names[start : start + _AT_ONCE]})
        found |= {row.name: row.id for row in rows}
    return found
