"""Numbers of small integer constants: what exporters leave of Shape -> Gather -> Concat -> Reshape chains.

Only what shapes can depend on is evaluated (at most `MAX_VALUES` numbers); weights stay dims.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from featurizers.network.graph import words
from featurizers.network.site import Site

MAX_VALUES = 4096
Array = np.ndarray[Any, Any]
NUMPY_DTYPES: Mapping[str, str] = {"bfloat16": "float32", "float8": "float32", "uint4": "uint8", "int4": "int8"}


def _args(site: Site) -> list[Array]:
    return [np.asarray(site.value(i)) for i in range(len(site.node.inputs)) if site.has(i)]


def _div(site: Site) -> Array:
    a, b = _args(site)
    if np.any(b == 0):
        raise site.fail("must not divide by zero in the computation of a shape", b.tolist())
    if np.issubdtype(a.dtype, np.integer):
        return np.asarray(np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b)))
    return np.asarray(a / b)


def _slice(site: Site) -> Array:
    x = np.asarray(site.value(0))
    starts, ends = site.ints("starts", 1) or (), site.ints("ends", 2) or ()
    axes = site.ints("axes", 3, range(len(starts))) or ()
    steps = site.ints("steps", 4, (1,) * len(starts)) or ()
    index = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        stop = None if step < 0 and end < -x.shape[axis] else end
        index[axis] = slice(start, stop, step)
    return x[tuple(index)]


def _concat(site: Site) -> Array:
    return np.concatenate(_args(site), axis=site.node.int("axis", 0))


def _gather(site: Site) -> Array:
    x, index = _args(site)
    return np.take(x, index.astype(np.int64), axis=site.node.int("axis", 0))


def _same_numbers(site: Site) -> Array:
    return np.reshape(np.asarray(site.value(0)), site.out())


def _reduce(function: Callable[..., Any]) -> Callable[[Site], Array]:
    def evaluate(site: Site) -> Array:
        return np.reshape(function(np.asarray(site.value(0)), axis=site.ints("axes", 1)), site.out())

    return evaluate


def _filled(site: Site) -> Array:
    value = site.node.attrs.get("value", 0.0)
    return np.full(site.out(), np.asarray(value).reshape(-1)[0])


def _range(site: Site) -> Array:
    start, limit, delta = _args(site)
    return np.arange(start.item(), limit.item(), delta.item())


def _split(site: Site) -> list[Array]:
    axis = site.node.int("axis", 0)
    sizes = [site.out(i)[axis] for i in range(len(site.node.outputs))]
    return np.split(np.asarray(site.value(0)), np.cumsum(sizes)[:-1], axis=axis)


def _transpose(site: Site) -> Array:
    x = np.asarray(site.value(0))
    return np.transpose(x, site.node.ints("perm", range(x.ndim)[::-1]))


def _numpy(function: Callable[..., Any]) -> Callable[[Site], Array]:
    return lambda site: np.asarray(function(*_args(site)))


_EVALUATORS: Mapping[str, Callable[[Site], Array | list[Array]]] = {
    **dict.fromkeys(words("Squeeze Unsqueeze Reshape Flatten Identity Cast"), _same_numbers),
    "Add": _numpy(np.add), "Sub": _numpy(np.subtract), "Mul": _numpy(np.multiply), "Div": _div,
    "Neg": _numpy(np.negative), "Abs": _numpy(np.abs), "Floor": _numpy(np.floor), "Ceil": _numpy(np.ceil),
    "Sqrt": _numpy(np.sqrt), "Mod": _numpy(np.mod), "Equal": _numpy(np.equal), "Greater": _numpy(np.greater),
    "Less": _numpy(np.less), "Not": _numpy(np.logical_not), "And": _numpy(np.logical_and), "Or": _numpy(np.logical_or),
    "Where": _numpy(np.where), "Min": _numpy(lambda *a: np.minimum.reduce(a)),
    "Max": _numpy(lambda *a: np.maximum.reduce(a)), "Pow": _numpy(np.power),
    "ReduceProd": _reduce(np.prod), "ReduceSum": _reduce(np.sum), "ReduceMax": _reduce(np.max),
    "ReduceMin": _reduce(np.min), "Slice": _slice, "Concat": _concat, "Gather": _gather,
    "Transpose": _transpose, "ConstantOfShape": _filled, "Range": _range, "Split": _split,
    "Expand": lambda site: np.broadcast_to(np.asarray(site.value(0)), site.out()),
    "Tile": lambda site: np.tile(*_args(site)),
}  # fmt: skip


def evaluate(site: Site) -> list[Array] | None:
    """Numbers of the node's outputs (whose shapes are known already), None when they are not worth having."""
    node = site.node
    if node.op == "Shape":
        shape = site.shape(0)[node.attrs.get("start") : node.attrs.get("end")]
        return [np.asarray(shape, dtype=np.int64)]
    if node.op == "Size":
        return [np.asarray(site.tensor(0).elements, dtype=np.int64)]
    rule = _EVALUATORS.get(node.op)
    if rule is None or any(name and name not in site.values for name in node.inputs):
        return None
    if any(math.prod(site.tensors[o].shape) > MAX_VALUES for o in node.outputs if o):
        return None
    result = rule(site)
    arrays = result if isinstance(result, list) else [result]
    return [_typed(a, site.tensors[o].dtype) for a, o in zip(arrays, node.outputs, strict=False) if o]


def _typed(array: Array, dtype: str) -> Array:
    return array if dtype == "string" else array.astype(NUMPY_DTYPES.get(dtype, dtype))
