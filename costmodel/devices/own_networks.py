"""New devices of own networks (ONNX, ``.pt2``): from the known devices, and from each network's mix of work."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from costmodel.devices import work
from costmodel.devices.lean import without_weights
from costmodel.devices.protocol import Adapter
from costmodel.devices.transfer import TransferAdapter
from costmodel.predictor import Predictor
from costmodel.regressors.base import Array
from featurizers.core import Raw

SPACE, FIELDS, TARGET = "onnx", ("onnx", "pt2"), "latency_ms"


class OwnNetworkAdapter(TransferAdapter):
    """ONNX files are kept without their weights: costmodel reads shapes, and a device's measurements are kept long."""

    def __init__(self, predictor: Predictor):
        super().__init__(SPACE, FIELDS, predictor, TARGET, without_weights)
        self.hypers, self.planning_variance = work.HYPERS, work.PLANNING_VARIANCE
        self.shares_of = work.shares_device(predictor, self.devices)

    def work(self, raws: Sequence[Raw]) -> Array:
        return work.work(self.predictor, self.shares_of, TARGET, raws)

    def design(self, logs: Array, work_of: Array) -> tuple[Array, Array, npt.NDArray[np.int64]]:
        return work.design(logs, work_of)


def own_network_adapter(predictor: Predictor) -> Adapter:
    """The entry of `Kind.adapters`."""
    return OwnNetworkAdapter(predictor)
