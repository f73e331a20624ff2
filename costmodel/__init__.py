"""The library: learners, calibration, predictors, MLflow, corpora, evaluation, client and command line."""

from costmodel.bundle_format import BundleError
from costmodel.prediction import Explanation, Prediction, Share, Target
from costmodel.predictor import Device, Predictor, Ranked

__version__ = "0.1.0"

__all__ = ["BundleError", "Device", "Explanation", "Prediction", "Predictor", "Ranked", "Share", "Target"]
