"""Stencils in one to three dimensions, radius one to three, one or several time steps."""

from __future__ import annotations

import random
from itertools import product

from costmodel.mlir.generators.drawing import coin, kind, nest_variants, size
from costmodel.mlir.generators.groups import Group
from costmodel.mlir.generators.writer import Writer

_LARGEST = {1: 4000, 2: 200, 3: 48}


def stencil(rng: random.Random) -> Group:
    """Star or box, weighted or plain, in place or out of place, followed or not by a copy back."""
    rank, radius = rng.choice((1, 2, 2, 3)), rng.choice((1, 1, 2, 3))
    box = coin(rng, 0.3) and (2 * radius + 1) ** rank <= 49
    element, noalias = kind(rng, ("f32", "f32", "f64", "f16", "i16", "i32")), coin(rng)
    shape = [size(rng, 2 * radius + 3, _LARGEST[rank]) for _ in range(rank)]
    style = rng.choice(("out", "out", "in_place", "copy_back", "two_step"))
    steps = size(rng, 2, 50) if coin(rng, 0.3) else 1
    coefficients = [rng.choice((1, 2, 3, 4, 5)) for _ in range(2 * rank * radius + 1)]
    text = _text(shape, radius, box, element, style, steps, coefficients, noalias)
    depth = rank + (steps > 1)
    key = f"{'x'.join(map(str, shape))}r{radius}{'b' if box else 's'}-{element}-{style}-t{steps}-{int(noalias)}"
    return Group("stencil", key, text, nest_variants(rng, depth, 5))


def _text(
    shape: list[int],
    radius: int,
    box: bool,
    element: str,
    style: str,
    steps: int,
    coefficients: list[int],
    noalias: bool,
) -> str:
    w = Writer()
    source, target = w.buffer(shape, element), w.buffer(shape, element)
    offsets = _offsets(len(shape), radius, box)

    def sweep(a: str, b: str) -> None:
        def inner(at: list[str]) -> None:
            total = None
            for number, offset in enumerate(offsets):
                value = w.load(a, *(f"{i} + {o}" if o >= 0 else f"{i} - {-o}" for i, o in zip(at, offset, strict=True)))
                weight = coefficients[number % len(coefficients)]
                if weight != 1:
                    value = w.op("mul", element, value, w.constant(weight, element))
                total = value if total is None else w.op("add", element, total, value)
            assert total is not None
            w.store(total, b, *at)

        _interior(w, shape, radius, [], inner)

    def copy(a: str, b: str) -> None:
        _interior(w, shape, radius, [], lambda at: w.store(w.load(a, *at), b, *at))

    def step() -> None:
        if style == "in_place":
            sweep(source, source)
            return
        sweep(source, target)
        if style == "copy_back":
            copy(target, source)
        elif style == "two_step":
            sweep(target, source)

    if steps > 1:
        with w.loop(0, steps, name="t"):
            step()
    else:
        step()
    return w.function("stencil", noalias=noalias)


def _offsets(rank: int, radius: int, box: bool) -> list[tuple[int, ...]]:
    reach = range(-radius, radius + 1)
    if box:
        return list(product(reach, repeat=rank))
    star = {tuple(o if d == axis else 0 for d in range(rank)) for axis in range(rank) for o in reach}
    return sorted(star)


def _interior(w: Writer, shape: list[int], radius: int, at: list[str], inner) -> None:  # type: ignore[no-untyped-def]
    if len(at) == len(shape):
        inner(at)
        return
    with w.loop(radius, shape[len(at)] - radius) as index:
        _interior(w, shape, radius, [*at, index], inner)
