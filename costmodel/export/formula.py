"""What a trained model computes from a row of columns, as far as C can say it: a base, forests, and back from logs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from costmodel.mlir.loop_network import LoopNetwork
from costmodel.mlir.network import ColumnNetwork
from costmodel.predictor import Predictor
from costmodel.regressors.forest import Forest, read_forest
from featurizers.core import Column
from featurizers.errors import InputError, UnknownNameError

EXPORTABLE = ("lightgbm", "mlir-boost")


@dataclass(frozen=True, slots=True)
class Formula:
    """``exp(base + mean of the forests + shift)``, or for counts ``round(exp(...) - 1)``, 0 where `any` is negative.

    network, loop_network, any_network : where there are, `network_share` of the mean of the forests is the mean of the
    first two instead, and of the log odds of any the last.
    base : column whose log the forests correct; None for 0. constants : columns that are the target CPU's, and their
    values. any : of a count, the forest that says whether there are any: where its log odds are above `any_above`.
    """

    target: str
    unit: str
    device: str
    model: str
    columns: tuple[Column, ...]
    constants: Mapping[str, float]
    forests: tuple[Forest, ...]
    shift: float
    base: str | None = None
    is_log: bool = True
    any: Forest | None = None
    any_above: float = 0.0
    network: ColumnNetwork | None = None
    loop_network: LoopNetwork | None = None
    any_network: ColumnNetwork | None = None
    network_share: float = 0.0


def formula(predictor: Predictor, device: str, target: str | None = None) -> Formula:
    """The formula of one target on one device. InputError: its learner is not one of `EXPORTABLE`."""
    if device not in predictor.devices:
        raise UnknownNameError("device", device, predictor.devices)
    own = predictor.devices[device]
    name = target or own.targets[0]
    if name not in own.targets:
        raise UnknownNameError(f"target of device '{device}'", name, own.targets)
    model = predictor.model(device, name)
    regressor: Any = model.regressor
    if regressor.name not in EXPORTABLE:
        rule = f"has the learner '{regressor.name}'; trees can be exported of {', '.join(EXPORTABLE)}"
        raise InputError(f"The target '{name}' on device '{device}'", rule)
    is_count = bool(getattr(model, "count", False))
    return Formula(
        target=name,
        unit=predictor.targets[name].unit,
        device=device,
        model=f"{predictor.name} {predictor.version}",
        columns=predictor.featurizer.columns,
        constants=_constants(predictor, own.profile),
        forests=tuple(read_forest(booster.model_text) for booster in regressor.boosters),
        shift=model.calibration.shift,
        base=None if is_count else _base(regressor),
        is_log=model.positive,
        any=read_forest(regressor.any_booster.model_text) if is_count else None,
        any_above=_log_odds(regressor.settings["likely"]) if is_count else 0.0,
        network=getattr(regressor, "network", None),
        loop_network=getattr(regressor, "loop_network", None),
        any_network=getattr(regressor, "any_network", None),
        network_share=getattr(regressor, "network_share", 0.0),
    )


def _log_odds(probability: float) -> float:
    return math.log(probability / (1.0 - probability))


def _base(regressor: Any) -> str | None:
    if regressor.name != "mlir-boost":
        return None
    from costmodel.mlir.estimate import COLUMN_OF

    return COLUMN_OF.get(regressor.settings["target"])


def _constants(predictor: Predictor, profile: str) -> dict[str, float]:
    """Columns of the group 'cpu', which do not depend on the program."""
    if predictor.kind != "mlir":
        return {}
    from featurizers.mlir import cpu
    from featurizers.mlir.cpus import vector

    names = [column.name for column in predictor.featurizer.columns if column.group == "cpu"]
    return dict(zip(names, vector(cpu(profile)), strict=True))
