"""Predictions beside measurements for the packaged bundle, which was fitted on every CPU model: each by the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from costmodel.cpu.blend import ScoreBlend
from costmodel.cpu.sparecores import ScoreTable
from costmodel.evaluation.points import Points, chosen_rows, shortened
from costmodel.predictor import Device
from costmodel.regressors import Array, Estimate
from costmodel.target_model import TargetModel

SPLIT = "test_unseen_cpu_model"


def points_of_others(
    models: Sequence[TargetModel], names: Sequence[str], device: Device, table: ScoreTable, y: Array
) -> list[Points]:
    """Points of each target: what its learner said of a CPU model when that was left out; y (n, t), log scores.

    The intervals' width was set on these same errors, as by any cross-conformal method.
    """
    units = {target.name: target.unit for target in table.targets}
    found = []
    for t, (name, model) in enumerate(zip(names, models, strict=True)):
        regressor = cast(ScoreBlend, model.regressor)
        rows = chosen_rows(np.flatnonzero(np.isfinite(y[:, t] + regressor.out_of_fold)), y[:, t])
        value = regressor.out_of_fold[rows]
        half = model.calibration.half_width(Estimate(value, regressor.out_of_fold_spread[rows]), None)
        value = value + model.calibration.shift
        found.append(
            Points(
                device.name,
                name,
                units[name],
                (SPLIT,) * len(rows),
                tuple(str(cpu_model) for cpu_model in table.cpu_model[rows]),
                *(shortened(np.exp(column)) for column in (y[rows, t], value, value - half, value + half)),
            )
        )
    return found
