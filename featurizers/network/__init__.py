"""Neural networks: ONNX, torch.export and NAS encodings -> one graph -> the kernels that a runtime executes."""

from featurizers.network.columns import COLUMNS
from featurizers.network.featurizer import NetworkFeaturizer
from featurizers.network.fusion import PROFILES, kernels
from featurizers.network.graph import NetworkGraph, Node, Tensor
from featurizers.network.kernels import PART_COLUMNS, Kernel

__all__ = [
    "COLUMNS",
    "PART_COLUMNS",
    "PROFILES",
    "Kernel",
    "NetworkFeaturizer",
    "NetworkGraph",
    "Node",
    "Tensor",
    "kernels",
]
