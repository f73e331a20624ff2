"""Reductions over some axes, and scans along one."""

from __future__ import annotations

import random

from costmodel.mlir.generators.drawing import ALL_KINDS, coin, kind, loop_variants, nest_variants, size
from costmodel.mlir.generators.groups import Group, Variant
from costmodel.mlir.generators.writer import Writer, is_float

_LARGEST = {1: 20000, 2: 400, 3: 80, 4: 24}


def reduction(rng: random.Random) -> Group:
    """Sum, product, maximum, minimum, dot product, squared norm, mean of absolute values; over any set of axes."""
    rank = rng.choice((1, 1, 2, 2, 3, 4))
    shape = [size(rng, 2, _LARGEST[rank]) for _ in range(rank)]
    element, noalias = kind(rng, ALL_KINDS), coin(rng)
    what = rng.choice(("sum", "max", "min", "dot", "norm", "prod", "absdiff"))
    axes = sorted(rng.sample(range(rank), rng.randint(1, rank)))
    in_register = coin(rng)
    text = _reduction_text(shape, axes, element, what, in_register, noalias)
    other = _reduction_text(shape, axes, element, what, not in_register, noalias)
    variants = [
        *loop_variants(rng, rank, 3, vector=not in_register),
        Variant({"accumulate": "memory" if in_register else "register"}, text=other),
    ]
    key = f"{what}-{'x'.join(map(str, shape))}-{''.join(map(str, axes))}-{element}-{int(in_register)}{int(noalias)}"
    return Group("reduction", key, text, variants)


def _reduction_text(
    shape: list[int], axes: list[int], element: str, what: str, in_register: bool, noalias: bool
) -> str:
    w = Writer()
    x = w.buffer(shape, element)
    y = w.buffer(shape, element) if what in ("dot", "absdiff") else x
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    out = w.buffer([shape[axis] for axis in kept] or [1], element)

    def combine(at: list[str], total: str) -> str:
        value = w.load(x, *at)
        if what in ("sum", "max", "min", "prod"):
            return w.op({"sum": "add", "prod": "mul"}.get(what, what), element, total, value)
        if what == "dot":
            return w.op("add", element, total, w.op("mul", element, value, w.load(y, *at)))
        if what == "norm":
            return w.op("add", element, total, w.op("mul", element, value, value))
        difference = w.op("sub", element, value, w.load(y, *at))
        absolute = w.op("math.absf" if is_float(element) else "math.absi", element, difference)
        return w.op("add", element, total, absolute)

    def place(outer: list[str]) -> list[str]:
        return outer or ["0"]

    def registers(outer: list[str], inner: list[str], total: str) -> str:
        with w.reduction(0, shape[axes[len(inner)]], total, element) as loop:
            reached = [*inner, loop.index]
            if len(reached) < len(axes):
                loop.result = registers(outer, reached, loop.carried)
            else:
                loop.result = combine(_merge(kept, outer, axes, reached), loop.carried)
        return loop.out

    def memory(outer: list[str], inner: list[str]) -> None:
        if len(inner) == len(axes):
            total = w.load(out, *place(outer))
            w.store(combine(_merge(kept, outer, axes, inner), total), out, *place(outer))
            return
        with w.loop(0, shape[axes[len(inner)]]) as index:
            memory(outer, [*inner, index])

    def over(outer: list[str]) -> None:
        if len(outer) < len(kept):
            with w.loop(0, shape[kept[len(outer)]]) as index:
                over([*outer, index])
        elif in_register:
            w.store(registers(outer, [], w.load(out, *place(outer))), out, *place(outer))
        else:
            memory(outer, [])

    over([])
    return w.function("reduction", noalias=noalias)


def _merge(kept: list[int], outer: list[str], axes: list[int], inner: list[str]) -> list[str]:
    where = {**dict(zip(kept, outer, strict=True)), **dict(zip(axes, inner, strict=True))}
    return [where[axis] for axis in sorted(where)]


def scan(rng: random.Random) -> Group:
    """Running sum, product, maximum, exponential average or linear recurrence along an axis."""
    rank = rng.choice((1, 2, 2, 3))
    shape = [size(rng, 3, _LARGEST[rank]) for _ in range(rank)]
    axis = rng.randrange(rank)
    what = rng.choice(("sum", "prod", "max", "average", "linear", "second"))
    element = kind(rng, ALL_KINDS if what in ("sum", "max", "prod") else ("f32", "f64", "f16", "i32"))
    noalias, in_register = coin(rng), coin(rng) and what != "second"
    passes_over = rng.choice((1, 1, 2))
    text = _scan_text(shape, axis, element, what, in_register, noalias, passes_over)
    variants = nest_variants(rng, rank, 4)
    if what != "second":
        other = _scan_text(shape, axis, element, what, not in_register, noalias, passes_over)
        variants.append(Variant({"accumulate": "memory" if in_register else "register"}, text=other))
    dims = "x".join(map(str, shape))
    return Group(
        "scan", f"{what}-{dims}-{axis}-{element}-{int(in_register)}{int(noalias)}{passes_over}", text, variants
    )


def _scan_text(
    shape: list[int], axis: int, element: str, what: str, in_register: bool, noalias: bool, passes_over: int
) -> str:
    w = Writer()
    x, y = w.buffer(shape, element), w.buffer(shape, element)
    others = [number for number in range(len(shape)) if number != axis]
    first = 2 if what == "second" else 1

    def step(previous: str, value: str, older: str | None) -> str:
        if what in ("sum", "prod", "max"):
            return w.op({"sum": "add", "prod": "mul"}.get(what, what), element, previous, value)
        scaled = w.op("mul", element, previous, w.constant(3, element))
        if older is not None:
            scaled = w.op("sub", element, scaled, w.op("mul", element, older, w.constant(2, element)))
        if what == "average":
            value = w.op("mul", element, value, w.constant(5, element))
        return w.op("add", element, scaled, value)

    def at(outer: list[str], index: str) -> list[str]:
        return _merge(others, outer, [axis], [index])

    def line(outer: list[str], source: str) -> None:
        if in_register:
            start = w.load(source, *at(outer, "0"))
            with w.reduction(first, shape[axis], start, element) as loop:
                loop.result = step(loop.carried, w.load(source, *at(outer, loop.index)), None)
                w.store(loop.result, y, *at(outer, loop.index))
            return
        with w.loop(first, shape[axis]) as index:
            previous = w.load(y, *at(outer, f"{index} - 1"))
            older = w.load(y, *at(outer, f"{index} - 2")) if what == "second" else None
            w.store(step(previous, w.load(source, *at(outer, index)), older), y, *at(outer, index))

    def over(outer: list[str], source: str) -> None:
        if len(outer) == len(others):
            line(outer, source)
            return
        with w.loop(0, shape[others[len(outer)]]) as index:
            over([*outer, index], source)

    for number in range(passes_over):
        over([], x if number == 0 else y)
    return w.function("scan", noalias=noalias)
