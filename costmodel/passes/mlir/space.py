"""What a loop nest may be turned into: tile sizes, unroll and unroll-jam factors, by MLIR's own affine passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to write a nest; the default leaves it as it is.

    tile : size in every loop of the band, 0 for none, -1 for the size that mlir-opt takes when it is not told.
    jam : factor of unroll-and-jam of the outermost loop. unroll : factor of the innermost loops.
    """

    tile: int = 0
    jam: int = 1
    unroll: int = 1

    @property
    def pipeline(self) -> str:
        """The passes of one function before innermost loops are unrolled, in mlir-opt's notation; empty for none."""
        steps = []
        if self.tile:
            steps.append("affine-loop-tile" + (f"{{tile-size={self.tile}}}" if self.tile > 0 else ""))
        if self.jam > 1:
            steps.append(f"affine-loop-unroll-jam{{unroll-jam-factor={self.jam}}}")
        return ",".join(steps)

    def __str__(self) -> str:
        tile = "default" if self.tile < 0 else str(self.tile)
        parts = (f"tile {tile}" * bool(self.tile), f"jam {self.jam}" * (self.jam > 1))
        return ", ".join(filter(None, (*parts, f"unroll {self.unroll}" * (self.unroll > 1)))) or "as it is"


AS_IT_IS = Choice()
DEFAULT_TILE = Choice(tile=-1)
SPACE: tuple[Choice, ...] = (
    AS_IT_IS,
    DEFAULT_TILE,
    Choice(tile=32),
    *(Choice(unroll=factor) for factor in (2, 4, 8)),
    *(Choice(jam=factor) for factor in (2, 4)),
    Choice(tile=16, unroll=4),
    Choice(jam=4, unroll=2),
)


def choices(tiles: bool, jams: bool, space: Sequence[Choice] = SPACE) -> tuple[Choice, ...]:
    """Those that are legal for a nest: whether it may be tiled, and whether its outermost loop may be jammed."""
    return tuple(c for c in space if (tiles or not c.tile) and (jams or c.jam == 1))
