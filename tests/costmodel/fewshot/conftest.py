"""Devices with a known law: latency is a sum of launches, multiply-adds and moved elements, with noise."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from costmodel.fewshot import FewShotRegressor, KnownDevice, meta_train, training
from costmodel.fewshot.deep import train_deep
from costmodel.regressors.base import Array
from featurizers.network.nas_physics import SPACES, OpIndices

SPACE = SPACES["fbnet"]


def law(ops: OpIndices, launch_us: float, macs_per_us: float, elements_per_us: float) -> Array:
    """Noise-free milliseconds."""
    physics = SPACE.physics(ops)
    work = physics.column("macs") / macs_per_us + physics.column("activations") / elements_per_us
    return np.asarray((500 + launch_us * physics.column("layers") + work) / 1e3)


DEVICES = {
    "gpu": (120.0, 9e4, 4e5), "gpu2": (80.0, 6e4, 3e5), "cpu": (5.0, 3e3, 2e4), "phone": (10.0, 1e3, 8e3),
    "phone2": (4.0, 7e2, 2e4),
}  # fmt: skip


@pytest.fixture(scope="session")
def pool() -> OpIndices:
    return SPACE.sample(400, np.random.default_rng(0))


def noisy(latency: Array, seed: int, sd: float = 0.02) -> Array:
    return np.asarray(latency * np.exp(sd * np.random.default_rng(seed).standard_normal(len(latency))))


@pytest.fixture(scope="session")
def train(pool: OpIndices) -> Callable[[str], FewShotRegressor]:
    known = [
        KnownDevice(name, noisy(law(pool, *numbers), seed), name, name.rstrip("2"))
        for seed, (name, numbers) in enumerate(DEVICES.items())
    ]
    made: dict[str, FewShotRegressor] = {}

    def get(learner: str) -> FewShotRegressor:
        if learner not in made:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(training, "_REPEATS", 1)  # of calibration, which takes most of the time
                patch.setattr(training, "train_deep", partial(train_deep, steps=60, batch=128))
                made[learner] = meta_train(learner, SPACE, pool, known)
        return made[learner]

    return get


@pytest.fixture(scope="session")
def meta(train: Callable[[str], FewShotRegressor]) -> FewShotRegressor:
    return train("meta")
