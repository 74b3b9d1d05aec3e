"""Agents: who takes trials. Functions on a session that never commit."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update

from lineal.core.errors import InvalidArgument
from lineal.db.schema import sweep_agents
from lineal.db.session import Session, insert_new
from lineal.sweeps.model import Agent


def see(session: Session, sweep_id: int, agent: str, *, host: str, user: str, at: datetime) -> None:
    """Notes that the agent was heard; one that left is there again."""
    mine = (sweep_agents.c.sweep_id == sweep_id) & (sweep_agents.c.agent == agent)
    heard = update(sweep_agents).where(mine).values(seen_at=at, left_at=None, message="")
    if not session.execute(heard).rowcount:
        facts = {"host": host, "user": user, "started_at": at, "seen_at": at, "message": ""}
        insert_new(session, sweep_agents, {"sweep_id": sweep_id, "agent": agent, **facts})


def leave(session: Session, sweep_id: int, agent: str, *, message: str, at: datetime) -> Agent:
    """The agent, which is there, gone."""
    mine = (sweep_agents.c.sweep_id == sweep_id) & (sweep_agents.c.agent == agent)
    session.execute(update(sweep_agents).where(mine).values(seen_at=at, left_at=at, message=message))
    return _agent(session.execute(select(sweep_agents).where(mine)).one())


def list_page(session: Session, sweep_id: int, *, limit: int | None, after: str | None) -> list[Agent]:
    """The agents, oldest first; at most `limit`, behind the agent `after`."""
    wanted = select(sweep_agents).where(sweep_agents.c.sweep_id == sweep_id).order_by(sweep_agents.c.id).limit(limit)
    if after is not None:
        mine = (sweep_agents.c.sweep_id == sweep_id) & (sweep_agents.c.agent == after)
        last = session.scalar(select(sweep_agents.c.id).where(mine))
        if last is None:
            raise InvalidArgument(f"{ascii(after)[:80]} is no agent of the sweep")
        wanted = wanted.where(sweep_agents.c.id > last)
    return [_agent(row) for row in session.execute(wanted)]


def _agent(row: Row[Any]) -> Agent:
    return Agent(row.agent, row.host, row.user, row.started_at, row.seen_at, row.left_at, row.message)
