"""API keys as rows: who may read, write or administer. Only a digest of the secret is kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from costmodel.state.database import Database
from costmodel.state.tables import api_keys as table
from featurizers.errors import InputError, UnknownNameError

GROUP = "keys"
SCOPES: Final = ("read", "write", "admin")
"""Each may do what those before it may."""
_PREFIX = "cm"
_SECRET_BYTES = 32
"""So many random bytes that they cannot be guessed, which is why one round of SHA-256 is enough to keep them by."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A living key."""

    id: str
    name: str
    scope: str
    secret_digest: str
    created_at: float

    def allows(self, scope: str) -> bool:
        """Whether this key may do what `scope` is needed for."""
        return SCOPES.index(self.scope) >= SCOPES.index(scope)


def digest_of(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def key_of(token: str, keys: Mapping[str, ApiKey]) -> ApiKey | None:
    """The key that `token` (``cm_<id>_<secret>``) is of, or None; takes as long for a wrong secret as for a right."""
    prefix, _, rest = token.partition("_")
    name, _, secret = rest.partition("_")
    found = keys.get(name)
    if prefix != _PREFIX or found is None or not hmac.compare_digest(digest_of(secret), found.secret_digest):
        return None
    return found


class KeyStore:
    """Rows of API keys. Every method raises StateUnavailableError where the database does not answer."""

    def __init__(self, database: Database):
        self._database = database

    def revision(self) -> int:
        """Changes whenever any key does."""
        return self._database.revision(GROUP)

    def living(self) -> dict[str, ApiKey]:
        """Keys that were not revoked, by id."""
        if not self._database.exists():
            return {}
        with self._database.reading() as connection:
            rows = connection.execute(sa.select(table).where(table.c.revoked_at.is_(None))).all()
        return {row.id: ApiKey(row.id, row.name, row.scope, row.secret_digest, float(row.created_at)) for row in rows}

    def create(self, name: str, scope: str) -> str:
        """A new key. The token is told once and never again: only its digest is kept."""
        if scope not in SCOPES:
            raise UnknownNameError("scope", scope, SCOPES)
        if not 0 < len(name) <= 100 or not name.isprintable():
            raise InputError("The key's name", "must be 1 to 100 printable characters", name)
        identity, secret = secrets.token_hex(8), secrets.token_hex(_SECRET_BYTES)
        with self._database.writing(GROUP) as connection:
            row = {"id": identity, "name": name, "scope": scope, "secret_digest": digest_of(secret)}
            connection.execute(sa.insert(table).values(**row, created_at=time.time()))
        return f"{_PREFIX}_{identity}_{secret}"

    def revoke(self, identity: str) -> bool:
        """Take a key back; False when there was none of that id."""
        if not self._database.exists():
            return False
        living = sa.and_(table.c.id == identity, table.c.revoked_at.is_(None))
        with self._database.writing(GROUP) as connection:
            return bool(connection.execute(sa.update(table).where(living).values(revoked_at=time.time())).rowcount)
