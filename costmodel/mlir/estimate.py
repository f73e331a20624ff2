"""The analytic baseline: the estimate of `featurizers.mlir`, scaled by one constant per target."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np

from costmodel.regressors.base import Array, Estimate, Groups, read_json, write_json
from featurizers.core import Features

COLUMN_OF = {
    "instructions": "est_instructions",
    "executed_instructions": "est_executed",
    "cycles": "est_cycles",
    "time_us": "est_cycles",
    "code_bytes": "est_code_bytes",
    "register_spills": "est_spills",
    "register_reloads": "est_spills",
    "stack_bytes": "est_stack_bytes",
    "vgprs": "kernel_vgprs",
    "sgprs": "kernel_sgprs",
    "vgpr_spills": "est_spills",
    "sgpr_spills": "est_spills",
    "occupancy_waves": "est_pressure",
}
"""Target -> the column that estimates it."""

COUNTS = frozenset({"register_spills", "register_reloads", "stack_bytes", "vgpr_spills", "sgpr_spills"})
"""Targets that may be 0 and are learned as log(1 + value)."""


def estimated(features: Features, target: str) -> Array:
    """The estimate of a target in learning space, float64 (n,); zeros where there is none."""
    column = COLUMN_OF.get(target)
    if column is None:
        return np.zeros(len(features))
    values = features.column(column).astype(np.float64)
    return np.asarray(np.log1p(values) if target in COUNTS else np.log(np.maximum(values, 1.0)))


class CodeEstimate:
    """Liveness against the register file, ports and recurrences over trip counts; nothing learned but the scale."""

    name = "mlir-estimate"

    def __init__(self, target: str = "", shift: float = 0.0, spread: float = 1.0):
        self.target = target
        self.shift = shift
        self.spread = spread

    def for_target(self, target: str) -> Self:
        """Which quantity it estimates."""
        self.target = target
        return self

    def fit(self, features: Features, y: Array, groups: Groups, seed: int, weights: Array | None = None) -> Self:
        rest = y - estimated(features, self.target)
        self.shift = float(np.median(rest))
        self.spread = max(float(np.std(rest)), 1e-6)
        return self

    def predict(self, features: Features) -> Estimate:
        return Estimate(estimated(features, self.target) + self.shift, np.full(len(features), self.spread))

    def part_costs(self, features: Features) -> Array | None:
        return part_costs(features, self.target)

    def save(self, folder: Path) -> None:
        write_json(folder / "estimate.json", {"target": self.target, "shift": self.shift, "spread": self.spread})

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls(**read_json(folder / "estimate.json"))


_PART_OF = {"cycles": "part_cycles", "time_us": "part_cycles", "executed_instructions": "part_cycles"}


def part_costs(features: Features, target: str) -> Array | None:
    """Estimated cost of each part (u,): cycles of a loop's work, or its instructions for what is static."""
    if features.parts is None:
        return None
    names = [column.name for column in features.part_columns]
    wanted = _PART_OF.get(target, "part_instructions")
    return np.maximum(features.parts.matrix[:, names.index(wanted)].astype(np.float64), 1e-9)
