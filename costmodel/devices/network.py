"""The spaces in which a new device of the kind `network` can be measured."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from costmodel.devices.lean import without_weights
from costmodel.devices.protocol import Adapter, AdapterMaker
from costmodel.devices.spaces import nas_adapter
from costmodel.devices.transfer import transfer_adapter

if TYPE_CHECKING:
    from costmodel.predictor import Predictor


def _nas(space: str, _: Predictor) -> Adapter:
    """The few-shot learners of the spaces do not depend on the kind's own model."""
    return nas_adapter(space)


ADAPTERS: Mapping[str, AdapterMaker] = {
    **{space: partial(_nas, space) for space in ("nasbench201", "fbnet", "ofa")},
    "onnx": transfer_adapter("onnx", ("onnx", "pt2"), keep=without_weights),
}
