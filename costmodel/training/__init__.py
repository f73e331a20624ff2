"""Training: corpus -> target models -> predictor -> bundle -> MLflow."""

from costmodel.training.run import TrainRequest, TrainResult, evaluate, train

__all__ = ["TrainRequest", "TrainResult", "evaluate", "train"]
