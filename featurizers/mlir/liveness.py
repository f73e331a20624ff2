"""Most values alive at one point of a block: the physics of register pressure (Poletto and Sarkar 1999, sec. 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurizers.mlir.module import Block
from featurizers.mlir.nest import Nest

if TYPE_CHECKING:
    from featurizers.mlir.build import Builder


def liveness(b: Builder, block: Block, nest: Nest) -> None:
    """Set the nest's `live_int`, `live_float`, `live_bits`, `invariants`, `held_floats` and `literals` from a block
    without regions, backwards.

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
    for op in reversed(ops):
        for value in op.results:
            if value in alive:
                alive.discard(value)
                wide -= sizes[of[value]]
                if floating[of[value]]:
                    floats -= 1
                else:
                    ints -= 1
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
    nest.live_int = max(nest.live_int, most_ints)
    nest.live_bits = max(nest.live_bits, most_wide)
    nest.live_float = max(nest.live_float, most_floats)
