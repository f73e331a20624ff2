"""Points in several layouts, and vectors: rotations, quaternions, rays, great circles."""

from __future__ import annotations

from collections.abc import Sequence

from costmodel.mlir.generators.code import Array, Code, Index
from costmodel.mlir.generators.structures import added, mapped
from costmodel.mlir.generators.values import Value


class Points:
    """Coordinates of `n` points: a buffer per axis, rows of them, or columns."""

    def __init__(self, c: Code, n: int, axes: int, kind: str):
        self.axes, self.layout = axes, c.pick(("apart", "rows", "columns", "padded"))
        self.parts: list[Array] = []
        if self.layout == "apart":
            self.parts = c.arrays(axes, n, kind)
        else:
            width = axes if axes > 4 else 4 if self.layout == "padded" else axes
            self.parts = c.arrays(1, [axes, n] if self.layout == "columns" else [n, width], kind)

    def _place(self, i: Index, axis: int) -> tuple[Array, tuple[Index, ...]]:
        if self.layout == "apart":
            return self.parts[axis], (i,)
        return self.parts[0], (axis, i) if self.layout == "columns" else (i, axis)

    def get(self, i: Index) -> list[Value]:
        """All coordinates of a point."""
        return [array[at] for array, at in (self._place(i, axis) for axis in range(self.axes))]

    def put(self, i: Index, values: Sequence[Value]) -> None:
        """All coordinates, stored."""
        for axis, value in enumerate(values):
            array, at = self._place(i, axis)
            array[at] = value


def dot(a: Sequence[Value], b: Sequence[Value]) -> Value:
    """Sum of products."""
    return added(a[0].code, [x * y for x, y in zip(a, b, strict=True)])


def less(a: Sequence[Value], b: Sequence[Value]) -> list[Value]:
    """Differences."""
    return [x - y for x, y in zip(a, b, strict=True)]


def _geometry(c: Code) -> None:
    """Vectors turned, crossed, normalised; quaternions; rays against spheres, boxes and triangles; great circles."""
    kind = c.pick(("f32", "f32", "f64", "f16"))
    what = c.pick(
        ("rotate", "cross", "normalise", "quaternion", "sphere", "box", "triangle", "project", "circle", "invert")
    )

    def cross(a: Sequence[Value], b: Sequence[Value]) -> list[Value]:
        return [a[(k + 1) % 3] * b[(k + 2) % 3] - a[(k + 2) % 3] * b[(k + 1) % 3] for k in range(3)]

    def body(*x: Value) -> list[Value]:
        a, b, d = list(x[:3]), list(x[3:6]), list(x[6:9])
        if what in ("rotate", "project"):
            out = [dot(x[3 + 3 * r : 6 + 3 * r], a) for r in range(3)]
            return out if what == "rotate" else [out[0] / (out[2] + 1), out[1] / (out[2] + 1)]
        if what == "cross":
            return cross(a, b)
        if what == "normalise":
            size_ = dot(a, a) + 1e-3
            return [v * size_.math("rsqrt") if c.alternative else v / size_.math("sqrt") for v in a]
        if what == "quaternion":
            p, q, s, t = a, b, x[6], x[7]
            return [*(s * v + t * u + w for u, v, w in zip(p, q, cross(p, q), strict=True)), s * t - dot(p, q)]
        if what == "sphere":
            half, away = dot(a, b), dot(a, a) - x[6]
            inside = half * half - away
            return [(inside > 0).then(0 - half - inside.max(0).math("sqrt"), -1)]
        if what == "box":
            near = [
                ((lo - p) / (v + 1e-3), (hi - p) / (v + 1e-3)) for p, v, lo, hi in zip(a, b, d, x[9:12], strict=True)
            ]
            first = near[0][0].min(near[0][1])
            last = near[0][0].max(near[0][1])
            for lo, hi in near[1:]:
                first, last = first.max(lo.min(hi)), last.min(lo.max(hi))
            return [(first <= last).then(first, -1)]
        if what == "triangle":
            edge = list(x[9:12])
            h = cross(b, edge)
            inverse = 1 / (dot(d, h) + 1e-3)
            u, q = inverse * dot(a, h), cross(a, d)
            v, t = inverse * dot(b, q), inverse * dot(edge, q)
            return [((u >= 0) & (v >= 0) & ((u + v) <= 1)).then(t, -1)]
        if what == "circle":
            lat, lon = ((p - q) * 0.5 for p, q in zip(x[:2], x[2:4], strict=True))
            height, across = lat.math("sin"), lon.math("sin")
            chord = height * height + x[0].math("cos") * x[2].math("cos") * across * across
            return [chord.math("sqrt").math("atan2", (1 - chord).max(0).math("sqrt")) * 2]
        minors = [cross(b, d), cross(d, a), cross(a, b)]
        scale = 1 / (dot(a, minors[0]) + 1e-3)
        return [m * scale for row in minors for m in row]

    count = {"rotate": 12, "project": 12, "cross": 6, "normalise": 3, "quaternion": 8, "sphere": 7, "box": 12,
             "triangle": 12, "circle": 4, "invert": 9}[what]  # fmt: skip
    mapped(c, [kind] * count, body, largest=3000)


KERNELS = {
    "geometry": _geometry,
}
