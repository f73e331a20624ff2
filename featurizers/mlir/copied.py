"""Addresses of loops that unrolling has copied: what each of the copies goes through has a pointer of its own.

Sources (LLVM 22): the copies of a loop begin at places that differ by constants. `LICM` and `LoopStrengthReduce`
compute where each begins before the loop around, for vectors once more in each loop further out that moves it (scalars
are sums with one pointer there): all of them wait, and so does what the checks of each found out. Where the length is
known, the difference is what the index of an address starts from, and no pointer is needed; RISC-V's addresses have no
index. Scalar accesses of x86 have the difference as their displacement (`isLegalAddressingMode`).
"""

from __future__ import annotations

from featurizers.mlir.cpus import Cpu
from featurizers.mlir.loop import Loop

Lanes = dict[int, int]
"""Of a loop's vectors, by the loop's id; 1 where it stays scalar, 0 where it is unrolled completely."""


def copied_pointers(loop: Loop, cpu: Cpu, lanes: Lanes) -> float:
    """What waits of the copies of all loops inside a loop, beyond one copy each."""
    return _below(loop, cpu, lanes, ()) if cpu.isa != "amdgpu" else 0.0


def _below(loop: Loop, cpu: Cpu, lanes: Lanes, above: tuple[int, ...]) -> float:
    """above : loops around this one."""
    found = 0.0
    inside = (*above, loop.nest.iv) if loop.nest.depth else above
    for child in loop.children:
        vf = lanes.get(id(child), 1)
        if vf and child.factor > 1.0 and loop.nest.depth and _apart(child, cpu, vf):
            checked = vf > 1 and child.checks > 0
            found += (child.factor - 1.0) * (_pointers(child, loop.fixed, above if vf > 1 else ()) + checked)
        if child.children:
            found += _below(child, cpu, lanes, inside if vf else above)
    return found


def _apart(loop: Loop, cpu: Cpu, vf: int) -> bool:
    """Whether copies have pointers of their own."""
    return cpu.isa == "riscv" or (not loop.exact and (cpu.isa != "x86" or vf > 1))


def _pointers(loop: Loop, unrolled: frozenset[int], above: tuple[int, ...]) -> float:
    """Of one copy: of each way in which it goes through a buffer, in so many loops around."""
    varying = {
        access.base
        for access in loop.nest.accesses
        if access.moving and not unrolled.isdisjoint([key for key, _ in access.moving])
    }
    ways = {(access.base, access.moving) for access in loop.accesses if access.base in varying}
    return float(sum([1 + sum([iv in dict(moving) for iv in above]) for _, moving in ways if moving is not None]))
