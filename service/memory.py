"""Answers given before: a predictor is deterministic, so an input that comes again is looked up and not computed.

Compilers and searches ask the same again and again. What is remembered is the encoded answer by the input's own bytes,
so that a hit costs no decoding of the input, no features, no model and no encoding.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

_ENTRY_OVERHEAD_BYTES = 400
"""Of two dictionary slots, the key's tuple and the entry, beside the bytes of input and answer."""


@dataclass(slots=True)
class Told:
    """One input's encoded result and what is counted about it. widths : high / low of its predictions."""

    encoded: bytes
    predictions: int
    strangers: int
    failed: int
    widths: tuple[float, ...]


class Memory:
    """Bounded by `bytes_max` in all; what was not asked for lately is forgotten first, half of it at a time.

    Thread-safe without a lock: every step is one operation on a dictionary, and losing an entry costs a computation.
    """

    def __init__(self, bytes_max: int):
        self._half_bytes = bytes_max // 2
        self._young: dict[Hashable, Told] = {}
        self._old: dict[Hashable, Told] = {}
        self._young_bytes = 0

    def get(self, key: Hashable, length: int) -> Told | None:
        """What was put under `key`, whose input is `length` bytes long."""
        found = self._young.get(key)
        if found is None and (found := self._old.get(key)) is not None:
            self.put(key, length, found)
        return found

    def put(self, key: Hashable, length: int, told: Told) -> None:
        """Remember `told`, and forget half of everything where that is too much."""
        size = length + len(told.encoded) + _ENTRY_OVERHEAD_BYTES
        if size > self._half_bytes:
            return
        if self._young_bytes + size > self._half_bytes:
            self._old, self._young, self._young_bytes = self._young, {}, 0
        self._young[key] = told
        self._young_bytes += size

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())
