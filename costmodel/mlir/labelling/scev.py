"""LLVM's printed scalar evolution: how often a loop's back edge is taken, as an expression over outer iterations."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

Value = Any
"""An int, or an int64 array with one entry per sampled iteration of the outer loops."""
Lookup = Callable[[str], "Value | None"]
"""Name of an IR value to its value, or None."""
Iteration = Callable[[str], "Value | None"]
"""Name of a loop header to its iteration number (0, 1, ...), or None."""

_TOKEN = re.compile(
    r'<%"?[^>"]+"?>|<[a-z]+>|%"[^"]+"|%[\w.$-]+|@[\w.$-]+|-?\d+|[A-Za-z_]\w*|\{|\}|\(|\)|,\+,|\+|\*|/u|\*\*\*'
)
_FUNCTION = re.compile(r"^Determining loop execution counts for: @(\S+)$")
_COUNT = re.compile(r'^Loop %"?([^:"]+)"?: (backedge-taken count is|constant max backedge-taken count is) (.+)$')


def read_trip_counts(text: str) -> dict[str, dict[str, tuple[str, int | None]]]:
    """Function to loop header to (expression of the back-edge count, its constant maximum or None), as printed."""
    functions: dict[str, dict[str, tuple[str, int | None]]] = {}
    current: dict[str, tuple[str, int | None]] = {}
    for line in text.splitlines():
        if found := _FUNCTION.match(line):
            current = functions.setdefault(found[1], {})
        elif found := _COUNT.match(line):
            name, kind, expression = found.groups()
            expression = re.sub(r"^i\d+ ", "", expression)
            if kind.startswith("backedge"):
                current[name] = (expression, None)
            else:
                known = current.get(name, ("", None))[0]
                current[name] = (known, int(expression) if re.fullmatch(r"\d+", expression) else None)
    return functions


def evaluate(expression: str, lookup: Lookup, iteration: Iteration) -> Value | None:
    """Value of a printed expression, None where something in it is unknown."""
    try:
        tokens = _TOKEN.findall(expression)
        value, rest = _term(tokens, 0, lookup, iteration)
    except (_UnknownError, IndexError):
        return None
    return value if rest == len(tokens) else None


class _UnknownError(Exception):
    pass


def _term(tokens: list[str], at: int, lookup: Lookup, iteration: Iteration) -> tuple[Value, int]:
    token = tokens[at]
    if token == "(":
        value, at = _group(tokens, at + 1, lookup, iteration)
    elif token == "{":
        value, at = _recurrence(tokens, at + 1, lookup, iteration)
    elif re.fullmatch(r"-?\d+", token):
        value, at = int(token), at + 1
    elif token == "vscale":
        value, at = _known(lookup("vscale")), at + 1
    elif token.startswith("%"):
        value, at = _known(lookup(token[1:].strip('"'))), at + 1
    else:
        raise _UnknownError
    while at < len(tokens) and re.fullmatch(r"<[a-z]+>", tokens[at]):
        at += 1
    return value, at


def _known(value: Value | None) -> Value:
    if value is None:
        raise _UnknownError
    return value


def _group(tokens: list[str], at: int, lookup: Lookup, iteration: Iteration) -> tuple[Value, int]:
    if tokens[at] in ("zext", "sext", "trunc"):
        return _cast(tokens, at, lookup, iteration)
    value, at = _term(tokens, at, lookup, iteration)
    while tokens[at] != ")":
        operator = tokens[at]
        right, at = _term(tokens, at + 1, lookup, iteration)
        value = _apply(operator, value, right)
    return value, at + 1


def _cast(tokens: list[str], at: int, lookup: Lookup, iteration: Iteration) -> tuple[Value, int]:
    operator, source = tokens[at], tokens[at + 1]
    value, at = _term(tokens, at + 2, lookup, iteration)
    if tokens[at] != "to" or tokens[at + 2] != ")":
        raise _UnknownError
    kind = tokens[at + 1] if operator == "trunc" else source
    return wrap(value, kind, signed=operator == "sext"), at + 3


def wrap(value: Value, kind: str, *, signed: bool) -> Value:
    """`value` as an integer of type `kind` (``i8``)."""
    if not re.fullmatch(r"i\d+", kind):
        raise _UnknownError
    bits = int(kind[1:])
    if bits >= 63:
        return value
    wrapped = value & ((1 << bits) - 1)
    if not signed:
        return wrapped
    return wrapped - ((wrapped >> (bits - 1)) << bits)


def _recurrence(tokens: list[str], at: int, lookup: Lookup, iteration: Iteration) -> tuple[Value, int]:
    parts = []
    value, at = _term(tokens, at, lookup, iteration)
    parts.append(value)
    while tokens[at] == ",+,":
        value, at = _term(tokens, at + 1, lookup, iteration)
        parts.append(value)
    at += 1
    while tokens[at].startswith("<") and not tokens[at].startswith("<%"):
        at += 1
    header = tokens[at][2:-1].strip('"')
    index = _known(iteration(header))
    total, binomial = parts[0], 1
    for order, part in enumerate(parts[1:], start=1):
        binomial = binomial * (index - order + 1) // order
        total = total + part * binomial
    return total, at + 1


def _apply(operator: str, left: Value, right: Value) -> Value:
    if operator == "+":
        return left + right
    if operator == "*":
        return left * right
    if operator == "/u":
        if np.any(np.asarray(right) == 0):
            raise _UnknownError
        return left // right
    if operator in ("umax", "smax"):
        return np.maximum(left, right) if _array(left, right) else max(left, right)
    if operator in ("umin", "smin", "umin_seq"):
        return np.minimum(left, right) if _array(left, right) else min(left, right)
    raise _UnknownError


def _array(*values: Value) -> bool:
    return any(isinstance(value, np.ndarray) for value in values)
