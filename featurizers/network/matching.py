"""Which of our kernels a runtime's profiler timed: names first, then op and size in execution order.

A profiler row is a mapping with ``node`` (its name), ``op_type``, ``input_shapes`` and ``output_shapes`` (tensors as
``float:1x64x28x28``, separated by blanks) and, where known, lists of its ``outputs`` and of the user's nodes in it
(``originals``): a row of datasets/host_networks' nodes table.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import Any

from featurizers.network.kernels import LAYOUTS, PART_INDEX, Kernel

_SUFFIX = re.compile(
    r"(_token_\d+|_nchwc|_bn|/MatMulAddFusion|/Mul/LayerNormFusion/|/LayerNormFusion/|/MatMulScaleFusion/|"
    r"/GatherSliceToSplitFusion|_new_reshape|/duplicated|_QuantizeLinear|_DequantizeLinear|_output_\d+)$"
)
_PREFIX = re.compile(r"^(QLinear|Fused|Nhwc|Q(?=Gemm))")
_UNNAMED = frozenset({"ReorderInput", "ReorderOutput", "QuantizeLinear", "DequantizeLinear", "Transpose"})
_CONVERTED = {"Upsample": "Resize", "Flatten": "Reshape", "Squeeze": "Reshape", "Unsqueeze": "Reshape"}


def match_nodes(kernels: Sequence[Kernel], rows: Sequence[Mapping[str, Any]]) -> list[int | None]:
    """For each profiler row the index of the kernel that it timed, or None. A kernel is given to one row only."""
    by_name = _names(kernels)
    free = set(range(len(kernels)))
    found: list[int | None] = [None] * len(rows)
    for position, row in enumerate(rows):
        op = plain_op(row["op_type"])
        if op in _UNNAMED:
            continue
        names = (row["node"], *(row.get("outputs") or ()), *(row.get("originals") or ()))
        for index in (i for name in names for i in _candidates(by_name, name)):
            if index in free and plain_op(kernels[index].op) == op:
                found[position] = index
                free.discard(index)
                break
    _match_by_size(kernels, rows, found, free)
    return found


def plain_op(op: str) -> str:
    """An op's name without the prefix that says how it is executed."""
    name = _PREFIX.sub("", op)
    return _CONVERTED.get(name, name)


def _names(kernels: Sequence[Kernel]) -> dict[str, list[int]]:
    index: dict[str, list[int]] = defaultdict(list)
    for position, kernel in enumerate(kernels):
        for name in dict.fromkeys((*kernel.names, *kernel.wrote, *kernel.outputs)):
            index[name].append(position)
    return index


def _candidates(by_name: Mapping[str, list[int]], name: str) -> list[int]:
    """Kernels known by a name, as it stands or without the suffixes that optimisers append."""
    found: list[int] = []
    while True:
        found.extend(by_name.get(name, ()))
        shorter = _SUFFIX.sub("", name)
        if shorter == name:
            return found
        name = shorter


def _match_by_size(
    kernels: Sequence[Kernel], rows: Sequence[Mapping[str, Any]], found: list[int | None], free: set[int]
) -> None:
    waiting: dict[tuple[str, int], deque[int]] = defaultdict(deque)
    for index in sorted(free):
        waiting[plain_op(kernels[index].op), _stored_elements(kernels[index])].append(index)
    for position, row in enumerate(rows):
        if found[position] is not None:
            continue
        op = plain_op(row["op_type"])
        sizes = [elements(t) for t in row["output_shapes"].split()[:1]]
        if op in ("ReorderInput", "ReorderOutput"):  # one side is padded to whole channel blocks
            sizes.extend(elements(t) for t in row["input_shapes"].split()[:1])
        queue = waiting.get((op, min(sizes, default=0)))
        if queue:
            found[position] = queue.popleft()


def _stored_elements(kernel: Kernel) -> int:
    """Elements of the result as the runtime stores it: in the blocked layout channels are padded to whole blocks."""
    blocked = kernel.row[PART_INDEX["layout"]] == LAYOUTS.index("nchwc")
    return round(kernel.elements * (kernel.row[PART_INDEX["waste_out"]] if blocked else 1))


def elements(tensor: str) -> int:
    """Elements of a tensor written as ``float:1x64x28x28``."""
    shape = tensor.rpartition(":")[2]
    return math.prod(int(d) for d in shape.split("x")) if shape else 1
