"""Size of a loop of vectors on x86, as the unroller behind the vectorisers finds it: by instructions of LLVM, where
accesses take one each whatever their length, and not by those that are made of them.

Source (LLVM 22): ``opt-22 -passes='print<cost-model>' -cost-kind=code-size`` on vectors; `X86TTIImpl::getGSVectorCost`.
"""

from __future__ import annotations

from collections.abc import Collection
from math import ceil

from featurizers.mlir import counting, fused, opclass
from featurizers.mlir.costs import half_lanes, shares
from featurizers.mlir.cpus import Cpu
from featurizers.mlir.loop import Loop
from featurizers.mlir.nest import jumps
from featurizers.mlir.opclass import CLASS
from featurizers.mlir.scattered import Alike
from featurizers.mlir.sizes import near_stores

_INDEX_BITS = 64
_OTHER = tuple(CLASS[name] for name in ("libm", "call", "branch", "idiv", "masked", "shuffle"))
_PLAIN = tuple(
    index for name, index in CLASS.items() if index not in _OTHER and name not in ("load", "store", "address")
)
_EXTEND, _FMA = CLASS["extend"], CLASS["fma"]
_TWO = (opclass.FMAXIMUM, opclass.FMINMAX)
_INTRINSICS = (*_TWO, opclass.IMINMAX, CLASS["fsqrt"], CLASS["fma"])
_BYTES = 16
"""Lanes of bytes that are multiplied in 4 instructions; more take 7."""


def vector_size(
    loop: Loop, cpu: Cpu, vf: int, interleave: int, moved: Collection[tuple[Alike, int, bool]], woven: int = 0
) -> float:
    """Of one vector iteration; 0 where it has operations that are not counted here. moved : its accesses, how many
    there are of each kind, and whether they go lane by lane. A store to a computed address is two, but not those of
    interleaved copies, which are so far from the first. woven : members of its groups, which are one vector each."""
    counts, members_of = loop.counts, max(woven, 1)
    if cpu.isa != "x86" or loop.divided or any(counts[index] for index in _OTHER):
        return 0.0
    if woven and not _together(loop, moved):
        return 0.0
    half = loop.float_bits == _HALF and not cpu.half
    size = counting.wide_size(loop, cpu, vf, False, cpu.prefer_bits) + fused.upper_size(loop) if loop.fused else 0.0
    for index in _PLAIN:
        for bits, source, _, share in shares(loop, index) if counts[index] else ():
            size += (
                counts[index] / members_of * share * _operation(loop, cpu, index, vf * members_of, bits, source, half)
            )
    indices, picked, indexed = ceil(vf * _INDEX_BITS / cpu.vector_bits), 0, 0
    for (linear, stride, store, bits, lanes, members), count, alone in moved:
        if woven or (linear and abs(stride) <= max(lanes, 1)):
            backwards = not woven and stride < 0
            size += (
                count / members_of * (1.0 + backwards * ceil(vf * bits / cpu.vector_bits)) if stride or store else 0.0
            )
            indexed += count // members_of if stride and store else 0
        elif alone and bits < _GATHERED_BITS:
            return 0.0
        elif alone:
            picked += count
            size += count * indices
        elif not members or (store and bits < _GATHERED_BITS):
            return 0.0
        elif store:
            size += count / members * _group_stored(cpu, vf, bits, abs(stride))
            indexed += count // members
        else:  # one wide access, and a permutation for each member
            parts = ceil(abs(stride) * vf * bits / cpu.vector_bits)
            size += count / members + count * max(parts - 1, 1)
    size += max(indexed - near_stores(loop), 0) / interleave
    size += len(
        {
            abs(stride)
            for (linear, stride, _, _, lanes, _), _, alone in moved
            if linear and not alone and abs(stride) > max(lanes, 1)
        }
    )  # products of the index
    return size + indices * (1 + _indices(loop)) if picked else size


def _together(loop: Loop, moved: Collection[tuple[Alike, int, bool]]) -> bool:
    """Whether groups are one vector each by then: intrinsics, and scalars that differ from member to member, are put
    together later."""
    scalars = sum([not access.store for access in loop.lifted])
    scalars += sum([count for (_, stride, *_), count, _ in moved if not stride])
    return scalars < _SEVERAL and not any(loop.counts[index] for index in _INTRINSICS)


_SEVERAL = 2


def _operation(loop: Loop, cpu: Cpu, index: int, lanes: int, bits: int, source: int, half: bool) -> float:
    """Of an operation on so many lanes: one for each register. Halves are one, whatever their number, but maxima and
    products that are added, which are taken apart; so is what is extended, and a sum of whole numbers."""
    if index == _EXTEND:
        return 0.0 if bits == source else 1.0 if bits > source else float(ceil(lanes * source / cpu.vector_bits))
    if half and bits == _HALF:
        return half_lanes(loop, index, lanes) if index in (*_TWO, _FMA) else 1.0
    if index == opclass.IMUL and bits <= 8:
        return 4.0 if lanes <= _BYTES else 7.0
    if index == opclass.IADD:
        return 1.0
    return float(ceil(lanes * max(bits, source) / cpu.vector_bits)) * (1.0 + (index in _TWO))


def _group_stored(cpu: Cpu, vf: int, bits: int, factor: int) -> float:
    """One wide store of a group, whose members are put together two by two and then into turns: registers are
    permutations of all others."""
    parts = ceil(factor * vf * bits / cpu.vector_bits)
    turns = float(max(parts * (parts - 1), 1))
    together = factor - 1.0 if vf * bits < cpu.vector_bits and factor > 2 else 0.0  # of two, it is one permutation
    return 1.0 + turns + together


_HALF, _GATHERED_BITS = 16, 32


def _indices(loop: Loop) -> int:
    """Vectors of indices: one for each stride, and one for each place beside it whose bits are not those of the index
    (``or disjoint``, which stays; a sum becomes part of the address)."""
    found: set[tuple[int, int]] = set()
    by_shape = loop.by_shape()
    for access in loop.accesses:
        stride = abs(by_shape[access.moving])
        if stride > 1 and not jumps(stride):
            found |= {(stride, 0), (stride, access.constant % (stride & -stride))}
    return len(found)
