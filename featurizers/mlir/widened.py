"""Sums of products of what was extended, and of what was extended: AArch64 adds them to fewer, wider lanes.

Sources (LLVM 22): `AArch64TTIImpl::getPartialReductionCost`, `VPlanTransforms::createPartialReductions` (all that a
loop sums up is a product of two values that were extended alike, or one of them; ``partial.reduce.add`` for it has as
many lanes as fit into a register of what is loaded); ``sdot``, ``smlal``, ``saddw`` of the back end. Cycles are those
of llvm-mca-22 on such loops. `AArch64TTIImpl::isWideningInstruction`: extensions that are part of a product.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, NamedTuple

from featurizers.mlir import opclass
from featurizers.mlir.cpus import Cpu
from featurizers.mlir.loop import Loop
from featurizers.mlir.module import Op
from featurizers.mlir.nest import Nest, Typed
from featurizers.mlir.opclass import CLASS

if TYPE_CHECKING:
    from featurizers.mlir.build import Builder

_EXTEND = CLASS["extend"]
_REGISTER = 128
_BYTE, _WORD, _LONG_BITS = 8, 32, 64
_BITS = 256
_PRODUCTS = -1 << 7
"""Kinds of `Nest.fused` from here on: products of what was extended, by their bits, for which NEON has an instruction
(``smull``)."""


class Sums(NamedTuple):
    """What a loop sums up in each iteration. source, bits : of an element, and of the sum. products : whether it is one
    of two elements. terms : how many there are."""

    source: int
    bits: int
    products: bool
    terms: float


def _key(source: int, bits: int, products: bool) -> int:
    """Of `Nest.fused`, where all others are positive."""
    return -((source * _BITS + bits) * 2 + products)


def extended(b: Builder, op: Op) -> None:
    """A value that was loaded is extended."""
    source, last = b.type(op.operands[0]).bits, b.ready.get(op.operands[0])
    if source >= _BYTE and last is not None and last[1] == opclass.LOAD:
        b.widened[op.results[0]] = op.name == "arith.extsi", source, False


def multiplied(b: Builder, op: Op, nest: Nest) -> None:
    """A product of two values that were extended alike is one."""
    left, right = (b.widened.get(value) for value in op.operands)
    if left is not None and left == right and not left[2]:
        b.widened[op.results[0]] = left[0], left[1], True
        kind = -b.type(op.results[0]).bits
        nest.fused[kind] = nest.fused.get(kind, 0.0) + 1.0


def added(b: Builder, op: Op, nest: Nest) -> None:
    """A sum with one of these."""
    known = [b.widened[value] for value in op.operands if value in b.widened]
    if len(known) == 1:
        _, source, products = known[0]
        kind = _key(source, b.type(op.results[0]).bits, products)
        nest.fused[kind] = nest.fused.get(kind, 0.0) + 1.0


def long_products(loop: Loop, written: bool = False) -> float:
    """Share of a body's products that are such. written : also of those that become shifts."""
    products = loop.counts[opclass.IMUL]
    if written:
        products += loop.typed.get((CLASS["logic"], _LONG_BITS, 0, True), 0.0)
    return min(loop.fused.get(-_LONG_BITS, 0.0) / products, 1.0) if products else 0.0


def free(loop: Loop, cpu: Cpu) -> float:
    """Extensions that are part of such products."""
    if cpu.isa != "aarch64" or cpu.scalable or not loop.fused:
        return 0.0
    products = sum([times for key, times in loop.fused.items() if _PRODUCTS <= key < 0])
    return min(2.0 * products, loop.counts[_EXTEND])


def last_steps(loop: Loop, cpu: Cpu, vf: int, bits: int, source: int) -> float:
    """Registers of NEON that an extension does not take, for such a product extends its operands."""
    if source >= bits or cpu.isa != "aarch64" or cpu.scalable or not loop.fused:
        return 0.0
    extensions = sum([times for (kind, own, *_), times in loop.typed.items() if kind == _EXTEND and own == bits])
    share = min(2.0 * loop.fused.get(-bits, 0.0) / max(extensions, 1.0), 1.0)
    return share * max(vf * bits / _REGISTER, 1.0)


def sums(loop: Loop, cpu: Cpu) -> Sums | None:
    """What a loop sums up, where it is nothing else. V1 has vectors of unknown length for what is extended from
    words."""
    if loop.summed is not None:
        return loop.summed
    if cpu.isa != "aarch64" or not loop.fused or not loop.chains:
        return None
    kinds = [(-key, times) for key, times in loop.fused.items() if key < _PRODUCTS and times > 0]
    if len(kinds) != 1 or loop.strided or loop.gathered or loop.invariant:
        return None
    key, terms = kinds[0]
    if terms != loop.counts[opclass.IADD] or any(c.op_class != opclass.IADD or c.used or c.stored for c in loop.chains):
        return None
    widths, products = divmod(key, 2)
    source, bits = divmod(widths, _BITS)
    if cpu.scalable and source == _WORD:
        return None
    return Sums(source, bits, products == 1, terms)


def without(loop: Loop, found: Sums, body: float) -> tuple[Loop, float]:
    """A loop without these operations, and the instructions of its body."""
    rest = copy(loop)
    rest.counts, rest.typed, rest.mix = loop.counts.copy(), loop.typed.copy(), None
    each = {opclass.IADD: 1.0, opclass.IMUL: float(found.products), _EXTEND: 1.0 + found.products}
    for index, times in each.items():
        removed = min(found.terms * times, loop.counts[index])
        rest.counts[index] -= removed
        for key in [key for key in loop.typed if key[0] == index and key[1] == found.bits]:
            removed -= _take(rest.typed, key, removed)
    merged = min(loop.folds, found.terms * found.products)
    rest.folds, rest.summed = loop.folds - merged, found
    rest.bits = max([key[1] for key, times in rest.typed.items() if times > 0], default=found.source)
    return rest, max(body - found.terms * (1.0 + found.products) + merged, 1.0)


def _take(typed: dict[Typed, float], key: Typed, most: float) -> float:
    taken = min(typed[key], most)
    typed[key] -= taken
    return taken


def instructions(found: Sums, scalable: bool) -> float:
    """For a register of what is loaded: ``sdot`` takes four bytes to a word, others double the width, and ``saddw``
    adds what is half as wide as the sum."""
    factor = found.bits // found.source
    if found.source == _BYTE and factor >= 4:
        return 1.0 if factor == 4 else 5.0 if scalable else 3.0
    return 2.0 if factor == 2 else 6.0 if found.products else 4.0


_DOT, _LONG, _WIDE = {"apple-m1": 4.0}, {"apple-m1": 3.5}, 2.0
"""Cycles from one sum to the next by ``sdot``, by ``smlal``, and by ``saddw``; others add in one."""


def wait(found: Sums, cpu: Cpu) -> float:
    """Cycles from one vector of sums to the next."""
    factor = found.bits // found.source
    if found.source == _BYTE and factor == 4:
        return found.terms * _DOT.get(cpu.name, 1.0)
    if factor == 2:
        return found.terms * 2.0 * _LONG.get(cpu.name, 1.0)
    return found.terms * (2.0 if found.source == _BYTE else 4.0) * _WIDE


_LANE_SIZE = 2.5


def size(found: Sums, vf: int) -> float:
    """LLVM's size of them: an intrinsic that is taken apart lane by lane."""
    return found.terms * (_LANE_SIZE * vf + found.products)


def cost(found: Sums, vf: int) -> float:
    """Of a vector iteration, to the vectoriser."""
    return found.terms * max(vf * found.source / _REGISTER, 1.0)


def work(found: Sums, cpu: Cpu, vf: int) -> float:
    """Instructions of a vector iteration."""
    return instructions(found, cpu.scalable > 0) * cost(found, vf)


def lanes(found: Sums) -> list[int]:
    """Of vectors, up to one register of what is loaded."""
    most = _REGISTER // found.source
    return [1 << power for power in range(1, most.bit_length())]


def fits(loop: Loop, cpu: Cpu, vf: int) -> bool:
    """Whether a vector is one of fixed length for such sums."""
    found = sums(loop, cpu)
    return found is not None and vf * found.source <= _REGISTER
