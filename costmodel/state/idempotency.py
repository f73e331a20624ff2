"""Idempotency keys: a write that is sent again, because its answer was lost, gets the first answer and happens once.

draft-ietf-httpapi-idempotency-key-header: a key that comes back with another request is refused.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass

import sqlalchemy as sa

from costmodel.state.tables import idempotency_keys as table
from featurizers.errors import InputError

KEPT_S = 7 * 24 * 3600.0
KEY_CHARS_MAX = 255


@dataclass(frozen=True, slots=True)
class Remembered:
    """The answer that the first request with a key got."""

    status: int
    answer: bytes


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A caller's key for one write. scope : the operation it is for. request : the body, to tell reuse by mistake."""

    scope: str
    key: str
    request: bytes

    def __post_init__(self) -> None:
        if not 0 < len(self.key) <= KEY_CHARS_MAX or not self.key.isprintable():
            rule = f"must be 1 to {KEY_CHARS_MAX} printable characters"
            raise InputError("The header 'Idempotency-Key'", rule, self.key)

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.request).hexdigest()

    def recall(self, connection: sa.Connection) -> Remembered | None:
        """The answer to the same request before, or None. Raises InputError when it was another request."""
        query = sa.select(table).where(table.c.scope == self.scope, table.c.key == self.key)
        found = connection.execute(query).one_or_none()
        if found is None:
            return None
        if found.request_digest != self.digest:
            raise InputError("The header 'Idempotency-Key'", "was used for another request before", self.key)
        return Remembered(int(found.status), bytes(found.answer))

    def keep(self, connection: sa.Connection, status: int, answer: bytes) -> None:
        """Remember the answer, in the transaction that did the work; forget those that are old."""
        now = time.time()
        connection.execute(sa.delete(table).where(table.c.created_at < now - KEPT_S))
        connection.execute(
            sa.insert(table).values(
                scope=self.scope, key=self.key, request_digest=self.digest, status=status, answer=answer,
                created_at=now,
            )
        )  # fmt: skip
