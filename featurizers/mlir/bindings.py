"""The one place that imports MLIR's Python bindings: text or bytecode -> `Module`, in this process.

The parser is C++ and may crash on hostile input: what comes from outside goes through `worker`, not here.
"""

from __future__ import annotations

import re
from typing import Any

from featurizers.errors import InputError
from featurizers.mlir.inline import Inliner, inlined
from featurizers.mlir.module import EMPTY, Module
from featurizers.mlir.older import readable
from featurizers.mlir.simplify import Simplifier
from featurizers.mlir.walk import Walker

_MAX_MODULES = 2000
"""Modules after which a context is dropped: types and attributes live as long as their context."""

_MAX_CONTEXTS = 4
"""Contexts of callers that are kept alive."""

_UNKNOWN = re.compile(r"unregistered dialect|Dialect `.*' not found|unknown (?:op|dialect)|unregistered operation")

_START = "line 1, column 1"
_LINE = re.compile(r":(\d+):(\d+)")


_OF_TENSORS = ("tensor.", "linalg.", "tosa.", "stablehlo.", "chlo.", "vector.", "gpu.", "bufferization.")
"""Dialects with many patterns of canonicalisation."""


class _Context:
    """What reads the modules of one context of MLIR."""

    def __init__(self, context: Any):
        self.context = context
        self.modules = 0
        self._walker, self._simplifier = Walker(), Simplifier(context)
        self._inliner: Inliner | None = None

    def read(self, operation: Any, keep: str | None = None, several: bool = True) -> Module:
        """Simplifies in place. keep : a function that stays when the others have inlined it. several : whether there
        may be more than one empty tensor."""
        empty = _empty(operation) if several else 0
        self._simplifier.run(operation)
        module = self._walker.module(operation)
        merged = module.merged = empty > 1 and empty != module.empty()
        decided = inlined(module)
        if not any(decided.values()):
            return module
        if self._inliner is None:
            self._inliner = Inliner(self.context)
        self._inliner.run(operation, decided, keep)
        self._simplifier.run(operation)
        module = self._walker.module(operation)
        module.merged = merged
        return module


class Reader:
    """Reads modules that live in this process already, each simplified on a copy. One per thread."""

    def __init__(self) -> None:
        self._contexts: dict[Any, _Context] = {}

    def read(self, operation: Any) -> Module:
        """A module, or any other operation that holds regions."""
        context = operation.context
        held = self._contexts.get(context)
        if held is None:
            if len(self._contexts) >= _MAX_CONTEXTS:
                self._contexts.clear()
            held = self._contexts[context] = _Context(context)
        with context:
            return held.read(operation.clone())


class Parser:
    """Parses with contexts of its own. Not thread-safe.

    allow_unregistered is per call; a context is kept for each of both cases, and for programs with tensors and those
    without: a canonicalisation sorts the patterns of all dialects that its context has loaded.
    """

    def __init__(self) -> None:
        self._contexts: dict[tuple[bool, bool], _Context] = {}

    def parse(self, source: str | bytes, allow_unregistered: bool = False, keep: str | None = None) -> Module:
        """Raises InputError with the place of the first diagnostic. keep : see `inline.Inliner`."""
        from iree.compiler import ir

        if isinstance(source, str):
            source = readable(source)
        tensors = isinstance(source, bytes) or any(dialect in source for dialect in _OF_TENSORS)
        held = self._context(allow_unregistered, tensors)
        try:
            with held.context:
                several = isinstance(source, bytes) or source.count(EMPTY) > 1
                return held.read(ir.Module.parse(source).operation, keep, several)
        except ir.MLIRError as error:
            raise _refusal(error, isinstance(source, bytes)) from None
        except RecursionError:
            raise
        except RuntimeError:
            # The bindings' own, where a diagnostic of broken bytecode is not UTF-8.
            rule = "is refused by the MLIR parser, with a reason that is not text"
            raise InputError("The module", rule, where="bytecode" if isinstance(source, bytes) else _START) from None
        except UnicodeDecodeError:
            raise InputError("MLIR text", "must be UTF-8", where=_START) from None

    def _context(self, allow_unregistered: bool, tensors: bool) -> _Context:
        held = self._contexts.get((allow_unregistered, tensors))
        if held is None or held.modules >= _MAX_MODULES:
            held = self._contexts[allow_unregistered, tensors] = _Context(new_context(allow_unregistered))
        held.modules += 1
        return held


def _empty(operation: Any) -> int:
    """Empty tensors in the bodies of the functions of tensors of a module, or of one function."""
    inside = [op.operation for region in operation.regions for block in region for op in block]
    found = 0
    for function in (operation, *inside):
        if "function_type" in function.attributes and "tensor<" in str(function.attributes["function_type"]):
            bodies = [block for region in function.regions for block in region]
            found += sum([op.operation.name == EMPTY for block in bodies for op in block])
    return found


def new_context(allow_unregistered: bool = False) -> Any:
    """A context that loads a dialect when a program first uses it: all that there are have patterns to sort for as long
    as parsing 15 operations takes."""
    from iree.compiler import ir

    context = ir.Context(load_on_create_dialects=[])
    context.allow_unregistered_dialects = allow_unregistered
    context.enable_multithreading(False)
    return context


def _refusal(error: Any, bytecode: bool) -> InputError:
    diagnostics = list(error.error_diagnostics)
    if not diagnostics:
        return InputError("The module", f"cannot be parsed: {str(error)[:300]}", where=_START)
    first = diagnostics[0]
    message = str(first.message).strip()
    notes = [str(note.message).strip() for note in first.notes]
    rule = f"is refused by the MLIR parser: {message}"
    if _UNKNOWN.search(message):
        known = next((note for note in notes if note.startswith("Available dialects")), "")
        rule = f"has an operation of a dialect that is not known here: {message} {known}".strip()
    return InputError("The module", rule[:2000].rstrip("."), where=_place(first.location, bytecode))


def _place(location: Any, bytecode: bool) -> str:
    found = _LINE.search(str(location))
    line, column = (int(found.group(1)), int(found.group(2))) if found else (0, 0)
    if bytecode and line == 0:
        return "bytecode"
    return f"line {max(line, 1)}, column {max(column, 1)}"
