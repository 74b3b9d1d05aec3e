"""Tickets: what a server told a caller they may do, in words that only it can have written and any process can read.

    base64url(JSON of the facts) "." base64url(HMAC-SHA-256 of the part before)

The secret is made at its first use and kept in the table `meta`, so that all processes over one database share it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
from typing import Final

from sqlalchemy import select

from lineal.core.errors import InvalidTicket
from lineal.db import schema
from lineal.db.session import Database, insert_new

_KEY: Final = "ticket_secret"
_MAX_TEXT = 4096


class Tickets:
    """The tickets of the server over this database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, kind: str, user_id: int, facts: list[str | int], *, lasts_s: int) -> str:
        """A ticket that says `facts` to whoever reads it for the same kind and user before it ends."""
        told = json.dumps([kind, user_id, int(time.time()) + lasts_s, *facts], separators=(",", ":")).encode()
        head = base64.urlsafe_b64encode(told)
        return f"{head.decode()}.{base64.urlsafe_b64encode(self._mark(head)).decode()}"

    def read(self, kind: str, user_id: int, text: str) -> list[str | int]:
        """The ticket's facts. Raises invalid.ticket for one that is another's, ended, or nobody's."""
        head, _, mark = text.partition(".")
        try:
            given = base64.b64decode(mark.encode("ascii"), b"-_", validate=True)
            if len(text) <= _MAX_TEXT and hmac.compare_digest(given, self._mark(head.encode("ascii"))):
                found: list[str | int] = json.loads(base64.urlsafe_b64decode(head))
                if found[:2] == [kind, user_id] and int(found[2]) > time.time():
                    return found[3:]
        except (ValueError, binascii.Error):
            pass
        raise InvalidTicket("this ticket is not yours, or has ended; begin the upload anew")

    def _mark(self, head: bytes) -> bytes:
        return hmac.digest(self._secret(), head, hashlib.sha256)

    def _secret(self) -> bytes:
        wanted = select(schema.meta.c.value).where(schema.meta.c.key == _KEY)
        with self._database.read() as session:
            found = session.scalar(wanted)
        if found is None:
            with self._database.begin() as session:
                insert_new(session, schema.meta, {"key": _KEY, "value": secrets.token_hex(32)})
                found = session.scalar(wanted)
        return bytes.fromhex(found or "")
