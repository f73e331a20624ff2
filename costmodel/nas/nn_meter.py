"""In nn-Meter's place: ``from costmodel.nas.nn_meter import load_latency_predictor``, the same calls, milliseconds.

nn-Meter's own predictors are pickles of one scikit-learn version; a name that is none of our devices is refused with
the known ones, never answered as another.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from costmodel.nas.oracle import Oracle, oracle
from featurizers.core import Raw
from featurizers.errors import InputError, UnknownNameError


def load_latency_predictor(
    predictor_name: str, predictor_version: float | None = None, *, url: str | None = None
) -> LatencyPredictor:
    """The predictor of a device by its name. predictor_version : must be left out, a device has one present version."""
    if predictor_version is not None:
        raise InputError(
            "The predictor's version", "cannot be chosen: a device has one present version", predictor_version
        )
    return LatencyPredictor(oracle(predictor_name, url))


class LatencyPredictor:
    """What nn-Meter's `load_latency_predictor` returns."""

    def __init__(self, asked: Oracle):
        self._oracle = asked

    def predict(
        self, model: Any, model_type: str, input_shape: Sequence[int] = (1, 3, 224, 224), apply_nni: bool = False
    ) -> float:
        """Latency in ms of an ONNX model (path, bytes or ModelProto), or of a torch module with an input shape.

        `apply_nni` is accepted and changes nothing. Raises InputError, UnknownNameError for nn-Meter's other types.
        """
        if model_type not in _READERS:
            raise UnknownNameError("model_type", model_type, _READERS)
        (latency,) = self._oracle.latency([_READERS[model_type](model, tuple(input_shape))])
        return latency.ms


def _of_onnx(model: Any, _: tuple[int, ...]) -> Raw:
    if isinstance(model, str | Path):
        try:
            return {"onnx": Path(model).read_bytes()}
        except OSError as error:
            raise InputError("The model's file", f"must be readable: {error.strerror}", str(model)) from None
    return {"onnx": model if isinstance(model, bytes) else model.SerializeToString()}


def _of_torch(model: Any, input_shape: tuple[int, ...]) -> Raw:
    import torch

    if not isinstance(model, torch.nn.Module):
        raise InputError("The model", "must be a torch.nn.Module", type(model).__name__)
    file = io.BytesIO()
    program = torch.onnx.export(model.eval(), (torch.zeros(input_shape),), dynamo=True, verbose=False)
    if program is None:
        raise InputError("The model", "could not be exported by torch.onnx.export", type(model).__name__)
    program.save(file)
    return {"onnx": file.getvalue()}


_READERS: Mapping[str, Callable[[Any, tuple[int, ...]], Raw]] = {"onnx": _of_onnx, "torch": _of_torch}
