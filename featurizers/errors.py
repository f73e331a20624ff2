"""Every error that raw input can cause, drawn once.

    InputError              the caller's input is wrong: what, which rule, which value, where
    |-- LimitError          larger than a stated limit (bytes, nodes, nesting)
    |-- UnknownNameError    a name we have no knowledge of (op, device, part, dialect); lists what is known

A featurizer raises nothing else for bad input; anything else is our bug.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

_SHOWN_VALUE_CHARS = 200
_SHOWN_NAMES = 40


def shown(value: object) -> str:
    """`value` as it stands in a message: its repr, cut to a readable length."""
    text = repr(value)
    return text if len(text) <= _SHOWN_VALUE_CHARS else text[: _SHOWN_VALUE_CHARS - 1] + "…"


class InputError(ValueError):
    """The caller's input breaks a rule.

    Parameters
    ----------
    what : the thing, with its own name, e.g. ``"The 'reuse_factor' of layer 'fc1'"``.
    rule : what holds for it, e.g. ``"must divide 16*64 = 1024"``.
    value : what was given (omitted from the message when left out).
    where : position in the input: ``"line 3, column 7"``, a JSON path, a node's name.

    Examples
    --------
    >>> print(InputError("The 'batch' dimension", "must be at least 1", 0, where="input 'x'"))
    The 'batch' dimension must be at least 1. Got 0. (at input 'x')
    """

    code = "input"
    status = 422

    _MISSING = object()

    def __init__(self, what: str, rule: str, value: object = _MISSING, *, where: str | None = None):
        self.what = what
        self.rule = rule
        self.value = None if value is self._MISSING else shown(value)
        self.where = where
        message = f"{what} {rule}."
        if value is not self._MISSING:
            message += f" Got {self.value}."
        if where is not None:
            message += f" (at {where})"
        super().__init__(message)

    def __reduce__(self) -> tuple[Any, ...]:
        """Between processes an error stays what it is, with all that it names."""
        return _as_it_was, (type(self), self.args, self.__dict__)


def _as_it_was(kind: type[InputError], arguments: tuple[Any, ...], fields: dict[str, Any]) -> InputError:
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(fields)
    return error


class LimitError(InputError):
    """The input is larger than a stated limit; it was not read."""

    code = "limit"
    status = 413


class UnknownNameError(InputError):
    """A name that is not known here. It is never answered as something else.

    >>> print(UnknownNameError("device", "pixel9", ["pixel2", "pixel3"]))
    The device 'pixel9' is not known. Nearest: pixel3, pixel2. Known: pixel2, pixel3.
    """

    code = "unknown-name"

    def __init__(self, kind: str, name: str, known: Iterable[str], *, where: str | None = None):
        self.known = sorted(known)
        near = difflib.get_close_matches(name, self.known, n=3, cutoff=0.5)
        listed = ", ".join(self.known[:_SHOWN_NAMES]) or "none"
        if len(self.known) > _SHOWN_NAMES:
            listed += f", … ({len(self.known)} in all)"
        nearest = f" Nearest: {', '.join(near)}." if near else ""
        super().__init__(f"The {kind} {shown(name)}", f"is not known.{nearest} Known: {listed}", where=where)
        self.value = shown(name)
