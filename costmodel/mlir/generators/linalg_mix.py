"""Chains of linalg: contractions by random maps, named operations, windows, reductions, masks, pads, reshapes."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from math import prod

from costmodel.mlir.generators.chains import Chain, Operand
from costmodel.mlir.generators.code import Code
from costmodel.mlir.generators.drawing import coin
from costmodel.mlir.generators.graphs import graph_variants
from costmodel.mlir.generators.groups import Group, Variant
from costmodel.mlir.generators.named_starts import STARTS
from costmodel.mlir.generators.values import Value
from costmodel.mlir.generators.writer import is_float

_KINDS = ("f32", "f32", "f32", "f64", "f64", "f16", "i32", "i16", "i64")
_MOST_RUNS = 400_000
"""Iterations of one operation."""


def linalg_mix(rng: random.Random) -> Group:
    """One to five operations of linalg after one another, on tensors or on buffers."""
    seed, buffers, noalias = rng.randrange(1 << 40), coin(rng, 0.4), coin(rng)
    text, other = (_text(Code(seed, alternative=a), buffers, noalias) for a in (False, True))
    variants = [Variant({"order": "other"}, text=other), *(_loops(rng) if buffers else graph_variants(rng))]
    key = f"{'buffers' if buffers else 'tensors'}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    return Group("linalg_mix", key, text, variants)


def _loops(rng: random.Random) -> list[Variant]:
    """Of buffers: affine loops (fused, tiled, unrolled, vectorised) or scf loops."""
    tile, factor = rng.choice((4, 8, 16, 32)), rng.choice((2, 4, 8))
    affine = "func.func(convert-linalg-to-affine-loops"
    choices = [
        Variant({"level": "affine"}, f"{affine})"),
        Variant({"level": "affine", "fuse": "loops"}, f"{affine},affine-loop-fusion)"),
        Variant({"level": "affine", "tile": tile}, f"{affine},affine-loop-tile{{tile-size={tile}}})"),
        Variant({"level": "affine", "unroll": factor}, f"{affine},affine-loop-unroll{{unroll-factor={factor}}})"),
        Variant({"level": "affine", "vectorise": 8}, f"{affine},affine-super-vectorize{{virtual-vector-size=8}})"),
        Variant({"level": "affine", "scalar_replacement": True}, f"{affine},affine-scalrep)"),
        Variant({"level": "scf"}, "func.func(convert-linalg-to-loops)"),
    ]
    return rng.sample(choices, 4)


def _text(c: Code, buffers: bool, noalias: bool) -> str:
    g = Chain(c, c.pick(_KINDS), buffers=buffers)
    if c.coin(0.5):
        value, steps = c.pick(STARTS)(g), c.pick((0, 1, 1, 2, 3))
    else:
        rank = c.pick((1, 2, 2, 3, 3, 4))
        value, steps = (
            g.input([c.size(2, {1: 4000, 2: 120, 3: 36, 4: 14}[rank]) for _ in range(rank)]),
            c.pick((1, 2, 2, 3, 4, 5)),
        )
    choices = [step for step in _STEPS if not (buffers and step in _OF_TENSORS)]
    for _ in range(steps):
        value = c.pick(choices)(g, value)
    return g.written("chain", [value], noalias=noalias)


def _dims(count: int) -> list[str]:
    return [f"d{n}" for n in range(count)]


def _contract(g: Chain, x: str) -> str:
    """Products (or sums, differences) with one or two others, summed (or the largest kept) over some shared axes."""
    c, shape = g.code, list(g.shapes[x])
    rank = len(shape)
    shared = sorted(c.rng.sample(range(rank), c.rng.randint(1, rank)))
    reduced = set(c.rng.sample(shared, c.rng.randint(1, len(shared))))
    room = max(_MOST_RUNS // prod(shape), 1)
    fresh = [min(c.size(2, 40), room)] if room > 1 and (c.coin(0.7) or len(reduced) == rank) else []
    if not fresh and len(reduced) == rank:
        reduced.discard(shared[0])
    extents = shape + fresh
    kept = [n for n in range(len(extents)) if n not in reduced] or [0]
    c.rng.shuffle(kept)
    others: list[Operand] = []
    for _ in range(c.pick((1, 1, 1, 2))):
        axes = shared + list(range(rank, len(extents)))
        c.rng.shuffle(axes)
        others.append((g.input([extents[n] for n in axes]), [f"d{n}" for n in axes]))
    joined, folded = c.pick((("mul", "add"),) * 4 + (("add", "max"), ("add", "min"), ("sub", "add"), ("mul", "max")))

    def body(v: list[Value]) -> Value:
        value = v[0]
        for other in v[1:-1]:
            value = c.binary(joined, value, other)
        value = value.abs() if joined == "sub" else value
        return c.binary(folded, v[-1], value)

    return g.generic([(x, _dims(rank)), *others], extents, kept, body, _neutral(g, folded))


def _neutral(g: Chain, folded: str) -> float:
    return {"add": 0.0, "mul": 1.0, "max": -1e4 if is_float(g.element) else -100}.get(
        folded, 1e4 if is_float(g.element) else 100
    )


def _map(g: Chain, x: str) -> str:
    """Element by element, with operands that are broadcast along any axes."""
    c, shape = g.code, g.shapes[x]
    rank, operands = len(shape), [(x, _dims(len(shape)))]
    for _ in range(c.pick((0, 1, 1, 2))):
        axes = c.rng.sample(range(rank), c.rng.randint(1, rank)) if c.coin(0.5) else list(range(rank))
        operands.append((g.input([shape[n] for n in axes]), [f"d{n}" for n in axes]))
    names = [c.pick(_FLOAT_STEPS if is_float(g.element) else _INT_STEPS) for _ in range(c.rng.randint(1, 5))]
    order = list(range(rank))
    if c.coin(0.25):
        c.rng.shuffle(order)

    def body(v: list[Value]) -> Value:
        value = v[0]
        for number, name in enumerate(names):
            value = _step(g, name, value, v[number % (len(v) - 1)])
        return value

    return g.generic(operands, shape, order, body)


_FLOAT_STEPS = (
    "add",
    "mul",
    "sub",
    "max",
    "min",
    "div",
    "exp",
    "tanh",
    "sqrt",
    "square",
    "relu",
    "scale",
    "select",
    "abs",
)
_INT_STEPS = ("add", "mul", "sub", "max", "min", "and", "xor", "half", "square", "relu", "scale", "select", "abs")


def _step(g: Chain, name: str, a: Value, b: Value) -> Value:
    if name in ("exp", "tanh"):
        return a.math(name)
    if name == "sqrt":
        return a.abs().math("sqrt")
    if name == "square":
        return a * a
    if name == "relu":
        return a.max(0)
    if name == "scale":
        return a * 3 + 1
    if name == "half":
        return a >> 2
    if name == "abs":
        return a.abs()
    return (a < b).then(b, a) if name == "select" else g.code.binary(name, a, b)


def _reduce(g: Chain, x: str) -> str:
    """Any axes folded: sums, squares, absolutes, extremes."""
    c, shape = g.code, g.shapes[x]
    rank = len(shape)
    if rank == 1:
        return _map(g, x)
    kept = c.rng.sample(range(rank), c.rng.randint(1, rank - 1))
    what, folded = c.pick(("plain", "plain", "square", "abs")), c.pick(("add", "add", "max", "min"))

    def body(v: list[Value]) -> Value:
        value = v[0] * v[0] if what == "square" else v[0].abs() if what == "abs" else v[0]
        return c.binary(folded, v[1], value)

    return g.generic([(x, _dims(rank))], shape, kept, body, _neutral(g, folded))


def _window(g: Chain, x: str) -> str:
    """Windows that slide along one or two axes, weighted or folded; strides and dilations."""
    c, shape = g.code, list(g.shapes[x])
    rank = len(shape)
    axes = [n for n in range(rank) if shape[n] >= 6][-2:]
    if not axes:
        return _map(g, x)
    axes = axes if c.coin(0.5) else axes[-1:]
    stride, dilation, taps = c.pick((1, 1, 2)), c.pick((1, 1, 2)), c.pick((2, 3, 3))
    weighted, folded = c.coin(0.6), c.pick(("add", "add", "max", "min"))
    extents, indices, sizes = list(shape), _dims(rank), []
    for place, axis in enumerate(axes):
        extents[axis] = (shape[axis] - (taps - 1) * dilation - 1) // stride + 1
        indices[axis] = f"d{axis} * {stride} + d{rank + place} * {dilation}"
        sizes.append(taps)
    weights = g.input(sizes)
    reach = _dims(rank + len(axes))[rank:]

    def body(v: list[Value]) -> Value:
        return c.binary(folded, v[2], v[0] * v[1] if weighted else v[0])

    return g.generic([(x, indices), (weights, reach)], extents + sizes, list(range(rank)), body, _neutral(g, folded))


def _mask(g: Chain, x: str) -> str:
    """Elements chosen by their place: triangles, bands, chessboards."""
    c, shape = g.code, g.shapes[x]
    rank, what, number = len(shape), c.pick(("triangle", "band", "board", "first")), c.rng.randint(1, 9)

    def body(v: list[Value]) -> Value:
        i = g.index(0, rank)
        j = g.index(rank - 1, rank) if rank > 1 else i
        if what == "triangle":
            inside = j <= i
        elif what == "band":
            inside = (j <= i + number) & (i <= j + number)
        else:
            inside = ((i + j) & 1).same(0) if what == "board" else j < number
        return inside.then(v[0], 0)

    return g.generic([(x, _dims(rank))], shape, list(range(rank)), body)


def _transpose(g: Chain, x: str) -> str:
    """Axes in another order."""
    order = list(range(len(g.shapes[x])))
    g.code.rng.shuffle(order)
    return g.permuted(x, order)


def _broadcast(g: Chain, x: str) -> str:
    """Repeated along a new axis."""
    room = _MOST_RUNS // prod(g.shapes[x])
    if len(g.shapes[x]) > 3 or room < 2:
        return _reduce(g, x)
    return g.repeated(x, g.code.rng.randint(0, len(g.shapes[x])), min(g.code.size(2, 24), room))


def _reshape(g: Chain, x: str) -> str:
    """Two neighbouring axes made one, or one split."""
    c, shape = g.code, list(g.shapes[x])
    rank = len(shape)
    splits = [(n, d) for n, size in enumerate(shape) for d in (2, 4, 8) if size % d == 0 and size > d]
    if rank > 1 and (c.coin() or not splits or rank > 3):
        at = c.rng.randrange(rank - 1)
        groups = [[n] for n in range(at)] + [[at, at + 1]] + [[n] for n in range(at + 2, rank)]
        return g.reshaped(x, "collapse_shape", groups, [*shape[:at], shape[at] * shape[at + 1], *shape[at + 2 :]])
    if not splits:
        return _map(g, x)
    at, part = c.pick(splits)
    groups = [[n] for n in range(at)] + [[at, at + 1]] + [[n + 1] for n in range(at + 1, rank)]
    return g.reshaped(x, "expand_shape", groups, [*shape[:at], shape[at] // part, part, *shape[at + 1 :]])


def _named_reduce(g: Chain, x: str) -> str:
    """``linalg.reduce`` by one operation."""
    rank, folded = len(g.shapes[x]), g.code.pick(("add", "add", "max", "min", "mul"))
    if rank == 1:
        return _map(g, x)
    return g.folded(
        x, sorted(g.code.rng.sample(range(rank), g.code.rng.randint(1, rank - 1))), folded, _neutral(g, folded)
    )


def _pad(g: Chain, x: str) -> str:
    """A border of a constant around."""
    c, shape = g.code, g.shapes[x]
    low, high = ([c.pick((0, 1, 1, 2)) for _ in shape] for _ in range(2))
    after = [a + n + b for a, n, b in zip(low, shape, high, strict=True)]
    number = c.known(c.pick((0, 0, 1)), g.element).name
    name = c.fresh()
    c.line(f"{name} = tensor.pad {x} low{low} high{high} {{")
    arguments = ", ".join(f"{c.fresh('p')}: index" for _ in shape)
    with c.block(f"^bb0({arguments}):", f"}} : {g.kind(shape)} to {g.kind(after)}"):
        c.line(f"tensor.yield {number} : {g.element}")
    return g.known(name, after)


def _slice(g: Chain, x: str) -> str:
    """A part, with offsets and steps."""
    c, shape = g.code, g.shapes[x]
    steps = [c.pick((1, 1, 1, 2)) if n > 3 else 1 for n in shape]
    sizes = [max((n - 1) // s, 1) if n > 1 else 1 for n, s in zip(shape, steps, strict=True)]
    offsets = [c.rng.randint(0, n - 1 - (size - 1) * s) for n, size, s in zip(shape, sizes, steps, strict=True)]
    kinds = f"{g.kind(shape)} to {g.kind(sizes)}"
    return g.known(c.value(f"tensor.extract_slice {x}{offsets} {sizes} {steps} : {kinds}"), sizes)


def _join(g: Chain, x: str) -> str:
    """Joined with another along an axis, or put into a larger one."""
    c, shape = g.code, list(g.shapes[x])
    axis = c.rng.randrange(len(shape))
    more = c.size(1, 16)
    after = [n + more if k == axis else n for k, n in enumerate(shape)]
    other = g.input([more if k == axis else n for k, n in enumerate(shape)])
    target, place = g.filled(after, None), [0] * len(shape)
    ones = [1] * len(shape)
    for part in (x, other):
        sizes = g.shapes[part]
        kinds = f"{g.kind(sizes)} into {g.kind(after)}"
        target = g.known(c.value(f"tensor.insert_slice {part} into {target}{place} {sizes} {ones} : {kinds}"), after)
        place = [shape[axis] if k == axis else 0 for k in range(len(shape))]
    return target


_OF_TENSORS: tuple[Callable[[Chain, str], str], ...] = (_pad, _slice, _join)
_STEPS: Sequence[Callable[[Chain, str], str]] = (
    *(_contract, _contract, _contract, _map, _map, _reduce, _window, _mask, _transpose, _broadcast, _reshape),
    *(_named_reduce, *_OF_TENSORS),
)
