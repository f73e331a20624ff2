"""Vector accesses whose lanes are not neighbours: what load and store units make of them, as llvm-mca-22 runs them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import ceil

import msgspec

from featurizers.mlir.costs import fixed
from featurizers.mlir.cpus import Cpu
from featurizers.mlir.loop import Loop
from featurizers.mlir.nest import Moving, jumps

Alike = tuple[bool, int, bool, int, int, int]
"""Whether it is linear, its stride, whether it stores, bits, lanes, members of its group of strided accesses."""
Kinds = list[tuple[Alike, int]]

_LANE_ALONE = {"x86": 1.25, "aarch64": 0.5, "riscv": 1.0, "amdgpu": 1.0}
"""Cycles of a lane that is loaded into a register or stored by itself (x86: 1 to 1.5, chosen by labels)."""
_GATHERED_BITS = 32
_SEGMENT = 12.0
"""Of a load or store of several vectors whose elements lie in turns on P670, beside one for each element."""
_REGISTER_BITS = 512
"""Groups are read to registers of 512 bits, also where shorter vectors are preferred."""
_IN_ORDER_GROUP = 2.0
"""Cycles of each register of such an access on Cortex-A55."""


class Scattered(msgspec.Struct, frozen=True):
    """Of a vector iteration. loads, stores : that are none to neighbours (less than none: a group reads elements that
    nobody asked for). read, written : cycles of load and store units beside the others'. permuted : of the unit of
    Skylake that takes groups of words and longer elements apart, and puts them together."""

    loads: float
    stores: float
    read: float
    written: float
    permuted: float = 0.0


TOGETHER = Scattered(0.0, 0.0, 0.0, 0.0)


def units_of(loop: Loop, cpu: Cpu, vf: int, kinds: Iterable[tuple[Alike, int, bool]]) -> Scattered:
    """kinds : those of the body, how many there are of each, and whether they go lane by lane."""
    counts, cycles, permuted = [0.0, 0.0], [0.0, 0.0], 0.0
    for (linear, stride, store, bits, lanes, members), count, alone in kinds:
        if linear and abs(stride) <= max(lanes, 1):
            continue
        if alone:
            lane = (cpu.scatter_lane if store else cpu.gather_lane) / 100
            least = 0.0 if _gathers(loop, cpu, vf, bits) else _LANE_ALONE[cpu.isa]
            counts[store] += count
            cycles[store] += count * max(lane, least) * vf
        elif cpu.isa == "x86":  # which reads neighbours, and permutes two registers of them at a time
            registers = ceil(abs(stride) * vf * bits / _REGISTER_BITS)
            permuted += count * max(registers - 1, 1) * (bits >= _GATHERED_BITS and not cpu.fp_split)
        else:
            plain, beside = _group(cpu, vf, bits, abs(stride), members)
            counts[store] += count * (1.0 - plain)
            cycles[store] += count * beside
    return Scattered(counts[False], counts[True], cycles[False], cycles[True], permuted)


def _group(cpu: Cpu, vf: int, bits: int, factor: int, members: int) -> tuple[float, float]:
    """One member's share of an access of all that lies between: accesses to neighbours, and cycles beside them."""
    if cpu.isa == "riscv":
        return 0.0, (_SEGMENT + factor * vf) / members
    if cpu.in_order:
        return 0.0, _IN_ORDER_GROUP * factor / members * max(ceil(vf * bits / cpu.vector_bits), 1)
    return factor / members, 0.0


def _gathers(loop: Loop, cpu: Cpu, vf: int, bits: int) -> bool:
    """Whether there is an instruction for it: x86 has none of elements of less than 32 bits, NEON none at all."""
    return bits >= _GATHERED_BITS if cpu.isa == "x86" else not fixed(loop, cpu, vf)


def alike(loop: Loop) -> Kinds:
    """The kinds of access of a body, with how many there are of each."""
    by_shape = loop.by_shape()
    groups: dict[tuple[int, Moving | None, int, bool, int, int, int], list[int]] = {}
    in_order, stored = _stay_in_order(loop, by_shape), 0
    for access in loop.accesses:
        stored += in_order and access.store
        own = (access.base, access.moving, by_shape[access.moving], access.store, access.bits, access.lanes, stored)
        groups.setdefault(own, []).append(access.constant)
    found: dict[Alike, int] = {}
    for (_, moving, stride, store, bits, lanes, _), constants in groups.items():
        linear = moving is not None and not jumps(stride)
        scattered = linear and abs(stride) > max(lanes, 1)
        for members in _clusters(constants, abs(stride)) if scattered else (len(constants),):
            key = linear, stride if linear else 0, store, bits, lanes, members if scattered else 0
            found[key] = found.get(key, 0) + members
    return list(found.items())


MOST_DEPENDENCES = 100
"""Of a loop, that LLVM looks at or keeps (`MaxDependences`)."""


def _stay_in_order(loop: Loop, by_shape: Mapping[Moving | None, int]) -> bool:
    """Whether no access of a group is moved over a store: LLVM keeps fewer dependences than so many
    (`MaxDependences`), and where there are more it knows none of them, and moves nothing
    (`InterleavedAccessInfo::canReorderMemAccessesForInterleavedGroups`)."""
    accesses = loop.accesses
    if len(accesses) * (len(accesses) - 1) < 2 * MOST_DEPENDENCES or not any(a.store for a in accesses):
        return False
    places: dict[tuple[int, Moving | None, int], dict[int, list[bool]]] = {}
    for access in accesses:
        step = abs(by_shape[access.moving])
        if step and not jumps(step):
            iteration, lane = divmod(access.constant, step)
            places.setdefault((access.base, access.moving, lane), {}).setdefault(iteration, []).append(access.store)
    return sum([_dependences(lane, loop.trip) for lane in places.values()]) >= MOST_DEPENDENCES


def _dependences(lane: Mapping[int, list[bool]], trip: float) -> int:
    """Pairs of accesses, one of which stores, that meet at one place, if not in the same iteration. lane : which of the
    accesses to a place store, by the iteration that is there first."""
    found = 0
    met: list[tuple[int, int, int]] = []
    for iteration, stores in sorted(lane.items()):
        written, every = sum(stores), len(stores)
        found += written * (written - 1) // 2 + written * (every - written)
        for before, other, of in met:
            if iteration - before < trip:
                found += written * of + other * (every - written)
        met.append((iteration, written, every))
    return found


def _clusters(constants: list[int], stride: int) -> list[int]:
    """How many of these places lie within one stride of the first of them, and so on."""
    found: list[int] = []
    start = None
    for place in sorted(constants):
        if start is None or place >= start + stride:
            start = place
            found.append(0)
        found[-1] += 1
    return found
