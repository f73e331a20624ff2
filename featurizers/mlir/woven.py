"""Groups of strided accesses whose members are all treated alike: neighbours that the source unrolled or jammed, which
are one vector again."""

from __future__ import annotations

from featurizers.mlir import opclass
from featurizers.mlir.cpus import Cpu
from featurizers.mlir.loop import Loop
from featurizers.mlir.nest import Moving
from featurizers.mlir.opclass import CLASS
from featurizers.mlir.scattered import Kinds

MOST_INTERLEAVED = 8
"""Of accesses that are looked at together (`max-interleave-group-factor`)."""


def interwoven(loop: Loop, cpu: Cpu, kinds: Kinds) -> int:
    """The members of every group of accesses, where each goes on by as many elements and all is done to all alike: what
    takes the groups apart and what puts them together then cancel (`VectorCombine::foldShuffleToIdentity`). Else 0."""
    moving = [kind for kind, _ in kinds if kind[1]]
    if cpu.scalable or loop.chains or not moving or any(not kind[0] for kind, _ in kinds):
        return 0
    members = moving[0][5]
    matched = all(stride == members == found and lanes == 1 for _, stride, _, _, lanes, found in moving)
    if not matched or not 1 < members <= MOST_INTERLEAVED:
        return 0
    return 0 if _side_by_side(loop, members) else members


def _side_by_side(loop: Loop, stride: int) -> bool:
    """Whether a body reads more of a row than one group: neighbours then take part in each other's results."""
    starts: dict[tuple[int, Moving | None], list[int]] = {}
    for access in loop.accesses:
        if access.moving and access.stride(loop.nest.iv):
            starts.setdefault((access.base, access.moving), []).append(access.constant)
    for places in starts.values():
        ordered = sorted(set(places))
        if any(
            after - before == 1
            for before, after in zip(ordered[stride - 1 :: stride], ordered[stride::stride], strict=False)
        ):
            return True
    return False


def narrowed(loop: Loop, cpu: Cpu, vf: int, woven: int) -> bool:
    """Whether groups that fill a register are read as plain vectors, one iteration of the source at a time
    (`VPlanTransforms::narrowInterleaveGroups`): of copies, and of one operation on two loads."""
    bits = max(loop.bits, 8)
    if cpu.isa == "riscv" or woven != vf or vf * bits != cpu.prefer_bits or {a.bits for a in loop.accesses} != {bits}:
        return False
    operations = sum(loop.counts) - sum(
        [loop.counts[index] for index in (opclass.LOAD, opclass.STORE, opclass.ADDRESS)]
    )
    of_two = sum([loop.counts[index] for index in _OF_TWO])
    return operations == of_two and operations <= loop.counts[opclass.STORE]


_OF_TWO = tuple(CLASS[name] for name in ("fadd", "fmul", "fdiv", "iadd", "imul", "logic"))
