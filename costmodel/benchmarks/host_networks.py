"""`host-networks`: the packaged network bundle on the measured networks, beside FLOPs-only and roofline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from costmodel.kinds import kind_of
from costmodel.paths import dataset_folder
from costmodel.registry import PRETRAINED

COLUMNS = (
    "device", "target", "split", "n", "noisy_left_out", "label_noise", "median_error", "p90_error", "within_10pct",
    "spearman", "coverage", "width_ratio", "flagged", "log-linear_within_10pct", "roofline_within_10pct",
)  # fmt: skip
_SPLIT_KEYS = {"test_seen": "seen", "test_unseen": "unseen"}


def run(data: Path | None, mirror: Path | None) -> dict[str, Any]:
    """All devices, both test splits. The summary is the mean over onnxruntime devices' latency."""
    from costmodel.predictor import Predictor
    from costmodel.training import evaluate

    predictor = Predictor.load(PRETRAINED / "network")
    rows = evaluate(predictor, data or dataset_folder(kind_of("network").dataset))
    tests = [{key: row.get(key) for key in COLUMNS} for row in rows if row["split"] in _SPLIT_KEYS]
    summary: dict[str, float] = {}
    for split, short in _SPLIT_KEYS.items():
        own = [row for row in tests if row["split"] == split and "-ort-" in str(row["device"])]
        for key in ("within_10pct", "coverage", "median_error"):
            summary[f"{key}_{short}"] = float(np.mean([row[key] for row in own]))
        summary[f"flops_within_10pct_{short}"] = float(np.mean([row["log-linear_within_10pct"] for row in own]))
        summary[f"roofline_within_10pct_{short}"] = float(np.mean([row["roofline_within_10pct"] for row in own]))
    return {"benchmark": "host-networks", "rows": tests, "summary": summary}
