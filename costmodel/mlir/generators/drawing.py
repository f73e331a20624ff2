"""Random choices that generators share: log-uniform sizes, element types, and the variants of loop nests."""

from __future__ import annotations

import random
from collections.abc import Sequence

from costmodel.mlir.generators.groups import Variant

FLOAT_KINDS = ("f32", "f32", "f32", "f64", "f64", "f16")
INT_KINDS = ("i8", "i16", "i32", "i32", "i64")
ALL_KINDS = (*FLOAT_KINDS, *INT_KINDS)


def size(rng: random.Random, low: int, high: int) -> int:
    """A log-uniform size; in four of ten cases a multiple of the power of two below (what people choose)."""
    value = round(low * (high / low) ** rng.random())
    if rng.random() < 0.4 and value >= 4:
        power = 1 << max(2, value.bit_length() - 2)
        value = max(low, value // power * power or power)
    return int(min(max(value, low), high))


def sizes(rng: random.Random, count: int, low: int, high: int) -> list[int]:
    """Independent log-uniform sizes."""
    return [size(rng, low, high) for _ in range(count)]


def kind(rng: random.Random, kinds: Sequence[str] = ALL_KINDS) -> str:
    """An element type."""
    return rng.choice(list(kinds))


def coin(rng: random.Random, probability: float = 0.5) -> bool:
    """True with this probability."""
    return rng.random() < probability


_TILES = (4, 8, 16, 32, 64)


def loop_variants(rng: random.Random, depth: int, count: int = 4, *, vector: bool = True) -> list[Variant]:
    """Transformations of an affine nest `depth` deep, drawn without repetition."""
    makers = [_unroll, _unroll, _jam, _scalar_replacement]
    if depth >= 2:
        makers += [_tile, _tile, _tile, _tile_unroll]
    if vector:
        makers += [_vectorise]
    found: dict[str, Variant] = {}
    for _ in range(6 * count):
        variant = rng.choice(makers)(rng, depth)
        found.setdefault(variant.name, variant)
        if len(found) == count:
            break
    return list(found.values())


def nest_variants(rng: random.Random, depth: int, count: int = 4) -> list[Variant]:
    """The same for several nests after one another: fusion too."""
    fused = Variant({"fuse": "producer-consumer"}, "func.func(affine-loop-fusion{mode=producer})")
    greedy = Variant({"fuse": "greedy"}, "func.func(affine-loop-fusion{mode=greedy},affine-scalrep)")
    tiles = rng.choice(_TILES)
    both = Variant(
        {"fuse": "greedy", "tile": [tiles] * 3}, f"func.func(affine-loop-fusion,affine-loop-tile{{tile-size={tiles}}})"
    )
    chosen = rng.sample([fused, greedy, both], 2)
    return [*chosen, *loop_variants(rng, depth, max(count - 2, 1))]


def _tile_sizes(rng: random.Random, depth: int) -> list[int]:
    return [rng.choice((*_TILES, 1)) if coin(rng, 0.7) else rng.choice(_TILES) for _ in range(min(depth, 4))]


def _tile(rng: random.Random, depth: int) -> Variant:
    tiles = _tile_sizes(rng, depth)
    listed = ",".join(map(str, tiles))
    return Variant({"tile": tiles}, f"func.func(affine-loop-tile{{tile-sizes={listed}}})")


def _unroll(rng: random.Random, _: int) -> Variant:
    factor = rng.choice((2, 3, 4, 8, 16))
    return Variant({"unroll": factor}, f"func.func(affine-loop-unroll{{unroll-factor={factor}}})")


def _jam(rng: random.Random, _: int) -> Variant:
    factor = rng.choice((2, 4, 8))
    return Variant({"unroll_jam": factor}, f"func.func(affine-loop-unroll-jam{{unroll-jam-factor={factor}}})")


def _tile_unroll(rng: random.Random, depth: int) -> Variant:
    tiles, factor = _tile_sizes(rng, depth), rng.choice((2, 4, 8))
    listed = ",".join(map(str, tiles))
    passes = f"func.func(affine-loop-tile{{tile-sizes={listed}}},affine-loop-unroll{{unroll-factor={factor}}})"
    return Variant({"tile": tiles, "unroll": factor}, passes)


def _vectorise(rng: random.Random, _: int) -> Variant:
    width = rng.choice((4, 8, 16))
    return Variant({"vectorise": width}, f"func.func(affine-super-vectorize{{virtual-vector-size={width}}})")


def _scalar_replacement(_: random.Random, __: int) -> Variant:
    return Variant({"scalar_replacement": True}, "func.func(affine-loop-invariant-code-motion,affine-scalrep)")
