"""What the learner has to beat: the score per core-GHz of the nearest micro-architecture."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np

from costmodel.cpu.process import choose_law, law_of
from costmodel.regressors.base import Array, Estimate, Groups, read_json, write_json
from featurizers.core import Features

_IDENTITY: tuple[str, ...] = (
    *("year", "decode_width", "rob_entries", "l2_kb", "vector_bits", "fp64_per_cycle", "int_div_cycles"),
    *("dram_latency_ns", "vendor_intel", "vendor_amd", "vendor_arm"),
)


class CoreGhzBaseline:
    """``score = k(micro-architecture) * cores * GHz`` (or GHz alone, where a score does not grow with cores).

    ``k`` is the median of the training servers of that design, every CPU model counting alike; a design that was not
    seen takes that of the nearest in width, buffers, vectors and year.
    """

    name = "core-ghz"

    def __init__(self) -> None:
        self.law = ""
        self.designs: Array = np.empty((0, len(_IDENTITY)))
        self.levels: Array = np.empty(0)
        self.scale: Array = np.ones(len(_IDENTITY))
        self.spread = 1.0

    def fit(self, features: Features, y: Array, groups: Groups, seed: int, weights: Array | None = None) -> Self:
        self.law = choose_law(features, y, groups)
        identity = _identity(features)
        rest = y - law_of(features, self.law)
        self.designs, code = np.unique(identity, axis=0, return_inverse=True)
        code = code.reshape(-1)
        self.scale = np.maximum(self.designs.std(axis=0), 1e-6)
        self.levels = np.array([_balanced_median(rest[code == d], groups[code == d]) for d in range(len(self.designs))])
        self.spread = max(float(np.std(rest - self.levels[code])), 1e-3)
        return self

    def predict(self, features: Features) -> Estimate:
        asked, known = _identity(features) / self.scale, self.designs / self.scale
        nearest = np.argmin((known * known).sum(axis=1) - 2 * asked @ known.T, axis=1)
        point = self.levels[nearest] + law_of(features, self.law)
        return Estimate(point, np.full(len(features), self.spread))

    def part_costs(self, features: Features) -> Array | None:
        return None

    def save(self, folder: Path) -> None:
        content = {
            "law": self.law,
            "designs": self.designs.tolist(),
            "levels": self.levels.tolist(),
            "scale": self.scale.tolist(),
            "spread": self.spread,
        }
        write_json(folder / "core_ghz.json", content)

    @classmethod
    def load(cls, folder: Path) -> Self:
        content = read_json(folder / "core_ghz.json")
        loaded = cls()
        loaded.law, loaded.spread = content["law"], content["spread"]
        loaded.designs, loaded.levels, loaded.scale = (np.array(content[k]) for k in ("designs", "levels", "scale"))
        return loaded


def _identity(features: Features) -> Array:
    return np.nan_to_num(np.stack([features.column(name) for name in _IDENTITY], axis=1).astype(np.float64))


def _balanced_median(values: Array, groups: Groups) -> float:
    """Median over groups of each group's median."""
    medians = [np.median(values[groups == g]) for g in np.unique(groups).tolist()]
    return float(np.median(np.array(medians)))
