"""A new device from ten measurements of NAS architectures: closed-form learners, which ten, and how sure."""

from costmodel.fewshot.checks import MIN_MEASUREMENTS
from costmodel.fewshot.monitor import Comparison, Outlier, compare
from costmodel.fewshot.regressor import AdaptedDevice, FewShotRegressor, champion
from costmodel.fewshot.training import LEARNERS, KnownDevice, meta_train

__all__ = [
    "LEARNERS",
    "MIN_MEASUREMENTS",
    "AdaptedDevice",
    "Comparison",
    "FewShotRegressor",
    "KnownDevice",
    "Outlier",
    "champion",
    "compare",
    "meta_train",
]
