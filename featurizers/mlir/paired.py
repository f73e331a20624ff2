"""Accesses that AArch64 makes two at a time.

Source (LLVM 22): `AArch64LoadStoreOptimizer.cpp` (``ldp``, ``stp``), which has no opcodes for bytes and halves.
"""

from __future__ import annotations

from featurizers.mlir import opclass
from featurizers.mlir.costs import fixed
from featurizers.mlir.cpus import Cpu
from featurizers.mlir.loop import Loop
from featurizers.mlir.slp import Packed, lengths, runs
from featurizers.mlir.vectorise import Plan

_LEAST_BITS = 32


def pairs(loop: Loop, cpu: Cpu, chosen: Plan, packed: Packed) -> float:
    """Neighbouring accesses that become one instruction, in an iteration of the new loop."""
    if cpu.isa != "aarch64" or loop.widths:
        return 0.0
    if chosen.vf > 1:
        return 0.0 if not fixed(loop, cpu, chosen.vf) or chosen.interleave < 2 else loop.unit * chosen.interleave / 2
    if len(loop.accesses) < 2 or (loop.checks and loop.counts[opclass.STORE] > 1):
        return 0.0  # loads and stores that may overlap stay in order
    found = sum([int(length / packed.lanes) // 2 for length in _runs(loop, packed.lanes)])
    return min(float(found), (loop.counts[opclass.LOAD] + loop.counts[opclass.STORE]) / 2)


def _runs(loop: Loop, lanes: float) -> list[int]:
    """Lengths of the runs of those neighbours that are wide enough."""
    wide = [access for access in loop.accesses if access.bits * lanes >= _LEAST_BITS]
    if len(wide) == len(loop.accesses):
        known = runs(loop)
        return known.loads + known.stores
    places: dict[tuple[bool, int, object], list[int]] = {}
    for access in wide:
        if access.lanes == 1 and access.moving is not None and not access.maybe and not access.apart:
            places.setdefault((access.store, access.base, access.moving), []).append(access.constant)
    return lengths(places)
