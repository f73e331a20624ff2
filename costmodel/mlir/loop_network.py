"""A network that adds up loops: each loop's estimated share of a cost is corrected by itself, all by the same weights.

What a program costs is the sum of what its loops cost, and how far the estimate of a loop is off depends on that loop.
What was learned of a loop in one family of programs then holds for its like in another. The columns describe one or two
loops in full (`hot`, `big`, `second`); what is left counts as one more. Answers by numpy; trained by torch
(`costmodel.mlir.network_training`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from costmodel.mlir.network import (
    STEP,
    ColumnScaling,
    Hidden,
    Layers,
    Weights,
    affine,
    clipped,
    layered,
    signed_logs,
    silu,
)
from costmodel.regressors.base import Array
from featurizers.core import Column, FloatArray

_BY_INSTRUCTIONS, _BY_CYCLES = ("big", "second"), ("hot",)
_STATIC = frozenset({"instructions", "code_bytes"})
LEAST_SHARE = 1e-4
"""A loop is taken to be at least so much of a program."""
Index = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LoopColumns:
    """Where the columns tell of loops. own : (loops, k) positions of what describes each. share : (loops,) of its part
    of the estimate; whole : of what that is a part of, -1 where it is a share already."""

    own: Index
    share: Index
    whole: int

    @classmethod
    def of(cls, columns: Sequence[Column], target: str) -> Self | None:
        """Of the loops that a target's estimate is made of; None where the columns do not tell."""
        places = {column.name: place for place, column in enumerate(columns)}
        static = target in _STATIC
        slots = _BY_INSTRUCTIONS if static else _BY_CYCLES
        names = [column.name.partition("_")[2] for column in columns if column.group == f"{slots[0]} loop"]
        if not names or any(f"{slot}_{name}" not in places for slot in slots for name in names):
            return None
        own = np.asarray([[places[f"{slot}_{name}"] for name in names] for slot in slots], dtype=np.int64)
        share = np.asarray([places[f"{slot}_{'instructions' if static else 'share'}"] for slot in slots])
        return cls(own, share.astype(np.int64), places["est_instructions"] if static else -1)

    def log_shares(self, x: FloatArray) -> Weights:
        """Of each loop and of the rest, (n, loops + 1)."""
        part = x[:, self.share].astype(np.float64)
        if self.whole >= 0:
            part = part / np.maximum(x[:, self.whole, None].astype(np.float64), 1.0)
        rest = 1.0 - part.sum(axis=1, keepdims=True)
        return np.asarray(np.log(np.maximum(np.concatenate([part, rest], axis=1), LEAST_SHARE)))


@dataclass(frozen=True, slots=True)
class LoopScaling:
    """Means and standard deviations (k,) of the signed logs of a loop's columns."""

    center: Weights
    scale: Weights

    def __call__(self, own: FloatArray) -> Weights:
        """(n, loops, k), of the same shape."""
        return clipped(signed_logs(own), self.center, self.scale)


@dataclass(frozen=True, slots=True)
class LoopNetwork:
    """program : layers on all columns, whose first gives `context` too and whose last two numbers are a common factor
    and that of the rest. loop : layers on a loop's columns beside the context. All in logs."""

    columns: LoopColumns
    scaling: ColumnScaling
    loops: LoopScaling
    program: Layers
    context: tuple[Hidden, Hidden]
    loop: Layers

    def predict(self, x: FloatArray) -> Array:
        """Log of the cost over the estimate, float64 (n,), of columns (n, columns)."""
        return self.of_scaled(self.scaling(x), x)

    def of_scaled(self, z: Hidden, x: FloatArray) -> Array:
        """The same, of columns that `scaling` has scaled (n, k), beside them as they are."""
        hidden = silu(affine(self.program[0], z))
        common = layered(self.program[1:], hidden)
        own = self.loops(x.take(self.columns.own, axis=1))
        context = affine(self.context, hidden)
        beside = np.empty((*own.shape[:2], own.shape[2] + context.shape[1]), np.float32)
        beside[:, :, : own.shape[2]] = own
        beside[:, :, own.shape[2] :] = context[:, None, :]
        factors = np.concatenate([layered(self.loop, beside)[:, :, 0], common[:, 1:]], axis=1)
        logs = self.columns.log_shares(x) + factors
        top = logs.max(axis=1)
        total = top + np.log(np.exp(logs - top[:, None]).sum(axis=1)) + common[:, 0]
        return np.asarray(np.rint(total / STEP) * STEP)

    def save(self, path: Path) -> None:
        """Numbers of 16 bits, which they were rounded to when they were learned."""
        from safetensors.numpy import save_file

        places = {"own": self.columns.own, "share": self.columns.share, "columns": self.scaling.columns}
        arrays: dict[str, npt.NDArray[Any]] = {name: own.astype(np.int32) for name, own in places.items()}
        arrays["whole"] = np.asarray([self.columns.whole], dtype=np.int32)
        arrays |= {"center": _half(self.scaling.center), "scale": _half(self.scaling.scale)}
        arrays |= {"loop_center": _half(self.loops.center), "loop_scale": _half(self.loops.scale)}
        for name, layers in (("program", self.program), ("context", (self.context,)), ("loop", self.loop)):
            for k, (weights, bias) in enumerate(layers):
                arrays |= {f"{name}.{k}.weights": _half(weights), f"{name}.{k}.bias": _half(bias)}
        save_file({name: np.ascontiguousarray(values) for name, values in arrays.items()}, path)

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """What `save` wrote; None where it wrote nothing."""
        if not path.is_file():
            return None
        from safetensors.numpy import load_file

        arrays = load_file(path)

        def layers(name: str) -> Layers:
            count = sum(key.startswith(f"{name}.") and key.endswith(".bias") for key in arrays)
            return tuple(
                (arrays[f"{name}.{k}.weights"].astype(np.float32), arrays[f"{name}.{k}.bias"].astype(np.float32))
                for k in range(count)
            )

        own, share, columns = (arrays[name].astype(np.int64) for name in ("own", "share", "columns"))
        numbers = [arrays[n].astype(np.float64) for n in ("center", "scale", "loop_center", "loop_scale")]
        return cls(
            LoopColumns(own, share, int(arrays["whole"][0])),
            ColumnScaling(columns, *numbers[:2]),
            LoopScaling(*numbers[2:]),
            layers("program"),
            layers("context")[0],
            layers("loop"),
        )


def _half(values: npt.NDArray[Any]) -> npt.NDArray[np.float16]:
    return np.asarray(np.clip(values, -6e4, 6e4), dtype=np.float16)
