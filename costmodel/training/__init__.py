"""Training: corpus -> target models -> predictor -> bundle -> MLflow."""

from costmodel.training.run import TrainRequest, TrainResult, add_points, evaluate, train

__all__ = ["TrainRequest", "TrainResult", "add_points", "evaluate", "train"]
