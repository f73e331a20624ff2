"""The spaces in which a new device of the kind `network` can be measured."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from costmodel.devices.own_networks import own_network_adapter
from costmodel.devices.protocol import Adapter, AdapterMaker
from costmodel.devices.spaces import nas_adapter

if TYPE_CHECKING:
    from costmodel.predictor import Predictor


def _nas(space: str, _: Predictor) -> Adapter:
    """The few-shot learners of the spaces do not depend on the kind's own model."""
    return nas_adapter(space)


ADAPTERS: Mapping[str, AdapterMaker] = {
    **{space: partial(_nas, space) for space in ("nasbench201", "fbnet", "ofa")},
    "onnx": own_network_adapter,
}
