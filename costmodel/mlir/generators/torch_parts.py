"""What families of torch modules share: a drawn module, and its way through torch-mlir's fx importer."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from costmodel.mlir.generators.drawing import kind
from costmodel.mlir.generators.graphs import graph_variants
from costmodel.mlir.generators.groups import Group, Variant
from costmodel.mlir.labelling.tools import ToolError

TORCH_MLIR = "20261001"
INSTALL = f"pip install torch-mlir=={TORCH_MLIR}  # with torch 2.13; wheels for CPython 3.11 on PyPI"
ACTIVATIONS = ("relu", "gelu", "silu", "tanh", "sigmoid", "hardtanh", "leaky_relu", "elu")


@dataclass(frozen=True)
class Drawn:
    """A module as a function of its arguments' tensors, shapes and types ("f32", "i64") of which come along."""

    key: str
    arguments: list[tuple[list[int], str]]
    forward: Callable[..., Any]


Draw = Callable[[random.Random, str], Drawn]


def importer_version() -> str | None:
    """Of the torch-mlir that is installed, None without one."""
    try:
        return version("torch-mlir")
    except PackageNotFoundError:
        return None


def torch_group(family: str, modules: Sequence[Draw], rng: random.Random) -> Group:
    """One of the modules as linalg, with the other dialects and what graphs of linalg are turned into as variants.

    Raises
    ------
    ToolError
        torch-mlir is missing or of another version.
    """
    if importer_version() != TORCH_MLIR:
        raise ToolError("torch-mlir", f"version {TORCH_MLIR} is needed, found {importer_version()}. {INSTALL}")
    texts: dict[str, str] = {}
    while "linalg-on-tensors" not in texts:
        draw, element = rng.choice(modules), kind(rng, ("f32", "f32", "f32", "f64"))
        drawn = draw(rng, element)
        texts = imported(drawn)
    linalg = texts.pop("linalg-on-tensors")
    others = [Variant({"level": level}, "", text) for level, text in texts.items()]
    further = [Variant({"level": "linalg", **v.what}, v.passes) for v in graph_variants(rng)[:2]]
    return Group(family, f"{draw.__name__[1:]}-{element}-{drawn.key}", linalg, [*others, *further])


def imported(drawn: Drawn) -> dict[str, str]:
    """Text per output type (linalg-on-tensors, tosa, stablehlo), of those that torch-mlir can write it as."""
    import torch
    from torch_mlir import fx
    from torch_mlir.compiler_utils import TorchMlirCompilerError

    class Module(torch.nn.Module):  # type: ignore[misc]
        def forward(self, *tensors: Any) -> Any:
            return drawn.forward(*tensors)

    exported = torch.export.export(Module(), tuple(_tensor(*argument) for argument in drawn.arguments))
    texts = {}
    for level in ("linalg-on-tensors", "tosa", "stablehlo"):
        with suppress(TorchMlirCompilerError):
            text = str(fx.export_and_import(exported, output_type=level))
            if "dense_resource" not in text:
                texts[level] = text
    return texts


def _tensor(shape: list[int], element: str) -> Any:
    import torch

    if element == "i64":
        return torch.zeros(shape, dtype=torch.int64)
    return torch.zeros(shape, dtype={"f32": torch.float32, "f64": torch.float64}[element])


def functional() -> Any:
    """torch.nn.functional, imported when it is asked for."""
    import torch.nn.functional as functions

    return functions


def by_x(numbers: Sequence[int]) -> str:
    """Sizes as a part of a key."""
    return "x".join(map(str, numbers))
