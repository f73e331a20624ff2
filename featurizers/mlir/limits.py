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
    depth = 0
    for position, byte in enumerate(source):
        if byte == opening:
            depth += 1
            if depth > limit:
                rule = f"must not be nested deeper than {limit}"
                raise LimitError(f"The brackets '{chr(opening)}'", rule, where=_place(source, position))
        elif byte == closing and depth and not (closing == 62 and source[position - 1] == 45):
            depth -= 1


def _place(source: bytes, position: int) -> str:
    before = source[:position]
    return f"line {before.count(10) + 1}, column {position - (before.rfind(10) + 1) + 1}"
