"""Registers for addresses: how far a displacement reaches, and the places of a body that need a pointer of their own.

Sources (LLVM 22): `isLegalAddressingMode` of each target. x86 adds any 32 bits to an address; AArch64 up to 4095 times
what is moved, or -256 to 255 bytes that are no multiple of it, and to a scalable vector nothing that is a number of
bytes; RISC-V -2048 to 2047 bytes, and nothing to a vector. What `LoopStrengthReduce` finds no displacement for has a
pointer of its own, and lives through the loop with it.
"""

from __future__ import annotations

from featurizers.mlir.cpus import Cpu
from featurizers.mlir.loop import Loop
from featurizers.mlir.nest import Access, Moving

_FIXED_BITS = 128
_ELEMENTS, _UNSCALED = 4096, 256

Group = tuple[int, Moving | None]


def apart(loop: Loop, cpu: Cpu, vf: int) -> float:
    """Pointers of a body beyond one for each way in which a buffer is gone through. vf : lanes of a vector of it."""
    if cpu.isa == "x86" or len(loop.accesses) < 2:
        return 0.0
    iv = loop.nest.iv
    groups: dict[Group, list[Access]] = {}
    for access in loop.accesses:
        if access.moving is not None and not access.called:
            groups.setdefault((access.base, access.moving), []).append(access)
    return sum([_apart(group, iv, vf, cpu) for group in groups.values() if len(group) > 1])


def _apart(group: list[Access], iv: int, vf: int, cpu: Cpu) -> float:
    """Of the places of one buffer that move together. Those that the loop moves are one pointer and sums with it, as
    long as what is added is an immediate of an addition (`isLegalAddImmediate`)."""
    access = group[0]
    size, moves = max(access.bits // 8, 1), access.stride(iv) != 0
    constants = {one.constant * size for one in group}
    first = min(constants)
    span = max(constants) - first
    if span < (_SUMMED[cpu.isa] if moves else _UNSCALED):
        return 0.0
    lanes = vf if moves and vf > 1 else access.lanes
    wide = lanes * access.bits
    if lanes > 1 and (cpu.isa == "riscv" or (cpu.scalable and wide > _FIXED_BITS)):
        return len(constants) - 1.0
    if cpu.isa == "aarch64":
        unit = max(min(wide, _FIXED_BITS) // 8, 1)
        far = [constant - first for constant in constants]
        alone = sum([at >= _UNSCALED and at % unit > 0 for at in far])
        return float(alone + len({at // (_ELEMENTS * unit) for at in far if at % unit == 0} - {0}))
    return float(len({(constant - first) // _SUMMED[cpu.isa] for constant in constants}) - 1)


_SUMMED = {"x86": 1 << 31, "aarch64": 8192, "riscv": 4096, "amdgpu": 1 << 31}
"""Bytes between the places that sums with one pointer reach."""


def looked_up(loop: Loop) -> float:
    """Sums of a pointer and an index that is loaded, of scalar code on RISC-V, whose accesses have no index
    (``sh2add``): one for what is loaded and stored again."""
    places: dict[tuple[int, int], list[int]] = {}
    for access in loop.accesses:
        if access.place and access.moving is None:
            places.setdefault((access.base, access.place), [0, 0])[access.store] += 1
    return float(sum([max(counts) for counts in places.values()]))


def moved_around(loop: Loop) -> float:
    """Instructions of a loop around others for the pointers that they go through. Each begins anew in every iteration,
    from one that goes on by a row at its end (`LoopStrengthReduce` has an induction variable for each buffer and way in
    which it is gone through, but where several share one)."""
    iv = loop.nest.iv
    ways = {
        (access.base, access.moving)
        for one in loop.walk()
        for access in one.accesses
        if access.moving is not None and access.stride(iv)
    }
    return _POINTER[loop.isa] * len(ways)


_POINTER = {"x86": 1.5, "aarch64": 1.5, "riscv": 2.0, "amdgpu": 0.0}
"""Chosen by labels of `train` and `validation`; one to begin, and one to go on, where none is shared."""
