"""Values that a body stores and the next iteration loads.

Sources (LLVM 22): `LoopLoadElimination` (strides of one); `GVN::PerformLoadPRE`, which finds the place of the iteration
before among the addresses of this one: where an index is of a single address, `InstCombine` has made it a part of that.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from featurizers.mlir import opclass
from featurizers.mlir.build import Builder
from featurizers.mlir.carried import CarriedStep, chain_of_steps, steps_of_block
from featurizers.mlir.indices import moves_of
from featurizers.mlir.module import Block
from featurizers.mlir.nest import JUMP, Access, Moving, Nest


def by_memory(b: Builder, block: Block, nest: Nest) -> None:
    """Elements that the iteration before has stored, the neighbours of those that this one stores, wait in a register:
    each is a value carried on. If that is not found, or in other rows, they go on where copies of the body are one
    block (`stepwise`)."""
    iv, step = nest.iv, nest.step
    while iv in b.single:  # whose point this is
        iv, step = b.around.get(iv, 0), 1
    written = [a for a in nest.accesses if a.store]
    stored = {(a.base, a.moving) for a in written if 1 <= abs(a.stride(iv)) < JUMP}
    if not stored or len({a.base for a in written if a.external}) > 1:
        return
    moves = list(zip(nest.accesses, moves_of(block, nest), strict=False))
    values = {(access.base, access.moving, access.constant): op.operands[0] for access, op in moves if access.store}
    waiting = []
    for access, op in moves:
        after = values.get((access.base, access.moving, access.constant + access.stride(iv)))
        known = (access.base, access.moving, access.constant) in values
        if not access.store and after is not None and not known and (access.base, access.moving) in stored:
            waiting.append((access, op.results[0], after))
    steps = list(steps_of_block(b, block)) if waiting else []
    for access, argument, value in waiting:
        chain = chain_of_steps(b, steps, argument, value, b.type(argument), ())
        if chain.op_class < 0 or not chain.kinds:
            continue
        chain = msgspec.structs.replace(chain, reassociable=False, used=True, timed=())
        near = abs(access.stride(iv)) <= step
        if near and iv != nest.iv:
            nest.passing.append((iv, chain))
        elif near and (step == 1 or _shared(access, nest.accesses, iv)):
            nest.chains.append(chain)
            nest.reloads += 1
        elif iv not in b.stepwise or chain.steps > b.stepwise[iv].steps:
            b.stepwise[iv] = chain


_TERMS = (*opclass.FLOAT_CLASSES, *(opclass.CLASS[name] for name in ("iadd", "logic", "imul", "iminmax")))


def added_to(b: Builder, block: Block, nest: Nest) -> None:
    """What the stores of a body add to what they have loaded from the same place."""
    if not _several(nest):
        return
    moves = list(zip(nest.accesses, moves_of(block, nest), strict=False))
    loaded: dict[tuple[int, Moving | None, int], int] = {
        (access.base, access.moving, access.constant): op.results[0]
        for access, op in reversed(moves)
        if not access.store and access.moving is not None and not access.stride(nest.iv)
    }
    steps = list(steps_of_block(b, block)) if loaded else []
    for access, op in moves if loaded else ():
        argument = loaded.get((access.base, access.moving, access.constant)) if access.store else None
        if argument is not None:
            access.into = _between(b, steps, argument, op.operands[0])


def yielded_to(b: Builder, block: Block, nest: Nest, argument: int, result: int) -> int:
    """The class of what the body of an operation on tensors adds to an output."""
    *_, last = block.ops
    if not _several(nest) or result >= len(last.operands):
        return -1
    return _between(b, list(steps_of_block(b, block)), block.arguments[argument], last.operands[result])


def _several(nest: Nest) -> bool:
    """Whether a body has several kinds of operations that may be what is carried on."""
    return sum([nest.counts[index] > 0 for index in _TERMS]) > 1


def _between(b: Builder, steps: Sequence[CarriedStep], argument: int, value: int) -> int:
    """The class of all operations from one value to another, -1 where there are several, or the result is used by more
    than what keeps it (`AddReductionVar`: no user outside of the cycle)."""
    if sum([value in step.operands for step in steps]) > 1:
        return -1
    chain = chain_of_steps(b, steps, argument, value, b.type(argument), ())
    return chain.op_class if chain.op_class in _TERMS and len(chain.kinds) == 1 else -1


def _shared(access: Access, accesses: Sequence[Access], iv: int) -> bool:
    """Whether the index of a load addresses another row as well, and so does the one that the next iteration has for
    it."""
    stride = access.stride(iv)
    row = min(
        [abs(factor) for key, factor in access.moving or () if key != iv and abs(factor) > abs(stride)], default=0
    )
    same = access.base, access.moving
    rows = [a.constant for a in accesses if (a.base, a.moving) == same]
    return row > 0 and all(
        any(other != place and (other - place) % row == 0 for other in rows)
        for place in (access.constant, access.constant + stride)
    )
