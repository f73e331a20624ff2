"""What generators make: a function with the variants that are to be tried on it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Variant:
    """A transformation by ``mlir-opt``: what it does in words of the field, and the passes that do it.

    `passes` is empty where `text` already is the variant (another loop order, say).
    """

    what: dict[str, object]
    passes: str = ""
    text: str | None = None

    @property
    def name(self) -> str:
        """JSON of what was done, "" for the function as written."""
        return json.dumps(self.what, sort_keys=True, separators=(",", ":")) if self.what else ""


@dataclass(frozen=True)
class Group:
    """One function as written, and its variants. `key` tells it from all others of its family."""

    family: str
    key: str
    text: str
    variants: list[Variant] = field(default_factory=list)


@dataclass(frozen=True)
class Program:
    """One program of the data set."""

    family: str
    group: str
    variant: str
    text: str
