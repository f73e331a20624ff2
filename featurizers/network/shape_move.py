"""Output shapes of what moves data: reshapes, slices, joins, transposes, resizes."""

from __future__ import annotations

import math

import numpy as np

from featurizers.network.graph import Shape
from featurizers.network.shape_compute import broadcast
from featurizers.network.site import Site


def concat(site: Site) -> list[Shape]:
    shapes = [site.shape(i) for i in range(len(site.node.inputs))]
    axis = site.axis(site.node.int("axis", 1), len(shapes[0]))
    rest = [(*s[:axis], *s[axis + 1 :]) for s in shapes]
    if any(r != rest[0] for r in rest):
        raise site.fail("must have inputs that agree off the concatenated axis", [list(s) for s in shapes])
    return [(*shapes[0][:axis], sum(s[axis] for s in shapes), *shapes[0][axis + 1 :])]


def split(site: Site) -> list[Shape]:
    x = site.shape(0)
    axis = site.axis(site.node.int("axis", 0), len(x))
    sizes = site.ints("split", 1)
    count = len(site.node.outputs)
    if sizes is None:
        step = -(-x[axis] // count)
        sizes = (*(step,) * (count - 1), x[axis] - step * (count - 1))
    if len(sizes) != count or sum(sizes) != x[axis]:
        raise site.fail(f"must have {count} sizes that add up to {x[axis]}", list(sizes))
    return [(*x[:axis], size, *x[axis + 1 :]) for size in sizes]


def slice_(site: Site) -> list[Shape]:
    x = site.shape(0)
    starts, ends = site.ints("starts", 1) or (), site.ints("ends", 2) or ()
    axes = site.ints("axes", 3, range(len(starts))) or ()
    steps = site.ints("steps", 4, (1,) * len(starts)) or ()
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise site.fail("must have as many ends, axes and non-zero steps as starts", [starts, ends, axes, steps])
    out = list(x)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        at = site.axis(axis, len(x))
        out[at] = len(range(*slice(start, _slice_end(end, step, x[at]), step).indices(x[at])))
    return [tuple(out)]


def _slice_end(end: int, step: int, size: int) -> int | None:
    """ONNX writes 'to before the first element' as an end far below zero."""
    return None if step < 0 and end < -size else end


def gather(site: Site) -> list[Shape]:
    x = site.shape(0)
    axis = site.axis(site.node.int("axis", 0), len(x))
    return [(*x[:axis], *site.shape(1), *x[axis + 1 :])]


def gather_nd(site: Site) -> list[Shape]:
    x, index = site.shape(0), site.shape(1)
    batch = site.node.int("batch_dims", 0)
    return [(*index[:-1], *x[batch + index[-1] :])]


def reshape(site: Site) -> list[Shape]:
    x = site.shape(0)
    target = list(site.ints("shape", 1) or ())
    if not site.node.int("allowzero", 0):
        target = [x[i] if d == 0 and i < len(x) else d for i, d in enumerate(target)]
    known = math.prod(d for d in target if d != -1)
    if target.count(-1) == 1 and known:
        target[target.index(-1)] = math.prod(x) // known
    if math.prod(target) != math.prod(x) or min(target, default=1) < 0:
        raise site.fail(f"must reshape {list(x)} to as many elements", target)
    return [tuple(target)]


def flatten(site: Site) -> list[Shape]:
    x = site.shape(0)
    axis = site.node.int("axis", 1)
    axis = axis + len(x) if axis < 0 else axis
    return [(math.prod(x[:axis]), math.prod(x[axis:]))]


def transpose(site: Site) -> list[Shape]:
    x = site.shape(0)
    perm = site.node.ints("perm", range(len(x))[::-1])
    if sorted(perm) != list(range(len(x))):
        raise site.fail(f"must permute {len(x)} axes", list(perm))
    return [tuple(x[p] for p in perm)]


def squeeze(site: Site) -> list[Shape]:
    x = site.shape(0)
    axes = site.ints("axes", 1)
    at = {i for i, d in enumerate(x) if d == 1} if axes is None else {site.axis(a, len(x)) for a in axes}
    if any(x[i] != 1 for i in at):
        raise site.fail(f"must squeeze axes of size 1 of {list(x)}", sorted(at))
    return [tuple(d for i, d in enumerate(x) if i not in at)]


def unsqueeze(site: Site) -> list[Shape]:
    x = site.shape(0)
    axes = site.ints("axes", 1) or ()
    rank = len(x) + len(axes)
    at = {site.axis(a, rank) for a in axes}
    rest = iter(x)
    return [tuple(1 if i in at else next(rest) for i in range(rank))]


def expand(site: Site) -> list[Shape]:
    return [broadcast(site, [site.shape(0), tuple(int(v) for v in site.need(1, "shape").reshape(-1))])]


def tile(site: Site) -> list[Shape]:
    repeats = site.need(1, "repeats").reshape(-1)
    return [tuple(int(d * r) for d, r in zip(site.shape(0), repeats, strict=True))]


def pad(site: Site) -> list[Shape]:
    x = site.shape(0)
    pads = site.ints("pads", 1) or ()
    axes = site.ints("axes", 3, range(len(x))) or ()
    if len(pads) != 2 * len(axes):
        raise site.fail(f"must have {2 * len(axes)} pads", list(pads))
    out = list(x)
    for i, axis in enumerate(axes):
        out[site.axis(axis, len(x))] += pads[i] + pads[i + len(axes)]
    return [tuple(out)]


def resize(site: Site) -> list[Shape]:
    x = site.shape(0)
    scales_index = 1 if site.node.op == "Upsample" or site.opset < 11 else 2
    axes = site.node.ints("axes", range(len(x)))
    sizes = site.value(3)
    out = list(x)
    if sizes is not None and np.size(sizes):
        changes = [int(v) for v in np.reshape(sizes, -1)]
    else:
        scales = site.node.attrs.get("scales")
        scales = site.need(scales_index, "scales").reshape(-1) if scales is None else scales
        changes = [math.floor(x[a] * float(s)) for a, s in zip(axes, scales, strict=True)]
    for axis, size in zip(axes, changes, strict=True):
        out[axis] = size
    return [tuple(out)]


def constant_of_shape(site: Site) -> list[Shape]:
    return [tuple(int(v) for v in site.need(0, "shape").reshape(-1))]


def range_(site: Site) -> list[Shape]:
    start, limit, delta = (float(site.need(i, w).item()) for i, w in enumerate(("start", "limit", "delta")))
    return [(max(0, math.ceil((limit - start) / delta)),)]


def top_k(site: Site) -> list[Shape]:
    x = site.shape(0)
    axis = site.axis(site.node.int("axis", -1), len(x))
    k = site.node.attrs.get("k")
    k = int(site.need(1, "k").reshape(-1)[0]) if k is None else int(k)
    return [(*x[:axis], k, *x[axis + 1 :])] * len(site.node.outputs)


def one_hot(site: Site) -> list[Shape]:
    x = site.shape(0)
    axis = site.node.int("axis", -1)
    at = axis + len(x) + 1 if axis < 0 else axis
    return [(*x[:at], int(site.need(1, "depth").reshape(-1)[0]), *x[at:])]


def depth_to_space(site: Site) -> list[Shape]:
    n, c, h, w = site.shape(0)
    b = site.node.int("blocksize", 1)
    if site.node.op == "DepthToSpace":
        return [(n, c // (b * b), h * b, w * b)]
    return [(n, c * b * b, h // b, w // b)]


def shape_of(site: Site) -> list[Shape]:
    return [(len(site.shape(0)),)]


def scalar(site: Site) -> list[Shape]:
    return [()]


def grid_sample(site: Site) -> list[Shape]:
    return [(*site.shape(0)[:2], *site.shape(1)[1:-1])]


def quantised_concat(site: Site) -> list[Shape]:
    shapes = [site.shape(i) for i in range(2, len(site.node.inputs), 3)]
    axis = site.axis(site.node.int("axis", 1), len(shapes[0]))
    return [(*shapes[0][:axis], sum(s[axis] for s in shapes), *shapes[0][axis + 1 :])]
