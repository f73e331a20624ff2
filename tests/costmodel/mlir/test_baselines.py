"""`mlir-baselines`: every learner on the same programs."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="networks are trained by torch")
pytest.importorskip("torch_geometric", reason="the graph network is trained by PyTorch Geometric")


def test_every_learner_has_a_row_per_target_and_split(data: Path) -> None:
    from costmodel.benchmarks.mlir_baselines import run

    result = run(data, None, cpu="cortex-a55", programs=40, longest=24, epochs=1)
    found = {(row["learner"], row["stream"]) for row in result["rows"]}
    assert found == {
        ("mlir-estimate", "columns"), ("mlir-boost", "columns"), ("conv1d", "ops"), ("conv1d", "ops_operands"),
        ("lstm", "ops"), ("lstm", "ops_operands"), ("gnn", "graph"),
    }  # fmt: skip
    assert {(row["target"], row["split"]) for row in result["rows"]} == {
        (target, split) for target in ("instructions", "cycles") for split in ("seen", "unseen")
    }
    assert {row["trained"] for row in result["rows"]} == {40}
    best = result["summary"]["conv1d_median_error_cycles_seen"]
    own = [row for row in result["rows"] if row["learner"] == "conv1d" and row["target"] == "cycles"]
    assert best == min(row["median_error"] for row in own if row["split"] == "seen")
