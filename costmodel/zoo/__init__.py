"""A seeded generator of neural networks as ONNX graphs, in the style of exported models."""

from costmodel.zoo.catalogue import (
    FAMILIES,
    NetworkSize,
    NetworkSpec,
    build,
    nasbench201_model,
    sample_specs,
    size,
)

__all__ = ["FAMILIES", "NetworkSize", "NetworkSpec", "build", "nasbench201_model", "sample_specs", "size"]
