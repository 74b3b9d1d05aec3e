"""What a server asks of its store before it listens: whether it has users, and a token for the first of them."""

from __future__ import annotations

from lineal.access import setup, users
from lineal.backend.local.again import repeating
from lineal.backend.local.backend import LocalBackend


def has_users(backend: LocalBackend) -> bool:
    """Whether the store has any user: without one whoever reaches it may do everything."""
    with backend.context.database.read() as session:
        return users.any_at_all(session)


@repeating
def make_setup_token(backend: LocalBackend) -> str:
    """A new token for whoever makes the first admin; the one before works no more. Raises conflict.already_set_up."""
    with backend.context.database.begin() as session:
        return setup.make_token(session)
