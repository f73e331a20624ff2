"""OpenVINO on the CPU, float32, one stream and one thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx

from costmodel.measure.runtimes.base import (
    Runnable,
    UnsupportedModelError,
    example_inputs,
    load_inputs,
    save_inputs,
)

_BLOB = "model.blob"
_CONFIG = {
    # Without the hint a CPU with bfloat16 instructions silently computes in bfloat16.
    "INFERENCE_PRECISION_HINT": "f32",
    "INFERENCE_NUM_THREADS": "1",
    "NUM_STREAMS": "1",
    "ENABLE_CPU_PINNING": "NO",
}


class OpenVinoRunnable:
    """A compiled model with one inference request whose inputs are set."""

    def __init__(self, compiled: Any, folder: Path):
        import openvino

        self._compiled = compiled
        self._request = compiled.create_infer_request()
        feeds = load_inputs(folder)
        for port in compiled.inputs:
            name = next(n for n in port.get_names() if n in feeds)
            self._request.set_tensor(port, openvino.Tensor(feeds[name]))

    def run(self) -> None:
        """Execute once."""
        self._request.infer()

    def close(self) -> None:
        """Free the request and the model."""
        del self._request, self._compiled


class OpenVinoRuntime:
    """Compiled once; the exported blob is imported afterwards, which skips conversion and compilation."""

    name = "openvino-fp32"

    def version(self) -> str:
        """Library and version."""
        import openvino

        return f"openvino {openvino.__version__}"

    def prepare(self, model: bytes, folder: Path) -> None:
        """Convert, compile and export."""
        save_inputs(example_inputs(onnx.load_model_from_string(model)), folder)
        try:
            core = _core()
            blob = core.compile_model(core.read_model(model), "CPU", _CONFIG).export_model()
        except RuntimeError as error:
            raise UnsupportedModelError(str(error)[:300]) from error
        (folder / _BLOB).write_bytes(blob if isinstance(blob, bytes) else blob.getvalue())

    def load(self, folder: Path) -> Runnable:
        """Import the compiled blob."""
        return OpenVinoRunnable(_core().import_model((folder / _BLOB).read_bytes(), "CPU", _CONFIG), folder)


_CORES: list[Any] = []


def _core() -> Any:
    import openvino

    if not _CORES:
        _CORES.append(openvino.Core())
    return _CORES[0]
