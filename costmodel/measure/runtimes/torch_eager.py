"""PyTorch in eager mode: the ONNX graph as a list of torch calls, float32, one thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from costmodel.measure.runtimes.base import (
    Runnable,
    UnsupportedModelError,
    example_inputs,
    load_inputs,
    save_inputs,
)

_MODEL_FILE = "model.onnx"


class TorchRunnable:
    """Calls in graph order; values that nobody reads any more are dropped, as local variables would be."""

    def __init__(self, model: onnx.ModelProto, folder: Path):
        import torch

        torch.set_num_threads(1)
        self._inference_mode = torch.inference_mode
        self._constants = {
            i.name: torch.from_numpy(np.array(numpy_helper.to_array(i))) for i in model.graph.initializer
        }
        self._feeds = {name: torch.from_numpy(array) for name, array in load_inputs(folder).items()}
        self._steps = _steps(model, self._constants)
        self._outputs = [o.name for o in model.graph.output]

    def run(self) -> list[Any]:
        """Execute once; the graph's outputs in order."""
        values = {**self._constants, **self._feeds}
        values[""] = None
        with self._inference_mode():
            for call, inputs, outputs, dead in self._steps:
                result = call(*[values[name] for name in inputs])
                if len(outputs) == 1:
                    values[outputs[0]] = result
                else:
                    values.update(zip(outputs, result, strict=True))
                for name in dead:
                    del values[name]
        return [values[name] for name in self._outputs]

    def close(self) -> None:
        """Free weights and inputs."""
        self._constants, self._feeds, self._steps = {}, {}, []


def _steps(model: onnx.ModelProto, constants: dict[str, Any]) -> list[tuple[Any, list[str], list[str], list[str]]]:
    from costmodel.measure.runtimes.torch_ops import OPS, NodeView

    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
    last_use: dict[str, int] = {}
    for index, node in enumerate(model.graph.node):
        last_use.update(dict.fromkeys(node.input, index))
    kept = {o.name for o in model.graph.output} | set(constants) | {i.name for i in model.graph.input} | {""}
    steps = []
    for index, node in enumerate(model.graph.node):
        if node.op_type not in OPS:
            raise UnsupportedModelError(f"No eager PyTorch translation of {node.op_type!r} (node {node.name!r}).")
        attributes = {a.name: _attribute(a) for a in node.attribute}
        view = NodeView(attributes, [constants.get(n) for n in node.input], len(node.output), opset)
        dead = [n for n in dict.fromkeys(node.input) if last_use[n] == index and n not in kept]
        try:
            steps.append((OPS[node.op_type](view), list(node.input), list(node.output), dead))
        except (ValueError, KeyError) as error:
            raise UnsupportedModelError(f"Node {node.name!r}: {error}") from error
    return steps


def _attribute(attribute: onnx.AttributeProto) -> Any:
    value = onnx.helper.get_attribute_value(attribute)
    return value.decode() if isinstance(value, bytes) else value


class TorchEagerRuntime:
    """Weights stay in the ONNX file and are read on loading."""

    name = "torch-eager-fp32"

    def version(self) -> str:
        """Library and version."""
        import torch

        return f"torch {torch.__version__}"

    def prepare(self, model: bytes, folder: Path) -> None:
        """Check that every node translates and that the model runs."""
        proto = onnx.load_model_from_string(model)
        save_inputs(example_inputs(proto), folder)
        runnable = TorchRunnable(proto, folder)
        try:
            runnable.run()
        except RuntimeError as error:
            raise UnsupportedModelError(str(error)[:300]) from error
        (folder / _MODEL_FILE).write_bytes(model)

    def load(self, folder: Path) -> Runnable:
        """Read the weights and translate the graph."""
        return TorchRunnable(onnx.load(folder / _MODEL_FILE), folder)
