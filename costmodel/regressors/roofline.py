"""Additive roofline, fitted per device: the mandatory analytic baseline, and the prior of the learned kernel model.

A subject costs the sum over its parts of ``overhead[op] + flops * per_flop[op] + bytes * per_byte[op]``, all
coefficients non-negative: one launch cost, one throughput and one bandwidth for each class of op. (Williams, Waterman
and Patterson, "Roofline", CACM 2009, with the maximum replaced by the sum, which keeps the fit a convex one.)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from costmodel.regressors.base import Array, Estimate, Groups, read_json, write_json
from featurizers.core import Features, Parts

_TERMS = 3
_RIDGE = 1e-3


class AdditiveRoofline:
    """Non-negative least squares on relative error; needs parts with the columns named here.

    classes : part column that holds the op class id. work : part column of FLOPs. traffic : of bytes, added up.
    """

    name = "roofline"

    def __init__(
        self,
        coefficients: npt.ArrayLike = (),
        spread: float = 1.0,
        classes: str = "op_class",
        work: str = "flops",
        traffic: Sequence[str] = ("bytes_in", "bytes_weights", "bytes_out"),
    ):
        self.coefficients = np.asarray(coefficients, dtype=np.float64).reshape(-1, _TERMS)
        self.spread = spread
        self.columns = (classes, work, tuple(traffic))

    def fit(self, features: Features, y: Array, groups: Groups, seed: int, weights: Array | None = None) -> Self:
        from scipy.optimize import nnls

        parts = _parts(features)
        ids, terms = self._terms(features)
        known = int(ids.max(initial=-1)) + 1
        design = np.zeros((len(features), known * _TERMS))
        for term in range(_TERMS):
            entries = terms[parts.part, term] * parts.count
            np.add.at(design, (parts.owner, ids[parts.part] * _TERMS + term), entries)
        w = np.ones(len(y)) if weights is None else np.sqrt(weights)
        relative = design * (w / np.exp(y))[:, None]
        scale = np.maximum(relative.max(axis=0), 1e-30)
        ridge = _RIDGE * np.sqrt(len(y)) * np.eye(relative.shape[1])
        solution, _ = nnls(np.vstack([relative / scale, ridge]), np.concatenate([w, np.zeros(len(ridge))]))
        self.coefficients = (solution / scale).reshape(known, _TERMS)
        self.spread = 1.0
        self.spread = max(float(np.std(y - self.predict(features).point)), 1e-6)
        return self

    def predict(self, features: Features) -> Estimate:
        costs = self.part_costs(features)
        total = np.maximum(_parts(features).total(costs, len(features)), 1e-12)
        return Estimate(np.log(total), np.full(len(features), self.spread))

    def part_costs(self, features: Features) -> Array:
        ids, terms = self._terms(features)
        known = len(self.coefficients)
        # An op class never measured costs what the dearest known class costs per byte and call: slow, never free.
        unseen = self.coefficients.max(axis=0) if known else np.zeros(_TERMS)
        rows = np.where((ids < known)[:, None], self.coefficients[np.minimum(ids, max(known - 1, 0))], unseen)
        return np.asarray((rows * terms).sum(axis=1))

    def _terms(self, features: Features) -> tuple[npt.NDArray[np.int64], Array]:
        names = [column.name for column in features.part_columns]
        matrix = _parts(features).matrix
        classes, work_name, traffic_names = self.columns
        work = matrix[:, names.index(work_name)].astype(np.float64)
        traffic = matrix[:, [names.index(name) for name in traffic_names]].astype(np.float64).sum(axis=1)
        ids = matrix[:, names.index(classes)].astype(np.int64)
        return ids, np.stack([np.ones_like(work), work, traffic], axis=1)

    def save(self, folder: Path) -> None:
        classes, work, traffic = self.columns
        content = {
            "coefficients": self.coefficients.tolist(),
            "spread": self.spread,
            "classes": classes,
            "work": work,
            "traffic": list(traffic),
        }
        write_json(folder / "roofline.json", content)

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls(**read_json(folder / "roofline.json"))


def _parts(features: Features) -> Parts:
    if features.parts is None:
        raise ValueError("A roofline sums over parts, and these features have none.")
    return features.parts
