"""Steps of what a loop of whole numbers carries on, as the back end has them: shifts that are part of logic and sums,
rotations, products by few shifts, quotients by numbers, tests of bits.

Sources (LLVM 22): AArch64's shifted operands (`AArch64SchedNeoverseV1.td`: of logic as fast as without, of sums only up
to four to the left; `AArch64SchedCyclone.td`: two cycles for two registers, one for a register and a number;
`AArch64SchedA55.td`: two); ``lea`` and Zba's ``sh1add``; `DAGCombiner::visitMUL`, `TargetLowering::BuildUDIV`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurizers.mlir import opclass
from featurizers.mlir.bits import cost, rotates
from featurizers.mlir.fused import uses
from featurizers.mlir.latency import Step, after
from featurizers.mlir.module import Op

if TYPE_CHECKING:
    from featurizers.mlir.build import Builder

_LOGIC, _IDIV = opclass.CLASS["logic"], opclass.CLASS["idiv"]
_BITWISE = frozenset(("arith.andi", "arith.ori", "arith.xori"))
_SHIFTS = frozenset(("arith.shli", "arith.shrui", "arith.shrsi"))
_BINARY = 2
_WORD, _SCALE, _LEFT = 32, 3, 4
_RIGHT = 64
_IMMEDIATE = 4096
"""Numbers below are operands of AArch64's sums."""


def next_step(b: Builder, op: Op, op_class: int, chain: Step | None, value: int) -> Step:
    """The chain with one more operation on scalar whole numbers. value : the operand that it comes by."""
    if len(op.operands) < _BINARY:
        return after(chain, op_class)
    number = b.number(op.operands[1])
    if op_class in (_LOGIC, opclass.IADD):
        if number is not None:
            return after(chain, _of_number(b, op, op_class, number))
        return _of_registers(b, op, op_class, chain, value)
    if number is not None and opclass.OP_CLASS.get(op.name) == _IDIV:
        return _quotient(op, op_class, chain)
    if number is not None and op_class == opclass.IMUL:
        return _product(op_class, chain, number)
    if op_class == opclass.SELECT and chain is not None and chain[1] == opclass.COMPARE:
        mask = chain[3]
        if mask is not None and mask[1] == opclass.MASKING:  # ``test``, ``tst``
            chain = after(mask[3], opclass.COMPARE)
    return after(chain, op_class)


def _of_number(b: Builder, op: Op, op_class: int, number: int) -> int:
    """What an operation on a value and a number is: whether AArch64 has it as an operand."""
    if op.name in _SHIFTS:
        return opclass.NUMBERED
    if op.name not in _BITWISE:
        return opclass.NUMBERED if abs(number) < _IMMEDIATE else op_class
    bits = b.type(op.operands[0]).bits
    if cost("aarch64", frozenset([(max(bits, _WORD), number & ((1 << bits) - 1))])):
        return op_class
    return opclass.MASKING if op.name == "arith.andi" else opclass.NUMBERED


def _of_registers(b: Builder, op: Op, op_class: int, chain: Step | None, value: int) -> Step:
    """An operation on two registers, of which the shift that the chain comes by can be part."""
    other = op.operands[op.operands[0] == value]
    if chain is not None and b.type(value).bits >= _WORD and uses(b, value) == 1:
        bitwise, shift = op.name in _BITWISE, b.shifts.get(value)
        if shift is not None:
            beside = b.shifts.get(other)
            if op.name == "arith.ori" and beside is not None and rotates(shift, beside, b.type(value).bits):
                return after(chain[3], opclass.TURNED)
            if bitwise or op.operands[1] == value or op.name == "arith.addi":
                left = shift[2] if shift[0] == "arith.shli" else _RIGHT
                summed = opclass.SCALED if left <= _SCALE else opclass.PART if left <= _LEFT else opclass.PART_OF_SUM
                chain = after(chain[3], opclass.PART if bitwise else summed)
        elif bitwise and chain[1] == opclass.TURNED:
            chain = after(chain[3], opclass.PART)
        elif chain[1] == opclass.MASKING and op.name == "arith.subi" and b.number(op.operands[0]) == 0:
            return after(after(chain[3], opclass.SUBTRACTED), opclass.NUMBERED)  # ``sbfx`` of a bit
    return after(_fed(b, op, op_class, chain, other), op_class)


_FOLDED = frozenset(("arith.addi", "arith.andi", "arith.ori", "arith.xori"))


def _fed(b: Builder, op: Op, op_class: int, chain: Step | None, other: int) -> Step | None:
    """The chain before an operation that may have its other operand in memory; of terms that are added up, what varies
    least is added first (`Reassociate`)."""
    loaded = b.ready.get(other)
    if (
        loaded is None
        or (chain is not None and chain[1] == op_class)
        or loaded[1] != opclass.LOAD
        or op.name not in _FOLDED
    ):
        return chain
    return after(chain, opclass.OF_LOADED) if uses(b, other) == 1 else chain


def settled(chain: Step | None, passed: bool) -> Step | None:
    """A whole chain, from a value to its next one: what has an operand in memory begins to load before the other is
    there, but not before the step that makes that begins (``ReadAfterLd``). A step by itself does not wait for that.
    passed : a loop inside has other steps."""
    classes = []
    last = chain
    while last is not None:
        classes.append(last[1])
        last = last[3]
    if opclass.OF_LOADED not in classes:
        return chain
    found: Step | None = None
    for at in range(len(classes) - 1, -1, -1):
        if classes[at] != opclass.OF_LOADED:
            found = after(found, classes[at])
        elif len(classes) > _ALONE or passed:
            before = classes[at + 1] if at + 1 < len(classes) else classes[0]
            found = after(found, opclass.BEHIND_PRODUCT if before == opclass.IMUL else opclass.OF_LOADED)
    return found


_ALONE = 2


def _product(op_class: int, chain: Step | None, number: int) -> Step:
    """A shift, and a sum or a difference with it: what is added to that later goes beside."""
    size = abs(number)
    if size & (size - 1) == 0:
        return after(chain, opclass.NUMBERED)
    if (size - 1) & (size - 2) and (size + 1) & size:
        return after(chain, op_class)
    scaled = (size - 1) & (size - 2) == 0 and size <= (1 << _SCALE) + 1
    return after(after(chain, opclass.SCALED if scaled else opclass.MULTIPLIED_OUT), opclass.IADD)


QUOTIENT = ((opclass.NUMBERED, 1.0), (opclass.IMUL, 1.0))
"""Steps of a chain that is nothing but a quotient by a number."""


def _quotient(op: Op, op_class: int, chain: Step | None) -> Step:
    """The upper half of a product, shifted; a remainder is what another product of that leaves. One by a power of two
    is a shift or a mask."""
    if op_class != opclass.IMUL:
        return after(chain, opclass.NUMBERED)
    chain = after(after(chain, opclass.IMUL), opclass.NUMBERED)
    if not op.name.endswith("ui"):
        chain = after(chain, opclass.IADD)
    if "rem" in op.name:
        chain = after(after(chain, opclass.IMUL), opclass.SUBTRACTED)
    return chain
