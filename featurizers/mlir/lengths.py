"""Loops of several known lengths: the whole tiles and the rest, which LLVM looks at one by one."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

from featurizers.mlir.loop import Loop

_FEW_LENGTHS = 3
"""Lengths that are told apart: of tiles and of what they leave, but not of triangles."""


def by_length(loop: Loop, lengths: Sequence[tuple[int, float]]) -> list[Loop]:
    """A loop for each of a few lengths; with more, one for all."""
    if 1 < len(lengths) <= _FEW_LENGTHS:
        found = [twin(loop) for _ in lengths]
        for alone, length in zip(found, lengths, strict=True):
            shorten(alone, [length])
        return found
    shorten(loop, lengths)
    return [loop]


def shorten(loop: Loop, lengths: Sequence[tuple[int, float]]) -> None:
    """Leave the executions of these lengths."""
    part = sum([share for _, share in lengths])
    loop.lengths = tuple([(n, share / part) for n, share in lengths]) if len(lengths) > 1 else ()
    loop.trip = sum([n * share for n, share in lengths]) / part
    loop.factor *= part


def twin(loop: Loop) -> Loop:
    """Another one of the same, with those inside."""
    found = copy(loop)
    found.counts, found.accesses, found.chains = loop.counts.copy(), loop.accesses.copy(), loop.chains.copy()
    found.wide, found.typed, found.divided = loop.wide.copy(), loop.typed.copy(), loop.divided.copy()
    found.decided, found.lifted = loop.decided.copy(), loop.lifted.copy()
    found.extremes, found.still, found.kept = loop.extremes.copy(), loop.still.copy(), loop.kept.copy()
    found.children = [twin(child) for child in loop.children]
    return found
