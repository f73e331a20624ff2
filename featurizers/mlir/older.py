"""Texts of LLVM 22 and before (torch-mlir's among them) for a parser of a later year."""

from __future__ import annotations

import re

_ATTRIBUTES = re.compile(r"(tosa\.\w+) +((?:%[\w#]+(?:, )?)*) *\{([^{}\n]*)\}(\s+: \()")
"""``tosa.transpose %x {perms = ..} : (``: what later releases write by name (``perms([..])``)."""


def readable(text: str) -> str:
    """The same module; tosa operations with a dictionary of attributes are written generically, as every year reads."""
    return _ATTRIBUTES.sub(_generic, text) if "tosa." in text else text


def _generic(found: re.Match[str]) -> str:
    return f'"{found[1]}"({found[2].strip()}) <{{{found[3]}}}>{found[4]}'
