"""tosa and stablehlo operations as the loop nests of their lowering through linalg."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from featurizers.mlir import opclass
from featurizers.mlir.build import Builder
from featurizers.mlir.latency import after, chain_of
from featurizers.mlir.module import Op
from featurizers.mlir.named_linalg import _conv, _einsum
from featurizers.mlir.nest import CONSTANT, Nest
from featurizers.mlir.opclass import BESIDE, CLASS, elementwise_class
from featurizers.mlir.slices import part_of
from featurizers.mlir.tensor_ops import (
    _copy,
    elementwise,
    identity,
    nest_of,
    numbers_after,
    parts,
    result_made,
    touch,
)

_VIEWS = frozenset(
    {"reshape", "bitcast_convert", "const_shape", "identity", "custom_call", "tuple", "get_tuple_element"}
)
_COPIES = frozenset({
    "transpose", "broadcast_in_dim", "concatenate", "concat", "slice", "pad", "reverse", "tile", "gather", "iota",
    "dynamic_slice", "dynamic_update_slice", "scatter", "resize", "dynamic_broadcast_in_dim", "broadcast",
})  # fmt: skip
_OF_ONE_NUMBER = frozenset({"convert", "cast", "reshape", "broadcast_in_dim", "broadcast", "bitcast_convert"})
"""What is folded where all elements are one number."""
_FREE = frozenset({"constant", "const", "const_shape", "return", "yield", "variable", "optimization_barrier"})


def expand_graph_op(b: Builder, op: Op, nest: Nest, word: str) -> bool:
    """Whether it is known; if so its loops are added."""
    if word in _FREE:
        return True
    if not op.results:
        return False
    result = op.results[0]
    if word in _OF_ONE_NUMBER and op.operands and op.operands[0] in b.uniform and not _converts(b, op, word):
        b.uniform.add(result)
        if op.operands[0] in b.zeros:
            b.zeros.add(result)
        return True
    if word in _VIEWS:
        if op.operands:
            b.aliases[result] = (op.operands[0], {CONSTANT: 0})
        return True
    if word == "slice" and op.operands and part_of(b, op, word):
        return True
    result_made(b, op, nest)
    kind = b.type(result)
    if word == "gather" and len(op.operands) > 1:
        _gathered(b, op, nest)
        return True
    if word in _COPIES:
        _moved(b, op, nest, word)
        return True
    if word in ("dot_general", "dot", "matmul", "fully_connected"):
        _contract(b, op, nest, word)
        return True
    if word in ("conv2d", "depthwise_conv2d", "convolution", "conv3d", "transpose_conv2d"):
        _convolve(b, op, nest, word)
        return True
    if word.startswith("reduce") or word in ("argmax",):
        _reduce(b, op, nest, word)
        return True
    if word in ("avg_pool2d", "max_pool2d"):
        _pool(b, op, nest, word)
        return True
    op_class = elementwise_class(word, kind.is_float or (bool(op.operands) and b.type(op.operands[0]).is_float))
    if op_class is None:
        return False
    elementwise(b, op, nest, op_class, BESIDE.get(word, ()) if kind.is_float else ())
    return True


def _converts(b: Builder, op: Op, word: str) -> bool:
    """Whether numbers become others: StableHLO leaves that to the code."""
    source, target = b.type(op.operands[0]), b.type(op.results[0])
    return word == "convert" and (source.bits, source.is_float) != (target.bits, target.is_float)


def _moved(b: Builder, op: Op, nest: Nest, word: str) -> None:
    """A copy into the result; a transpose reads with permuted subscripts, a broadcast with fewer."""
    if word in ("concat", "concatenate", "pad"):
        parts(b, op, nest)
        return
    target = op.results[0]
    shape = b.shape(target)
    if not op.operands or word not in ("transpose", "broadcast_in_dim"):
        inner, ivs = nest_of(b, op, nest, shape)
        if op.operands:
            rank = len(b.shape(op.operands[0]))
            touch(b, inner, op.operands[0], identity(min(rank, len(ivs)), len(ivs)), ivs, False)
        touch(b, inner, target, identity(len(shape)), ivs, True)
        return
    order = op.attributes.get("permutation") or op.attributes.get("perms") or op.attributes.get("broadcast_dimensions")
    axes = list(order) if isinstance(order, list | tuple) else list(range(len(shape)))
    source = b.shape(op.operands[0])
    rows = [[0] * (len(shape) + 1) for _ in source]
    for position, axis in enumerate(axes):
        if word == "transpose" and axis < len(source) and position < len(shape):
            rows[axis][position + 1] = 1
        elif word != "transpose" and position < len(source) and source[position] != 1 and axis < len(shape):
            rows[position][axis + 1] = 1
    inner, ivs = nest_of(b, op, nest, shape)
    touch(b, inner, op.operands[0], rows, ivs, False)
    touch(b, inner, target, identity(len(shape)), ivs, True)


def _gathered(b: Builder, op: Op, nest: Nest) -> None:
    """Rows that are looked up: each element loads the number of its row again, which a store may have changed, and
    StableHLO keeps it within the table."""
    source, numbers, target = *op.operands[:2], op.results[0]
    shape, places = b.shape(target), b.shape(numbers)
    inner, ivs = nest_of(b, op, nest, shape)
    touch(b, inner, numbers, identity(len(places), len(ivs)), ivs, False)
    touch(b, inner, source, None, ivs, False)
    inner.accesses[-1].constant = _OF_A_ROW
    touch(b, inner, target, identity(len(shape)), ivs, True)
    inner.critical = chain_of("load", "extend", "imul", "load")
    inner.path = inner.critical[0]
    inner.counts[opclass.ADDRESS] += _OF_A_ROW
    if op.name.startswith("tosa"):
        inner.counts[CLASS["extend"]] += 1
    else:
        inner.counts[opclass.IMINMAX] += 2


_OF_A_ROW = 2
"""Operations for the address of an element in a row that is looked up."""


def _accumulate(
    b: Builder, op: Op, nest: Nest, sizes: Sequence[int], values: Sequence[int], maps: Sequence[list[list[int]]]
) -> None:
    """Fill of the result, then result += product of the operands."""
    target = op.results[0]
    zero, ivs = nest_of(b, op, nest, b.shape(target), f"{op.name} (fill)")
    touch(b, zero, target, identity(len(ivs)), ivs, True, fill=True)
    inner, ivs = nest_of(b, op, nest, sizes)
    is_float = b.type(target).is_float
    inner.counts[CLASS["fmul" if is_float else "imul"]] += 1
    inner.counts[CLASS["fadd" if is_float else "iadd"]] += 1
    inner.critical = chain_of("load", "fmul" if is_float else "imul", "fadd" if is_float else "iadd")
    inner.path = inner.critical[0]
    inner.live_float = 3
    for value, rows in zip(values, maps, strict=False):
        touch(b, inner, value, rows, ivs, False)
    touch(b, inner, target, maps[-1], ivs, False)
    touch(b, inner, target, maps[-1], ivs, True)


def _contract(b: Builder, op: Op, nest: Nest, word: str) -> None:
    left, right = b.shape(op.operands[0]), b.shape(op.operands[1])
    text = str(op.attributes.get("dot_dimension_numbers", ""))
    letters = "abcdefghijklmnopqrstuvwxyz"
    if word == "matmul":
        terms = ("bmk", "bkn", "bmn")
    elif word == "fully_connected":
        terms = ("mk", "nk", "mn")
    else:
        shared_l = numbers_after(text, "lhs_contracting_dimensions") or [len(left) - 1]
        shared_r = numbers_after(text, "rhs_contracting_dimensions") or [max(len(right) - 2, 0)]
        batch_l, batch_r = (
            numbers_after(text, "lhs_batching_dimensions"),
            numbers_after(text, "rhs_batching_dimensions"),
        )
        name_l = list(letters[: len(left)])
        name_r = list(letters[len(left) : len(left) + len(right)])
        for i, j in (*zip(shared_l, shared_r, strict=False), *zip(batch_l, batch_r, strict=False)):
            name_r[j] = name_l[i]
        batch = [name_l[i] for i in batch_l]
        shared = [name_l[i] for i in shared_l]
        out = batch + [x for x in name_l if x not in batch + shared] + [x for x in name_r if x not in batch + shared]
        terms = ("".join(name_l), "".join(name_r), "".join(out))
    sizes = {letter: dim for term, dims in zip(terms, (left, right), strict=False)
             for letter, dim in zip(term, dims, strict=False)}  # fmt: skip
    order: list[str] = []
    for letter in terms[2] + terms[0] + terms[1]:
        if letter not in order:
            order.append(letter)
    _accumulate(b, op, nest, [sizes.get(x, 1) for x in order], op.operands[:2], _einsum(",".join(terms)))


def _convolve(b: Builder, op: Op, nest: Nest, word: str) -> None:
    strides = op.attributes.get("stride") or op.attributes.get("window_strides") or [1, 1]
    image, kernel, out = ("nhwc", "fhwc", "nhwf") if "depthwise" not in word else ("nhwc", "hwcm", "nhwc")
    if word == "convolution":
        text = str(op.attributes.get("dimension_numbers", ""))
        image, kernel, out = _layouts(text, len(b.shape(op.operands[0])))
    strides = strides if isinstance(strides, list | tuple) else [1, 1]
    if word in ("conv2d", "depthwise_conv2d") and any(op.attributes.get("pad") or []):
        _copy(b, op, nest, op.operands[0], op.operands[0])
    maps = _conv(image, kernel, out, list(strides), list(op.attributes.get("dilation") or []))
    target = b.shape(op.results[0])
    weights = b.shape(op.operands[1])
    spatial = [letter for letter in image if letter in "hwd"]
    sizes = list(target) + [weights[kernel.index(letter)] for letter in spatial if letter in kernel]
    sizes += [weights[i] for i, letter in enumerate(kernel) if letter not in "hwd" and letter not in out]
    _accumulate(b, op, nest, sizes, op.operands[:2], maps)


def _layouts(text: str, rank: int) -> tuple[str, str, str]:
    """``[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]`` in letters of `_conv`."""
    import re

    found = re.findall(r"\[([^\]]*)\]", text)
    if len(found) < 3:
        return "nhwc"[:rank], "hwcf"[:rank], "nhwf"[:rank]
    spatial = {"0": "h", "1": "w", "2": "d"}

    def read(part: str, names: dict[str, str]) -> str:
        return "".join({**spatial, **names}.get(item.strip(), "") for item in part.split(","))

    return (read(found[0], {"b": "n", "f": "c"}), read(found[1], {"i": "c", "o": "f"}),
            read(found[2], {"b": "n", "f": "f"}))  # fmt: skip


def _reduce(b: Builder, op: Op, nest: Nest, word: str) -> None:
    source, target = op.operands[0], op.results[0]
    shape = b.shape(source)
    if word == "reduce_window":
        window = op.attributes.get("window_dimensions") or []
        shape = (*b.shape(target), *[w for w in window if w > 1])
    axes = op.attributes.get("dimensions")
    if axes is None:
        axes = [op.attributes["axis"]] if "axis" in op.attributes else [len(shape) - 1]
    axes = axes if isinstance(axes, list | tuple) else [len(shape) - 1]
    kept = [i for i in range(len(shape)) if i not in axes]
    order = kept + [i for i in range(len(shape)) if i in axes]
    is_float = b.type(source).is_float
    made = _combined(op, word, is_float)
    start, filled = nest_of(b, op, nest, b.shape(target), f"{op.name} (fill)")
    touch(b, start, target, identity(len(filled)), filled, True, fill=made[0] in (CLASS["fadd"], opclass.IADD))
    inner, ivs = nest_of(b, op, nest, [shape[i] for i in order])
    inner.critical = chain_of("load")
    for op_class in made:
        inner.counts[op_class] += 1
        inner.critical = after(inner.critical, op_class)
    inner.path = inner.critical[0]
    rows = [[0] * (len(order) + 1) for _ in range(min(len(shape), len(b.type(source).shape)))]
    for position, axis in enumerate(order):
        if axis < len(rows):
            rows[axis][position + 1] = 1
    touch(b, inner, source, rows, ivs, False)
    keep = len(b.shape(target)) == len(shape)
    out = [[0] + [int(order[j] == i and i in kept) for j in range(len(order))]
           for i in (range(len(shape)) if keep else kept)]  # fmt: skip
    touch(b, inner, target, out, ivs, False)
    touch(b, inner, target, out, ivs, True)


_REDUCTIONS = {"sum": "add", "max": "max", "min": "min", "product": "mul", "prod": "mul", "argmax": "max", "all": "and",
               "any": "or"}  # fmt: skip


def _combined(op: Op, word: str, is_float: bool) -> list[int]:
    """Classes of the operations that take one more element in: those of the region, on scalars, or by the name."""
    words = [inner.name.rpartition(".")[2] for region in op.regions for block in region for inner in block.ops]
    found = [elementwise_class(name, is_float) for name in words or [_REDUCTIONS.get(word.rpartition("_")[2], "add")]]
    known = [op_class for op_class in found if op_class is not None and op_class != opclass.ADDRESS]
    return known or [CLASS["fadd"] if is_float else opclass.IADD]


def _pool(b: Builder, op: Op, nest: Nest, word: str) -> None:
    kernel, strides = list(op.attributes.get("kernel") or [1, 1]), list(op.attributes.get("stride") or [1, 1])
    out = b.shape(op.results[0])
    maps = _conv("nhwc", "hw", "nhwc", strides, [])
    inner, ivs = nest_of(b, op, nest, [*out, *kernel])
    is_float = b.type(op.results[0]).is_float
    name = "fmaximum" if word == "max_pool2d" else "fadd"
    inner.counts[CLASS[name if is_float else "iadd"]] += 1
    if word == "avg_pool2d":
        nest.counts[opclass.CLASS["fdiv" if is_float else "idiv"]] += min(prod(out), 4)
    touch(b, inner, op.operands[0], maps[0], ivs, False)
    touch(b, inner, op.results[0], maps[2], ivs, False)
    touch(b, inner, op.results[0], maps[2], ivs, True)
