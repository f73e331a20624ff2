"""Cycles of an iteration on a core that issues in order, as llvm-mca-22 runs it: nothing goes past an instruction that
waits, so that what a body waits for and what it issues beside add up, as far as LLVM's scheduler has not mixed them."""

from __future__ import annotations

from typing import NamedTuple

from featurizers.mlir import opclass
from featurizers.mlir.cpus import Cpu
from featurizers.mlir.latency import steps
from featurizers.mlir.loads import segments
from featurizers.mlir.loop import Loop
from featurizers.mlir.waits import own_path, wait_of

_PARTS = 2
_BESIDE, _BESIDE_VECTORS = 0.6, 0.5
"""Of the shorter of what a body waits for and what it issues beside, the part that comes on top of the longer, of
scalars and of vectors (by labels of `train` and `validation`)."""
_STORED = 1.0


class Path(NamedTuple):
    """Of dependent operations of an iteration: their cycles, and how many they are."""

    cycles: float
    operations: float

    def times(self, count: float) -> Path:
        return Path(self.cycles * count, self.operations * count)


def path_in_order(loop: Loop, cpu: Cpu, copies: int, vectors: bool, scalar: bool) -> Path:
    """What an iteration waits for. copies : of the body, in one block. scalar : whether its accesses stay one by one.

    Loads that may be of what was stored before them wait for it: parts of a body stand one after the other then, and so
    do copies. Other copies are scheduled together, and the block waits once."""
    once = segments(loop) if scalar else 1.0
    longest = _longest(loop, cpu, loop.serial, vectors)
    if once >= _PARTS:
        chains = longest.times(min(_accumulators(loop), once))
        return max(chains, _longest(loop, cpu, loop.in_turn, vectors), _of_part(loop, cpu, once).times(once))
    in_turn = loop.nest.stepwise is not None or (scalar and copies > 1 and segments(loop, 2) >= _PARTS)
    return longest if in_turn else longest.times(1.0 / copies)


def _accumulators(loop: Loop) -> float:
    """Those of loops that were unrolled completely into a body."""
    chain = loop.serial_chain
    if chain is None or not loop.serial:
        return 1.0
    return max((chain.steps if chain.whole else loop.copies * chain.steps) / loop.serial, 1.0)


def _longest(loop: Loop, cpu: Cpu, dependent: float, vectors: bool) -> Path:
    """From the first load of an iteration to its result: the path of a body, and the further ones of so many dependent
    steps of an accumulator."""
    own, chain = own_path(loop, cpu, vectors), loop.serial_chain
    kinds = dict(steps(loop.critical))
    operations = sum(kinds.values()) + _STORED
    if chain is None or not loop.serial:
        return Path(own, operations)
    within = min(kinds.get(chain.op_class, 1.0), chain.steps) if chain.op_class >= 0 else 0.0
    further = max(dependent - within, 0.0)
    return Path(own + further / max(chain.steps, 1.0) * wait_of(chain, cpu, loop, vectors), operations + further)


def _of_part(loop: Loop, cpu: Cpu, parts: float) -> Path:
    """From the first load of a part to its store. A chain that hands on what it stores, or what it carries, goes
    through several of them."""
    own, operations = own_path(loop, cpu), sum([times for _, times in steps(loop.critical)])
    carried = max([chain.steps for chain in loop.chains], default=loop.serial) / max(loop.copies, 1.0)
    through = max(min(max(loop.forwarded + 1.0, carried), parts), 1.0)
    loaded = min(cpu.load_latency, own) if through > 1.0 else 0.0
    return Path(loaded + (own - loaded) / through, operations / through + _STORED)


def together(loop: Loop, cpu: Cpu, ports: float, uops: float, path: Path, chain: float, vectors: bool) -> float:
    """Cycles of an iteration by the busiest resource, what it waits for and what it carries on. uops : micro-operations
    that it issues; cycles of divisions are beside."""
    waited = max(path.cycles, chain)
    longer = max(ports, waited)
    if loop.counts[opclass.LIBM] or loop.counts[opclass.CALL]:
        return longer
    beside = max(min(ports, uops / cpu.issue) - path.operations / cpu.issue, 0.0)
    return longer + (_BESIDE_VECTORS if vectors else _BESIDE) * min(beside, waited)
