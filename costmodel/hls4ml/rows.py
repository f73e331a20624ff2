"""Labelled designs: the wa-hls4ml collection and the public reports beside it, as raw inputs and values per target.

Files carry their licence: what is not free to redistribute is read where a user has it, and never enters a bundle.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from featurizers.errors import InputError
from featurizers.hls4ml import closest_reuse_factor

_GRID = (1, 512, 1023)
"""Reuse factors that the dense1 campaign asked for; its file stores the nearest valid ones."""


OPEN = "open"
"""Name of the source that an open flow labelled."""


@dataclass(frozen=True, slots=True)
class LabelledDesign:
    """group : designs of the same layer dimensions. success : whether synthesis gave a report."""

    file: str
    group: str
    raw: Mapping[str, Any]
    labels: Mapping[str, float] = field(default_factory=dict)
    success: bool = True


@dataclass(frozen=True, slots=True)
class Source:
    """free : its licence lets models trained on it be shipped."""

    name: str
    file: str
    licence: str
    free: bool
    read: Callable[[Mapping[str, Any]], LabelledDesign]


def _dense1(row: Mapping[str, Any]) -> LabelledDesign:
    n_in, n_out, built = int(row["d_in"]), int(row["d_out"]), int(row["reuse_factor"])
    asked = next((rf for rf in _GRID if closest_reuse_factor(n_in, n_out, rf) == built), built)
    precision = f"fixed<{int(row['weight_bits'])},1>"
    layer = {
        "class": "Dense",
        "name": "dense",
        "units": n_out,
        "weight": precision,
        "bias": precision,
        "reuse_factor": asked,
        "strategy": row["strategy"],
    }
    raw = {
        "layers": [layer],
        "input_shape": [n_in],
        **_conditions(row),
        "backend": row["backend"].lower(),
        "tool_version": row["tool_version"],
        "part": row["part"],
        "clock_period": 5.0,
    }
    labels = _csynth_labels(row) if row["synth_success"] else {}
    return LabelledDesign("dense1", row["design"], raw, labels, bool(row["synth_success"]))


def _csynth_labels(row: Mapping[str, Any]) -> dict[str, float]:
    return {
        "lut_csynth": row["lut"],
        "ff_csynth": row["ff"],
        "dsp_csynth": row["dsp"],
        "bram_csynth": row["bram_18k"],
        "cycles_min": row["latency_min_cycles"],
        "cycles_max": row["latency_max_cycles"],
        "interval": row["interval_max_cycles"],
    }


def _conditions(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"io_type": row.get("io_type", "io_parallel"), "hls4ml_version": row.get("hls4ml_version", "")}


def _dense23(row: Mapping[str, Any]) -> LabelledDesign:
    sizes, factors = json.loads(row["layer_dims"]), json.loads(row["reuse_factor_valid"])
    precision = f"fixed<{int(row['weight_bits'])},1>"
    layers = [
        {
            "class": "Dense",
            "units": units,
            "weight": precision,
            "bias": precision,
            "reuse_factor": factor,
            "strategy": row["strategy"],
        }
        for units, factor in zip(sizes[1:], factors, strict=True)
    ]
    raw = {
        "layers": layers,
        "input_shape": sizes[:1],
        "io_type": "io_parallel",
        "backend": "vitis",
        "tool_version": "2023.2",
        "part": "xcu250-figd2104-2L-e",
        "clock_period": row["target_clock_ns"],
    }
    labels = {
        "lut_vsynth": row["lut"],
        "ff_vsynth": row["ff"],
        "dsp_vsynth": row["dsp"],
        "bram_vsynth": row["bram"],
        "cycles_min": row["latency_min_cycles"],
        "cycles_max": row["latency_max_cycles"],
    }
    return LabelledDesign("dense23", row["design"], raw, labels)


_UNIT_CLASSES = {"leaky_relu": "LeakyReLU", "prelu": "PReLU", "relu": "ReLU", "elu": "ELU"}


def _unit(row: Mapping[str, Any]) -> LabelledDesign:
    layers: list[dict[str, Any]] = []
    shape: list[int] | None = None
    for block in json.loads(row["architecture"]):
        kind = str(block["kind"])
        shape = shape or (list(block["input"]) if "input" in block else [block["in"]])
        layers.append(_unit_layer(kind, block, row))
    raw = {
        "layers": layers,
        "input_shape": shape,
        "io_type": row["io_type"],
        "backend": row["backend"].lower(),
        "tool_version": row["tool_version"],
        "part": "vu13p",
        "clock_period": row["target_clock_ns"],
    }
    return LabelledDesign("units", f"unit-{row['design']}", raw, _csynth_labels(row))


def _unit_layer(kind: str, block: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    settings = {"strategy": row["strategy"], "reuse_factor": int(row["reuse_factor"])}
    if kind == "Dense":
        return {"class": "Dense", "units": block["out"], **settings}
    if kind == "Conv2D":
        return {
            "class": kind,
            "filters": block["filters"],
            "kernel_size": block["kernel"],
            "strides": block["strides"],
            "padding": block["padding"],
            **settings,
        }
    if kind == "DepthwiseConv1D":
        return {"class": kind, "kernel_size": block["kernel"], **settings}
    if "Pooling" in kind:
        return {"class": kind, "pool_size": block["pool"], "padding": block["padding"]}
    if kind.lower() in _UNIT_CLASSES:
        return {"class": _UNIT_CLASSES[kind.lower()]}
    return {"class": "Activation", "activation": kind}


def _open(row: Mapping[str, Any]) -> LabelledDesign:
    """A row of datasets/hls4ml_open. Flip-flops are a label where there are registers: the rest has none by design."""
    is_shared, bits = row["family"] == "reuse-dense", int(row["input_bits"])
    settings = {
        "weight": f"fixed<{int(row['weight_bits'])},1>",
        "nonzero": 1.0 if row["nonzero"] is None else row["nonzero"],
        "strategy": "resource" if is_shared else "distributed_arithmetic",
        "activation": "relu",
    }
    if row["image"] is None:
        factors = row["reuse_factors"] or [1] * (len(row["sizes"]) - 1)
        layers = [
            {"class": "Dense", "units": units, "reuse_factor": factor, **settings}
            for units, factor in zip(row["sizes"][1:], factors, strict=True)
        ]
        shape = row["sizes"][:1]
    else:
        layers = [{"class": "Conv2D", "filters": row["filters"], "kernel_size": row["kernel"], **settings}]
        shape = row["image"]
    layers = [{**layer, "digits": digits} for layer, digits in zip(layers, row["digits"], strict=True)]
    raw = {
        "layers": layers,
        "input_shape": shape,
        "hls_config": {"Model": {"Precision": f"fixed<{bits},1>"}},
        "part": "vu13p",
        "latency_cutoff": None if row["latency_cutoff"] is None else int(row["latency_cutoff"]),
    }
    labels = {}
    if row["status"] == "ok":
        labels = {f"{name}_yosys": row[name] for name in ("lut", "dsp", "carry")}
        if is_shared or row["cycles"] > 0:
            labels["ff_yosys"] = row["ff"]
    group = "-".join(map(str, [*(row["sizes"] or row["image"]), *(row["kernel"] or []), row["filters"] or ""]))
    return LabelledDesign(OPEN, f"open-{group}", raw, labels)


SOURCES: Final[tuple[Source, ...]] = (
    Source("dense1", "dense1_csynth.parquet", "Apache-2.0", True, _dense1),
    Source("dense23", "dense23_vsynth_sample.parquet", "CC-BY-NC-4.0", False, _dense23),
    Source(OPEN, "designs.parquet", "Apache-2.0", True, _open),
    Source("units", "hls4ml_unit_layers_csynth.parquet", "Apache-2.0", True, _unit),
)


def find_folder(data: Path | None, mirror: Path | None) -> Path:
    """Where the tables lie: in a folder given, or in its ``hls4ml`` or ``data``. Raises InputError without any."""
    for root in (data, mirror):
        for folder in () if root is None else (root, root / "hls4ml", root / "data"):
            if any((folder / source.file).is_file() for source in SOURCES):
                return folder
    names = ", ".join(source.file for source in SOURCES)
    shown = next((str(folder) for folder in (data, mirror) if folder is not None), None)
    raise InputError("The data folder", f"must contain at least one of {names}", shown, where="--data or --mirror")


def load_designs(folder: Path, free_only: bool = False) -> list[LabelledDesign]:
    """Every labelled design of the files that `folder` has, in their order. Raises InputError when it has none."""
    found = [design for source in SOURCES if source.free or not free_only for design in _read(folder, source)]
    if not found:
        names = ", ".join(source.file for source in SOURCES)
        raise InputError("The data folder", f"must contain at least one of {names}", folder.name, where="--data")
    return found


def _read(folder: Path, source: Source) -> Iterator[LabelledDesign]:
    path = folder / source.file
    if path.is_file():
        import pyarrow.parquet

        for row in pyarrow.parquet.read_table(path).to_pylist():
            yield source.read(row)
