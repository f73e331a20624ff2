"""Vectors that are written in the source, as the machine's own: how many registers each operation takes on a CPU.

Sources (LLVM 22): type legalisation (`TargetLoweringBase::getVectorTypeBreakdown`: split to the widest register,
widened to the next power of two); MLIR's lowering of sums (`vector.reduction` in order), of products of matrices by
scalar products (`VectorContractLowering::Dot`) and of transposes element by element.
"""

from __future__ import annotations

from math import ceil, log2

import msgspec

from featurizers.mlir import minmax, opclass
from featurizers.mlir.cpus import Cpu
from featurizers.mlir.loop import Loop
from featurizers.mlir.nest import Access, Moving, Wide
from featurizers.mlir.opclass import CLASS

REGISTER_BITS = {"x86": 512, "aarch64": 128, "riscv": 1024, "amdgpu": 32}
"""Of the widest operation: NEON's also where loops use scalable vectors, groups of eight registers on RISC-V."""
GROUPED_BITS = 128
"""Of one register of a group of RISC-V's."""
ORDERED, HALVES = -1, -2
"""Reductions: one lane after the other; by halves."""
SHARED = -3
"""One scalar in all lanes."""
OF_ANOTHER_LENGTH = 0
"""A lane that is shared of a vector of another length."""
BY_NUMBER = 1
"""A division by a constant, which is none in the code."""

_FLOATS = frozenset(opclass.FLOAT_CLASSES)
_FMA = CLASS["fma"]
_IDIV, _IMUL = CLASS["idiv"], CLASS["imul"]
_PER_LANE_DIVISION = 4.0
_PER_LANE_PRODUCT = 3.0
_HALF_EACH, _HALF_LANE, _HALF_LANE_UNITS = 4.0, 3.0, 2.75
"""Half precision without instructions for it: of a register of singles; of a lane, and by units of floats."""
_MAXIMUM = {"x86": 6.0, "aarch64": 1.0, "riscv": 5.0, "amdgpu": 1.0}
_TAKE_OUT = {"x86": 1.0, "aarch64": 1.0, "riscv": 2.0, "amdgpu": 0.0}
"""Instructions that bring a lane to where a scalar instruction finds it, or back."""
_NEW_TYPE = 0.5
"""RISC-V: instructions that set element width and length, per vector instruction."""


class Work(msgspec.Struct, frozen=True):
    """Of one iteration. instructions, uops : all. passes : cycles of vector units. loads, stores : of load and store
    units."""

    instructions: float
    uops: float
    passes: float
    loads: float
    stores: float
    permuted: float


NONE = Work(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def registers(isa: str, lanes: int, bits: int) -> int:
    """Registers (RISC-V: groups of up to eight) of a vector."""
    return max(ceil(lanes * max(bits, 8) / REGISTER_BITS[isa]), 1)


def narrow(loop: Loop) -> list[float]:
    """Counts of a body without what `work` accounts for."""
    if _plain(loop):
        return loop.counts
    counts = loop.counts.copy()
    for key, count in loop.wide.items():
        for index in classes(key):
            counts[index] = max(counts[index] - units(key) * count, 0.0)
    for access in loop.accesses:
        if access.lanes > 1 and not access.called:
            index = opclass.STORE if access.store else opclass.LOAD
            counts[index] = max(counts[index] - max(access.lanes * access.bits / 512, 1.0), 0.0)
    return counts


def _plain(loop: Loop) -> bool:
    """Whether a body has no vectors of its own."""
    if loop.plain is None:
        loop.plain = not loop.wide and not any(a.lanes > 1 and not a.called for a in loop.accesses)
    return loop.plain


def classes(key: Wide) -> tuple[int, ...]:
    """Those that an operation is counted in."""
    kind, of, *_ = key
    return (of, opclass.SHUFFLE) if kind in (ORDERED, HALVES) else (opclass.SHUFFLE,) if kind == SHARED else (kind,)


def units(key: Wide) -> float:
    """An operation's count in each of its classes: one for 512 bits."""
    _, _, rows, lanes, bits, _ = key
    return rows * max(lanes * bits / 512, 1.0)


def work(loop: Loop, cpu: Cpu) -> Work:
    """All vector operations and accesses of a body."""
    if _plain(loop):
        return NONE
    instructions = passes = permuted = loads = stores = load_uops = store_uops = 0.0
    split = _Split()
    for key, count in loop.wide.items():
        own, busy = _operation(key, cpu)
        instructions += own * count
        passes += busy * count
        if cpu.fp_split:
            split.add(key, busy * count)
        permuted += _permuted(key, cpu) * count
    for access in loop.accesses:
        if access.lanes > 1 and not access.called:
            moves, each = (1.0, 1.0) if access.spread and cpu.isa != "riscv" else _move(access, cpu)
            if access.store:
                store_uops += each
                stores += moves
            else:
                load_uops += each
                loads += moves
    if cpu.isa == "aarch64":
        pairs = _pairs(loop.accesses, False)
        loads -= pairs
        load_uops += pairs * _more_of_pair(cpu)
        stores -= _pairs(loop.accesses, True)
    if cpu.fp_split:
        passes = split.passes
    total = instructions + loads + stores
    if cpu.isa == "riscv":
        total *= 1.0 + _NEW_TYPE
    folded = min(loads, instructions / 2) if cpu.load_folding else 0.0
    return Work(total - folded, instructions + load_uops + store_uops, passes, load_uops, store_uops, permuted)


_OF_A_UNIT, _SINGLE = 256, 32
_IN_STEPS = (ORDERED, HALVES, CLASS["fdiv"], CLASS["fsqrt"])
_BY_SUMS = tuple(CLASS[name] for name in ("fadd", "fconvert"))


class _Split:
    """Passes of Zen 4's four units, which are of 256 bits (`X86ScheduleZnver4.td`). products : of the two that multiply
    and compare, sums : of floats, by the two others, whole : by any of them, steps : that wait for each other. Halves
    are computed as singles."""

    def __init__(self) -> None:
        self.products = self.sums = self.whole = self.steps = 0.0

    def add(self, key: Wide, busy: float) -> None:
        """Of one kind of operation, which would take so many passes of 512 bits."""
        kind, _, _, lanes, bits, is_float = key
        wide = 2.0 if lanes * (max(bits, _SINGLE) if is_float else bits) > _OF_A_UNIT else 1.0
        if is_float and kind in _IN_STEPS:
            self.steps += busy
        elif is_float and kind in _BY_SUMS:
            self.sums += busy * wide
        elif kind == _IMUL or kind in _FLOATS:
            self.products += busy * wide
        else:
            self.whole += busy * wide

    @property
    def passes(self) -> float:
        """As of two units that do all."""
        return max(self.products, self.sums, (self.products + self.sums + self.whole) / 2) + self.steps


_ORDERED_SIZE = {"x86": 2.0, "aarch64": 2.75, "riscv": 0.2, "amdgpu": 2.0}
"""Per lane of a sum in order, to code size."""


COPY_SIZE = 4.0
"""Of a copy by memcpy or memset (`getMemcpyCost`)."""


_INTRINSICS = (CLASS["fsqrt"], opclass.FMINMAX, opclass.FMAXIMUM)
_CHOSEN = (opclass.COMPARE, opclass.SELECT, opclass.IMINMAX)


def _split(kind: int, each: int, isa: str) -> float:
    """Size of an operation on a row of so many registers. x86 counts each of them, but for sums of whole numbers;
    others only those of choices, and two for each of an intrinsic that is split (`getTypeBasedIntrinsicInstrCost`)."""
    if each == 1 or isa not in ("x86", "aarch64"):
        return 1.0
    if kind in _INTRINSICS or (kind == _FMA and isa == "x86"):
        return 2.0 * each
    counted = kind != opclass.IADD if isa == "x86" else kind in _CHOSEN
    return float(each) if counted else 1.0


def _shared_size(of: int, each: int, isa: str) -> float:
    """Size of a lane in all lanes: AArch64 has none for what changes the length, x86 one in all."""
    if isa == "aarch64" and of == OF_ANOTHER_LENGTH:
        return 0.0
    return 1.0 if isa == "x86" else float(each)


def _spread_size(access: Access, isa: str) -> float:
    """Of one element in all lanes, which LLVM puts in one by one: it is read as a vector of one."""
    lanes, parts = access.lanes, registers("aarch64", access.lanes, access.bits)
    if isa == "x86":  # quarters of a register are put together
        return float(lanes + parts - registers(isa, lanes, access.bits))
    if isa == "riscv":
        return 0.0 if access.bits == 16 and not access.whole else float(lanes + 1 if parts == 1 else 2 * lanes)
    return float(lanes + 1 if access.whole else lanes - parts)


def _addressed(loop: Loop) -> int:
    """Vector accesses at an element of their own, whose address AArch64 has to compute: it scales an index by the size
    of the whole vector alone (`getGEPCost`). Of an address that several use, it is not known what it is for."""
    iv, step = loop.nest.iv, loop.nest.step
    users: dict[tuple[int, Moving], int] = {}
    for access in loop.accesses:
        if access.lanes > 1 and access.moving and not access.called and access.stride(iv) == step:
            key = access.base, access.moving
            users[key] = users.get(key, 0) + 1
    return list(users.values()).count(1)


def beyond_units(loop: Loop) -> float:
    """What LLVM's code sizes have of a body's vectors beyond what `counts` have: an operation on a row is one, whatever
    its length on most targets, but accesses and shuffles of AArch64 are one and two for each register, and sums in
    order one for each step."""
    copied = [COPY_SIZE / (1 if a.fill else 2) - max(a.lanes * a.bits / 512, 1.0) for a in loop.accesses if a.copied]
    extra = sum(copied)
    if not loop.wide and not loop.widths:
        return extra
    isa = loop.isa
    if isa == "aarch64":
        extra += _addressed(loop)
    for key, count in loop.wide.items():
        kind, of, rows, lanes, bits, _ = key
        each = registers(isa, lanes, bits)
        if kind == ORDERED:
            own = max(_ORDERED_SIZE[isa] * lanes, 1.0)
        elif kind == HALVES:
            own = each + 1.0 if isa == "aarch64" else 2.0 if isa == "riscv" else 2.0 * log2(max(lanes, 2)) + 1.0
        elif kind == opclass.SHUFFLE:
            own = {"aarch64": 2.0 * each, "riscv": 4.0}.get(isa, float(each))
        elif kind == _FMA and bits == 16 and isa == "riscv":
            own = 2.0 * lanes  # taken apart
        elif kind == _FMA and bits == 16 and isa == "x86":
            own = 2.0 * registers(isa, lanes, bits)  # `llvm.fmuladd`: a product and a sum
        else:
            own = _shared_size(of, each, isa) if kind == SHARED else _split(kind, each, isa)
        extra += (rows * own - units(key) * len(classes(key))) * count
    for access in loop.accesses:
        if access.spread:
            extra += _spread_size(access, isa) + 1.0 - max(access.lanes * access.bits / 512, 1.0)
        elif access.lanes > 1 and not access.called and not access.copied:
            size = access.lanes * access.bits
            parts = ceil(size / REGISTER_BITS[isa]) if isa == "aarch64" else 1.0
            if isa == "riscv" and access.bits == 16 and not access.whole:
                parts = float(access.lanes)
            extra += parts - max(size / 512, 1.0)
    return extra


def _pairs(accesses: list[Access], store: bool) -> int:
    """Accesses of one register next to each other, which AArch64 makes two at a time."""
    places: dict[tuple[int, Moving | None], list[int]] = {}
    for access in accesses:
        size = access.lanes * access.bits
        if (
            access.store == store
            and access.moving is not None
            and not access.spread
            and size == REGISTER_BITS["aarch64"]
        ):
            places.setdefault((access.base, access.moving), []).append(access.constant * access.bits // size)
    found = 0
    for starts in places.values():
        before = None
        for start in sorted(set(starts)):
            if before is not None and start == before + 1:
                found, before = found + 1, None
            else:
                before = start
    return found


_BOTH_UNITS, _HALF_REGISTER = 2.0, 64
"""In order, a whole register takes both units of Cortex-A55, which are of 64 bits; only products that are added do
not (`CortexA55WriteFPMAC` of LLVM's model)."""


def _grouped(cpu: Cpu, lanes: int, bits: int) -> float:
    """Cycles of a vector unit for one operation, in its registers."""
    if cpu.isa != "riscv":
        return float(registers(cpu.isa, lanes, bits)) * (
            _BOTH_UNITS if cpu.in_order and lanes * bits > _HALF_REGISTER else 1
        )
    return float(max(ceil(lanes * bits / GROUPED_BITS), 1))


def _move(access: Access, cpu: Cpu) -> tuple[float, float]:
    """Instructions and micro-operations of one access: parts of powers of two, pairs on AArch64."""
    size = access.lanes * access.bits
    if cpu.isa == "riscv":  # one port for all registers of a group
        ports = cpu.store_ports if access.store else cpu.load_ports
        return float(ceil(size / 1024)), float(max(ceil(size / GROUPED_BITS), 1)) * ports
    if access.copied:
        widest = cpu.prefer_bits if cpu.isa == "x86" else REGISTER_BITS[cpu.isa]
        uops = _copied(size, widest)
        return uops - (size // widest // 2 if cpu.isa == "aarch64" else 0), uops
    whole, rest = divmod(size, REGISTER_BITS[cpu.isa])
    parts = bin(rest // 8).count("1")
    uops = float(whole + parts)
    if cpu.isa == "aarch64":
        pairs = 0 if access.store else whole // 2
        return ceil(whole / 2) + float(parts), uops + pairs * _more_of_pair(cpu)
    return uops + max(parts - 1, 0), uops


def _more_of_pair(cpu: Cpu) -> float:
    """Cycles of a load of two whole vectors beyond those of two loads: Cortex-A55 takes six (`LDPQi`)."""
    return max(cpu.pair_cycles - 2.0, 0.0)


def _copied(size: int, widest: int) -> float:
    """Moves that copy so many bits, the last of which may overlap with the one before
    (`findOptimalMemOpLowering`)."""
    if size >= widest:
        return float(ceil(size / widest))
    return 1.0 + (size & (size - 1) > 0)


_WHOLE_DIVIDED = {8: 51.0, 16: 45.0, 32: 42.0, 64: 72.0}
"""Cycles of RISC-V's vector divider for a register of whole numbers (`SchedSiFiveP600.td`)."""


def whole_divided(cpu: Cpu, lanes: float, bits: int) -> float:
    """Cycles of a division of so many lanes of whole numbers, 0 where there is no instruction for it."""
    if cpu.isa != "riscv":
        return 0.0
    return _WHOLE_DIVIDED.get(bits, _WHOLE_DIVIDED[32]) * max(lanes * bits / GROUPED_BITS, 1.0)


def _operation(key: Wide, cpu: Cpu) -> tuple[float, float]:
    """Instructions of one operation, and cycles of vector units that it takes."""
    kind, of, rows, lanes, bits, is_float = key
    isa = cpu.isa
    each = float(registers(isa, lanes, bits))
    busy = _grouped(cpu, lanes, bits)
    if kind == SHARED:
        return (1.0, 1.0) if isa == "x86" else (0.0, 0.0) if isa == "riscv" and is_float else (0.5, 0.5)
    if kind in (ORDERED, HALVES):
        own, passes = _reduction(kind, of, lanes, bits, bool(is_float), cpu)
        return rows * own, rows * passes
    if kind == opclass.SHUFFLE:
        alone = cpu.fp_ports if isa == "riscv" else 1  # one unit permutes
        return (rows * each * 1.5, 0.0) if isa == "x86" else (rows * each, rows * busy * alone)
    if is_float and bits == 16 and not cpu.half and kind in _FLOATS:
        if isa == "riscv":
            twice = 1.0 + (kind == _FMA)  # a product that is rounded, then a sum
            return rows * lanes * (_HALF_LANE + twice - 1.0), rows * lanes * _HALF_LANE_UNITS * twice
        each = float(registers(isa, lanes, 32))
        return rows * each * _HALF_EACH, rows * each * _HALF_EACH
    factor = 1.0
    if kind == _FMA and cpu.in_order:
        return rows * each, rows * each
    if kind == opclass.FMAXIMUM:
        factor = _MAXIMUM[isa]
    elif kind == opclass.FMINMAX:
        factor = minmax.IN_VECTORS[isa][of] if of >= 0 else 1.0
    elif kind == _IDIV and isa != "riscv":
        return rows * lanes * _PER_LANE_DIVISION, rows * lanes * cpu.idiv_cycles
    elif kind == _IDIV and of != BY_NUMBER:
        return rows * each, rows * whole_divided(cpu, lanes, bits) * cpu.fp_ports  # by one of them
    elif kind == _IMUL and isa == "aarch64" and bits == 64:
        return rows * lanes * _PER_LANE_PRODUCT, rows * lanes * 2.0
    elif kind == _IMUL and isa == "x86" and bits == 8:
        factor = 4.0
    elif kind in (CLASS["fdiv"], CLASS["fsqrt"]):
        at_once = max(cpu.prefer_bits, bits)  # a GPU has no vectors
        divided = (cpu.vdiv64_cycles if bits > 32 else cpu.vdiv32_cycles) * lanes * bits / at_once
        return rows * each, rows * max(divided, 1.0)
    return rows * each * factor, rows * busy * factor


_TWO_SOURCES = 2.0


def _permuted(key: Wide, cpu: Cpu) -> float:
    """Cycles of units that permute, in one operation: on x86 those of all rearrangements (Skylake permutes 16 bits
    twice, Zen 4 two registers by both of its units); lanes that a sum takes out one by one."""
    kind, _, rows, lanes, bits, _ = key
    if kind == opclass.SHUFFLE and cpu.isa == "x86":
        crossing = lanes * bits > GROUPED_BITS  # what lies in 128 bits takes one unit
        twice = crossing and (cpu.shuffle_ports > 1 or bits < 32)
        return rows * registers(cpu.isa, lanes, bits) * (_TWO_SOURCES if twice else 1.0)
    if kind == ORDERED and (cpu.isa == "x86" or (cpu.isa == "aarch64" and not cpu.scalable)):
        return rows * (lanes - 1.0)
    return rows * log2(max(lanes, 1)) if kind == HALVES and cpu.isa == "x86" else 0.0


_IN_ORDER_LANE = 2.5
_FADDA_LANE, _FADDA = 2.0, 3.0
"""Cycles of one unit for each lane of a sum in order: `vfredosum`, and `fadda` with what each takes at least."""


def _reduction(kind: int, of: int, lanes: int, bits: int, is_float: bool, cpu: Cpu) -> tuple[float, float]:
    isa = cpu.isa
    each = registers(isa, lanes, bits)
    if kind == ORDERED:
        if isa == "riscv" and (bits > 16 or cpu.half):
            return 2.0 * each, lanes * _IN_ORDER_LANE * cpu.fp_ports
        if cpu.scalable and isa == "aarch64":
            return 1.0 + each, (lanes * _FADDA_LANE + each * _FADDA) * cpu.fp_ports
        half = 2.0 if bits == 16 and not cpu.half else 0.0
        return lanes * (1.0 + half) + (lanes - 1) * _TAKE_OUT[isa], float(lanes)
    if isa == "riscv":
        return 3.0 * each, (3.0 + ceil(lanes * bits / GROUPED_BITS)) * cpu.fp_ports
    if isa == "aarch64" and (is_float or bits < 64 or of == opclass.IADD):
        return float(each), float(each)
    steps = log2(max(min(lanes, REGISTER_BITS[isa] // max(bits, 8)), 1))
    factor = _MAXIMUM[isa] if is_float else 1.0
    return (each - 1) * factor + steps * (1.0 + factor) + 1.0, (each - 1) * factor + steps * (1.0 + factor)
