"""Size of a loop of vectors on x86, as the unroller behind the vectorisers finds it: by instructions of LLVM, where
accesses take one each whatever their length, and not by those that are made of them.

Source (LLVM 22): ``opt-22 -passes='print<cost-model>' -cost-kind=code-size`` on vectors; `X86TTIImpl::getGSVectorCost`.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil

from featurizers.mlir import opclass
from featurizers.mlir.costs import shares
from featurizers.mlir.cpus import Cpu
from featurizers.mlir.loop import Loop
from featurizers.mlir.nest import jumps
from featurizers.mlir.opclass import CLASS
from featurizers.mlir.scattered import Alike
from featurizers.mlir.sizes import near_stores

_INDEX_BITS = 64
_OTHER = tuple(CLASS[name] for name in ("libm", "call", "branch", "idiv", "extend", "masked", "shuffle"))
_PLAIN = tuple(
    index for name, index in CLASS.items() if index not in _OTHER and name not in ("load", "store", "address")
)
_TWO = (opclass.FMAXIMUM, opclass.FMINMAX)
_BYTES = 16
"""Lanes of bytes that are multiplied in 4 instructions; more take 7."""


def vector_size(loop: Loop, cpu: Cpu, vf: int, interleave: int, moved: Iterable[tuple[Alike, int, bool]]) -> float:
    """Of one vector iteration; 0 where it has operations that are not counted here. moved : its accesses, how many
    there are of each kind, and whether they go lane by lane. A store to a computed address is two, but not those of
    interleaved copies, which are so far from the first."""
    counts = loop.counts
    half = loop.is_float and loop.bits == _HALF and not cpu.half
    if cpu.isa != "x86" or half or loop.divided or any(counts[index] for index in _OTHER):
        return 0.0
    size = 0.0
    for index in _PLAIN:
        for bits, _, _, share in shares(loop, index) if counts[index] else ():
            each = float(ceil(vf * bits / cpu.vector_bits)) * (1.0 + (index in _TWO))
            if index == opclass.IMUL and bits <= 8:
                each = 4.0 if vf <= _BYTES else 7.0
            size += counts[index] * share * each
    indices, picked, indexed = ceil(vf * _INDEX_BITS / cpu.vector_bits), 0, 0
    for (linear, stride, store, bits, lanes, members), count, alone in moved:
        if linear and abs(stride) <= max(lanes, 1):
            size += count * (1.0 + (stride < 0) * ceil(vf * bits / cpu.vector_bits)) if stride or store else 0.0
            indexed += count if stride and store else 0
        elif alone and bits < _GATHERED_BITS:
            return 0.0
        elif alone:
            picked += count
            size += count * indices
        elif store or not members:
            return 0.0
        else:  # one wide access, and a permutation for each member
            parts = ceil(abs(stride) * vf * bits / cpu.vector_bits)
            size += count / members + count * max(parts - 1, 1)
    size += max(indexed - near_stores(loop), 0) / interleave
    return size + indices * (1 + _indices(loop)) if picked else size


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
