"""``mlir-pass``: a tile/unroll pass guided by predictions, against no tiling, mlir-opt's tile and exhaustive search."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from costmodel.paths import dataset_folder
from featurizers.errors import InputError

_TARGET = "cycles"
Row = dict[str, Any]


def run(data: Path | None, mirror: Path | None) -> dict[str, Any]:
    """data : a folder with ``data/labels.jsonl`` in the form of datasets/loop_nests, and perhaps ``bundle/``.

    Summary: `gain_of_exhaustive` (log of the geometric-mean speed-up over exhaustive search's), `time_of_exhaustive`
    (processor seconds of the pass over those of the tools, nest by nest), `speedup_geomean` (over no tiling), and the
    same of the others.
    """
    from iree.compiler import ir

    from costmodel.passes import CostModel
    from costmodel.passes.mlir import LoopTuner
    from costmodel.passes.mlir.nests import held_out

    folder = data or dataset_folder("loop_nests")
    labelled = _labelled(folder)
    cpu = next(iter(labelled.values()))["cpu"]
    bundle = folder / "bundle" if (folder / "bundle").is_dir() else None
    try:
        model = CostModel.load(cpu, _TARGET, bundle=bundle)
    except LookupError as error:
        raise InputError("The benchmark 'mlir-pass'", f"needs a model of the kind 'mlir': {error}") from error
    nests = [nest for nest in held_out(2 * len(labelled) + 64) if nest.name in labelled]
    tuner, context = LoopTuner(model), ir.Context()  # one for all functions, as a compiler has it
    rows = [_row(nest, labelled[nest.name], tuner, context) for nest in nests]
    return {"benchmark": "mlir-pass", "rows": _by_family(rows), "summary": _summary(rows)}


def _labelled(folder: Path) -> dict[str, Row]:
    from costmodel.measure.journal import read_journal

    path = folder / "data" / "labels.jsonl"
    rows = {row["nest"]: row for row in read_journal(path) if row["status"] == "ok" and None not in row["cycles"]}
    if not rows:
        raise InputError(f"'{path}'", "must hold labels: python datasets/loop_nests/build.py makes them", 0)
    return rows


def _row(nest: Any, label: Mapping[str, Any], tuner: Any, context: Any) -> Row:
    """One nest: cycles as it is, with mlir-opt's tile, as the pass writes it and at best; and what deciding took.

    Labels of ways to write it that the pass refuses (they may compute something else, see `may_tile`, `may_unroll`)
    do not count, nor does their share of the tools' time.
    """
    from iree.compiler import ir

    with context:
        module = ir.Module.parse(nest.text)
    started = time.process_time()
    tuner(module)
    seconds = time.process_time() - started
    decision = tuner.decisions[-1]
    allowed = {str(choice) for choice in decision.predicted}
    every = zip(label["choices"], label["cycles"], strict=True)
    cycles = {choice: cost for choice, cost in every if choice in allowed}
    plain = cycles["as it is"]
    return {
        "family": nest.family,
        "variants": len(cycles),
        "guided": plain / cycles.get(str(decision.choice), plain),
        "default_tile": plain / cycles.get("tile default", plain),
        "exhaustive": plain / min(cycles.values()),
        "guided_s": seconds,
        "exhaustive_s": label["tool_seconds"] * len(cycles) / len(label["choices"]),
    }


def _by_family(rows: Sequence[Row]) -> list[Row]:
    families = sorted({row["family"] for row in rows})
    return [_line(family, [row for row in rows if row["family"] == family]) for family in families] + [
        _line("all", rows)
    ]


def _line(name: str, rows: Sequence[Row]) -> Row:
    speedups = {key: _geomean([row[key] for row in rows]) for key in ("default_tile", "guided", "exhaustive")}
    return {
        "family": name,
        "nests": len(rows),
        "variants": float(np.mean([row["variants"] for row in rows])),
        **{f"{key}_speedup": value for key, value in speedups.items()},
        "gain_of_exhaustive": _share(speedups["guided"], speedups["exhaustive"]),
        "guided_ms": 1e3 * float(np.mean([row["guided_s"] for row in rows])),
        "exhaustive_ms": 1e3 * float(np.mean([row["exhaustive_s"] for row in rows])),
    }


def _summary(rows: Sequence[Row]) -> dict[str, float]:
    line = _line("all", rows)
    return {
        "gain_of_exhaustive": line["gain_of_exhaustive"],
        "time_of_exhaustive": line["guided_ms"] / line["exhaustive_ms"],
        "speedup_geomean": line["guided_speedup"],
        "speedup_geomean_exhaustive": line["exhaustive_speedup"],
        "speedup_geomean_default_tile": line["default_tile_speedup"],
        "slowed_down": float(np.mean([row["guided"] < 0.99 for row in rows])),
        "nests": float(len(rows)),
    }


def _geomean(values: Sequence[float]) -> float:
    return float(np.exp(np.mean(np.log(values))))


def _share(guided: float, exhaustive: float) -> float:
    return float(np.log(guided) / np.log(exhaustive)) if exhaustive > 1.0 else float("nan")
