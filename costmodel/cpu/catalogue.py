"""The measured CPU models beside an answer: which are nearest to this one, and how do they differ?"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from costmodel.cpu.kernel import Shape, Support, own_covariance
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


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A measured server. likeness : correlation of the model's prior between the two, 1 for the same. differences :
    in words, from the asked machine to this one."""

    cpu_model: str
    server: str
    likeness: float
    differences: tuple[str, ...]


@dataclass(frozen=True)
class Catalogue:
    """The support points of a bundle by name: cpu_models, servers (s,), and their columns float32 (s, columns)."""

    cpu_models: tuple[str, ...]
    servers: tuple[str, ...]
    values: FloatArray

    def nearest(self, spec: ServerSpec, support: Support, shape: Shape, count: int = 3) -> list[Neighbour]:
        """The `count` most alike CPU models, each by its most alike server."""
        asked = Features(vectors([spec]), COLUMNS)
        mine = support.scaling.apply(asked)
        alike = support.covariances(mine, shape)[0].astype(np.float64)
        mine_alone = float(own_covariance(mine, shape)[0])
        norms = np.sqrt(own_covariance(support.points, shape).astype(np.float64) * mine_alone)
        likeness = np.clip(alike / norms, 0.0, 1.0)
        found: list[Neighbour] = []
        for index in np.argsort(-likeness, kind="stable"):
            name = self.cpu_models[index]
            if name in {neighbour.cpu_model for neighbour in found}:
                continue
            differences = describe_differences(asked.vectors[0], self.values[index])
            found.append(Neighbour(name, self.servers[index], float(likeness[index]), differences))
            if len(found) == count:
                break
        return found

    def save(self, folder: Path) -> None:
        from safetensors.numpy import save_file

        names = {"cpu_models": list(self.cpu_models), "servers": list(self.servers)}
        (folder / "catalogue.json").write_text(json.dumps(names, indent=0, sort_keys=True) + "\n")
        save_file({"values": self.values}, str(folder / "catalogue.safetensors"))

    @classmethod
    def load(cls, folder: Path) -> Self:
        from safetensors.numpy import load_file

        names = json.loads((folder / "catalogue.json").read_text())
        values = load_file(str(folder / "catalogue.safetensors"))["values"]
        return cls(tuple(names["cpu_models"]), tuple(names["servers"]), values)


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


def of_table(cpu_model: Sequence[str], keys: Sequence[str], first: Sequence[int], values: FloatArray) -> Catalogue:
    """The catalogue of the merged rows of a training table; `first` are their rows in it."""
    return Catalogue(tuple(str(cpu_model[i]) for i in first), tuple(keys[i] for i in first), values[list(first)])
