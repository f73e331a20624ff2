"""Profiles: which kernels a runtime makes of a graph. A profile is a list of passes over a `Plan`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from featurizers.errors import UnknownNameError
from featurizers.network import fusion_basic as basic
from featurizers.network import fusion_ort as ort
from featurizers.network import fusion_other as other
from featurizers.network import fusion_patterns as patterns
from featurizers.network.graph import NetworkGraph
from featurizers.network.kernels import Kernel, kernels_of
from featurizers.network.plan import Plan

Pass = Callable[[Plan], None]

_FOLD = (
    basic.drop_constants,
    basic.drop_identities,
    basic.drop_no_ops,
    basic.merge_duplicates,
    basic.fold_into_conv,
)
PROFILES: Mapping[str, Sequence[Pass]] = {
    "none": (basic.drop_constants, basic.drop_identities),
    "onnxruntime": ort.ALL,
    "onnxruntime-noopt": ort.NOOPT,
    "onnxruntime-int8": ort.INT8,
    "openvino": (
        *_FOLD,
        patterns.fuse_layer_norm,
        patterns.fuse_gelu,
        patterns.fuse_quick_gelu,
        other.fuse_chains,
        other.fuse_elementwise,
    ),
    "torch-eager": (basic.drop_identities, other.strided_views),
    "sim": (*_FOLD, other.only_products),
}


def kernels(graph: NetworkGraph, profile: str = "") -> tuple[Kernel, ...]:
    """What is executed for `graph` under a profile (``""`` is ``"none"``), in execution order."""
    name = profile or "none"
    if name not in PROFILES:
        raise UnknownNameError("fusion profile", name, PROFILES)
    found: tuple[Kernel, ...] | None = graph.memo.get(name)
    if found is None:
        plan = Plan(graph)
        for run in PROFILES[name]:
            run(plan)
        found = tuple(kernels_of(plan))
        graph.memo[name] = found
    return found
