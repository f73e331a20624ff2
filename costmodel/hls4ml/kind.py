"""What the registry of kinds needs to know of this one."""

from __future__ import annotations

from typing import Any

from featurizers.hls4ml import HlsFeaturizer

SUFFIXES = {".onnx": "onnx", ".keras": "keras", ".h5": "keras", ".zip": "project", ".gz": "project", ".tgz": "project"}
"""File name's ending -> field of the raw input."""

BINARY_FIELDS = ("onnx", "keras", "project")


def featurizer() -> HlsFeaturizer:
    """The featurizer of hls4ml designs."""
    return HlsFeaturizer()


def predictor() -> type[Any]:
    """The class that loads and answers this kind's bundles."""
    from costmodel.hls4ml.predictor import HlsPredictor

    return HlsPredictor
