"""What vector loops leave: through a narrower vector loop first, then one by one.

Source (LLVM 22): `LoopVectorizationPlanner::selectEpilogueVectorizationFactor`.
"""

from __future__ import annotations

from featurizers.mlir.costs import fixed
from featurizers.mlir.cpus import Cpu
from featurizers.mlir.loop import Loop
from featurizers.mlir.ports import LOOP_CONTROL
from featurizers.mlir.slp import SCALAR, pack
from featurizers.mlir.tails import TINY_TRIP
from featurizers.mlir.unroll import partly
from featurizers.mlir.vectorise import Plan
from featurizers.mlir.waits import through_one_register

_FIXED_BITS = 128


def rest_width(loop: Loop, cpu: Cpu, chosen: Plan) -> tuple[int, float]:
    """Lanes of the loop that what is left goes through first, behind a vector loop of 16 elements and more
    (`selectEpilogueVectorizationFactor`): those that cost the least, with the scalar loop, for as many elements as may
    be left. And its cost over that of the vector loop, which is of throughput."""
    vf = chosen.vf
    lanes = vf * chosen.interleave
    if vf == 1 or lanes < TINY_TRIP or cpu.isa == "riscv":
        return 1, 1.0
    if unknown_length(loop, cpu, vf):
        return _FIXED_BITS // max(loop.bits, 8), 1.0
    width, cost, _ = narrower(loop, chosen)
    whole = chosen.cost * vf
    return width, cost / whole if cost < whole else 1.0


def narrower(loop: Loop, chosen: Plan) -> tuple[int, float, float]:
    """Lanes of that loop, 1 for none, its cost and its instructions, see `Plan.widths`."""
    lanes = chosen.vf * chosen.interleave
    left = int(loop.trip) % lanes if loop.exact else lanes - 1
    best, found = float(left), (1, 1.0, 0.0)
    for width, cost, work in chosen.widths:
        taken = cost * (left // width) + left % width
        if width <= left and taken < best:
            best, found = taken, (width, cost, work)
    return found


def unknown_length(loop: Loop, cpu: Cpu, vf: int) -> bool:
    """Whether vectors are of SVE, which leave a rest that nobody knows before the code runs."""
    return cpu.isa == "aarch64" and cpu.scalable > 0 and not fixed(loop, cpu, vf)


def behind_sve(loop: Loop, cpu: Cpu, chosen: Plan, body: float) -> float:
    """Instructions for what SVE's vectors leave of a loop of known length: how many iterations are whole vectors; a
    loop of narrower vectors for long ones that leave enough for one of the length for which they are tuned; a plain
    loop, which is not known to be none unless those narrower vectors leave nothing."""
    lanes, narrow = chosen.vf * chosen.interleave, _FIXED_BITS // loop.widest
    found, plain = _PARTS, True
    if lanes >= TINY_TRIP and loop.trip % lanes >= narrow:
        found += chosen.work + LOOP_CONTROL + _NARROWER
        plain = bool(loop.trip % narrow)
    return found + (body + LOOP_CONTROL if plain and not loop.checks else 0.0)


_PARTS, _NARROWER = 13.0, 5.0
"""Instructions that divide a length among loops, and that come to the narrower one."""


def known_tail(loop: Loop, cpu: Cpu, chosen: Plan, body: float) -> float:
    """The remainder of a loop of known length: a narrower vector body for long ones, then single iterations, which
    are unrolled while that is cheap."""
    lanes = chosen.vf * chosen.interleave
    code, rest = 0.0, int(loop.trip % lanes)
    if chosen.last and not rest:
        rest = lanes
    elif lanes >= TINY_TRIP:
        code, rest = _vectors_left(loop, chosen)
    fits = rest * (loop.size - 2) <= 300
    return code + (body * rest if fits else body * partly(loop, cpu, loop.size, rest, True) + LOOP_CONTROL)


def _vectors_left(loop: Loop, chosen: Plan) -> tuple[float, int]:
    """Instructions of the narrower vectors behind a vector loop of known length, and how many iterations they leave."""
    left = int(loop.trip) % (chosen.vf * chosen.interleave)
    width, _, work = narrower(loop, chosen)
    if width == 1:
        return 0.0, left
    times, left = divmod(left, width)
    return (work * times if work * times <= 300 else work + LOOP_CONTROL), left


_SUMMED = 4
"""Terms of one iteration from which on SLP takes what vectors leave for a reduction."""


def one_by_one(loop: Loop, cpu: Cpu, scalar: float, chain: float) -> float:
    """Cycles of an iteration that vectors leave: SLP packs sums that stand side by side, as in other loops."""
    if cpu.isa != "x86":
        return max(scalar, chain)
    packed = pack(loop, cpu) if loop.chains else SCALAR
    if not packed.share and not loop.is_float and max(loop.copies, loop.serial) < _SUMMED:
        chain = max(chain, through_one_register(loop, cpu))
    return max(scalar * packed.ratio, chain)
