"""Cycles that an iteration waits: for chains of dependent operations, for stores before it, for registers."""

from __future__ import annotations

from featurizers.mlir import minmax, opclass
from featurizers.mlir.body import emulates_half
from featurizers.mlir.cpus import Cpu
from featurizers.mlir.fused import COPIED
from featurizers.mlir.latency import cycles as cycles_of
from featurizers.mlir.latency import latencies, steps
from featurizers.mlir.loop import Loop
from featurizers.mlir.nest import Chain, Moving
from featurizers.mlir.opclass import CLASS, FLOAT_CLASSES

_IMUL, _EXTEND = CLASS["imul"], CLASS["extend"]
_WORD = 32
_HALF = 16
_INSERTED = 2.0
"""Cycles until what is loaded is in a register's lowest lane."""

MAXIMUM_LATENCY = 4.5
_WINDOW = 110.0
_WINDOWS = {"neoverse-v1": 200.0, "skylake-avx512": 160.0}
"""Micro-operations among which a core that looks past an instruction that waits finds work (llvm-mca's hold 140 to 256,
less what waits in the queue of a unit, which Neoverse V1's model does not limit; chosen by labels)."""
_WAITING = {"skylake-avx512": 60.0}
"""Operations that wait for their operands at most (`SKXPortAny`): loads and stores of a body seldom do."""
_MULTIPLIER = {"apple-m1": 32.0}
"""Products of whole numbers that wait at most (`CyUnitIM`)."""


def in_parts(loop: Loop, cpu: Cpu) -> bool:
    """Whether branches cut a body into blocks, which llvm-mca runs one by one: none waits for the one before."""
    if cpu.in_order:
        return False
    if loop.counts[opclass.BRANCH]:
        return True
    if not loop.chains:
        return False
    kinds = {op_class for chain in loop.chains for op_class, _ in chain.kinds}
    if cpu.isa == "riscv":  # without a conditional move
        return loop.by_masks > 0 or opclass.SELECT in kinds or opclass.FMAXIMUM in kinds
    branches = cpu.isa == "x86" or cpu.scalable > 0  # a choice by what is loaded: `PredictableSelectIsExpensive`
    return branches and opclass.SELECT in kinds and opclass.LOAD in kinds


_COLD, _FEW_RUNS, _FILL = 50, 4.0, 3.0
"""A block is simulated 4 times if it holds less than a fiftieth of what is executed, and cycles pass until its first
instruction is done."""


def by_blocks(loop: Loop, cpu: Cpu) -> float:
    """Least cycles of a body that branches cut into blocks, each of which llvm-mca runs by itself."""
    if not loop.ways or loop.widths:
        return 0.0
    branches, path = loop.counts[opclass.BRANCH], own_path(loop, cpu)
    run = branches + (loop.ways - branches) / 2
    if cpu.in_order:
        return branches * path
    return run * max((path + _FILL) / _FEW_RUNS, 1.0) if branches + loop.ways > _COLD else run + 1.0


_CHOICE = 1.5
"""Cycles of the blocks that a choice of RISC-V ends and begins, beyond those of one (by labels of `train` and
`validation`)."""


_RARE_CHOICE = 1.75
"""Cycles of both blocks where each holds less than a fiftieth of what is executed, so that llvm-mca runs it 4 times:
half of those of the move (4 in 4 runs), and those of the branch behind it (5)."""


def choices(loop: Loop, cpu: Cpu, copies: int) -> float:
    """Cycles of scalar code without conditional moves: a choice is a branch around a move, which is a block, and so is
    what follows. Of a loop that is unrolled by force, each copy has blocks of its own, all of them rare."""
    if cpu.isa != "riscv" or loop.widths:
        return 0.0
    if copies > 1 and loop.nest.uncounted:
        return _RARE_CHOICE * max(loop.counts[opclass.SELECT] - loop.by_masks, 0.0)
    return _CHOICE * max(loop.counts[opclass.SELECT] - loop.by_masks - 1.0, 0.0)


def chain_length(loop: Loop) -> float:
    """Iterations of unrolled inner loops that one iteration's chain runs through."""
    return max(loop.copies / len(loop.chains), 1.0) if loop.chains else 1.0


def in_one_block(loop: Loop, copies: int) -> int:
    """Copies of an unrolled body that no way out divides: a loop whose length is no multiple of them ends behind one
    of the copies (`UnrollLoop`: BreakoutTrip)."""
    left = int(loop.trip) % copies if loop.exact else 0
    return max(left, copies - left)


def path_of(loop: Loop, cpu: Cpu, uops: float, unroll: int = 1, vectors: bool = False) -> float:
    """Cycles of an iteration's longest chain, shared by the iterations that the core works on at once: the next one
    begins where the first micro-operation of the window retires, and all within it have begun. Copies of a body are one
    block, in which values that are stored and loaded again go on."""
    longest = whole_path(loop, cpu, vectors)
    back = loop.nest.returns_into
    if back and not loop.nest.depth and not loop.children and (back == "float" or cpu.isa != "x86"):
        return longest  # llvm-mca repeats the block, whose result is its own argument
    stepwise, begun = loop.nest.stepwise, _begun(cpu, uops, loop.counts[opclass.LOAD] + loop.counts[opclass.STORE])
    if cpu.name in _MULTIPLIER and not vectors and not loop.is_float and loop.counts[_IMUL]:
        begun = min(begun, _MULTIPLIER[cpu.name] / loop.counts[_IMUL])
    if stepwise is not None and unroll > 1:
        longest = longest / unroll + wait_of(stepwise, cpu, loop) * (unroll - 1) / unroll
        begun /= unroll
    return longest / (1.0 + begun)


def _begun(cpu: Cpu, uops: float, moved: float = 0.0) -> float:
    """Iterations of so many micro-operations that a core begins beside one that waits. moved : loads and stores."""
    begun = _WINDOWS.get(cpu.name, _WINDOW) / max(uops, 1.0)
    waiting = _WAITING.get(cpu.name, 0.0)
    return min(begun, waiting / max(uops - moved, 1.0)) if waiting else begun


def whole_path(loop: Loop, cpu: Cpu, vectors: bool = False) -> float:
    """Cycles from the first load of an iteration to its result: the path of a body as it is written, and the further
    steps of an accumulator of loops that were unrolled completely into it."""
    own, chain = own_path(loop, cpu, vectors), loop.serial_chain
    if chain is None or not loop.serial or (not vectors and _begins_by_product(chain, loop, cpu)):
        return own
    within = 0.0
    if loop.critical is not loop.nest.critical:  # that of the loop inside, which has a step already
        within = chain.steps
        if chain.op_class >= 0:
            within = min(dict(steps(loop.critical)).get(chain.op_class, 1.0), within)
    further = max(loop.serial - within, 0.0)
    return own + further / max(chain.steps, 1.0) * wait_of(chain, cpu, loop, vectors)


def _begins_by_product(chain: Chain, loop: Loop, cpu: Cpu) -> bool:
    """Whether a sum of products begins at zero, so that its first is ``mul``, which is ``madd`` without an addend:
    llvm-mca-22 has no ``madd`` of M1 wait for such a one, nor for those behind it."""
    kept = loop.chains or loop.nest.returns_into or chain.base or chain.stored
    return (
        cpu.name in _MULTIPLIER and not kept and not chain.is_float and _added_to_products(chain, cpu, loop, False) > 0
    )


def through_pointer(loop: Loop, cpu: Cpu, vf: int) -> float:
    """Cycles of a step of a vector loop that goes on in place beside rows that one pointer reaches by displacements,
    which leaves no index to share (`LoopStrengthReduce`): the store moves on the pointer that the next iteration loads
    by (``str q0, [x8], #16``), and llvm-mca has that wait for what is stored."""
    if cpu.isa != "aarch64" or cpu.scalable or loop.children or loop.chains or loop.trip <= vf:
        return 0.0
    written = [access for access in loop.accesses if access.store]
    stored = {(access.base, access.moving, access.constant) for access in written}
    if len(stored) != 1 or written[0].stride(loop.nest.iv) != 1:
        return 0.0
    rows: dict[tuple[int, Moving | None], list[int]] = {}
    for access in loop.accesses:
        if not access.store and access.stride(loop.nest.iv):
            rows.setdefault((access.base, access.moving), []).append(access.constant * access.bits // 8)
    place = written[0].base, written[0].moving
    if len(set(rows.pop(place, ()))) != 1 or not any(_displaced(loop, key[1], at, vf) for key, at in rows.items()):
        return 0.0
    chain = loop.serial_chain
    steps = loop.serial / max(chain.steps, 1.0) * wait_of(chain, cpu, loop, True) if chain is not None else 0.0
    return 1.0 + (cpu.load_latency + steps if steps else own_path(loop, cpu, True))


_GROUP_LOADED = {2: 7.0, 3: 7.0, 4: 9.0}
"""Cycles of ``ld2``, ``ld3`` and ``ld4`` on M1 until the pointer that they move on is known (`SchedCyclone.td`)."""


def through_group(loop: Loop, cpu: Cpu) -> float:
    """Cycles of a step of a vector loop that reads whole groups of neighbours, and none of what it writes: their loads
    have no index, so that each buffer has a pointer, which they move on (``ld2 {v0, v1}, [x9], #32``) if it goes on by
    as much as they read, which it does not in an interleaved loop."""
    if cpu.isa != "aarch64" or cpu.scalable or cpu.in_order or loop.children:
        return 0.0
    by_shape = loop.by_shape()
    written: set[int] = set()
    read: dict[tuple[int, int], set[int]] = {}
    for access in loop.accesses:
        stride = by_shape[access.moving]
        if access.moving is None or stride not in _GROUP_LOADED:
            if stride or access.moving is None:
                return 0.0
        elif access.store:
            written.add(access.base)
        else:
            read.setdefault((access.base, stride), set()).add(access.constant % stride)
    if not read or any(base in written or len(members) < stride for (base, stride), members in read.items()):
        return 0.0
    return max([_GROUP_LOADED[stride] for _, stride in read])


_REGISTER, _UNSCALED = 16, 256


def _displaced(loop: Loop, moving: Moving | None, places: list[int], vf: int) -> bool:
    """Whether several places are neighbours in the next iteration's way, and displacements reach all of them: multiples
    of what is loaded, or few bytes."""
    first, size = min(places), min(vf * max(loop.bits, 8) // 8, _REGISTER)
    reached = all(at - first < _UNSCALED or (at - first) % size == 0 for at in places)
    return moving is not None and len(places) > 1 and loop.by_shape().get(moving) == 1 and reached


def overlapped(chain: float, uops: float, cpu: Cpu) -> float:
    """Cycles of a chain whose loop is unrolled completely into a block of so many micro-operations: that of the block's
    next execution is another."""
    return chain / (1.0 + _begun(cpu, uops))


def own_path(loop: Loop, cpu: Cpu, vectors: bool = False) -> float:
    """Cycles of the longest chain of a body as it is written."""
    return cycles_of(steps(loop.critical), cpu, loop.float_bits or loop.bits, loop.is_float, vectors)


def through_one_register(loop: Loop, cpu: Cpu) -> float:
    """Cycles of scalar code of x86 that waits for a register's old value: products of bytes are of `al` alone, elements
    of half precision are put into parts of registers."""
    if not loop.is_float and loop.bits <= 8:
        return loop.counts[_IMUL] * cpu.imul8_cycles
    return _by_inserts(loop, cpu) if emulates_half(loop, cpu) else 0.0


def _by_inserts(loop: Loop, cpu: Cpu) -> float:
    """``vpinsrw`` from memory keeps the old value of the first vector register, which nobody wants: it is the result
    before this one, unless that register holds something throughout, which none does over a call: its operand and its
    result are there. An iteration is a chain of all its results, each of which takes all the steps of an accumulator of
    a loop that was unrolled into it. What is only moved goes by that register, too."""
    counts = loop.counts
    stores, read = counts[opclass.STORE], _halves_read(loop)
    called = counts[opclass.LIBM]
    over_calls = called or counts[opclass.CALL]
    if not stores or not read or loop.chains or loop.lifted or (_first_taken(loop) and not over_calls):
        return 0.0
    known = latencies(cpu, loop.float_bits, True)
    computed = sum([counts[index] * known[index] for index in FLOAT_CLASSES])
    if not computed and not called:
        return max(cpu.insert_latency, _INSERTED) * read
    put_in = stores + cpu.insert_latency * min(read, 2.0 * stores)
    each = own_path(loop, cpu) - cpu.load_latency
    ops = sum([counts[index] for index in FLOAT_CLASSES])
    chain = loop.serial_chain
    if chain is not None and loop.serial > 1.0 and read > ops == counts[chain.op_class]:
        each = max(each, loop.serial * _step_of_sum(loop, cpu, chain))
    return put_in + called * cpu.half_latency + min(stores * each, computed)


def _halves_read(loop: Loop) -> int:
    return sum([not a.store and a.bits == _HALF and not a.whole for a in loop.accesses])


def _first_taken(loop: Loop) -> bool:
    """Whether a float that waits throughout is in the first vector register, which no result gets then: in a function's
    body, a constant of what is written out."""
    kept = loop.nest.depth > 0 or loop.unrolled_below > 0
    constants = loop.literals > 0 or any(loop.extremes.get(kind, 0.0) for kind in minmax.SIGNS)
    return loop.held_around or loop.held_floats > 0 or (constants and kept)


def inserted_into_sum(loop: Loop, cpu: Cpu) -> float:
    """Cycles of a step of a sum on x86, in the first vector register, of what is loaded as halves: each is put into it
    as far as its other lanes go (``vpinsrw``), so that a step waits for all of the one before."""
    if _first_taken(loop) or not _halves_read(loop):
        return 0.0
    return _step_of_sum(loop, cpu, max(loop.chains, key=_steps_of))


def _step_of_sum(loop: Loop, cpu: Cpu, chain: Chain) -> float:
    known = latencies(cpu, loop.float_bits, True)[chain.op_class] if chain.op_class >= 0 else 0.0
    more = dict(steps(loop.critical)).get(chain.op_class, 1.0) - 1.0
    inserted = _INSERTED if loop.float_bits == _HALF else cpu.insert_latency + 1.0
    return max(own_path(loop, cpu) - cpu.load_latency + inserted - more * known, 1.0)


def _steps_of(chain: Chain) -> float:
    return chain.steps


def steps_by_store(loop: Loop, cpu: Cpu) -> bool:
    """Whether a store moves on the pointer that the next iteration loads by (``str s0, [x0, #148]!``): llvm-mca has it
    wait for what is stored. Accesses of neighbours share an index instead, and copies of an unrolled body a pointer;
    such a store goes as far as nine bits say."""
    if cpu.isa != "aarch64" or loop.children or not loop.nest.depth or (cpu.unroll_ops and not loop.widths):
        return False
    written = [access for access in loop.accesses if access.store]
    stride = abs(written[0].stride(loop.nest.iv)) if len(written) == 1 else 0
    if stride < 2 or stride * written[0].bits // 8 >= _UNSCALED:
        return False
    place = written[0].base, written[0].moving
    return sum(not access.store and (access.base, access.moving) == place for access in loop.accesses) == 1


def wait_of(chain: Chain, cpu: Cpu, loop: Loop, vectors: bool = False) -> float:
    """Cycles from a carried value to its next one."""
    more = 0.0 if chain.is_float else _added_to_products(chain, cpu, loop, vectors)
    more += 0.0 if vectors or chain.is_float else _copied(chain, cpu, loop)
    if chain.kinds:
        bits = max(chain.bits, 16 if chain.is_float else 8)
        steps = chain.kinds if vectors or not chain.timed else chain.timed
        return more + cycles_of(steps, cpu, bits, chain.is_float or loop.is_float, vectors)
    return more + _latency(chain, cpu, loop, vectors) * chain.steps


def _copied(chain: Chain, cpu: Cpu, loop: Loop) -> float:
    """Copies in a step of whole numbers, which an instruction of x86 writes over, see `overwritten`: its first use is
    of the copy. Zen 4 renames registers instead, as llvm-mca-22 has it."""
    if not loop.fused or cpu.isa != "x86" or cpu.fp_split:
        return 0.0
    each = loop.fused.get(COPIED, 0.0) / len(loop.chains or (chain,)) / (1.0 if chain.whole else chain_length(loop))
    return min(max(each, 0.0), chain.steps)


_BEHIND_ADDEND = 1.0
"""Cycles that ``madd`` of Cortex-A55 takes from its addend beyond those of a sum (`ReadIMA`)."""


_ACCUMULATED = {"neoverse-v1": 1.0, "apple-m1": 3.0, "cortex-a55": 4.0, "sifive-p670": 6.0}
"""Of a sum of products of NEON's vectors (``mla``) and of RISC-V's (``vmacc``), from one addend to the next."""
_ACCUMULATED_BY_SVE, _LONG_BY_SVE = 4.0, 2.0
"""Of those of SVE's vectors, and where elements have 64 bits."""


def added_by_sve(loop: Loop, cpu: Cpu, chain: Chain) -> float:
    """Cycles that SVE takes for a sum of products of whole numbers beyond NEON."""
    if chain.is_float or not _added_to_products(chain, cpu, loop, True):
        return 0.0
    return (_LONG_BY_SVE if chain.bits > _WORD else _ACCUMULATED_BY_SVE) - _ACCUMULATED["neoverse-v1"]


def _added_to_products(chain: Chain, cpu: Cpu, loop: Loop, vectors: bool) -> float:
    """What a sum of products of whole numbers takes beyond its sums, where both are one instruction."""
    products, kinds = loop.counts[_IMUL], dict(chain.kinds) or {chain.op_class: chain.steps}
    if not products or 2.0 * loop.folds < products or _IMUL in kinds:
        return 0.0
    if not vectors:
        known = latencies(cpu, chain.bits, False)
        behind = known[_IMUL] - known[opclass.IADD] if cpu.name in _MULTIPLIER else 0.0  # which hands on no addend
        beyond = _BEHIND_ADDEND if cpu.in_order else behind
    elif cpu.name in _ACCUMULATED and (cpu.isa == "riscv" or not loop.counts[_EXTEND]):
        beyond = _ACCUMULATED[cpu.name] - latencies(cpu, chain.bits, False, True)[opclass.IADD]
    else:
        beyond = 0.0
    return kinds.get(opclass.IADD, 0.0) * min(products / loop.counts[opclass.IADD], 1.0) * beyond


def _latency(chain: Chain, cpu: Cpu, loop: Loop, vectors: bool) -> float:
    """Of the last operation on a carried value."""
    if chain.op_class < 0:
        return 1.0
    known = latencies(cpu, loop.float_bits if chain.is_float else chain.bits, chain.is_float, vectors)[chain.op_class]
    return min(known, MAXIMUM_LATENCY) if chain.op_class == opclass.FMAXIMUM else known
