"""The measured CPU models beside an answer: which are nearest to this one, and how do they differ?"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from costmodel.cpu.kernel import Shape, Support, own_covariance
from costmodel.prediction import Neighbour
from featurizers.core import Features, FloatArray
from featurizers.cpu.columns import COLUMNS, vectors
from featurizers.cpu.spec import ServerSpec

_SAID = {
    "year": "",
    "boost_ghz": " GHz boost",
    "allcore_ghz": " GHz on all cores",
    "core_equivalents": " cores",
    "l3_fair_mb": " MiB of L3",
    "memory_mts": " MT/s",
    "memory_channels": " memory channels",
    "vector_bits": "-bit vectors",
    "dram_latency_ns": " ns to memory",
}
"""Column -> what follows its value in a sentence."""


@dataclass(frozen=True)
class Catalogue:
    """The support points of a bundle by name: cpu_models, servers (s,), and their columns float32 (s, columns).

    targets (t,), scores float32 (s, t): what was measured, NaN where it was not.
    """

    cpu_models: tuple[str, ...]
    servers: tuple[str, ...]
    values: FloatArray
    targets: tuple[str, ...] = ()
    scores: FloatArray | None = None

    def score(self, index: int, target: str | None) -> float | None:
        """What the support point of that index scored, if it was measured."""
        if self.scores is None or target not in self.targets:
            return None
        found = float(self.scores[index, self.targets.index(target)])
        return found if math.isfinite(found) else None

    def nearest(
        self, spec: ServerSpec, support: Support, shape: Shape, target: str | None = None, count: int = 3
    ) -> list[Neighbour]:
        """The `count` most alike CPU models, each by its most alike server, with its score in `target`.

        likeness is the correlation of the model's prior between the two machines.
        """
        asked = Features(vectors([spec]), COLUMNS)
        mine = support.scaling.apply(asked)
        alike = support.covariances(mine, shape)[0].astype(np.float64)
        mine_alone = float(own_covariance(mine, shape)[0])
        norms = np.sqrt(own_covariance(support.points, shape).astype(np.float64) * mine_alone)
        likeness = np.clip(alike / norms, 0.0, 1.0)
        found: list[Neighbour] = []
        for index in np.argsort(-likeness, kind="stable"):
            name = self.cpu_models[index]
            if name in {neighbour.name for neighbour in found}:
                continue
            differences = describe_differences(asked.vectors[0], self.values[index])
            score = self.score(int(index), target)
            found.append(Neighbour(name, self.servers[index], float(likeness[index]), differences, score))
            if len(found) == count:
                break
        return found

    def save(self, folder: Path) -> None:
        from safetensors.numpy import save_file

        names = {"cpu_models": list(self.cpu_models), "servers": list(self.servers), "targets": list(self.targets)}
        (folder / "catalogue.json").write_text(json.dumps(names, indent=0, sort_keys=True) + "\n")
        scores = {} if self.scores is None else {"scores": self.scores}
        save_file({"values": self.values, **scores}, str(folder / "catalogue.safetensors"))

    @classmethod
    def load(cls, folder: Path) -> Self:
        from safetensors.numpy import load_file

        names = json.loads((folder / "catalogue.json").read_text())
        tensors = load_file(str(folder / "catalogue.safetensors"))
        return cls(
            tuple(names["cpu_models"]),
            tuple(names["servers"]),
            tensors["values"],
            tuple(names.get("targets", ())),
            tensors.get("scores"),
        )


def describe_differences(asked: FloatArray, other: FloatArray, most: int = 4) -> tuple[str, ...]:
    """The largest relative differences of the columns that people know, e.g. ``"3.7 against 4.5 GHz boost"``."""
    place = {column.name: i for i, column in enumerate(COLUMNS)}
    found = []
    for name, suffix in _SAID.items():
        a, b = float(asked[place[name]]), float(other[place[name]])
        if not (math.isfinite(a) and math.isfinite(b)) or a == b:
            continue
        size = abs(a - b) / 5 if name == "year" else abs(math.log(max(b, 1e-9) / max(a, 1e-9)))
        found.append((size, f"{a:.4g} against {b:.4g}{suffix}" if suffix else f"{name} {a:.0f} against {b:.0f}"))
    return tuple(text for _, text in sorted(found, reverse=True)[:most])
