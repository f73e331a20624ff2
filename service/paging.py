"""Lists in pages: ``limit`` and an opaque ``cursor``, which the page before told as ``next_cursor``."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from fastapi import Query

from featurizers.errors import InputError

T = TypeVar("T")
LIMIT_MAX = 1000
_PREFIX = "after:"

LimitQuery = Annotated[
    int | None, Query(ge=1, le=LIMIT_MAX, description="Entries of a page; all of them when left out.")
]
CursorQuery = Annotated[str | None, Query(description="`next_cursor` of the page before.")]


def cursor_of(key: str) -> str:
    """The cursor of the entries after the one of this key."""
    return base64.urlsafe_b64encode((_PREFIX + key).encode()).decode().rstrip("=")


def key_of(cursor: str) -> str:
    """The key that a cursor stands for. Raises InputError for what none of our pages told."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError):
        text = ""
    if not text.startswith(_PREFIX) or cursor_of(text.removeprefix(_PREFIX)) != cursor:
        raise InputError("The parameter 'cursor'", "must be the next_cursor of a page of this list", cursor)
    return text.removeprefix(_PREFIX)


def page_of(
    entries: Sequence[T], key: Callable[[T], str], limit: int | None, cursor: str | None
) -> tuple[list[T], str | None]:
    """A page in the order of the keys, and the cursor of the next. An entry that comes or goes moves no other one."""
    if limit is None and cursor is None:
        return list(entries), None
    ordered = sorted(entries, key=key)
    start = 0 if cursor is None else bisect_right([key(entry) for entry in ordered], key_of(cursor))
    page = ordered[start : start + (limit or LIMIT_MAX)]
    rest = start + len(page) < len(ordered)
    return page, cursor_of(key(page[-1])) if page and rest else None
