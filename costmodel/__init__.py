"""The library: learners, calibration, predictors, MLflow, corpora, evaluation, client and command line."""

from costmodel.bundle_format import BundleError
from costmodel.prediction import Explanation, Prediction, Share, Target
from costmodel.predictor import Device, Predictor, Ranked

__all__ = ["BundleError", "Device", "Explanation", "Prediction", "Predictor", "Ranked", "Share", "Target"]
