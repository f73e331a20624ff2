"""torch module -> ONNX. An architecture is exported once per process (seconds); its weights are then put in by name."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from multiprocessing import get_context
from typing import Any, Protocol

import numpy as np


class Exportable(Protocol):
    """A torch module that knows what an input looks like."""

    def example(self) -> dict[str, Any]:
        """Tensors by the name of `forward`'s argument; no dynamic size may be 0 or 1."""
        ...

    def dynamic(self) -> dict[str, dict[int, str]]:
        """By argument, the axes whose size varies and what each counts; equal names are equal sizes."""
        ...

    def outputs(self) -> tuple[str, ...]:
        """Names of what `forward` returns."""
        ...


@lru_cache(maxsize=32)
def _template(module_type: Any, arguments: tuple[Any, ...]) -> Any:
    """The ONNX graph of an architecture, not optimised (onnxruntime does that): every weight is there by name.

    torch 2.13 exports an LSTM of any length once per process: later ones come out of the example's length. Those are
    exported again by a process that has exported none.
    """
    proto = _graph(module_type, arguments)
    if _is_dynamic(proto, module_type, arguments):
        return proto
    import onnx

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        proto = onnx.ModelProto.FromString(pool.submit(_graph_bytes, module_type, arguments).result())
    if not _is_dynamic(proto, module_type, arguments):
        raise RuntimeError(f"The exporter fixed a size of {module_type.__name__} that varies.")
    return proto


def _graph_bytes(module_type: Any, arguments: tuple[Any, ...]) -> bytes:
    data: bytes = _graph(module_type, arguments).SerializeToString()
    return data


def _is_dynamic(proto: Any, module_type: Any, arguments: tuple[Any, ...]) -> bool:
    sizes = {value.name: value.type.tensor_type.shape.dim for value in proto.graph.input}
    varying = module_type(*arguments).dynamic()
    return all(sizes[name][axis].dim_param for name, axes in varying.items() if name in sizes for axis in axes)


def _graph(module_type: Any, arguments: tuple[Any, ...]) -> Any:
    import torch

    module = module_type(*arguments).eval()
    example = module.example()
    dims: dict[str, Any] = {}
    shapes = {
        name: {axis: dims.setdefault(count, torch.export.Dim(count)) for axis, count in axes.items()}
        for name, axes in module.dynamic().items()
    }
    with quiet():
        program = torch.onnx.export(
            module, (), kwargs=example, dynamo=True, verbose=False, optimize=False, external_data=False,
            dynamic_shapes=shapes, input_names=list(example), output_names=list(module.outputs()),
        )  # fmt: skip
    proto = program.model_proto
    for node in proto.graph.node:
        # Where in whose source each node came from: nothing that a model file should tell.
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*proto.graph.input, *proto.graph.output, *proto.graph.value_info):
        del value.metadata_props[:]
    del proto.metadata_props[:], proto.graph.metadata_props[:]
    return proto


def exported(module_type: Any, arguments: tuple[Any, ...], weights: Mapping[str, Any]) -> bytes:
    """``module_type(*arguments)`` with these weights (its state_dict) as an ONNX file.

    A class method `template(arguments)` gives other arguments whose graph is the same but for the length of weights:
    then one export serves them all.
    """
    import onnx
    from onnx import numpy_helper

    proto = onnx.ModelProto()
    alike = getattr(module_type, "template", None)
    proto.CopyFrom(_template(module_type, arguments if alike is None else alike(arguments)))
    left = dict(weights)
    for tensor in proto.graph.initializer:
        if tensor.name in left:
            value = np.ascontiguousarray(left.pop(tensor.name).detach().numpy())
            tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
    if left:
        raise RuntimeError(f"The exporter dropped or renamed the weights {sorted(left)}.")
    data: bytes = proto.SerializeToString(deterministic=True)
    return data


@contextmanager
def quiet() -> Iterator[None]:
    """torch's exporter and PyTorch Geometric warn of their own deprecations, and of packages that nobody needs."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


@contextmanager
def seeded(seed: int) -> Iterator[Any]:
    """torch on one thread with this seed; both are put back afterwards."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield torch
    finally:
        torch.set_num_threads(threads)
