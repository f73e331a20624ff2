"""What LLVM's cost model says of operations: reciprocal throughputs, one for a plain instruction.

Source: ``opt-22 -passes='print<cost-model>' -cost-kind=throughput`` on scalars and on vectors of each width, per CPU;
`getAddressComputationCost`, `getMemInstScalarizationCost`. They decide what is vectorised; instructions and cycles are
those of `codegen`.
"""

from __future__ import annotations

from math import ceil

from featurizers.mlir import counting, divisions, minmax, opclass, widened
from featurizers.mlir.cpus import Cpu
from featurizers.mlir.loop import CARRIED, Loop, Share
from featurizers.mlir.opclass import CLASS
from featurizers.mlir.widths import cost as conversion
from featurizers.mlir.widths import floats_of_bytes, mix, scalar_cost

FIXED_BITS = 128
_FADD, _FMUL, _FDIV, _FSQRT, _IDIV = (CLASS[name] for name in ("fadd", "fmul", "fdiv", "fsqrt", "idiv"))
_COUNTED = tuple(
    index
    for name, index in CLASS.items()
    if name not in ("load", "store", "libm", "call", "branch", "address", "masked")
)
_EXTEND, _LOGIC, _FCONVERT = CLASS["extend"], CLASS["logic"], CLASS["fconvert"]
_BYTE = 8
_HALF = 16
_WORD = 32
_LONG = 64
CONTROL = 2.0
"""Of a loop's index and its comparison."""
ADDRESS = {"x86": 0.0, "aarch64": 1.0, "riscv": 0.0, "amdgpu": 0.0}
"""Of a scalar's address."""
_LANE = 2.0
"""Of taking a lane out of one of NEON's vectors, or of putting it in (`getVectorInsertExtractBaseCost`)."""
_NEAR_BYTES, _FAR_ADDRESS = 64, 10.0
"""Strides up to which AArch64 counts on an addressing mode, and an address beyond."""


def alone(loop: Loop, cpu: Cpu, call: float) -> float:
    """One scalar iteration. call : of the maths library."""
    counts = _counts(loop)
    moves = counts[opclass.LOAD] + counts[opclass.STORE]
    cost = CONTROL + moves * (1.0 + ADDRESS[cpu.isa]) + counts[opclass.LIBM] * call
    cost += loop.products + loop.doublings + loop.sums + loop.shifts + loop.shared
    cost += divisions.alone(loop, cpu) + counting.alone(loop, cpu)
    for index in _COUNTED:
        if counts[index]:
            for bits, source, loaded, share in shares(loop, index):
                if index == _EXTEND:
                    each = scalar_cost(cpu.isa, bits, source, loaded)
                else:
                    each = _scalar(_written(index, loaded), bits, loop, cpu)
                cost += counts[index] * share * each
    return cost


def _written(index: int, marked: bool) -> int:
    """The class of an operation as it stands in the code that the vectoriser sees."""
    return opclass.IMUL if marked and index == _LOGIC else index


def _counts(loop: Loop) -> list[float]:
    """Operations of each class, without those that divisions by constants become."""
    if not loop.divided:
        return loop.counts
    counts = loop.counts.copy()
    for index, times in divisions.instructions(loop).items():
        counts[index] = max(counts[index] - times, 0.0)
    return counts


def shares(loop: Loop, index: int) -> list[Share]:
    return mix(loop).get(index) or [(max(loop.bits, 8), 0, False, 1.0)]


def arithmetic(loop: Loop, cpu: Cpu, vf: int) -> float:
    """Of the operations of one vector iteration but accesses and calls."""
    counts, near, size = _counts(loop), fixed(loop, cpu, vf), width(loop, cpu, vf)
    total = divisions.together(loop, cpu, vf, size) + counting.together(loop, cpu, vf, near, size)
    varying = _varying(loop)
    for index in _COUNTED:
        for bits, source, loaded, share in shares(loop, index) if counts[index] else ():
            each = 0.0
            if index == _FCONVERT and min(bits, source) == _BYTE and cpu.isa == "aarch64":
                total += counts[index] * share * floats_of_bytes(vf, bits, source, near)
                continue
            if source and bits != source:
                of_load = loaded and index == _EXTEND
                each = conversion(cpu, vf, bits, source, of_load, near) * (varying if of_load else 1.0)
                each -= widened.last_steps(loop, cpu, vf, bits, source) if index == _EXTEND else 0.0
            if index != _EXTEND:
                each += _vector(_written(index, loaded), bits, loop, cpu, vf, max(vf * max(bits, source) / size, 1.0))
            total += counts[index] * share * (each if source or index != _EXTEND else max(vf * bits / size, 1.0))
    return total


def _varying(loop: Loop) -> float:
    """Share of the loads that differ between iterations: the others, and what extends them, are made before a vector
    loop (`VPlanTransforms::licm`)."""
    if not loop.invariant:
        return 1.0
    iv = loop.nest.iv
    loads = [access.moving is not None and access.stride(iv) == 0 for access in loop.accesses if not access.store]
    return 1.0 - sum(loads) / max(len(loads), 1)


def width(loop: Loop, cpu: Cpu, vf: int) -> int:
    """Bits of the registers that a vector of so many lanes is in; RISC-V: of one register of a group."""
    if cpu.isa == "riscv" or fixed(loop, cpu, vf):
        return FIXED_BITS
    return max(cpu.prefer_bits, cpu.vector_bits)


def fixed(loop: Loop, cpu: Cpu, vf: int) -> bool:
    """Whether a vector is one of AArch64's of fixed length. With SVE, one of unknown length that holds as many lanes
    costs as much and is preferred (`isMoreProfitable`), if it has four lanes or more (``vscale x 1`` has no valid cost)
    and none of them is moved or added alone."""
    if cpu.isa != "aarch64" or not cpu.scalable:
        return cpu.isa == "aarch64"
    alone = loop.strided or loop.gathered or loop.counts[opclass.LIBM] or loop.legality == CARRIED
    if loop.chains and widened.fits(loop, cpu, vf):
        return True
    near = bool(alone) or (bool(loop.chains) and reduced_in_fixed(loop))
    return vf < _LEAST_SCALABLE or (near and vf * loop.widest <= FIXED_BITS)


_ONLY_FIXED = frozenset((opclass.FMAXIMUM, opclass.IMUL, _FMUL))


def reduced_in_fixed(loop: Loop) -> bool:
    """Whether there is no reduction of vectors of unknown length for what a loop carries on: products, and maxima that
    propagate NaN (`isLegalToVectorizeReduction` of AArch64 and RISC-V)."""
    return any(chain.op_class in _ONLY_FIXED for chain in loop.chains)


_LEAST_SCALABLE = 4


def _scalar(index: int, bits: int, loop: Loop, cpu: Cpu) -> float:
    isa = cpu.isa
    if isa == "x86":
        if index in (_FDIV, _FSQRT):
            if index == _FSQRT and bits == _HALF:
                return 1.0
            return (3.0 if bits <= _WORD else 4.0) if index == _FDIV else (3.0 if bits <= _WORD else 6.0)
        if index == opclass.FMAXIMUM:
            return 1.0 if bits == _HALF else 2.0
        if index == opclass.FMINMAX:
            return minmax.mean(loop.extremes, minmax.OF_HALVES if bits == _HALF else minmax.COSTS, isa)
        if index == opclass.IMUL:
            return 3.0 if bits <= 8 else 2.0 if bits <= _HALF else 1.0
        return 2.0 if bits == _HALF and index in (_FADD, _FMUL) and loop.is_float else 1.0
    if isa == "aarch64":
        return 2.0 if index in (_FMUL, _FDIV, opclass.IMINMAX) else 1.0
    if isa == "riscv":
        if index == opclass.FMINMAX:
            return minmax.mean(loop.extremes, minmax.COSTS, isa)
        return 2.0 if index in (_FADD, _FMUL, _FDIV, opclass.FMAXIMUM) else 1.0
    return 1.0


_FEW_BYTES = 16
"""Bytes that fit into the narrowest vector of x86, whose products take one instruction more."""
_HALF_LANE, _HALF_LANE_OF_TWO = 2.875, 3.75
"""Per lane of a maximum or minimum of halves where there is no arithmetic of them, with a constant and of variables;
also of its size. Roots and calls are as the first."""


def call(loop: Loop, cpu: Cpu, lane: float) -> tuple[float, float]:
    """Of a call of the mathematical library alone, and for each lane of a vector, where to take it out and to put the
    result in costs `lane`. That of a half is of one that is promoted, to x86 without arithmetic of them."""
    if cpu.isa == "x86" and not cpu.half and loop.float_bits == _HALF:
        return 1.0, _HALF_LANE
    return _CALL, _CALL + lane


_CALL = 10.0


def half_lanes(loop: Loop, index: int, vf: int) -> float:
    """Of such a maximum, minimum, or rounding."""
    if index == opclass.FMAXIMUM:
        return _HALF_LANE_OF_TWO * vf
    signs = minmax.share(loop.extremes, minmax.SIGNS)
    return _HALF_LANE * vf * (1.0 - signs) + 2.0 * signs


_X86_DIVISION = {_FDIV: (0.625, 2.0), _FSQRT: (0.75, 3.0)}
"""Per lane, of single and of double precision."""


def _vector(index: int, bits: int, loop: Loop, cpu: Cpu, vf: int, registers: float) -> float:
    isa = cpu.isa
    if isa == "x86":
        if index == _FSQRT and bits == _HALF:
            return _HALF_LANE * vf
        if index in _X86_DIVISION:
            return max(_X86_DIVISION[index][bits > _WORD] * vf, _scalar(index, bits, loop, cpu))
        if index == _IDIV:
            return 20.0 * vf
        if index in (opclass.FMAXIMUM, opclass.FMINMAX) and bits == _HALF:
            return half_lanes(loop, index, vf)
        if index == opclass.IMUL:
            if bits > _WORD:
                return _PRODUCT_OF_LONG.get(vf, 3.0 * registers)
            return (4.0 if vf <= _FEW_BYTES else 3.0 * registers) if bits <= 8 else registers
        return _scalar(index, bits, loop, cpu) * registers
    if isa == "aarch64":
        near = fixed(loop, cpu, vf)
        if index == _IDIV:
            return 12.0 * vf if near and not cpu.scalable else vf if bits < _WORD else 2.0 * registers
        if index == opclass.IMUL and bits > _WORD and not cpu.scalable:
            share = widened.long_products(loop, True)
            return 7.0 * vf * (1.0 - share) + registers * share
        if index in (opclass.FMAXIMUM, opclass.FMINMAX):
            return registers if near else 2.0 * registers
        if index == opclass.IMINMAX:
            return registers * (2.0 if near and bits > _WORD else 1.0)
        return _scalar(index, bits, loop, cpu) * registers
    if isa == "riscv" and index in (opclass.FMAXIMUM, opclass.FMINMAX):
        return _scalar(index, bits, loop, cpu)
    return _scalar(index, bits, loop, cpu) * registers


def dearness(index: int, loop: Loop, cpu: Cpu, lanes: int) -> float:
    """Cost of an operation on a vector of a register over that of one scalar."""
    bits = max(loop.bits, 8)
    return _vector(index, bits, loop, cpu, lanes, 1.0) / _scalar(index, bits, loop, cpu)


def in_order(loop: Loop, cpu: Cpu, vf: int) -> float:
    """Of adding the lanes of a vector to a sum, one after the other."""
    if cpu.isa == "aarch64":
        return 4.0 * vf - 2.0 if fixed(loop, cpu, vf) else float(vf)
    return vf + 2.0


def control(cpu: Cpu, folded: bool) -> float:
    """Of the index of a vector loop: x86 makes a mask of it for the last iteration, RISC-V asks for the length."""
    return CONTROL + ({"riscv": 1.0, "x86": 2.0}.get(cpu.isa, 0.0) if folded else 0.0)


def lane_by_lane(loop: Loop, cpu: Cpu, vf: int, bits: int, stride: int | None, store: bool) -> float:
    """Of an access whose lanes are not neighbours. stride : elements from lane to lane, None where it is not linear."""
    if cpu.isa == "aarch64":
        if not fixed(loop, cpu, vf):
            return _FAR_ADDRESS * vf + 1.0
        near = stride is not None and abs(stride) * bits <= 8 * _NEAR_BYTES
        addresses = _LANE * vf if store or cpu.scalable else 0.0  # with SVE they are in vectors, those of stores always
        return vf * (2.0 if near else 1.0 + _FAR_ADDRESS) + _LANE * (vf - loop.is_float) + addresses
    if cpu.isa == "x86":
        scalars = 2.0 * vf + _parts(vf * bits, cpu)
        if loop.is_float and bits == _HALF:  # the first of a register of floats is there already
            scalars -= max(ceil(vf * bits / FIXED_BITS), 1)
        if cpu.gather:  # addresses are in vectors, and taken out of them
            scalars += vf + _parts(vf * _LONG, cpu)
        if cpu.gather and bits >= _WORD:
            return min(scalars, vf + 2.0 * max(ceil(vf * _LONG / cpu.vector_bits), 1))
        return scalars
    return vf + max(vf * _LONG / FIXED_BITS, 1.0) if cpu.isa == "riscv" else 3.0 * vf


def _parts(bits: int, cpu: Cpu) -> int:
    """Of taking registers of x86 apart into such of 128 bits, or of putting them together."""
    whole = max(cpu.vector_bits, FIXED_BITS)
    return ceil(bits / whole) * (whole // FIXED_BITS - 1) if bits > whole else max(ceil(bits / FIXED_BITS) - 1, 0)


def lanes_of_group(loop: Loop, vf: int, bits: int, factor: int, members: int) -> float:
    """One member's share of a group for which NEON has no instruction: every lane is taken out and put in
    (`BasicTTIImpl::getInterleavedMemoryOpCost`). The first of a register of floats is there already."""
    moves = 1 << (max(ceil(factor * vf * bits / FIXED_BITS), 1) - 1).bit_length()
    first = bits / FIXED_BITS if loop.is_float else 0.0
    return moves / members + _LANE * vf * (1.0 - first) + _LANE * (vf - loop.is_float)


_PRODUCT_OF_LONG = {2: 2.0, 4: 2.0, 8: 3.0}
"""Of 64 bits on AVX-512, by lanes; other operations on them are one for each register."""


def addresses(loop: Loop, cpu: Cpu, vf: int, apart: bool) -> float:
    """Of computing the addresses of a vector iteration. apart : of some access each lane has one of its own; else the
    first one is enough. Targets that gather have them in vectors."""
    products, plain = loop.products, loop.doublings + loop.sums
    if not apart:  # of a group, that of the first member
        return float(products + plain + loop.shared + (0 if loop.strided else loop.shifts))
    plain += loop.shifts
    if cpu.isa == "x86" and cpu.gather:
        registers = max(vf * _LONG / cpu.vector_bits, 1.0)
        return products * _PRODUCT_OF_LONG.get(vf, 3.0 * registers) + plain * registers + loop.shared
    if cpu.isa == "riscv" or cpu.scalable:
        each = max(vf * _LONG / (FIXED_BITS if fixed(loop, cpu, vf) else width(loop, cpu, vf)), 1.0)
        return (products + plain) * each + loop.shared
    return float((products + plain) * vf + loop.shared)


_FEW_LANES = 4.0
"""Of two bytes or shorts on AArch64; four bytes are half of that."""
_REVERSE = {"x86": 2.0, "aarch64": 2.0, "riscv": 6.0, "amdgpu": 1.0}


def under_mask(loop: Loop, vf: int) -> float:
    """What a mask of fixed length costs (``get.active.lane.mask``), and accesses to neighbours under it: every lane is
    taken out, tested and put in (`BasicTTIImpl::getCommonMaskedMemoryOpCost`), though the code has SVE's masks."""
    moves = max(loop.counts[opclass.LOAD] + loop.counts[opclass.STORE] - loop.invariant, 0.0)
    return 2.0 * vf + moves * (5.0 * vf - (2.0 if loop.is_float else 0.0) - 1.0)


def neighbours(loop: Loop, cpu: Cpu, vf: int, bits: int, backwards: bool) -> float:
    """Of an access to neighbouring elements."""
    registers = max(vf * bits / width(loop, cpu, vf), 1.0)
    if fixed(loop, cpu, vf) and vf * bits <= _WORD and bits < _WORD:
        registers = _FEW_LANES if vf == 2 else _FEW_LANES / 2  # lane by lane
    if not backwards:
        return registers
    if cpu.isa == "aarch64" and not fixed(loop, cpu, vf):
        return 2.0 * registers
    return registers + (_REVERSE[cpu.isa] + registers - 1 if cpu.isa == "riscv" else _REVERSE[cpu.isa] * registers)
