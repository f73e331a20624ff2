"""A network that was trained in torch, as ONNX: kept as bytes, run by onnxruntime, which is all that serving needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from costmodel.regressors.base import read_compressed, write_compressed

_MAX_BYTES = 256 << 20


class OnnxModel:
    """An ONNX graph ready to run on one thread. Safe to share between threads."""

    def __init__(self, data: bytes):
        self.data = data
        self._session = _session(data)

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> list[npt.NDArray[np.float32]]:
        """Outputs in the graph's order."""
        outputs: list[npt.NDArray[np.float32]] = self._session.run(None, dict(inputs))
        return outputs

    def save(self, path: Path) -> None:
        """The ONNX file, compressed."""
        write_compressed(path, self.data, level=12)

    @classmethod
    def load(cls, path: Path) -> Self:
        """What `save` wrote. At most 256 MiB are read, whatever the file says of itself."""
        data = read_compressed(path, _MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise ValueError(f"{path.name} holds more than {_MAX_BYTES} bytes of ONNX.")
        return cls(data)


def _session(data: bytes) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise RuntimeError(
            "This model is served by onnxruntime, which is not installed: pip install 'costmodel[gnn-serve]'."
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
