"""Affine nests that contract: matrix products, batched ones, convolutions."""

from __future__ import annotations

import random
from itertools import permutations

from costmodel.mlir.generators.drawing import ALL_KINDS, coin, kind, loop_variants, size, sizes
from costmodel.mlir.generators.groups import Group, Variant
from costmodel.mlir.generators.writer import Writer, is_float


def matmul(rng: random.Random) -> Group:
    """C += A B, operands possibly transposed, accumulating in memory or in a carried value, any loop order."""
    shape = sizes(rng, 3, 2, 256)
    return _product(rng, "matmul", [], shape)


def batched_matmul(rng: random.Random) -> Group:
    """The same with one or two batch dimensions."""
    batch = sizes(rng, 1 if coin(rng, 0.7) else 2, 2, 16)
    return _product(rng, "batched_matmul", batch, sizes(rng, 3, 2, 96))


def _product(rng: random.Random, family: str, batch: list[int], shape: list[int]) -> Group:
    element, noalias = kind(rng, ALL_KINDS), coin(rng)
    flips = (coin(rng, 0.3), coin(rng, 0.3))
    epilogue = rng.choice(("", "", "scale", "relu", "bias"))
    carried = coin(rng)
    order = "ijk" if carried else "".join(rng.choice(list(permutations("ijk"))))
    text = _product_text(batch, shape, element, flips, epilogue, order, carried, noalias)
    depth = len(batch) + 3
    variants = loop_variants(rng, depth, 4, vector=not carried)
    other = rng.choice([o for o in map("".join, permutations("ijk")) if o != order])
    swapped = _product_text(batch, shape, element, flips, "", other, False, noalias)
    if not epilogue:
        variants.append(Variant({"interchange": other, "accumulate": "memory"}, text=swapped))
    dims = "x".join(map(str, [*batch, *shape]))
    key = f"{dims}-{element}-{int(flips[0])}{int(flips[1])}-{epilogue}-{order}-{int(carried)}{int(noalias)}"
    return Group(family, key, text, variants)


def _product_text(
    batch: list[int],
    shape: list[int],
    element: str,
    flips: tuple[bool, bool],
    epilogue: str,
    order: str,
    carried: bool,
    noalias: bool,
) -> str:
    m, n, k = shape
    w = Writer()
    left = w.buffer([*batch, *((k, m) if flips[0] else (m, k))], element)
    right = w.buffer([*batch, *((n, k) if flips[1] else (k, n))], element)
    out = w.buffer([*batch, m, n], element)
    extents = dict(zip("ijk", shape, strict=True))
    extents = {"i": m, "j": n, "k": k}

    def body(outer: list[str], at: dict[str, str], total: str | None) -> str:
        i, j, kk = at["i"], at["j"], at["k"]
        a = w.load(left, *outer, *((kk, i) if flips[0] else (i, kk)))
        b = w.load(right, *outer, *((j, kk) if flips[1] else (kk, j)))
        product = w.op("mul", element, a, b)
        base = total if total is not None else w.load(out, *outer, i, j)
        return w.op("add", element, base, product)

    def finish(outer: list[str], value: str, i: str, j: str) -> None:
        if epilogue == "scale":
            value = w.op("mul", element, value, w.constant(3, element))
        elif epilogue == "relu":
            value = w.op("max", element, value, w.constant(0, element))
        elif epilogue == "bias":
            value = w.op("add", element, value, w.load(out, *outer, i, j))
        w.store(value, out, *outer, i, j)

    def inner(outer: list[str]) -> None:
        if carried:
            with w.loop(0, m) as i, w.loop(0, n) as j:
                with w.reduction(0, k, w.constant(0, element), element) as loop:
                    loop.result = body(outer, {"i": i, "j": j, "k": loop.index}, loop.carried)
                finish(outer, loop.out, i, j)
            return
        with w.loop(0, extents[order[0]]) as x, w.loop(0, extents[order[1]]) as y, w.loop(0, extents[order[2]]) as z:
            at = dict(zip(order, (x, y, z), strict=True))
            w.store(body(outer, at, None), out, *outer, at["i"], at["j"])
        if epilogue:
            with w.loop(0, m) as i, w.loop(0, n) as j:
                finish(outer, w.load(out, *outer, i, j), i, j)

    _nest(w, batch, [], inner)
    return w.function("product", noalias=noalias)


def _nest(w: Writer, extents: list[int], indices: list[str], inner) -> None:  # type: ignore[no-untyped-def]
    if not extents:
        inner(indices)
        return
    with w.loop(0, extents[0], name="b") as index:
        _nest(w, extents[1:], [*indices, index], inner)


def convolution(rng: random.Random) -> Group:
    """1-D and 2-D convolutions: channels last or first, depthwise, strided, dilated."""
    flat = coin(rng, 0.35)
    layout = rng.choice(("last", "first", "depthwise", "plain"))
    element, noalias = kind(rng, ALL_KINDS), coin(rng)
    stride, dilation = rng.choice((1, 1, 1, 2)), rng.choice((1, 1, 1, 2))
    window = [rng.choice((2, 3, 3, 5, 7)) for _ in range(1 if flat else 2)]
    out = sizes(rng, len(window), 4, 256 if flat else 56)
    channels = (size(rng, 2, 64), size(rng, 2, 64))
    carried = coin(rng)
    text = _convolution_text(layout, element, stride, dilation, window, out, channels, carried, noalias)
    depth = {"plain": 2, "depthwise": 3}.get(layout, 4) * (1 if flat else 2)
    variants = loop_variants(rng, min(depth, 5), 4, vector=not carried)
    other = _convolution_text(layout, element, stride, dilation, window, out, channels, not carried, noalias)
    variants.append(Variant({"accumulate": "register" if not carried else "memory"}, text=other))
    dims = "x".join(map(str, [*out, *window, *channels]))
    key = f"{layout}-{dims}-{element}-s{stride}d{dilation}-{int(carried)}{int(noalias)}"
    return Group("convolution", key, text, variants)


def _convolution_text(
    layout: str,
    element: str,
    stride: int,
    dilation: int,
    window: list[int],
    out: list[int],
    channels: tuple[int, int],
    carried: bool,
    noalias: bool,
) -> str:
    inputs = [(o - 1) * stride + (k - 1) * dilation + 1 for o, k in zip(out, window, strict=True)]
    c, f = channels
    w = Writer()
    image, kernel, result = {
        "plain": (inputs, window, out),
        "depthwise": ([*inputs, c], [*window, c], [*out, c]),
        "last": ([*inputs, c], [*window, c, f], [*out, f]),
        "first": ([c, *inputs], [f, c, *window], [f, *out]),
    }[layout]
    x, k, y = w.buffer(image, element), w.buffer(kernel, element), w.buffer(result, element)
    outer = {"plain": out, "depthwise": [*out, c], "last": [*out, f], "first": [f, *out]}[layout]
    reduced = {"plain": window, "depthwise": window, "last": [*window, c], "first": [c, *window]}[layout]

    def place(at: list[str], r: list[str]) -> tuple[list[str], list[str]]:
        spatial, taps = (at[1:], r[1:]) if layout == "first" else (at, r)
        reach = [
            f"{p} * {stride} + {q} * {dilation}" for p, q in zip(spatial[: len(out)], taps[: len(out)], strict=True)
        ]
        return {
            "plain": (reach, r),
            "depthwise": ([*reach, at[-1]], [*r, at[-1]]),
            "last": ([*reach, r[-1]], [*r, at[-1]]),
            "first": ([r[0], *reach], [at[0], *r]),
        }[layout]

    def accumulate(at: list[str], r: list[str], total: str) -> str:
        where, tap = place(at, r)
        product = w.op("mul", element, w.load(x, *where), w.load(k, *tap))
        return w.op("add", element, total, product)

    def innermost(at: list[str], extents: list[int], r: list[str], total: str) -> str:
        with w.reduction(0, extents[0], total, element) as loop:
            here = [*r, loop.index]
            if len(extents) > 1:
                loop.result = innermost(at, extents[1:], here, loop.carried)
            else:
                loop.result = accumulate(at, here, loop.carried)
        return loop.out

    def inner(at: list[str]) -> None:
        if carried:
            start = w.constant(0, element) if not is_float(element) or len(out) == 1 else w.load(y, *at)
            w.store(innermost(at, reduced, [], start), y, *at)
            return
        _nest(w, reduced, [], lambda r: w.store(accumulate(at, r, w.load(y, *at)), y, *at))

    _nest(w, outer, [], inner)
    return w.function("convolution", noalias=noalias)
