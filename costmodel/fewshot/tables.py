"""Tables of NAS latencies: one row per architecture, one column of milliseconds per device, Parquet."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from costmodel.fewshot.training import KnownDevice
from costmodel.regressors.base import Array
from featurizers.network.nas_physics import OpIndices, Space, space_of

_NVIDIA = re.compile(r"(1080ti|2080ti|titan_rtx|titanx|titanxp|titan_xp|v100)_\d+")
_XEON = re.compile(r"(gold|silver)_\w+")
_ENCODING = {"nasbench201": ("arch_str",), "fbnet": ("op_idx",), "ofa": ("ks", "e", "d", "r")}


@dataclass(frozen=True, slots=True)
class LatencyTable:
    """ops : (n, positions), row i is `arch_index` i of the origin. latency_ms : (n,) per device."""

    space: Space
    ops: OpIndices
    latency_ms: Mapping[str, Array]

    def known(self, devices: Sequence[str]) -> list[KnownDevice]:
        """Those of `devices` that the table holds, for meta-training."""
        return [
            KnownDevice(name, self.latency_ms[name], model_of(name), family_of(name))
            for name in devices
            if name in self.latency_ms
        ]


def load_table(folder: Path, space: str) -> LatencyTable:
    """Read ``<space>_latency.parquet``. FileNotFoundError names the file, ValueError what is wrong with it."""
    import pyarrow.parquet as parquet

    path = folder / f"{space}_latency.parquet"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such table; datasets/nas_latency/build.py makes it.")
    table = parquet.read_table(path).sort_by("arch_index")
    fields = [table[name].to_pylist() for name in _ENCODING[space]]
    encodings = (
        fields[0]
        if len(fields) == 1
        else [dict(zip(_ENCODING[space], row, strict=True)) for row in zip(*fields, strict=True)]
    )
    latency = {f.name: table[f.name].to_numpy() for f in table.schema if str(f.type) in ("double", "float")}
    wrong = [name for name, values in latency.items() if not (np.isfinite(values) & (values > 0)).all()]
    if wrong:
        raise ValueError(f"{path}: not positive everywhere: {', '.join(wrong)}.")
    found = space_of(space)
    return LatencyTable(found, found.parse(encodings), latency)


def model_of(device: str) -> str:
    """The hardware without its batch size: ``titan_rtx_32`` -> ``titan_rtx``; other names stand for themselves."""
    return device.rsplit("_", 1)[0] if _NVIDIA.fullmatch(device) else device


def family_of(device: str) -> str:
    """The sort of hardware, for priors in which families count alike."""
    if _NVIDIA.fullmatch(device):
        return "nvidia"
    return "xeon" if _XEON.fullmatch(device) else device
