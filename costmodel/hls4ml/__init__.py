"""hls4ml designs: closed forms, what learners add to them, will it fit, and what to change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costmodel.hls4ml.answers import DesignAnswer
from costmodel.hls4ml.forms import HLS_TARGETS, HlsTarget
from costmodel.hls4ml.model import HlsModel
from costmodel.hls4ml.regressor import HlsPhysics

if TYPE_CHECKING:
    from costmodel.hls4ml.predictor import HlsPredictor

__all__ = ["HLS_TARGETS", "DesignAnswer", "HlsModel", "HlsPhysics", "HlsTarget", "packaged"]


def packaged() -> HlsPredictor:
    """The model that comes with this package, for notebooks and scripts that need no service."""
    from costmodel.hls4ml.predictor import HlsPredictor
    from costmodel.registry import PRETRAINED

    return HlsPredictor.load(PRETRAINED / "hls4ml")
