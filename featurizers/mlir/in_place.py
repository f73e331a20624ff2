"""Which results of linalg on tensors share one buffer: those that are written into the same `tensor.empty`.

Source (MLIR 22): One-Shot Bufferize. The analysis goes from the last operation to the first
(`AnalysisHeuristic::BottomUp`): a result takes the buffer that it is written into unless somebody reads it behind the
next one that does, or while that is written, other than element by element (`hasReadAfterWriteInterference`,
`LinalgOp::bufferizesToElementwiseAccess`). Others have a buffer of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from featurizers.mlir.module import EMPTY, Block, Op

Written = Callable[[Op], tuple[list[int], list[int]]]
"""Inputs and outputs of an operation of linalg."""
Alike = Callable[[Op, int], bool]
"""Whether an operation of linalg reads a tensor at the places that it writes."""

_VIEWS = frozenset({"tensor.expand_shape", "tensor.collapse_shape", "tensor.cast", "tensor.extract_slice"})


class _Result:
    """A result that is written into an empty tensor. last : where it is read for the last time; there : by which
    operands of that operation."""

    __slots__ = ("at", "empty", "last", "there", "value")

    def __init__(self, value: int, empty: int, at: int) -> None:
        self.value, self.empty, self.at = value, empty, at
        self.last, self.there = at, set[int]()

    def read(self, at: int, operand: int) -> None:
        if at > self.last:
            self.last, self.there = at, set()
        self.there.add(operand)


def shared(blocks: Sequence[Block], written: Written, alike: Alike) -> dict[int, int]:
    """Of the results that take the buffer of an earlier one, the first in it."""
    if len(blocks) != 1:
        return {}
    ops = blocks[0].ops
    empty = {op.results[0] for op in ops if op.name == EMPTY}
    found: dict[int, _Result] = {}
    results: list[_Result] = []
    for at, op in enumerate(ops):
        for operand in _operands(op):
            result = found.get(operand)
            if result is not None:
                result.read(at, operand)
                if op.name in _VIEWS:
                    found[op.results[0]] = result
        if op.name.startswith("linalg.") and op.results:
            for value, output in zip(op.results, written(op)[1], strict=False):
                if output in empty:
                    results.append(_Result(value, output, at))
                    found[value] = results[-1]
                elif output in found:
                    found[value] = found[output]
    behind: dict[int, _Result] = {}
    first: dict[int, int] = {}
    groups: dict[int, list[int]] = {}
    for result in reversed(results):
        after = behind.get(result.empty)
        if after is not None and not _over(result, after, ops, alike):
            continue
        behind[result.empty] = result
        groups.setdefault(result.empty, []).append(result.value)
    for values in groups.values():
        first.update(dict.fromkeys(values[:-1], values[-1]))
    return first


def _over(result: _Result, after: _Result, ops: Sequence[Op], alike: Alike) -> bool:
    """Whether nobody needs a result when the one after it is written over it."""
    if result.last != after.at:
        return result.last < after.at
    op = ops[after.at]
    return result.there == {result.value} and alike(op, result.value)


def _operands(op: Op) -> Iterator[int]:
    """Of an operation and all inside it."""
    yield from op.operands
    for region in op.regions:
        for block in region:
            for inner in block.ops:
                yield from _operands(inner)
