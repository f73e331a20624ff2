"""What a runtime must offer to be measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import onnx

Feeds = dict[str, npt.NDArray[Any]]


class UnsupportedModelError(RuntimeError):
    """The runtime cannot convert or run this model; the message is the reason."""


class Runnable(Protocol):
    """A loaded model with its inputs in place."""

    def run(self) -> Any:
        """Execute once, synchronously."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


class Runtime(Protocol):
    """One way of executing ONNX models on this machine with one thread."""

    name: str

    def version(self) -> str:
        """Name and version of the library."""
        ...

    def prepare(self, model: bytes, folder: Path) -> None:
        """Convert and optimise once; leaves artefacts in `folder`. Raises `UnsupportedModelError`."""
        ...

    def load(self, folder: Path) -> Runnable:
        """Load the artefacts, ready to run."""
        ...


def write_atomically(path: Path, data: bytes) -> None:
    """Write so that a reader sees the whole file or none."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.rename(path)


def example_inputs(model: onnx.ModelProto) -> Feeds:
    """Normal random floats and zero integers for every input that is not an initializer.

    Raises
    ------
    UnsupportedModelError
        For a dynamic dimension or an element type other than float32, int32 and int64.
    """
    rng = np.random.default_rng(0)
    known = {i.name for i in model.graph.initializer}
    feeds: Feeds = {}
    for value in model.graph.input:
        if value.name in known:
            continue
        tensor = value.type.tensor_type
        shape = [d.dim_value for d in tensor.shape.dim]
        if any(d <= 0 for d in shape):
            raise UnsupportedModelError(f"Input {value.name!r} has a dynamic or empty dimension: {shape}.")
        if tensor.elem_type == onnx.TensorProto.FLOAT:
            feeds[value.name] = rng.standard_normal(shape, dtype=np.float32)
        elif tensor.elem_type in (onnx.TensorProto.INT64, onnx.TensorProto.INT32):
            feeds[value.name] = np.zeros(shape, onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
        else:
            raise UnsupportedModelError(f"Input {value.name!r} has element type {tensor.elem_type}.")
    return feeds


def save_inputs(feeds: Feeds, folder: Path) -> None:
    """Keep the example inputs beside the artefacts."""
    path = folder / "inputs.npz"
    with path.open("wb") as file:
        np.savez(file, **feeds)  # type: ignore[arg-type]


def load_inputs(folder: Path) -> Feeds:
    """The inputs that `save_inputs` kept."""
    with np.load(folder / "inputs.npz", allow_pickle=False) as data:
        return {name: data[name] for name in data.files}
