"""Regressors: analytic, learned, and the trivial ones that tests use. `LEARNERS` is the registry."""

from __future__ import annotations

from collections.abc import Callable

from costmodel.regressors.base import Array, Estimate, Regressor, extras_of
from costmodel.regressors.folds import group_folds

__all__ = ["LEARNERS", "LEARNERS_OF_KINDS", "Array", "Estimate", "Regressor", "extras_of", "group_folds", "learner"]


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


def _gnn() -> type[Regressor]:
    from costmodel.regressors.gnn import Gnn

    return Gnn


def _conv1d() -> type[Regressor]:
    from costmodel.regressors.sequence import Conv1d

    return Conv1d


def _lstm() -> type[Regressor]:
    from costmodel.regressors.sequence import Lstm

    return Lstm


LEARNERS: dict[str, Callable[[], type[Regressor]]] = {
    "constant": _constant,
    "random": _random,
    "log-linear": _log_linear,
    "roofline": _roofline,
    "lightgbm": _lightgbm,
    "kernel-sum": _kernel_sum,
    "gnn": _gnn,
    "conv1d": _conv1d,
    "lstm": _lstm,
}
"""Learner's name -> function that imports it. A saved bundle names its learners by these keys."""


def _cpu_blend() -> type[Regressor]:
    from costmodel.cpu.blend import ScoreBlend

    return ScoreBlend


def _core_ghz() -> type[Regressor]:
    from costmodel.cpu.baselines import CoreGhzBaseline

    return CoreGhzBaseline


def _ncpp() -> type[Regressor]:
    from costmodel.cpu.ncpp import GroupAttentionRegressor

    return GroupAttentionRegressor


def _mlir_boost() -> type[Regressor]:
    from costmodel.mlir.boosting import CodeBoosting

    return CodeBoosting


def _mlir_estimate() -> type[Regressor]:
    from costmodel.mlir.estimate import CodeEstimate

    return CodeEstimate


def _hls_transformer() -> type[Regressor]:
    from costmodel.regressors.gnn.regressor import Gnn

    return Gnn


def _closed_form() -> type[Regressor]:
    from costmodel.hls4ml.regressor import HlsPhysics

    return HlsPhysics


LEARNERS_OF_KINDS: dict[str, Callable[[], type[Regressor]]] = {
    "cpu-blend": _cpu_blend,
    "core-ghz": _core_ghz,
    "ncpp": _ncpp,
    "mlir-boost": _mlir_boost,
    "mlir-estimate": _mlir_estimate,
    "hls-transformer": _hls_transformer,
    "closed-form": _closed_form,
}
"""Learners that need the columns of one kind."""


def learner(name: str) -> type[Regressor]:
    """The class behind a learner's name. Raises UnknownNameError with the known ones."""
    from featurizers.errors import UnknownNameError

    known = {**LEARNERS, **LEARNERS_OF_KINDS}
    if name not in known:
        raise UnknownNameError("learner", name, known)
    return known[name]()
