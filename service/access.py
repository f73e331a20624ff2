"""Who may do what: API keys by scope, and how often.

Callers on this machine need no key and all others do, unless the setting ``access`` says otherwise; so a service that
is put on a public address by mistake answers nobody. Keys lie in memory, so that no request waits for a database.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from time import monotonic
from typing import Final, Protocol

from costmodel.state.keys import ApiKey, digest_of, key_of
from service.problems import RefusedError

log = logging.getLogger("costmodel.service")

AUTO, KEYS, OPEN = "auto", "keys", "open"
ACCESS: Final = (AUTO, KEYS, OPEN)
_FREE: Final = frozenset({"/healthz", "/readyz", "/ping", "/v2/health/live", "/v2/health/ready"})
"""A balancer asks these and has no key; they tell nothing but whether the service lives."""
_ADMIN: Final = ("/v1/keys",)
_WRITES: Final = ("/v1/devices", "/v1/measurements")
"""Below these, everything but reading changes what the service knows."""
_ASKING: Final = "/v1/devices/plan"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_CHECKED_MAX, _BUCKETS_MAX = 4096, 10_000


class Keys(Protocol):
    """Where living keys come from: `costmodel.state.KeyStore`, or none."""

    def revision(self) -> int: ...

    def living(self) -> dict[str, ApiKey]: ...


def needed_scope(method: str, path: str) -> str | None:
    """What a request needs: ``read``, ``write``, ``admin``, or None where anybody may ask."""
    if path in _FREE:
        return None
    if path.startswith(_ADMIN):
        return "admin"
    return "write" if method not in _SAFE and path.startswith(_WRITES) and path != _ASKING else "read"


@lru_cache(maxsize=4096)
def on_this_machine(address: str) -> bool:
    """Whether a peer's address is a loopback one, or none at all (a socket of this machine, an in-process call)."""
    if not address:
        return True
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address in ("localhost", "testclient")
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_loopback)


@dataclass(slots=True)
class _Bucket:
    """A token bucket: `tokens` of a burst are left since `at`."""

    tokens: float
    at: float


class Access:
    """Checks requests; see the module. `per_s` 0 sets no rate; a burst of two seconds' worth is let through."""

    def __init__(self, mode: str, keys: Keys | None = None, per_s: float = 0.0):
        self._mode, self._keys, self._per_s = mode, keys, per_s
        self._living: Mapping[str, ApiKey] = {}
        self._revision: int | None = None
        self._checked: dict[str, ApiKey] = {}
        self._buckets: dict[str, _Bucket] = {}

    def refresh(self) -> None:
        """Read the keys anew where they have changed. May wait for the database; keys in memory stay where it fails."""
        if self._keys is None or self._mode == OPEN:
            return
        revision = self._keys.revision()
        if revision != self._revision:
            self._living = self._keys.living()
            self._checked, self._revision = {}, revision

    def check(self, method: str, path: str, peer: str, token: str | None) -> str:
        """Who asks: a key's id, or the address. Raises `RefusedError`: 401, 403, 429."""
        scope = needed_scope(method, path)
        if scope is None:
            return peer
        who = peer
        if token is not None and self._mode != OPEN:
            who = self._allowed(token, scope).id
        elif self._mode == KEYS or (self._mode == AUTO and not on_this_machine(peer)):
            raise RefusedError(
                401,
                "This service needs an API key from callers of other machines: Authorization: Bearer cm_...",
                headers={"www-authenticate": 'Bearer realm="costmodel"'},
            )
        if self._per_s:
            self._count(who)
        return who

    def _allowed(self, token: str, scope: str) -> ApiKey:
        # Kept by digest, so that a memory dump does not hold what callers sent.
        digest = digest_of(token)
        key = self._checked.get(digest) or key_of(token, self._living)
        if key is None:
            raise RefusedError(
                401,
                "The API key is not known here, or was revoked.",
                headers={"www-authenticate": 'Bearer realm="costmodel", error="invalid_token"'},
            )
        if len(self._checked) < _CHECKED_MAX:
            self._checked[digest] = key
        if not key.allows(scope):
            raise RefusedError(
                403,
                f"This needs a key of scope '{scope}'. The key '{key.id}' has '{key.scope}'.",
                headers={"www-authenticate": f'Bearer realm="costmodel", error="insufficient_scope", scope="{scope}"'},
            )
        return key

    def _count(self, who: str) -> None:
        now, burst = monotonic(), max(2 * self._per_s, 1.0)
        bucket = self._buckets.get(who)
        if bucket is None:
            if len(self._buckets) >= _BUCKETS_MAX:
                self._buckets.pop(next(iter(self._buckets)))
            bucket = self._buckets[who] = _Bucket(burst, now)
        bucket.tokens = min(burst, bucket.tokens + (now - bucket.at) * self._per_s)
        bucket.at = now
        if bucket.tokens < 1:
            wait_s = ceil((1 - bucket.tokens) / self._per_s)
            raise RefusedError(
                429, f"At most {self._per_s:g} requests per second of one caller.", headers={"retry-after": str(wait_s)}
            )
        bucket.tokens -= 1
