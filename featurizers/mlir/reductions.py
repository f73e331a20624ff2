"""Sums and the like that SLP packs: how many terms are in one vector, and what takes them together.

Sources (LLVM 22), `SLPVectorizer.cpp`: `HorizontalReduction::tryToReduce` takes as many terms at once as fill four
registers (`RegMaxNumber`) of what is reduced, so that elements that are narrower when they are loaded fill a register
of their own; the vectors of one sum are added up before its lanes are (`emitReduction`).
"""

from __future__ import annotations

from math import log2

from featurizers.mlir.cpus import Cpu
from featurizers.mlir.loop import Loop
from featurizers.mlir.nest import Chain
from featurizers.mlir.opclass import CLASS, IMINMAX

_IADD = CLASS["iadd"]
_MOST_REGISTERS = 4
_BY_ONE = 2.0
"""A reduction across lanes and a move to the scalar (``addv``)."""
_HALVING = 2.0
"""A shuffle and an operation on what is left."""
_BYTE, _WORD, _REGISTER = 8, 16, 128
_SUM_OF_BYTES, _EXTREME = 4.0, 5.0
"""Of the last 128 bits: bytes are added by ``vpsadbw``, behind one halving; extremes of bytes and words by
``vphminposuw``, whose operand and result are turned around (`combineMinMaxReduction`)."""


def _chain(loop: Loop) -> Chain | None:
    return loop.serial_chain or (loop.chains[0] if loop.chains else None)


def _operation(loop: Loop) -> int:
    chain = _chain(loop)
    return -1 if chain is None else chain.op_class


def _bits(loop: Loop) -> int:
    chain = _chain(loop)
    return max(chain.bits if chain is not None and chain.bits else loop.bits, 8)


def lanes(loop: Loop, width: int, terms: int) -> int:
    """Terms in one vector."""
    most: int = min(_MOST_REGISTERS * max(width // _bits(loop), 1), terms)
    return 1 << (most.bit_length() - 1)


def across(loop: Loop, cpu: Cpu, lanes: int) -> float:
    """Instructions that make one value of the lanes of a register."""
    if cpu.isa == "aarch64":
        return _BY_ONE
    bits, op_class = _bits(loop), _operation(loop)
    own = max(min(lanes, cpu.prefer_bits // bits), 2)
    at_once = last_at_once(op_class, bits, own * bits)
    return _HALVING * log2(own) + 1.0 if at_once is None else at_once


def halved(size: float, to: int) -> float:
    """Instructions that halve a vector of so many bits until it has so many."""
    return _HALVING * log2(max(size / to, 1.0))


def last_at_once(op_class: int, bits: int, size: float) -> float | None:
    """Instructions of x86 for a vector of so many bits of small numbers, the last of which come together at once; None
    where they do not."""
    if op_class == IMINMAX and bits <= _WORD:
        return halved(size, _REGISTER) + _EXTREME
    if op_class == _IADD and bits == _BYTE:
        return halved(size, _REGISTER) + _SUM_OF_BYTES
    return None


def loads(loop: Loop, width: int, vectors: float, together: float) -> float:
    """Loads of so many vectors with so many elements together: one for each register of these, as wide as they are in
    memory."""
    read = [access.bits for access in loop.accesses if not access.store]
    return max(vectors, together * sum(read) / max(len(read), 1) / width)
