"""How often each machine basic block runs in one call of its function.

Loops run as often as LLVM's scalar evolution of the final IR says: constant counts exactly, counts that depend on an
outer loop's iteration (triangular loops, vector remainders) by summing over that loop's iterations, sampled evenly
beyond `SAMPLES` of them. Branches on loop counters are evaluated the same way. Run-time alias checks always find the
buffers apart. Branches on data go either way half of the time; loops with data-dependent ends run `UNKNOWN_TRIPS`
times.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from costmodel.mlir.labelling.assembly import Block, Function
from costmodel.mlir.labelling.checks import VECTOR, apart, fails, goes_first, is_alias_check
from costmodel.mlir.labelling.ir import Evaluator, IrFunction
from costmodel.mlir.labelling.remainders import average_left
from costmodel.mlir.labelling.scev import evaluate
from costmodel.mlir.labelling.turned import turned

SAMPLES = 256
UNKNOWN_TRIPS = 32
"""LLVM's own guess for a loop that it knows nothing of (a back edge is taken with probability 124/128)."""

EXACT, AVERAGED, GUESSED = "exact", "averaged", "guessed"
_COUNTS = (Evaluator.vector_length_trips, Evaluator.masked_trips, Evaluator.counted_trips)
"""Ways to count a loop of scalable vectors, which scalar evolution knows no number for."""

TripCounts = dict[str, tuple[str, "int | None"]]


@dataclass
class Weights:
    """Executions per call by block label, and how they were found."""

    executions: dict[str, float]
    trips: str


@dataclass
class _Region:
    """A loop (or, with header None, the function) at sampled iterations of itself and its outer loops."""

    header: str | None
    iterations: dict[str, Any]
    """IR name of a loop header to iteration numbers, one per sample (or one int)."""
    runs: Any
    """Executions of the header that each sample stands for."""
    trips: Any = 1.0
    active: frozenset[str] = frozenset()
    """IR names of the headers of this loop and those around it."""


def block_weights(function: Function, ir: IrFunction, trip_counts: TripCounts) -> Weights:
    """Executions of every block of `function` in one call."""
    return _Walk(function, ir, trip_counts).run()


@dataclass
class _Walk:
    function: Function
    ir: IrFunction
    trip_counts: TripCounts
    executions: dict[str, float] = field(default_factory=dict)
    quality: str = EXACT

    def __post_init__(self) -> None:
        self.blocks = {block.label: block for block in self.function.blocks}
        self.headers = {b.label: b for b in self.function.blocks if b.is_header}
        self.names = {b.ir_name for b in self.headers.values() if b.ir_name} | set(self.trip_counts)
        self.turned = turned(self.headers, self.ir, self.trip_counts)
        symbolic = " ".join(expression for expression, _ in self.trip_counts.values())
        self.expanded = set(re.findall(r'<%"?([\w.$-]+)"?>', symbolic)) | self._compared() | self._counting()

    def run(self) -> Weights:
        for block in self.function.blocks:
            self.executions[block.label] = 0.0
        if self.function.blocks:
            entry = self.function.blocks[0].label
            self._region(_Region(None, {}, 1.0), entry, 1.0)
        return Weights(self.executions, self.quality)

    def _name(self, label: str) -> str:
        """What a loop's header is called in the IR."""
        return self.turned.get(label, self.blocks[label].ir_name)

    def _compared(self) -> set[str]:
        """Headers whose iteration decides a branch that does not leave a loop."""
        found: set[str] = set()
        for block in self.function.blocks:
            branch = self.ir.branches.get(block.ir_name)
            if branch is None or self._leaves(block):
                continue
            found |= self._asked(partial(Evaluator.value, operand=branch[0]))
        return found

    def _counting(self) -> set[str]:
        """Headers whose iteration says how often a loop runs that scalar evolution has no count of."""
        found: set[str] = set()
        for name in (block.ir_name for block in self.headers.values()):
            if not self.trip_counts.get(name, ("", None))[0]:
                for count in _COUNTS:
                    found |= self._asked(partial(count, header=name))
        return found

    def _asked(self, of: Callable[[Evaluator], Any]) -> set[str]:
        """Headers whose iteration a value depends on; none where it depends on something that is not known."""
        asked: set[str] = set()

        def ask(header: str) -> int:
            asked.add(header)
            return 0

        return asked if of(Evaluator(self.ir, self.names, ask)) is not None else set()

    def _leaves(self, block: Block) -> bool:
        if block.header is None:
            return False
        return any(not self._inside(target, block.header) or target == block.header for target in block.successors)

    def _inside(self, label: str, header: str | None) -> bool:
        if header is None:
            return True
        current = self.blocks[label].header
        while current is not None and current != header:
            current = self.headers[current].parent if current in self.headers else None
        return current == header

    def _child(self, label: str, header: str | None) -> str | None:
        """The loop directly inside `header` that holds the block; None when the block is in the region itself."""
        current = self.blocks[label].header
        below = None
        while current is not None and current != header:
            below = current
            current = self.headers[current].parent if current in self.headers else None
        return below

    # -- one region -------------------------------------------------------------------------------------------------

    def _region(self, region: _Region, entry: str, mass: Any) -> dict[str, Any]:
        """Spread the mass of one run of the region's entry over its blocks; what leaves, by target block."""
        masses: dict[str, Any] = {entry: mass}
        leaving: dict[str, Any] = {}
        evaluator = self._evaluator(region)
        for node in self._order(region.header, entry):
            here = masses.get(node)
            if here is None:
                continue
            if node != region.header and self._child(node, region.header) is not None:
                edges = self._loop(node, region, here, evaluator)
            else:
                self.executions[node] += float(np.sum(here * region.runs))
                shares = self._shares(self.blocks[node], region, evaluator)
                edges = {target: here * share for target, share in shares.items()}
            for target, amount in edges.items():
                self._send(target, amount, region.header, masses, leaving)
        return leaving

    def _evaluator(self, region: _Region) -> Evaluator:
        """Values inside the region; a loop that is over has made its last iteration."""
        asked: set[str] = set()

        def iteration(header: str) -> Any:
            if header in region.iterations:
                return region.iterations[header]
            if header in region.active or header in asked or header not in self.trip_counts:
                return None
            asked.add(header)
            count = evaluate(self.trip_counts[header][0], evaluator.value, iteration)
            asked.discard(header)
            return count

        evaluator = Evaluator(self.ir, self.names, iteration)
        return evaluator

    def _send(
        self, target: str, amount: Any, header: str | None, masses: dict[str, Any], leaving: dict[str, Any]
    ) -> None:
        if header is not None and target == header:
            return
        if not self._inside(target, header):
            leaving[target] = leaving.get(target, 0.0) + amount
            return
        node = self._child(target, header) or target
        masses[node] = masses.get(node, 0.0) + amount

    def _order(self, header: str | None, entry: str) -> list[str]:
        """Nodes of the region (blocks, and inner loops by their header) so that predecessors come first."""
        done: list[str] = []
        seen = {entry}
        stack = [(entry, iter(self._targets(entry, header)))]
        while stack:
            node, targets = stack[-1]
            for target in targets:
                if target not in seen:
                    seen.add(target)
                    stack.append((target, iter(self._targets(target, header))))
                    break
            else:
                done.append(node)
                stack.pop()
        return done[::-1]

    def _targets(self, node: str, header: str | None) -> list[str]:
        child = self._child(node, header) if node != header else None
        members = [b for b in self.function.blocks if self._inside(b.label, child)] if child else [self.blocks[node]]
        found = []
        for block in members:
            for target in block.successors:
                if target == header or not self._inside(target, header):
                    continue
                below = self._child(target, header) or target
                if below != child:
                    found.append(below)
        return found

    # -- loops ------------------------------------------------------------------------------------------------------

    def _loop(self, header: str, outer: _Region, mass: Any, evaluator: Evaluator) -> dict[str, Any]:
        trips = self._trips(header, evaluator, outer)
        region = self._enter(header, outer, mass, trips)
        leaving = self._region(region, header, 1.0)
        total = sum((float(np.sum(amount * region.runs)) for amount in leaving.values()), 0.0)
        if total <= 0:
            return {}
        if total > 1.2 * float(np.sum(mass * outer.runs)):
            self.quality = GUESSED  # More than one way out on the same path: who leaves first is not known.
        return {target: mass * float(np.sum(amount * region.runs) / total) for target, amount in leaving.items()}

    def _trips(self, header: str, evaluator: Evaluator, outer: _Region) -> Any:
        name = self._name(header)
        expression, most = self.trip_counts.get(name, ("", None))
        count = evaluate(expression, evaluator.value, outer.iterations.get) if expression else None
        for count_up in _COUNTS:
            count = count_up(evaluator, name) if count is None else count
        if count is None:
            self.quality = GUESSED
            left = average_left(self.ir, name, expression)
            if left is not None:
                return left
            return float(min(UNKNOWN_TRIPS, most + 1)) if most is not None else float(UNKNOWN_TRIPS)
        if isinstance(count, np.ndarray) and self.quality == EXACT:
            self.quality = AVERAGED
        count = count - (header in self.turned)
        return (
            np.maximum(np.asarray(count, dtype=float) + 1, 1)
            if isinstance(count, np.ndarray)
            else max(count + 1.0, 1.0)
        )

    def _enter(self, header: str, outer: _Region, mass: Any, trips: Any) -> _Region:
        entries = mass * outer.runs
        name = self._name(header)
        active = outer.active | {name}
        if name not in self.expanded:
            return _Region(header, outer.iterations, entries * trips, trips, active)
        return _expand(header, name, outer, entries, trips, active)

    # -- branches ---------------------------------------------------------------------------------------------------

    def _shares(self, block: Block, region: _Region, evaluator: Evaluator) -> dict[str, Any]:
        targets = block.successors
        if len(targets) < 2:
            return dict.fromkeys(targets, 1.0)
        alive = [target for target in targets if not fails(self.blocks, target)]
        if 0 < len(alive) < len(targets):
            targets = alive
        if len(targets) < 2:
            return dict.fromkeys(targets, 1.0)
        header = region.header
        out = [target for target in targets if header is not None and not self._inside(target, header)]
        if out and len(out) < len(targets):
            leave = 1.0 / region.trips
            stay = (1.0 - leave) / (len(targets) - len(out))
            return {target: leave / len(out) if target in out else stay for target in targets}
        return self._decide(block, self._first(block, region) or evaluator) or self._guess(targets)

    def _first(self, block: Block, region: _Region) -> Evaluator | None:
        """Values in the first iteration of a loop that has been turned, for the copy of its end before it."""
        for target in block.successors:
            for label in (target, *self.blocks[target].successors):
                if label in self.turned and label != region.header and not self._inside(block.label, label):
                    return self._evaluator(replace(region, iterations={**region.iterations, self.turned[label]: 0}))
        return None

    def _guess(self, targets: list[str]) -> dict[str, Any]:
        self.quality = GUESSED
        return dict.fromkeys(targets, 1.0 / len(targets))

    def _decide(self, block: Block, evaluator: Evaluator) -> dict[str, Any] | None:
        if len(block.successors) != 2:
            return None
        first, second = (self._names(target) for target in block.successors)
        branch = self._branch(block, first, second)
        if branch is None:
            return self._half_of_a_check(block)
        taken = evaluator.value(branch[0])
        if taken is None and is_alias_check(block, branch):
            taken = apart(branch)
        if taken is None:
            return None
        taken = np.asarray(taken, dtype=float) if isinstance(taken, np.ndarray) else float(taken)
        yes, no = block.successors if goes_first(branch, first, second) else block.successors[::-1]
        return {yes: taken, no: 1.0 - taken}

    def _half_of_a_check(self, block: Block) -> dict[str, Any] | None:
        """A branch of llc's own making (a check of two comparisons became two branches) into vector code: taken."""
        vector = [target for target in block.successors if self.blocks[target].ir_name.startswith(VECTOR)]
        if len(vector) != 1:
            return None
        return {target: float(target in vector) for target in block.successors}

    def _branch(self, block: Block, first: set[str], second: set[str]) -> tuple[str, str, str] | None:
        """The IR branch that the block ends with: its own, or one that llc copied there, told by its two targets."""
        own = self.ir.branches.get(block.ir_name)
        if own is not None and ({own[1], own[2]} & (first | second)):
            return own
        direct = {self.blocks[target].ir_name for target in block.successors}
        fitting: dict[int, list[tuple[str, str, str]]] = {}
        for branch in self.ir.branches.values():
            if (branch[1] in first and branch[2] in second) or (branch[2] in first and branch[1] in second):
                fitting.setdefault(len(direct & {branch[1], branch[2]}), []).append(branch)
        best = fitting[max(fitting)] if fitting else []
        return best[0] if len({branch[0] for branch in best}) == 1 else None

    def _names(self, label: str) -> set[str]:
        """IR names of a block and of those that it alone leads to: llc puts blocks on edges."""
        names = set()
        for _ in range(4):
            block = self.blocks[label]
            names.add(block.ir_name)
            if len(block.successors) != 1:
                break
            label = block.successors[0]
        return names - {""}


def _expand(header: str, name: str, outer: _Region, entries: Any, trips: Any, active: frozenset[str]) -> _Region:
    """A sample per iteration of the loop (evenly spaced if too many), for every sample of the outer region."""
    size = max([1, *(len(v) for v in (*outer.iterations.values(), entries, trips) if isinstance(v, np.ndarray))])
    entries_, trips_ = np.broadcast_to(entries, size), np.broadcast_to(trips, size)
    most = max(4, SAMPLES // size)
    counts = np.minimum(np.ceil(trips_), most).astype(np.int64)
    owner = np.repeat(np.arange(size), counts)
    position = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    scale = trips_[owner] / counts[owner]
    index = np.floor((position + 0.5) * scale).astype(np.int64)
    iterations = {key: v[owner] if isinstance(v, np.ndarray) else v for key, v in outer.iterations.items()}
    iterations[name] = index
    return _Region(header, iterations, entries_[owner] * scale, trips_[owner], active)
