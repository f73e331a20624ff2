"""Values that a body stores and the next iteration loads.

Sources (LLVM 22): `LoopLoadElimination` (strides of one); `GVN::PerformLoadPRE`, which finds the place of the iteration
before among the addresses of this one: where an index is of a single address, `InstCombine` has made it a part of that.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from featurizers.mlir.build import Builder
from featurizers.mlir.carried import chain_of_steps, steps_of_block
from featurizers.mlir.indices import moves_of
from featurizers.mlir.module import Block
from featurizers.mlir.nest import JUMP, Access, Nest


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
        chain = chain_of_steps(steps, argument, value, b.type(argument), ())
        if chain.op_class < 0 or not chain.kinds:
            continue
        chain = msgspec.structs.replace(chain, reassociable=False, used=True)
        if iv != nest.iv:
            nest.passing += [(iv, chain)] if abs(access.stride(iv)) <= step else []
        elif abs(access.stride(iv)) <= step and (step == 1 or _shared(access, nest.accesses, iv)):
            nest.chains.append(chain)
            nest.reloads += 1
        elif nest.stepwise is None or chain.steps > nest.stepwise.steps:
            nest.stepwise = chain


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
