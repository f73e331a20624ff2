"""Several quantities of one subject in one number: the weighted geometric mean, which needs no common unit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from costmodel.prediction import Prediction, Target
from featurizers.errors import InputError, UnknownNameError

MIX = Target("mix", "1", higher_is_better=True)
"""1 is the geometric mean of the inputs of one ranking; twice as good in everything is 2."""


def check_weights(weights: Mapping[str, float], targets: Mapping[str, Target]) -> None:
    """Raises UnknownNameError for an unknown target, InputError for weights that are none."""
    if not weights:
        raise InputError("The 'weights'", "must name at least one target", dict(weights), where="$.weights")
    for name, weight in weights.items():
        if name not in targets:
            raise UnknownNameError("target", name, targets, where=f"$.weights.{name}")
        if not targets[name].positive:
            raise InputError(f"The target '{name}'", "cannot be in a mix: it is not always positive")
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < math.inf:
            raise InputError(f"The weight of '{name}'", "must be a positive number", weight, where=f"$.weights.{name}")


def mixed(
    outcomes: Sequence[Sequence[Prediction]], weights: Mapping[str, float], targets: Mapping[str, Target]
) -> list[Prediction]:
    """One prediction per subject from its predictions of the weighted targets.

    Weights count relative to their sum; a score of which less is better enters by its inverse. Errors in the targets of
    one subject are taken as fully correlated (who runs hot does so in all of them), so the interval's half width in log
    space is the weighted mean of the parts'.
    """
    total = sum(weights.values())
    share = {name: weight / total for name, weight in weights.items()}
    sign = {name: 1.0 if targets[name].higher_is_better else -1.0 for name in weights}
    centre = [sum(share[p.target] * sign[p.target] * math.log(p.value) for p in parts) for parts in outcomes]
    level = sum(centre) / max(len(centre), 1)
    out = []
    for parts, value in zip(outcomes, centre, strict=True):
        half = sum(share[p.target] * math.log(p.high / p.low) / 2 for p in parts)
        reasons = tuple(dict.fromkeys(reason for p in parts for reason in p.reasons))
        number, low, high = (math.exp(value - level + step) for step in (0.0, -half, half))
        first = parts[0]
        out.append(
            Prediction(
                MIX.name, number, MIX.unit, low, high, first.coverage, not reasons, reasons,
                first.device, first.model, first.model_version, True,
            )
        )  # fmt: skip
    return out
