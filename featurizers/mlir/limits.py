"""What is refused before the parser sees it, and how much it may use."""

from __future__ import annotations

from dataclasses import dataclass

from featurizers.errors import InputError, LimitError

BYTECODE_MAGIC = b"ML\xefR"


@dataclass(frozen=True, slots=True)
class Limits:
    """bytes : of text or bytecode. nesting : of brackets. seconds, memory_bytes : of the parser's process per input."""

    bytes: int = 16 * 1024 * 1024
    nesting: int = 256
    seconds: float = 20.0
    memory_bytes: int = 4 * 1024**3


def check(source: bytes, limits: Limits) -> None:
    """Raises LimitError (too long, too deeply nested), naming the place; InputError for text that is not UTF-8."""
    if len(source) > limits.bytes:
        raise LimitError("The module", f"must be at most {limits.bytes} bytes", len(source))
    if source.startswith(BYTECODE_MAGIC):
        return
    try:
        source.decode()
    except UnicodeDecodeError as error:
        raise InputError("MLIR text", "must be UTF-8", where=_place(source, error.start)) from None
    if b"\0" in source:
        raise InputError("MLIR text", "must not hold a zero byte", where=_place(source, source.index(b"\0")))
    for opening, closing in ((b"{", b"}"), (b"(", b")"), (b"<", b">"), (b"[", b"]")):
        if source.count(opening) > limits.nesting:
            _check_depth(source, opening[0], closing[0], limits.nesting)


def _check_depth(source: bytes, opening: int, closing: int, limit: int) -> None:
    """Arrows are no brackets. All other bytes are left out first: a text may have thousands of brackets, and a hundred
    times as many of those."""
    left = source.replace(b"->", b"") if closing == _LARGER else source
    depth = 0
    for byte in left.translate(None, bytes(set(range(256)) - {opening, closing})):
        if byte == opening:
            depth += 1
            if depth > limit:
                rule = f"must not be nested deeper than {limit}"
                where = _place(source, _too_deep(source, opening, closing, limit))
                raise LimitError(f"The brackets '{chr(opening)}'", rule, where=where)
        elif depth:
            depth -= 1


_MINUS, _LARGER = b"->"


def _too_deep(source: bytes, opening: int, closing: int, limit: int) -> int:
    """Where the bracket is that is one too many."""
    depth = 0
    for position, byte in enumerate(source):
        if byte == opening:
            depth += 1
            if depth > limit:
                break
        elif byte == closing and depth and not (closing == _LARGER and source[position - 1] == _MINUS):
            depth -= 1
    return position


def _place(source: bytes, position: int) -> str:
    before = source[:position]
    return f"line {before.count(10) + 1}, column {position - (before.rfind(10) + 1) + 1}"
