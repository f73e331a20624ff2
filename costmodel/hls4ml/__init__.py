"""hls4ml designs: closed forms, what learners add to them, will it fit, and what to change."""

from costmodel.hls4ml.answers import DesignAnswer
from costmodel.hls4ml.forms import HLS_TARGETS, HlsTarget
from costmodel.hls4ml.model import HlsModel
from costmodel.hls4ml.regressor import HlsPhysics

__all__ = ["HLS_TARGETS", "DesignAnswer", "HlsModel", "HlsPhysics", "HlsTarget"]
