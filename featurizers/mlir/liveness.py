"""Most values alive at one point of a block: the physics of register pressure (Poletto and Sarkar 1999, sec. 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurizers.mlir import opclass
from featurizers.mlir.module import Block
from featurizers.mlir.nest import Nest

if TYPE_CHECKING:
    from featurizers.mlir.build import Builder


_MATHS = frozenset(name for name, index in opclass.OP_CLASS.items() if index == opclass.LIBM)
_FUNCTIONS = frozenset({"math.erf", "math.erfc", "math.cbrt", "math.asinh", "math.acosh", "math.atanh"})
"""Calls from the start (`convert-math-to-libm`): no loop is vectorised with one, no load moves over it. The others are
intrinsics until the back end."""
_HALF = 16
_LOADS = frozenset(name for name, index in opclass.OP_CLASS.items() if index == opclass.LOAD)


def liveness(b: Builder, block: Block, nest: Nest) -> None:
    """Set the nest's `live_int`, `live_float`, `live_bits`, `invariants`, `held_floats`, `literals` and what is alive
    across its calls from a block without regions, backwards.

    A value from outside is alive throughout; a buffer counts as the one register of its pointer.
    """
    ops = block.ops
    forms, floating, sizes, of = b.forms, b.floating, b.sizes, b.module.value_types
    inside = set(block.arguments)
    outside: set[int] = set()
    for op in ops:
        if op.regions:
            return
        inside.update(op.results)
    floats = ints = most_floats = most_ints = wide = most_wide = 0
    alive: set[int] = set()
    across: set[int] = set()
    called: set[int] = set()
    kept: set[int] = set()
    rounding: set[int] = set()
    for op in reversed(ops):
        for value in op.results:
            if value in alive:
                alive.discard(value)
                wide -= sizes[of[value]]
                if floating[of[value]]:
                    floats -= 1
                else:
                    ints -= 1
        if op.name in _MATHS:
            waiting = [value for value in alive if floating[of[value]]]
            across.update(waiting)
            if op.name in _FUNCTIONS:
                kept.update(waiting)
                nest.functions += 1
            called.update([value for value in op.operands if value not in alive])
        elif op.name == "math.fma" and b.type(op.results[0]).bits == _HALF:
            rounding.update([value for value in alive if floating[of[value]]])
        elif called and op.name in _LOADS:
            nest.called_loaded += op.results[0] in called
        for value in op.operands:
            if value in alive or value in outside:
                continue
            if value not in inside:
                outside.add(value)
            elif value not in forms:
                alive.add(value)
                wide += sizes[of[value]]
                if floating[of[value]]:
                    floats += 1
                else:
                    ints += 1
        if floats > most_floats:
            most_floats = floats
        if ints > most_ints:
            most_ints = ints
        if wide > most_wide:
            most_wide = wide
    for value in outside:
        most_wide += sizes[of[value]]
        buffer = b.module.types[of[value]].kind == "memref"
        if buffer or value not in forms:
            if floating[of[value]] and not buffer:
                most_floats += 1
            else:
                most_ints += 1
            nest.invariants += 1
            if floating[of[value]] and not buffer:
                nest.literals += value in b.literals
                nest.held_floats += value not in b.literals
    nest.called_loaded += len(called.intersection(block.arguments)) if not nest.accesses else 0
    nest.across += len(across)
    nest.across_rounding += len(rounding)
    nest.across_in_memory += sum([b.in_memory.get(value, False) for value in across - kept])
    nest.live_int = max(nest.live_int, most_ints)
    nest.live_bits = max(nest.live_bits, most_wide)
    nest.live_float = max(nest.live_float, most_floats)
