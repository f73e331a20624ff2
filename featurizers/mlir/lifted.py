"""What moves out of a loop once the loops inside it are unrolled, and waits in registers or on the stack.

Source (LLVM 22): `PassBuilder::addVectorPasses` runs `LICM` behind the last `LoopUnroll`. The iterations of a vector
loop, or of one that SLP has packed, lie in the body around by then, and loads that do not vary there are made first.
There are as many as places, whatever registers there are: the allocator puts the rest on the stack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurizers.mlir.body import emulates_half
from featurizers.mlir.cpus import Cpu
from featurizers.mlir.lanes import shared
from featurizers.mlir.loop import Loop
from featurizers.mlir.nest import Access
from featurizers.mlir.registers import IN_FLIGHT, kept_sums, waiting_in
from featurizers.mlir.slp import width

if TYPE_CHECKING:
    from featurizers.mlir.codegen import LoopCode

_SINGLE = 32


def lift(around: Loop, code: LoopCode, cpu: Cpu) -> None:
    """A loop that is unrolled completely is part of the body around it: loads that do not vary there move out, unless
    something in that body may be stored over them."""
    loop = code.loop
    if not code.full or not loop.exact or loop.checks or around.trip < 2:
        return
    fixed = _fixed(around, loop)
    kept = kept_sums(loop, around.nest.iv, cpu, code.vf * code.interleave, code.unroll, _share(code))
    if not fixed:
        if kept:
            copies = max(loop.factor, 1.0)
            beyond = (kept * copies + IN_FLIGHT - cpu.vector_registers) / copies
            _beyond(code, beyond, kept / cpu.vector_registers)
        return
    if code.vf > 1:
        stay = _staying(loop, fixed)
        code.cycles *= stay + (1.0 - stay) / around.trip
    code.lifted = _registers(around, code, fixed, cpu)
    alone = _alone(around, code, fixed)
    code.lifted += alone if loop.is_float else 0.0
    spare = cpu.vector_registers - code.lifted - kept - max(loop.live_float, IN_FLIGHT) - loop.literals
    loaded, beyond = [
        max(waiting_in(loop, around.nest.iv, once) * _share(code) - spare, 0.0) / max(loop.factor, 1.0)
        for once in (False, _used_once(code))
    ]  # what is no operand in memory is put into all lanes, spilled or not
    code.instructions += (beyond if cpu.load_folding else 2.0 * loaded) * loop.multiplicity
    _beyond(code, beyond, code.lifted / cpu.vector_registers)
    if alone and not loop.is_float:
        busy = len({a.base for a in loop.accesses}) + around.depth + IN_FLIGHT
        stacked = max(alone + busy - cpu.int_registers, 0.0) / max(loop.factor, 1.0)
        code.spills += stacked
        code.instructions += (stacked if cpu.load_folding else 2.0 * stacked) * loop.multiplicity


def _used_once(code: LoopCode) -> bool:
    """Whether a single vector is left of a loop, and nothing beside it: what the loop around loads for it waits for
    nothing else, and is loaded, or an operand in memory, where it is used."""
    loop, lanes = code.loop, code.vf * code.interleave * code.unroll
    stores = sum([access.store for access in loop.accesses])
    return lanes == code.vf > 1 and loop.trip % lanes == 0 and stores == 1 and not loop.chains


def _beyond(code: LoopCode, beyond: float, pressure: float) -> None:
    if beyond > code.spills:
        code.spills = beyond
        code.vectors_beyond = beyond if code.vf > 1 or code.packed.mostly else 0.0
    code.pressure = max(code.pressure, pressure)


def _fixed(around: Loop, loop: Loop) -> list[Access]:
    """Loads of other places in each iteration, but of the same ones in every iteration around."""
    iv, own = around.nest.iv, loop.nest.iv
    found = [a for a in loop.accesses if not a.store and a.moving and a.stride(own) and not a.stride(iv)]
    if not found:
        return found
    stores = [access for inside in around.walk() for access in inside.accesses if access.store]
    stored, outside = {access.base for access in stores}, any(access.external for access in stores)
    return [a for a in found if a.base not in stored and not (a.external and outside)]


def _staying(loop: Loop, fixed: list[Access]) -> float:
    """Share of a vector body that stays where it is."""
    own = loop.nest.iv
    moved = len(fixed) + 2.0 * sum(abs(a.stride(own)) > 1 for a in fixed)
    return max(1.0 - moved / max(len(loop.accesses) + 2.0 * loop.strided + sum(loop.counts) / 2, 1.0), 0.1)


def _share(code: LoopCode) -> float:
    """Of a register, for a scalar of the body."""
    return 1.0 / code.packed.lanes if code.packed.mostly else 1.0


def _left(rest: int, vf: int) -> float:
    """Values of what vectors leave, in the narrower ones that are the fewest, and scalars."""
    return float(min([rest // lanes + rest % lanes for lanes in (1, 2, 4, 8, 16, 32) if lanes <= vf]))


def _registers(around: Loop, code: LoopCode, fixed: list[Access], cpu: Cpu) -> float:
    """Registers for what was loaded, in all copies of the loop that read other places. Halves wait as the singles that
    they are computed as; what all lanes of a packed body share waits as a vector of its own."""
    loop = code.loop
    if code.vf > 1:
        each, least = code.vf / cpu.prefer_bits, _SINGLE if emulates_half(loop, cpu) else 0
        rest = int(loop.trip) % (code.vf * code.interleave) if code.remainder else 0
        left = _left(rest, code.vf) / code.unroll
        once = [max(max(a.bits, least) * each, 1.0) * code.interleave + left for a in fixed]
    else:
        packed = code.packed.mostly and cpu.isa != "riscv"
        splats = shared(loop, width(cpu) // max(loop.bits, 8)) if packed else frozenset()
        once = [1.0 if a.base in splats else _share(code) for a in fixed]
    copies = _copies(around, loop, fixed)
    return sum([number * times for number, times in zip(once, copies, strict=True)]) * code.unroll


def _copies(around: Loop, loop: Loop, fixed: list[Access]) -> list[float]:
    """Of each load, the copies of the loop that read other places."""
    varying: set[int] = set()
    if loop.factor > 1.0:
        unrolled, original = around.fixed, [a for nest in loop.nest.walk() for a in nest.accesses]
        varying = {a.base for a in original if not unrolled.isdisjoint(dict(a.moving or ()))}
    return [loop.factor if a.base in varying else 1.0 for a in fixed]


def _alone(around: Loop, code: LoopCode, fixed: list[Access]) -> float:
    """Values of vector iterations that stay scalar, in all copies: a group of accesses with gaps must not be read as a
    vector where the loop ends (`requiresScalarEpilogue`). Its places are not side by side, so that SLP makes no vectors
    of them either, and each is loaded before the loop around."""
    loop, lanes = code.loop, code.vf * code.interleave
    rest = int(loop.trip) - lanes * code.unroll
    if code.vf == 1 or not code.remainder or rest < lanes:
        return 0.0
    return rest * sum(_copies(around, loop, [a for a in fixed if abs(a.stride(loop.nest.iv)) > 1]))
