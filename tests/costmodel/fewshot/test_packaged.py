"""The packaged learners load, are small, name their devices and labels, and answer for a device like a known one."""

from pathlib import Path

import numpy as np
import pytest

import costmodel
from costmodel.evaluation.metrics import spearman
from costmodel.fewshot import FewShotRegressor

FOLDERS = sorted((Path(costmodel.__file__).parent / "pretrained").glob("network_fewshot_*"))


def test_every_space_is_packaged() -> None:
    assert [folder.name for folder in FOLDERS] == [
        f"network_fewshot_{space}" for space in ("fbnet", "nasbench201", "ofa")
    ]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_packaged_learner_answers_for_a_slower_copy_of_a_known_device(folder: Path) -> None:
    assert sum(path.stat().st_size for path in folder.iterdir()) < 5_000_000
    learner = FewShotRegressor.load(folder)
    assert "MIT" in learner.card["labels"]
    planned = learner.plan(10, seed=1)
    asked = learner.known.space.sample(100, np.random.default_rng(2))
    device = learner.devices.index("2080ti_1")
    truth = 1.3 * np.exp(learner.known.inputs(asked).known[:, device])
    measured = 1.3 * np.exp(learner.known.inputs(learner.parse(planned)).known[:, device])
    estimate = learner.adapt(planned, measured).predict(asked.tolist())
    assert spearman(estimate.point, truth) > 0.95
    assert np.median(np.abs(np.exp(estimate.point) / truth - 1)) < 0.03
