"""Regressors: analytic, learned, and the trivial ones that tests use. `LEARNERS` is the registry."""

from __future__ import annotations

from collections.abc import Callable

from costmodel.regressors.base import Array, Estimate, Regressor
from costmodel.regressors.folds import group_folds

__all__ = ["LEARNERS", "Array", "Estimate", "Regressor", "group_folds", "learner"]


def _constant() -> type[Regressor]:
    from costmodel.regressors.simple import ConstantRegressor

    return ConstantRegressor


def _random() -> type[Regressor]:
    from costmodel.regressors.simple import RandomRegressor

    return RandomRegressor


def _log_linear() -> type[Regressor]:
    from costmodel.regressors.simple import LogLinearRegressor

    return LogLinearRegressor


def _roofline() -> type[Regressor]:
    from costmodel.regressors.roofline import AdditiveRoofline

    return AdditiveRoofline


def _lightgbm() -> type[Regressor]:
    from costmodel.regressors.gradient_boosting import GradientBoosting

    return GradientBoosting


def _kernel_sum() -> type[Regressor]:
    from costmodel.regressors.kernel_sum import KernelSum

    return KernelSum


LEARNERS: dict[str, Callable[[], type[Regressor]]] = {
    "constant": _constant,
    "random": _random,
    "log-linear": _log_linear,
    "roofline": _roofline,
    "lightgbm": _lightgbm,
    "kernel-sum": _kernel_sum,
}
"""Learner's name -> function that imports it. A saved bundle names its learners by these keys."""


def learner(name: str) -> type[Regressor]:
    """The class behind a learner's name. Raises UnknownNameError with the known ones."""
    from featurizers.errors import UnknownNameError

    if name not in LEARNERS:
        raise UnknownNameError("learner", name, LEARNERS)
    return LEARNERS[name]()
