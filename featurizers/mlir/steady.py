"""Cycles of a block that llvm-mca repeats: each repetition waits for what the one before left in its registers.

Sources (LLVM 22): the scheduling models, as llvm-mca-22 runs them (`InOrderIssueStage.cpp` of cores without a window).
"""

from __future__ import annotations

from featurizers.mlir.allocation import Placed, place
from featurizers.mlir.cores import CORES, Core
from featurizers.mlir.cpus import Cpu
from featurizers.mlir.selection import Code, Instruction, select
from featurizers.mlir.straight import Straight

_FLOATS = (
    "fadd",
    "fmul",
    "fma",
    "fdiv",
    "fsqrt",
    "fconvert",
    "flogic",
    "fcompare",
    "fchoice",
    "fmove",
    "fbits",
    "kmove",
)


def straight_code(program: Straight | None, cpu: Cpu) -> tuple[float, float] | None:
    """Instructions and cycles of a function of scalars in one block, if each of them is known."""
    code = select(program, cpu) if program is not None and cpu.name in CORES else None
    return None if code is None else steady(code, cpu)


def steady(code: Code, cpu: Cpu) -> tuple[float, float]:
    """Instructions of a function, its return included, and cycles of one of the repetitions that llvm-mca makes."""
    placed = place(code)
    core = CORES[cpu.name]
    count = len(placed) + 1
    times = repetitions(count)
    if cpu.in_order:
        placed = _scheduled(placed, core)
        return float(count), _in_order(placed, core, cpu, times)
    return float(count), max(_out_of_order(placed, core, cpu, times), _busiest(placed, core, cpu))


def repetitions(length: int) -> int:
    """How often llvm-mca runs a block, see `labelling.mca.repetitions`."""
    return next((times for times in (100, 32, 12) if times * length <= 2000), 4)


def _lasts(instruction: Instruction, core: Core) -> float:
    return instruction.lasts or core.latencies.get(instruction.kind, 1.0)


_AHEAD = 4


def _out_of_order(placed: Placed, core: Core, cpu: Cpu, times: int) -> float:
    """Each instruction begins when its operands are there and it has come to its turn. What has an operand in memory
    begins to load before the others are there (`ReadAfterLd`), but not before what they are of has begun."""
    ready: dict[int, float] = {}
    begun: dict[int, float] = {}
    of = []
    for made, sources, instruction in placed:
        ahead = core.ahead[instruction.real] if cpu.load_folding and 0 in instruction.of else 0.0
        of.append((made, sources, _lasts(instruction, core), ahead))
    each, at = 1.0 / cpu.issue, 0.0
    ends: list[float] = []
    for _ in range(min(times, _AHEAD)):
        latest = 0.0
        for made, sources, lasts, ahead in of:
            begins = at
            for source in sources:
                known = ready.get(source, 0.0)
                if ahead:
                    known = max(known - ahead, begun.get(source, 0.0))
                if known > begins:
                    begins = known
            at += each
            done = begins + lasts + ahead
            if made >= 0:
                ready[made], begun[made] = done, begins
            if done > latest:
                latest = done
        at += each
        ends.append(max(latest, ends[-1] if ends else 0.0))
    step = (ends[-1] - ends[0]) / (len(ends) - 1) if len(ends) > 1 else ends[0]
    step = max(step, core.back)
    return (max(ends[0], 1.0) + core.filling - 1.0 + step * (times - 1)) / times


def _busiest(placed: Placed, core: Core, cpu: Cpu) -> float:
    """Cycles of the unit with most to do."""
    busy = dict(core.units.get("return", {}))
    floats = whole = 0.0
    for _, _, instruction in placed:
        kind = instruction.kind
        for unit, share in core.units.get(kind, {}).items():
            busy[unit] = busy.get(unit, 0.0) + share
        if kind in _FLOATS:
            floats += 1.0 / cpu.fp_ports
            if kind in ("fdiv", "fsqrt"):
                busy["fdiv"] = busy.get("fdiv", 0.0) + (cpu.fdiv32_cycles if kind == "fdiv" else cpu.fsqrt32_cycles)
        elif kind == "load":
            busy["load"] = busy.get("load", 0.0) + 1.0 / cpu.load_ports
        elif kind == "store":
            busy["store"] = busy.get("store", 0.0) + 1.0 / cpu.store_ports
        elif _lasts(instruction, core):
            whole += 1.0 / cpu.int_ports
    return max(*busy.values(), floats, whole, (len(placed) + 1.0) / cpu.issue, core.back)


_OUT_OF_TURN = ("div", "fdiv", "fsqrt")
"""What is written back when it is done (`RetireOOO`)."""
_WRITTEN = {"mul": 4.0, "madd": 4.0, "upper": 4.0, "div": 8.0, "store": 1.0, "load": 3.0, "move": 3.0}
"""Cycles until a result is written back, which happens in order; 3 of others, before which it is handed on."""
_WAITED = 8
_ONE_UNIT = ("mul", "madd", "div", "fdiv", "fsqrt", "load", "store", "upper", "return")


def _scheduled(placed: Placed, core: Core) -> Placed:
    """In the order in which a core that does not look ahead gets them: what is ready, and of that what most waits for
    (`MachineScheduler`, `PostMachineScheduler`). Registers are assigned before, as if it were free to choose them."""
    count = len(placed)
    before: list[list[tuple[int, float]]] = []
    heights = [0.0] * count
    writer: dict[int, int] = {}
    readers: dict[int, list[int]] = {}
    for at, (made, sources, _) in enumerate(placed):
        needs = [(writer[s], _lasts(placed[writer[s]][2], core)) for s in sources if s >= 0 and s in writer]
        if made >= 0:
            needs += [(reader, 0.0) for reader in readers.pop(made, ())]
            if made in writer:
                needs.append((writer[made], 1.0))
        for source in sources:
            readers.setdefault(source, []).append(at)
        if made >= 0:
            writer[made] = at
        before.append(needs)
    for at in range(count - 1, -1, -1):
        for need, lasts in before[at]:
            heights[need] = max(heights[need], heights[at] + lasts)
    done: dict[int, float] = {}
    left, found, now, slots = list(range(count)), [], 0.0, 0
    while left:
        best, best_key = -1, (0.0, 0.0)
        for at in left[:_LOOKED_AT]:
            if all(need in done for need, _ in before[at]):
                ready = max([done[need] + lasts for need, lasts in before[at]], default=0.0)
                key = (max(ready, now), -heights[at])
                if best < 0 or key < best_key:
                    best, best_key = at, key
        slots = slots + 1 if best_key[0] == now else 1
        now = best_key[0]
        done[best] = now
        if slots > 1:
            now, slots = now + 1.0, 0
        left.remove(best)
        found.append(placed[best])
    return found


_LOOKED_AT = 24


def _in_order(placed: Placed, core: Core, cpu: Cpu, times: int) -> float:
    """Two instructions at a time, none before the one ahead of it, and none that would be done before that."""
    ready: dict[int, float] = {}
    at, slots, written = 0.0, 0, 0.0
    busy: dict[str, float] = {}
    of = [
        (made, sources, instruction.kind, _lasts(instruction, core), instruction.real)
        for made, sources, instruction in placed
    ]
    of.append((-2, (), "return", 1.0, False))
    ends: list[float] = []
    for _ in range(min(times, _WAITED)):
        for made, sources, kind, lasts, real in of:
            begins = at if slots < cpu.issue else at + 1.0
            for source in sources:
                begins = max(begins, ready.get(source, 0.0))
            done = lasts if real else 1.0 if kind == "return" else _WRITTEN.get(kind, 3.0)
            if kind not in _OUT_OF_TURN:
                begins = max(begins, written - done)
            if kind in _ONE_UNIT:
                begins = max(begins, busy.get(kind, 0.0))
                taken = lasts if kind == "div" else 1.0
                if kind in ("fdiv", "fsqrt"):
                    taken = float(cpu.fdiv32_cycles if kind == "fdiv" else cpu.fsqrt32_cycles)
                busy[kind] = begins + taken
            slots = slots + 1 if begins == at else 1
            at = begins
            if kind not in _OUT_OF_TURN:
                written = max(written, begins + done)
            if made >= 0:
                ready[made] = begins + lasts
        ends.append(at)
    step = (ends[-1] - ends[0]) / (len(ends) - 1) if len(ends) > 1 else ends[0] + 1.0
    return (ends[0] + 2.0 + step * (times - 1)) / times
