"""Operations on elements of several widths in one body: the registers of each, and conversions between them.

Sources (LLVM 22): ``opt-22 -passes='print<cost-model>'`` on conversions of scalars and of vectors of each width, per
CPU (`getCastInstrCost` of each target); `getSmallestAndWidestTypes`, `collectElementTypesForWidening`.
"""

from __future__ import annotations

from math import ceil, log2

from featurizers.mlir.cpus import Cpu
from featurizers.mlir.fused import OF_NUMBERS
from featurizers.mlir.loop import Loop, Share
from featurizers.mlir.opclass import CLASS
from featurizers.mlir.widened import last_steps

_EXTEND, _LOAD = CLASS["extend"], CLASS["load"]
_GROUP = {"x86": 512, "aarch64": 128, "riscv": 1024, "amdgpu": 32}
"""Bits that one instruction works on: groups of eight registers on RISC-V."""
_SVE_BITS = 256
_LONG, _HALF = 64, 16
_STEPS_OF_GROUPS = 1.5
"""Instructions for one of RISC-V's with another element width: every second one sets it."""


def mix(loop: Loop) -> dict[int, list[Share]]:
    """Of each class of operations: widths of its elements, widths that it converts from (0: none), whether what was
    just loaded, and their shares of the class."""
    if loop.mix is None:
        totals: dict[int, float] = {}
        for (op_class, _, _, _), count in loop.typed.items():
            if count > 0:  # bodies of no iterations were merged as well
                totals[op_class] = totals.get(op_class, 0.0) + count
        loop.mix = {op_class: [] for op_class in totals}
        most = _demanded(loop)
        for (op_class, bits, source, loaded), count in loop.typed.items():
            if count > 0:
                own = min(max(bits, 8), most), min(source, most), loaded, count / totals[op_class]
                loop.mix[op_class].append(own)
    return loop.mix


_ALL_BITS = 128
_OF_ALL_BITS = tuple(CLASS[name] for name in ("iminmax", "compare", "select", "idiv", "fconvert", "libm", "call"))


def _demanded(loop: Loop) -> int:
    """Bits of whole numbers that vectors compute on: as many as what is stored has, and twice as many where they are
    shifted, unless something looks at all of them (`computeMinimumValueSizes`)."""
    if loop.is_float or loop.chains or not loop.counts[_EXTEND] or any(loop.counts[index] for index in _OF_ALL_BITS):
        return _ALL_BITS
    stored = max([access.bits for access in loop.accesses if access.store], default=_ALL_BITS)
    moved = max([access.bits for access in loop.accesses], default=_ALL_BITS)
    return max(moved, 2 * stored if loop.counts[CLASS["logic"]] else stored)


def free(loop: Loop, isa: str, sizes: bool = False) -> float:
    """Conversions of scalars that are no instruction: to fewer bits, and of what a load extends. sizes : to LLVM's code
    sizes, AArch64 extends operands for nothing."""
    count = loop.counts[_EXTEND]
    if not count:
        return 0.0
    every = sizes and isa == "aarch64"
    shares = [share for bits, source, loaded, share in mix(loop).get(_EXTEND, ()) if loaded or bits < source or every]
    return count * sum(shares)


def widths_moved(loop: Loop) -> tuple[int, int]:
    """The narrowest and the widest element that a loop loads, stores or sums up: what the vectoriser goes by."""
    moved = [access.bits for access in loop.accesses] + [chain.bits for chain in loop.chains if chain.bits]
    if not moved:
        return max(loop.bits, 8), max(loop.bits, 8)
    return max(min(moved), 8), max(max(moved), 8)


def group_bits(cpu: Cpu, fixed: bool) -> int:
    """Bits that one vector instruction works on, of vectors of fixed length or not."""
    return _SVE_BITS if cpu.isa == "aarch64" and not fixed else _GROUP[cpu.isa]


def parts(loop: Loop, cpu: Cpu, vf: int, fixed: bool) -> float:
    """Registers that an operation of a vector iteration takes, on average over the body."""
    size = group_bits(cpu, fixed)
    alone = max(vf * max(loop.bits, 8) / size, 1.0)
    total = taken = 0.0
    for op_class, shares in mix(loop).items():
        count = loop.counts[op_class]
        if count and op_class != _EXTEND:
            total += count
            taken += count * sum([share * max(vf * max(bits, source) / size, 1.0) for bits, source, _, share in shares])
    return taken / total if total else alone


def mean_bits(loop: Loop) -> float:
    """Of the elements that a body computes on."""
    total = bits_of_all = 0.0
    for op_class, shares in mix(loop).items():
        count = loop.counts[op_class]
        total += count
        bits_of_all += count * sum([share * max(bits, source) for bits, source, _, share in shares])
    return bits_of_all / total if total else float(max(loop.bits, 8))


def conversions(loop: Loop, cpu: Cpu, vf: int, fixed: bool) -> float:
    """Instructions of all conversions of a vector iteration."""
    found = 0.0
    for op_class in (_EXTEND, CLASS["fconvert"]):
        count = loop.counts[op_class]
        for bits, source, loaded, share in mix(loop).get(op_class, ()) if count else ():
            if source and bits != source:
                each = _instructions(cpu, vf, bits, source, loaded and op_class == _EXTEND, fixed)
                found += count * share * (each - last_steps(loop, cpu, vf, bits, source))
    return found


def _instructions(cpu: Cpu, vf: int, bits: int, source: int, loaded: bool, fixed: bool) -> float:
    if cpu.isa == "riscv":
        return _STEPS_OF_GROUPS * (1.0 if bits > source else _doublings(source, bits))
    if cpu.isa == "x86":
        registers = max(ceil(vf * max(bits, source) / _GROUP["x86"]), 1)
        return registers - 1.0 if loaded else 2.0 * registers - 1.0
    if loaded and not fixed:
        return max(vf * bits / _SVE_BITS, 1.0) - 1.0
    return _stepwise(vf, bits, source, group_bits(cpu, fixed))


def _doublings(wide: int, narrow: int) -> float:
    return float(max((wide // max(narrow, 8)).bit_length() - 1, 1))


def cost(cpu: Cpu, vf: int, bits: int, source: int, loaded: bool, fixed: bool) -> float:
    """Of one conversion of a vector to elements of `bits`, to the vectoriser."""
    if bits == source:
        return 0.0
    if cpu.isa == "x86":
        return _cost_x86(vf, bits, source)
    if cpu.isa == "riscv":
        if bits > source:
            return max(vf * bits / 128, 1.0)
        found, wide = 0.0, source
        while wide > max(bits, 8):
            wide //= 2
            found += max(vf * wide / 128, 1.0)
        return max(found, 1.0)
    if loaded and not fixed and vf * bits <= 2 * _SVE_BITS and bits >= 4 * source:
        return max(vf * bits / _SVE_BITS, 1.0) - 1.0  # a load extends to half of the width
    if loaded and not fixed and vf * bits <= _SVE_BITS:
        return 0.0
    return _stepwise(vf, bits, source, group_bits(cpu, fixed))


_OF_BYTES, _OF_BYTES_NEAR = (2.0, 7.0, 20.0, 43.0), (3.0, 4.0, 9.5, 20.0, 40.0)
"""Of making floats of bytes, by doublings of the registers that they fill: SVE's from one, NEON's from half a one."""


def floats_of_bytes(vf: int, bits: int, source: int, fixed: bool) -> float:
    """Of making floats of so many bytes, or bytes of floats, to AArch64's vectoriser: vectors are split until one step
    is legal, and put together again."""
    registers = vf * max(bits, source) / (_GROUP["aarch64"] if fixed else _SVE_BITS)
    if bits < source:
        return max((3.0 if fixed else 2.0) * registers - 1.0, 1.0)
    if max(bits, source) == _HALF and fixed:
        return max(2.0 * registers, 1.0)
    by = _OF_BYTES_NEAR if fixed else _OF_BYTES
    step = round(log2(max(registers, 0.5))) + 1 if fixed else round(log2(max(registers, 1.0)))
    return by[min(step, len(by) - 1)]


def _cost_x86(vf: int, bits: int, source: int) -> float:
    registers = max(ceil(vf * max(bits, source) / _GROUP["x86"]), 1)
    if bits > source:
        return 2.0 * registers - 1.0
    if source == _LONG and bits == _LONG // 2:
        return 1.0 if registers == 1 else 1.5 * registers
    return 2.0 * registers


def _stepwise(vf: int, bits: int, source: int, size: int) -> float:
    """AArch64 doubles or halves elements one step after the other: an instruction for each register of the wider ones,
    or for two of them."""
    found, step, last = 0.0, max(min(bits, source), 8), max(bits, source)
    while step < last:
        step *= 2
        whole = vf * step >= size
        if bits > source:
            found += max(vf * step / size, 1.0) if whole else 0.0
        else:
            found += max(vf * step / (2 * size), 1.0) if whole else 0.0
    return max(found, 1.0) if bits > source else found


def scalar_cost(isa: str, bits: int, source: int, loaded: bool) -> float:
    """Of one conversion of a scalar, to the vectoriser."""
    return 0.0 if loaded or bits < source or isa == "aarch64" else 1.0


def operands(loop: Loop, vf: int, cpu: Cpu) -> float:
    """Loads of neighbours that are operands of x86's vector operations on whole numbers, in all their registers: those
    that one operation uses, whatever their width, but that are not extended on the way."""
    used = loop.of_loaded - sum([n for (kind, _, _, loaded), n in loop.typed.items() if kind == _EXTEND and loaded])
    used -= loop.fused.get(OF_NUMBERS, 0.0)
    taken = min(used, float(loop.unit), loop.counts[_LOAD])
    return max(taken, 0.0) * max(vf * max(loop.bits, 8) / cpu.prefer_bits, 1.0)
