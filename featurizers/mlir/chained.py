"""Stores of values that stand one after the other, which no vector computes.

Source (LLVM 22), `SLPVectorizer.cpp`: operands of lanes that are lanes of the same vector are no tree
(`BoUpSLP::buildTree`), while stages that follow each other element by element are.
"""

from __future__ import annotations

from featurizers.mlir import opclass
from featurizers.mlir.loop import Loop

_STEPS = 2
_TAKEN_APART = (opclass.LIBM, opclass.CLASS["idiv"])


def in_turn(loop: Loop, packed: int) -> bool:
    """Whether what a body stores in so many lanes does."""
    return _passed_on(loop, packed) or _one_chain(loop) or _one_stored(loop)


def _passed_on(loop: Loop, packed: int) -> bool:
    """Whether what is stored is computed from what was stored before it other than lane by lane, as in a running sum:
    stages that follow each other element by element are as many trees. None goes on through what is taken apart."""
    through = loop.forwarded
    if not any(loop.counts[index] for index in _TAKEN_APART):
        through = min(through, loop.passed_on)
    return 0 < packed <= 2 * through


def _one_chain(loop: Loop) -> bool:
    """Each result comes from the one before (a running sum), which no vector computes."""
    chain = loop.serial_chain
    if chain is None or chain.op_class < 0 or loop.serial < _STEPS:
        return False
    each = dict(chain.kinds).get(chain.op_class, chain.steps)
    return loop.counts[chain.op_class] < 2 * loop.serial * each / chain.steps


def _one_stored(loop: Loop) -> bool:
    """Whether what is stored are the steps of one carried value."""
    return any(chain.used and chain.steps >= _STEPS for chain in loop.chains)
