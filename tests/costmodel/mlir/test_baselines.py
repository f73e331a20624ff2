"""`mlir-baselines`: learners on the same programs. (Those that need torch are tested where they live.)"""

from __future__ import annotations

from pathlib import Path

from costmodel.benchmarks.mlir_baselines import run


def test_learners_have_a_row_per_target_and_split_on_the_same_programs(data: Path) -> None:
    result = run(data, None, cpu="cortex-a55", programs=40, learners="mlir-estimate,mlir-boost")
    assert {row["learner"] for row in result["rows"]} == {"mlir-estimate", "mlir-boost"}
    assert {(row["target"], row["split"]) for row in result["rows"]} == {
        (target, split) for target in ("instructions", "cycles") for split in ("seen", "unseen")
    }
    assert {row["trained"] for row in result["rows"]} == {40}
    own = [row for row in result["rows"] if row["learner"] == "mlir-boost" and row["target"] == "cycles"]
    best = result["summary"]["mlir_boost_median_error_cycles_seen"]
    assert best == min(row["median_error"] for row in own if row["split"] == "seen")
