"""Instructions of one iteration as scalar code (or as the vector code that it is), whatever comes of its loop."""

from __future__ import annotations

from featurizers.mlir import fused, minmax, opclass
from featurizers.mlir.cpus import Cpu
from featurizers.mlir.extremes import beyond, several
from featurizers.mlir.legal import narrow
from featurizers.mlir.legal import work as legal
from featurizers.mlir.loop import Loop
from featurizers.mlir.opclass import CLASS
from featurizers.mlir.vectorise import BUFFER_CALL_WORK, CALL_WORK, CHOICE
from featurizers.mlir.widths import free

_HALF_COST = 4.0
"""Half precision without an instruction for it: to single, compute, back."""
_FLOAT = opclass.FLOAT_CLASSES
_FOLDING = tuple(opclass.OF_MEMORY)
_FOLDED_BITS = 32
_EXTEND = CLASS["extend"]
INT_CLASSES = tuple(
    CLASS[name] for name in ("iadd", "imul", "idiv", "logic", "compare", "select", "extend", "other", "iminmax")
)


def body_of(loop: Loop, cpu: Cpu) -> tuple[float, float]:
    """Instructions and micro-operations of one iteration, as scalar code (or as the vector code that it is)."""
    counts, vectors = narrow(loop), legal(loop, cpu)
    loads, stores = counts[opclass.LOAD], counts[opclass.STORE]
    arithmetic = float_work(loop, counts, cpu)
    for index in INT_CLASSES:
        arithmetic += counts[index]
    arithmetic += counts[opclass.IMINMAX] * (CHOICE[cpu.isa] - 1.0)
    arithmetic += counts[opclass.SHUFFLE] + counts[opclass.BRANCH]
    calls = counts[opclass.CALL] * BUFFER_CALL_WORK + counts[opclass.LIBM] * CALL_WORK
    folded = 0.0
    if cpu.load_folding:
        folded = _folded(loop, counts)
    masked = counts[opclass.MASKED]
    if masked:
        by_branches = masked_by_branches(loop, masked, cpu)
        arithmetic += 6.0 * by_branches + 0.1 * (masked - by_branches)
    arithmetic -= free(loop, cpu.isa)
    if cpu.isa == "aarch64":
        arithmetic -= loop.folds
    arithmetic = max(arithmetic + fused.beyond(loop, cpu, False), 0.0)
    uops = arithmetic + loads + stores + calls
    addresses = min(counts[opclass.ADDRESS], float(loop.computed))
    return max(uops - folded + addresses + vectors.instructions, 1.0), uops + addresses + vectors.uops


def _folded(loop: Loop, counts: list[float]) -> float:
    """Loads that are operands of what x86 computes: half of them, or those that operations are known to use. Those that
    are extended are instructions of their own (``movswl``), and `free` has their extensions."""
    extended = sum([n for (kind, _, _, loaded), n in loop.typed.items() if kind == _EXTEND and loaded])
    loads = max(counts[opclass.LOAD] - extended, 0.0)
    if loop.bits < _FOLDED_BITS and not loop.is_float:
        return min(loads / 2, sum(counts[index] for index in _FLOAT))
    return min(max(loads / 2, loop.of_loaded - extended), sum(counts[index] for index in _FOLDING), loads)


def masked_by_branches(loop: Loop, masked: float, cpu: Cpu) -> float:
    """Lanes that take a branch each: AArch64 has no masked accesses, SVE none of fixed vectors but of 128 bits."""
    if cpu.isa != "aarch64":
        return 0.0
    return max(masked - loop.whole_masks, 0.0) if cpu.scalable else masked


def float_work(loop: Loop, counts: list[float], cpu: Cpu, vector: bool = False) -> float:
    """Instructions for floating-point operations: what the target has no instruction for takes several."""
    work, more = sum(counts[index] for index in _FLOAT), beyond(loop, counts, cpu, vector and cpu.isa == "x86")
    if emulates_half(loop, cpu):
        each = 0.0 if cpu.isa == "x86" else _HALF_COST - 1.0  # which compares and chooses before it goes back
        less = counts[opclass.FMINMAX] * minmax.share_of_halves(loop.extremes)  # one operand; signs are bits
        return work * _HALF_COST - less + more + each * several(loop, counts, cpu)
    return work + more


def emulates_half(loop: Loop, cpu: Cpu) -> bool:
    return loop.float_bits == 16 and not cpu.half
