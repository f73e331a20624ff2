"""Copies of whole buffers: one ``memcpy`` where both lie side by side, else a call of MLIR's runtime with descriptors.

Source: `MemRefCopyOpLowering` (MLIR 22): ``memrefCopy`` takes two descriptors of 3 + 2 rank words, on the stack.
"""

from __future__ import annotations

from collections.abc import Sequence

from featurizers.mlir import opclass
from featurizers.mlir.build import Builder, handles
from featurizers.mlir.indices import access, strides_of
from featurizers.mlir.module import Op
from featurizers.mlir.nest import CONSTANT, Nest

_INLINE_BYTES = 256
_DESCRIPTOR = 4.0
"""Words of a descriptor beside two for each dimension: two pointers, an offset, and the descriptor's own address."""


def together(shape: Sequence[int], steps: Sequence[int]) -> bool:
    """Whether all elements lie side by side."""
    wanted = 1
    for dim, step in zip(reversed(shape), reversed(steps), strict=True):
        if dim != 1 and step != wanted:
            return False
        wanted *= dim
    return True


def part_together(shape: Sequence[int], whole: Sequence[int]) -> bool:
    """Whether a part of this shape lies side by side within a buffer of shape `whole`."""
    shape = (*(1,) * (len(whole) - len(shape)), *shape)
    first = next((axis for axis, dim in enumerate(shape) if dim != 1), len(shape))
    return all(dim == other for dim, other in zip(shape[first + 1 :], whole[first + 1 :], strict=False))


@handles("memref.copy")
def _copy(b: Builder, op: Op, nest: Nest) -> None:
    source, target = op.operands[:2]
    shape = b.shape(target)
    plain = all(together(shape, strides_of(b, value)) for value in (source, target))
    move(b, nest, source, target, shape, plain)


def move(b: Builder, nest: Nest, source: int, target: int, shape: Sequence[int], plain: bool) -> None:
    """A copy of `shape` elements. plain : both lie side by side."""
    size = 1
    for dim in shape:
        size *= dim
    called = not plain or size * max(b.type(source).bits, 8) > 8 * _INLINE_BYTES
    for value, store in ((source, False), (target, True)):
        found = access(b, value, [{CONSTANT: 0}] * len(b.type(value).shape), store, size)
        found.called = called
        nest.accesses.append(found)
        if not called:
            nest.counts[opclass.STORE if store else opclass.LOAD] += max(size * found.bits / 512, 1.0)
    if called:
        nest.counts[opclass.CALL] += 1.0
    if not plain:
        nest.counts[opclass.STORE] += 2 * (_DESCRIPTOR + 2 * len(shape))


def handed_out(b: Builder, nest: Nest, value: int) -> None:
    """A tensor that the caller has given, written in place or not, or a part of one, is copied to where it wants the
    result (`BufferResultsToOutParams`)."""
    size, shape = 1, b.shape(value)
    for dim in shape:
        size *= dim
    plain = together(shape, b.steps.get(value) or strides_of(b, value))
    called = not plain or size * max(b.type(value).bits, 8) > 8 * _INLINE_BYTES
    for store in (False, True):
        found = access(b, value, [{CONSTANT: 0}] * len(b.type(value).shape), store, size)
        found.called = called
        if store:
            found.constant = _ELSEWHERE
        nest.accesses.append(found)
        if not called:
            nest.counts[opclass.STORE if store else opclass.LOAD] += max(size * found.bits / 512, 1.0)
    if not plain:
        nest.counts[opclass.CALL] += 1.0
        nest.counts[opclass.STORE] += 2 * (_DESCRIPTOR + 2 * len(shape))
    elif called:
        nest.counts[_LOGIC] += _JUMPED


_LOGIC, _JUMPED = opclass.CLASS["logic"], 4.0
"""A call that nothing follows is a jump, behind its three arguments."""
_ELSEWHERE = 1 << 30
"""Elements from a buffer to that of the result, which has no number of its own."""
