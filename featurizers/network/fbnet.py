"""FBNet search space (Wu et al., CVPR 2019) in the CIFAR-100 setting of HW-NAS-Bench (Li et al., ICLR 2021).

22 searched positions in seven stages; a block is 1x1 expansion, depthwise, 1x1 projection, with a channel shuffle
where the 1x1 convolutions have groups, and a residual where input and output agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from featurizers.errors import InputError, UnknownNameError
from featurizers.network.builder import Builder
from featurizers.network.graph import NetworkGraph


class Block(NamedTuple):
    kernel: int
    expansion: int
    groups: int


BLOCKS: dict[str, Block | None] = {
    "k3_e1": Block(3, 1, 1),
    "k3_e1_g2": Block(3, 1, 2),
    "k3_e3": Block(3, 3, 1),
    "k3_e6": Block(3, 6, 1),
    "k5_e1": Block(5, 1, 1),
    "k5_e1_g2": Block(5, 1, 2),
    "k5_e3": Block(5, 3, 1),
    "k5_e6": Block(5, 6, 1),
    "skip": None,
}
"""By name, in the order of their index; ``skip`` is nothing, or a 1x1 convolution where the shape changes."""
STAGES = ((16, 1, 1), (24, 4, 1), (32, 4, 2), (64, 4, 2), (112, 4, 1), (184, 4, 2), (352, 1, 1))
"""(channels, blocks, stride of the first block)."""
POSITIONS = sum(count for _, count, _ in STAGES)
STEM, HEAD, RESOLUTION, CLASSES = 16, 1504, 32, 100


def parse_fbnet(value: object) -> tuple[str, ...]:
    """Names of the 22 blocks, from names joined by ``|``, a list of names, or a list of indices."""
    items = value.strip().strip("|").split("|") if isinstance(value, str) else value
    if not isinstance(items, Sequence) or len(items) != POSITIONS:
        size = len(items) if isinstance(items, Sequence) else value
        raise InputError("The field 'fbnet'", f"must hold {POSITIONS} blocks", size)
    return tuple(_block_name(item, position) for position, item in enumerate(items))


def _block_name(item: object, position: int) -> str:
    names = list(BLOCKS)
    where = f"fbnet[{position}]"
    if isinstance(item, str):
        if item not in BLOCKS:
            raise UnknownNameError("FBNet block", item, names, where=where)
        return item
    if isinstance(item, float) and item.is_integer():
        item = int(item)
    if isinstance(item, bool) or not isinstance(item, int) or not 0 <= item < len(names):
        raise InputError("An FBNet block", f"must be an index from 0 to {len(names) - 1}", item, where=where)
    return names[item]


def build(blocks: Sequence[str], batch: int = 1) -> NetworkGraph:
    """The network of 22 block names."""
    b = Builder()
    x = b.input("input", (batch, 3, RESOLUTION, RESOLUTION))
    x = b.op("Relu", "stem/relu", b.conv_bn("stem", x, STEM, 3))
    chosen = iter(blocks)
    for stage, (channels, count, stride) in enumerate(STAGES, 1):
        for index in range(1, count + 1):
            block = BLOCKS[next(chosen)]
            x = _block(b, f"stage{stage}/block{index}", x, channels, stride if index == 1 else 1, block)
    x = b.op("Relu", "head/relu", b.conv_bn("head", x, HEAD))
    return b.graph(b.classifier(x, CLASSES))


def _block(b: Builder, scope: str, x: str, channels: int, stride: int, block: Block | None) -> str:
    same = stride == 1 and b.channels(x) == channels
    if block is None:
        return x if same else b.op("Relu", f"{scope}/relu", b.conv_bn(f"{scope}/skip", x, channels, 1, stride))
    hidden = b.channels(x) * block.expansion
    y = b.op("Relu", f"{scope}/relu1", b.conv_bn(f"{scope}/expand", x, hidden, 1, 1, block.groups))
    if block.groups > 1:
        y = _shuffle(b, f"{scope}/shuffle", y, block.groups)
    y = b.op("Relu", f"{scope}/relu2", b.conv_bn(f"{scope}/depthwise", y, hidden, block.kernel, stride, hidden))
    y = b.conv_bn(f"{scope}/project", y, channels, 1, 1, block.groups)
    return b.op("Add", f"{scope}/add", y, x) if same else y


def _shuffle(b: Builder, scope: str, x: str, groups: int) -> str:
    n, c, h, w = b.tensors[x].shape
    y = b.reshape(f"{scope}/group", x, (n, groups, c // groups, h, w))
    y = b.op("Transpose", f"{scope}/swap", y, perm=[0, 2, 1, 3, 4])
    return b.reshape(f"{scope}/join", y, (n, c, h, w))
