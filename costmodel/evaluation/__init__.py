"""Metrics and tables."""

from costmodel.evaluation.metrics import accuracy, interval_quality, kendall, spearman

__all__ = ["accuracy", "interval_quality", "kendall", "spearman"]
