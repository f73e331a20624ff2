"""Whole-number operations that the back end makes one instruction of: logic on three vectors, complements, shifts as
operands, shifts that are added, rotations.

Sources (LLVM 22): `X86DAGToDAGISel::tryVPTERNLOG` (steps that nothing else uses, of three values at most), the
patterns of ``bic``, ``orn``, ``eon``, ``eor3`` (AArch64), ``andn`` (x86's BMI, RISC-V's Zbb) and ``usra`` (NEON),
AArch64's shifted operands, which are of scalars alone; NEON turns around by two instructions (one of 64 bits, with
SHA3: ``xar``), SVE by three; `InstCombinerImpl::visitShl` (a mask is taken after a shift).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from featurizers.mlir import counting
from featurizers.mlir.cpus import Cpu
from featurizers.mlir.loop import Loop
from featurizers.mlir.module import Op, count_uses
from featurizers.mlir.nest import Nest

if TYPE_CHECKING:
    from featurizers.mlir.build import Builder

THREE, COMPLEMENT, COMPLEMENT_AND, SHIFTED, ADDED, TURNED, TURNED_LONG = range(7)
EXCLUSIVE, SHIFTS, DISTANCE, CHOSEN, UPPER, OF_NUMBERS, NARROW, BYTES, COPIED, DOUBLED = range(7, 17)
"""Logic that is part of its user on x86; complements that go into logic; those of words and longer that go into `and`;
shifts that go into logic; shifts to the right that are added; rotations; those of 64 bits; pairs of `xor`; all shifts
by a number; the larger of two without signs less the smaller (``uabd``); bits of two values by a mask
(``bsl``); upper halves of products; logic on a value and two numbers, which is written over that, so that it is loaded
first, less rotations of what is loaded; rotations of less than words; shifts of bytes that no logic follows; copies of
what is written over, see `overwritten`; products of floats with two, which are sums (`DAGCombiner::visitFMUL`)."""
_WORD = 32
_INPUTS = 3
_NEON = 128
_WRITTEN_OUT = 9.0
_UPPER_OF_X86 = 4.0
"""Instructions of an upper half of 32 bits beyond a product: two of even and odd lanes (``vpmuludq``), put together."""
_TURNS_NARROW = frozenset(("znver4",))
"""Cores of x86 that turn bytes and words of 16 bits around by one instruction (``vgf2p8affineqb``, ``vpshldw``)."""
_SHA3 = frozenset(("apple-m1",))
"""Cores that have ``eor3`` and ``xar``."""


class Logic(NamedTuple):
    """A step of logic. iv : the loop that it is in. of : values, and numbers by their bits, that it is of in the end.
    name : without its dialect, ``not`` of complements. paired : whether another `xor` is part of it. inner : the last
    step that is part of it."""

    iv: int
    of: frozenset[int | tuple[int, int]]
    name: str
    paired: bool = False
    inner: str = ""


def uses(b: Builder, value: int) -> int:
    """How often a value is used."""
    if not b.uses:
        count_uses(b.blocks, b.uses)
    return b.uses.get(value, 0)


def _once(b: Builder, value: int) -> bool:
    return uses(b, value) == 1


def note(nest: Nest, kind: int, times: float = 1.0) -> None:
    """Count what is fused in a body."""
    nest.fused[kind] = nest.fused.get(kind, 0.0) + times


def _leaf(b: Builder, value: int, bits: int, shift: int = 0) -> int | tuple[int, int]:
    """A value, or a number and its complement as the same."""
    number = b.number(value)
    if number is None:
        return value
    every = (1 << bits) - 1
    number = (number << shift if shift >= 0 else (number & every) >> -shift) & every
    return 0, min(number, number ^ every)


def logic(b: Builder, op: Op, nest: Nest) -> None:
    """Account for one step of logic on scalars, which is not part of a rotation."""
    result, bits, name = op.results[0], b.type(op.results[0]).bits, op.name[6:]
    if name == "xori" and b.number(op.operands[1]) == -1:
        b.logic[result] = Logic(nest.iv, frozenset((op.operands[0],)), "not")
        return
    of = frozenset([_leaf(b, value, bits) for value in op.operands])
    paired, inner, masked = False, "", []
    for value in reversed(op.operands):
        known = b.logic.get(value)
        if known is None or known.iv != nest.iv or not _once(b, value):
            continue
        if known.name == "not":
            note(nest, COMPLEMENT)
            if bits >= _WORD and name == "andi":
                note(nest, COMPLEMENT_AND)
        elif name == known.name == "xori" and not known.paired and not paired:
            note(nest, EXCLUSIVE)
            paired = True
        if known.name == "andi":
            masked.append(known)
        inner = known.name
        merged = of - {value} | known.of
        if len(merged) <= _INPUTS:
            of = merged
            note(nest, THREE)
            if sum([isinstance(each, int) for each in of]) == 1 < len(of) - 1:
                note(nest, OF_NUMBERS)
    if _chooses(name, masked, op.operands):
        note(nest, CHOSEN)
    b.logic[result] = Logic(nest.iv, of, name, paired, inner)


def _chooses(name: str, masked: list[Logic], operands: list[int]) -> bool:
    """Whether a step takes bits of two values by a mask: ``(x & m) | (y & ~m)``, ``((x ^ y) & m) ^ x``."""
    if name == "andi" or not masked:
        return False
    if len(masked) == 1:
        (one,) = masked
        return name == one.inner == "xori" and len(one.of) == _INPUTS and not one.of.isdisjoint(operands)
    one, other = masked
    shared = one.of & other.of
    inverted = "not" in (one.inner, other.inner) or any(isinstance(each, tuple) for each in shared)
    return len(shared) == 1 and len(one.of | other.of) == _INPUTS and inverted


def shifted(b: Builder, op: Op, nest: Nest, amount: int) -> None:
    """A mask with a number before a shift is one behind it."""
    value = op.operands[0]
    known = b.logic.get(value)
    if known is not None and known.name == "andi" and known.iv == nest.iv and _once(b, value):
        bits = b.type(value).bits
        for each in known.of:
            if isinstance(each, tuple) and len(known.of) > 1:
                by = amount if op.name == "arith.shli" else -amount
                number = (each[1] << by if by >= 0 else each[1] >> -by) & ((1 << bits) - 1)
                leaf = 0, min(number, number ^ ((1 << bits) - 1))
                b.logic[op.results[0]] = Logic(nest.iv, frozenset((op.results[0], leaf)), "andi")


def added(b: Builder, op: Op, nest: Nest) -> None:
    """Account for a sum, of which an operand may be a shift to the right."""
    for value in op.operands:
        shift = b.shifts.get(value)
        if shift is not None and shift[0] != "arith.shli" and _once(b, value):
            note(nest, ADDED)
            return


def beyond(loop: Loop, cpu: Cpu, vector: bool, near: bool = True) -> float:
    """Instructions that these operations of a body take beyond one for each, where rotations are one. near : in vectors
    of fixed length."""
    if not loop.fused:
        return 0.0
    count = loop.fused.get
    found = counting.beyond(loop, cpu, vector, near)
    if cpu.isa == "x86":
        if not vector:
            return found + count(UPPER, 0.0) - count(COMPLEMENT_AND, 0.0) + max(count(COPIED, 0.0), 0.0)
        narrow = 0.0 if cpu.name in _TURNS_NARROW else 2.0 * count(NARROW, 0.0)
        return found + narrow + _UPPER_OF_X86 * count(UPPER, 0.0) + max(count(BYTES, 0.0), 0.0) - count(THREE, 0.0)
    found += (0.0 if vector else 1.0) * count(UPPER, 0.0) - count(COMPLEMENT, 0.0)
    if cpu.isa != "aarch64":
        return found
    if not vector:
        return found - count(SHIFTED, 0.0)
    found -= 2.0 * count(DISTANCE, 0.0)
    if not near:
        return found + 2.0 * count(TURNED, 0.0)
    turned = count(TURNED, 0.0)
    if cpu.name in _SHA3:
        turned -= count(TURNED_LONG, 0.0) + count(EXCLUSIVE, 0.0)
    return found + turned + 2.0 * (count(UPPER, 0.0) - count(CHOSEN, 0.0)) - count(ADDED, 0.0)


def size(loop: Loop, cpu: Cpu, vf: int, near: bool, parts: float) -> float:
    """What LLVM's size of a vector iteration has of all these beyond their instructions, in so many registers: the back
    end's doing is not in it, rotations of AArch64 are two, of unknown length four."""
    turned = loop.fused.get(TURNED, 0.0) * (1.0 if near else 3.0) if cpu.isa == "aarch64" else 0.0
    width = cpu.prefer_bits if cpu.isa != "aarch64" or not near else _NEON
    more = turned + upper_size(loop) - beyond(loop, cpu, True, near)
    return more * parts + counting.wide_size(loop, cpu, vf, near, width)


def upper_size(loop: Loop) -> float:
    """LLVM's size of the upper halves of products in a vector iteration, beyond one for each: two extensions, a
    product, a shift and a truncation of twice the width, two registers each."""
    return _WRITTEN_OUT * loop.fused.get(UPPER, 0.0)


def light(loop: Loop, cpu: Cpu) -> float:
    """Operations of whole vectors that take one unit of a core in order, where others take both: shifts by a number
    (`CortexA55WriteVq`, ``SSHR``, ``USHR``, ``SHL``)."""
    return loop.fused.get(SHIFTS, 0.0) / 2 if cpu.in_order and cpu.isa == "aarch64" and loop.fused else 0.0
