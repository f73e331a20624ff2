"""Predictions beside measurements in a bundle: what is kept, and that a bundle without them still answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from costmodel.bundle_format import BundleError, write_checksums
from costmodel.evaluation.points import FILE, read_points
from costmodel.predictor import Predictor
from costmodel.training import TrainResult, add_points

pytestmark = pytest.mark.usefixtures("box_kind")


def test_training_keeps_the_held_out_subjects_with_their_intervals(box_training: tuple[Path, TrainResult]) -> None:
    folder, result = box_training
    points = read_points(folder)
    assert {(one.device, one.target) for one in points} == {("slow", "latency_ns"), ("fast", "latency_ns")}
    for one in points:
        assert set(one.split) == {"test_seen", "test_unseen"}
        assert list(one.measured) == sorted(one.measured)
        inside = [low <= truth <= high for low, truth, high in zip(one.low, one.measured, one.high, strict=True)]
        rows = [row for row in result.rows if row["device"] == one.device and row["split"].startswith("test")]
        assert np.mean(inside) == pytest.approx(
            np.average([r["coverage"] for r in rows], weights=[r["n"] for r in rows])
        )


def test_points_are_added_to_a_bundle_and_belong_to_its_checksums(
    box_training: tuple[Path, TrainResult], tmp_path: Path
) -> None:
    import shutil

    folder = tmp_path / "bundle"
    shutil.copytree(box_training[0], folder)
    (folder / FILE).unlink()
    with pytest.raises(BundleError, match=FILE):
        Predictor.load(folder)
    write_checksums(folder)
    assert read_points(folder) == []
    add_points(folder, box_training[0])
    assert read_points(folder) == read_points(box_training[0])
    assert Predictor.load(folder).folder == folder
