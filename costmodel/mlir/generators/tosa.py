"""Graphs of the tosa dialect: element-wise chains, reductions, matrix products, perceptrons."""

from __future__ import annotations

import random

from costmodel.mlir.generators.drawing import coin, kind, size
from costmodel.mlir.generators.graphs import graph_variants
from costmodel.mlir.generators.groups import Group, Variant
from costmodel.mlir.generators.writer import Writer, tensor

_UNARY = ("sigmoid", "tanh", "exp", "abs", "negate", "reciprocal", "rsqrt", "floor", "clamp")
_BINARY = ("add", "sub", "mul", "maximum", "minimum")
TO_LINALG = (
    "func.func(tosa-optional-decompositions),canonicalize,"
    "func.func(tosa-make-broadcastable,tosa-to-linalg-named,canonicalize,tosa-to-linalg,tosa-to-arith,tosa-to-tensor)"
)


def tosa(rng: random.Random) -> Group:
    """A chain of unary, binary, broadcasting and reducing operations, sometimes behind a matrix product."""
    element, rank = kind(rng, ("f32", "f32", "f16")), rng.choice((1, 2, 2, 3))
    shape = [size(rng, 2, {1: 4000, 2: 150, 3: 32}[rank]) for _ in range(rank)]
    w = Writer()
    value, names = w.argument(tensor(shape, element)), []
    if rank == 3 and coin(rng, 0.6):
        value, shape = _matmul(w, value, shape, element, size(rng, 4, 64))
        names.append("matmul")
    for _ in range(rng.randint(1, 6)):
        draw = rng.random()
        if draw < 0.45:
            names.append(rng.choice(_UNARY))
            value = _unary(w, names[-1], value, shape, element)
        elif draw < 0.85:
            names.append(rng.choice(_BINARY))
            other = [1 if coin(rng, 0.3) else n for n in shape]
            value = _binary(w, names[-1], value, w.argument(tensor(other, element)), shape, other, element)
        else:
            names.append(rng.choice(("reduce_sum", "reduce_max")))
            axis = rng.randrange(rank)
            reduced = [1 if n == axis else extent for n, extent in enumerate(shape)]
            folded = w.value(f"tosa.{names[-1]} {value} {{axis = {axis} : i32}} : {_to(shape, reduced, element)}")
            value = _binary(w, "sub", value, folded, shape, reduced, element)
    text = w.function("graph", returns=[(value, tensor(shape, element))])
    lowered = [
        Variant({**v.what, "level": v.what.get("level", "linalg")}, f"{TO_LINALG},{v.passes}")
        for v in graph_variants(rng)
    ]
    variants = [Variant({"level": "linalg"}, TO_LINALG), *lowered[:3]]
    key = f"{element}-{'x'.join(map(str, shape))}-{'.'.join(names)}-{rng.randrange(1000)}"
    return Group("tosa", key, text, variants)


def _to(before: list[int], after: list[int], element: str) -> str:
    return f"({tensor(before, element)}) -> {tensor(after, element)}"


def _zero_point(w: Writer, element: str) -> str:
    return w.value(f'"tosa.const"() {{values = dense<0.0> : tensor<1x{element}>}} : () -> tensor<1x{element}>')


def _matmul(w: Writer, value: str, shape: list[int], element: str, width: int) -> tuple[str, list[int]]:
    right = [shape[0], shape[2], width]
    other = w.argument(tensor(right, element))
    out = [shape[0], shape[1], width]
    one = f"tensor<1x{element}>"
    kinds = f"({tensor(shape, element)}, {tensor(right, element)}, {one}, {one}) -> {tensor(out, element)}"
    return w.value(f"tosa.matmul {value}, {other}, {_zero_point(w, element)}, {_zero_point(w, element)} : {kinds}"), out


def _unary(w: Writer, name: str, value: str, shape: list[int], element: str) -> str:
    if name == "clamp":
        bounds = f"{{min_val = 0.0 : {element}, max_val = 6.0 : {element}}}"
        return w.value(f"tosa.clamp {value} {bounds} : {_to(shape, shape, element)}")
    if name == "negate":
        one = f"tensor<1x{element}>"
        kinds = f"({tensor(shape, element)}, {one}, {one}) -> {tensor(shape, element)}"
        return w.value(f"tosa.negate {value}, {_zero_point(w, element)}, {_zero_point(w, element)} : {kinds}")
    return w.value(f"tosa.{name} {value} : {_to(shape, shape, element)}")


def _binary(w: Writer, name: str, a: str, b: str, shape: list[int], other: list[int], element: str) -> str:
    kinds = f"{tensor(shape, element)}, {tensor(other, element)}"
    if name == "mul":
        shift = w.value('"tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>')
        return w.value(f"tosa.mul {a}, {b}, {shift} : ({kinds}, tensor<1xi8>) -> {tensor(shape, element)}")
    return w.value(f"tosa.{name} {a}, {b} : ({kinds}) -> {tensor(shape, element)}")
