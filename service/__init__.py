"""The REST service. Knows predictors and the registry, no features and no learner."""

from service.app import create_app
from service.settings import Settings
from service.source import PredictorSource

__all__ = ["PredictorSource", "Settings", "create_app"]
