"""What LLVM's code sizes (`TCK_CodeSize`), by which it unrolls, have of a body beyond one for each operation.

Source (LLVM 22): ``opt-22 -passes='print<cost-model>' -cost-kind=code-size`` for each instruction set.
"""

from __future__ import annotations

from featurizers.mlir import divisions, opclass
from featurizers.mlir.loop import Loop
from featurizers.mlir.nest import Moving

_FDIV, _IDIV = (opclass.CLASS[name] for name in ("fdiv", "idiv"))


def target_size(loop: Loop, shapes: int) -> float:
    """What an instruction set adds to sizes (`getInstructionCost` for code size): divisions count 4, but not those of
    x86, whose stores to computed addresses and minima count 2; RISC-V has no addressing mode for an index."""
    counts = loop.counts
    size = divisions.size(loop) + 3.0 * counts[_IDIV] + counts[opclass.IMINMAX] * (loop.isa in ("x86", "aarch64"))
    if loop.isa == "x86":
        return (
            size
            + counts[opclass.FMINMAX]
            + counts[opclass.FMAXIMUM]
            + sum([a.store and a.moving != () and not a.copied for a in loop.accesses])
        )
    size += 3.0 * counts[_FDIV]
    return size + counts[opclass.FMINMAX] + counts[opclass.FMAXIMUM] + shapes if loop.isa == "riscv" else size


def shared_sums(loop: Loop, by_shape: dict[Moving | None, int]) -> int:
    """Sums of indices that address several buffers: those of one buffer are parts of its address."""
    if not loop.nest.depth or len(loop.accesses) < 2:
        return 0
    shapes = {shape for shape, stride in by_shape.items() if stride in (1, -1) and shape and len(shape) > 1}
    if not shapes:
        return 0
    users: dict[tuple[Moving | None, int], int] = {}
    for access in loop.accesses:
        moving = access.moving
        if moving in shapes:
            key = moving, access.constant
            if users.setdefault(key, access.base) != access.base:
                users[key] = _SEVERAL
    return list(users.values()).count(_SEVERAL)


def _shifted(loop: Loop) -> list[int]:
    """The buffers that each sum of an index and a constant addresses, where they are several, in the copies that full
    unrolling has put into a body: InstCombine makes it a part of the address where nothing else needs it
    (`visitGetElementPtrInst`)."""
    if not loop.unrolled_below:
        return []
    iv = loop.nest.iv
    users: dict[tuple[Moving, int], set[int]] = {}
    least: dict[Moving, int] = {}
    for access in loop.accesses:
        moving = access.moving
        if moving and (abs(access.stride(iv)) > 1 or moving == ((iv, 1),)):  # others: `shared_sums`
            users.setdefault((moving, access.constant), set()).add(access.base)
            least[moving] = min(least.get(moving, access.constant), access.constant)
    return [len(bases) for (moving, at), bases in users.items() if len(bases) > 1 and at > least[moving]]


def shifted_sums(loop: Loop) -> float:
    """Instructions for these sums; on RISC-V, there is a pointer into each buffer as well."""
    several = _shifted(loop)
    return float(len(several) + (sum(several) if loop.isa == "riscv" else 0))


def scattered_indices(loop: Loop) -> int:
    """Of these sums, for each buffer, the indices that RISC-V has in a loop of vectors: each strided access goes on by
    one of its own (`RISCVGatherScatterLowering`)."""
    return sum(_shifted(loop)) if loop.isa == "riscv" else 0


_SEVERAL = -1
