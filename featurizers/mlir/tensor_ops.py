"""Operations on whole buffers and tensors, expanded to the loop nests that their lowering makes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from featurizers.mlir import minmax, opclass
from featurizers.mlir.build import Builder, add_forms
from featurizers.mlir.copies import move, part_together
from featurizers.mlir.in_place import shared
from featurizers.mlir.indices import CALLS_OF_A_BUFFER, access
from featurizers.mlir.latency import after, chain_of
from featurizers.mlir.module import Op
from featurizers.mlir.named_linalg import named_maps
from featurizers.mlir.nest import CONSTANT, Form, Nest
from featurizers.mlir.opclass import CLASS, elementwise_class
from featurizers.mlir.slices import part_of

Subscripts = list[list[int]]
"""Per dimension of an operand: [constant, coefficient of each iterator]."""


def nest_of(
    b: Builder, op: Op, nest: Nest, sizes: Sequence[int], label: str | None = None, parallel: Sequence[bool] = ()
) -> tuple[Nest, list[int]]:
    """A chain of loops of the given sizes; the innermost one and the loop numbers."""
    ivs = []
    for position, size in enumerate(sizes):
        nest = b.child(nest, op, label or op.name, float(size), True, bool(parallel and parallel[position]))
        b.middle[nest.iv] = size / 2
        ivs.append(nest.iv)
    return nest, ivs


def touch(
    b: Builder,
    nest: Nest,
    value: int,
    subscripts: Subscripts | None,
    ivs: Sequence[int],
    store: bool,
    fill: bool = False,
) -> None:
    """An access of a shaped value at subscripts over the iterators; None: not linear. fill : a store of zero."""
    if not store and value in b.uniform:
        return
    forms: list[Form | None] = []
    for row in subscripts or ():
        if row is None:
            forms.append(None)
            continue
        form: Form = {CONSTANT: row[0]}
        for factor, iv in zip(row[1:], ivs, strict=False):
            if factor:
                form[iv] = form.get(iv, 0) + factor
        forms.append(form)
    if subscripts is None:
        forms = [None]
    found = access(b, value, forms, store)
    found.fill = fill
    nest.accesses.append(found)
    nest.counts[opclass.STORE if store else opclass.LOAD] += 1
    kind = b.type(value)
    nest.bits = max(nest.bits, kind.bits)
    if kind.is_float:
        nest.float_bits = max(nest.float_bits, kind.bits)


def identity(rank: int, width: int | None = None) -> Subscripts:
    """Subscripts d0, d1, ... over `width` iterators."""
    width = rank if width is None else width
    return [[0] + [int(i == j) for j in range(width)] for i in range(rank)]


def result_made(b: Builder, op: Op, nest: Nest) -> None:
    """A tensor result needs a buffer unless it is written in place."""
    made = sum(b.type(value).kind == "tensor" for value in op.results)
    b.allocs += made
    nest.counts[opclass.CALL] += CALLS_OF_A_BUFFER * made


def elementwise(b: Builder, op: Op, nest: Nest, op_class: int, beside: Sequence[str] = ()) -> None:
    """One operation per element of the result, whose buffer is there, and others `beside` it; operands broadcast where
    their dims are 1."""
    shape = b.shape(op.results[0]) if op.results else b.shape(op.operands[-1])
    inner, ivs = nest_of(b, op, nest, shape)
    if op_class == opclass.FMAXIMUM and not b.uniform.isdisjoint(op.operands):
        op_class = opclass.FMINMAX
        zero = "max" in op.name and not b.zeros.isdisjoint(op.operands)
        inner.extremes[minmax.WITH_ZERO if zero else minmax.WITH_CONSTANT] = 1.0
    inner.counts[op_class] += 1
    inner.critical = after(chain_of("load"), op_class)
    for name in beside:
        inner.counts[CLASS[name]] += 1
        inner.critical = after(inner.critical, CLASS[name])
    inner.path = inner.critical[0]
    inner.live_float = inner.live_int = 2
    inner.literals = int(op.name.endswith("reciprocal") or "fdiv" in beside)  # what is divided is one
    inner.called_loaded = op_class == opclass.LIBM and not beside
    for value in op.operands:
        if b.type(value).kind == "tensor":
            own = b.shape(value)
            shift = len(shape) - len(own)
            rows = [[0] + [int(j == i + shift and own[i] != 1) for j in range(len(shape))] for i in range(len(own))]
            touch(b, inner, value, rows, ivs, False)
    touch(b, inner, op.results[0] if op.results else op.operands[-1], identity(len(shape)), ivs, True)


def expand(b: Builder, op: Op, nest: Nest) -> bool:
    """Whether the operation is one of those that work on whole buffers; if so its loops are added."""
    dialect, _, word = op.name.partition(".")
    if dialect == "linalg":
        return _linalg(b, op, nest, word)
    if dialect in ("tosa", "stablehlo", "chlo", "mhlo"):
        from featurizers.mlir.graph_ops import expand_graph_op

        return expand_graph_op(b, op, nest, word)
    if dialect == "tensor":
        return _tensor(b, op, nest, word)
    return False


def _copy(b: Builder, op: Op, nest: Nest, source: int, target: int) -> None:
    shape = b.shape(target)
    inner, ivs = nest_of(b, op, nest, shape)
    touch(b, inner, source, identity(len(shape)), ivs, False)
    touch(b, inner, target, identity(len(shape)), ivs, True)


def _tensor(b: Builder, op: Op, nest: Nest, word: str) -> bool:
    if word == "extract":
        nest.counts[opclass.LOAD] += 1
        nest.accesses.append(access(b, op.operands[0], [b.forms.get(v) for v in op.operands[1:]], False))
    elif word == "insert":
        b.aliases[op.results[0]] = (op.operands[1], {CONSTANT: 0})
        nest.counts[opclass.STORE] += 1
        nest.accesses.append(access(b, op.operands[1], [b.forms.get(v) for v in op.operands[2:]], True))
    elif word == "extract_slice" and part_of(b, op, word):
        nest.counts[opclass.ADDRESS] += 1
    elif word in ("extract_slice", "pad", "concat", "gather", "insert_slice"):
        result_made(b, op, nest)
        target = op.results[0]
        if word == "extract_slice":
            b.aliases[target] = (op.operands[0], None)
            nest.counts[opclass.ADDRESS] += 1
        elif word == "gather":
            _copy(b, op, nest, op.operands[0], target)
        else:
            parts(b, op, nest)
    elif word in ("generate", "splat"):
        result_made(b, op, nest)
        inner, ivs = nest_of(b, op, nest, b.shape(op.results[0]))
        for region in op.regions:
            for block in region:
                for value, iv in zip(block.arguments, ivs, strict=False):
                    b.forms[value] = {iv: 1}
                b.block(block, inner)
        touch(b, inner, op.results[0], identity(len(ivs)), ivs, True)
    else:
        return False
    return True


def parts(b: Builder, op: Op, nest: Nest) -> None:
    """Operands that are put side by side into the result, or one into a part of it."""
    target = op.results[0]
    whole = b.shape(target)
    _, _, word = op.name.partition(".")
    if word == "pad":
        inner, ivs = nest_of(b, op, nest, whole)
        touch(b, inner, target, identity(len(whole)), ivs, True, fill=True)
    for value in op.operands if word.startswith("concat") else op.operands[:1]:
        shape = b.shape(value)
        move(b, nest, value, target, shape, part_together(shape, whole))


def _linalg(b: Builder, op: Op, nest: Nest, word: str) -> bool:
    if word in ("index", "yield"):
        return True
    inputs, outputs = _operands(b, op)
    if not outputs:
        return False
    maps = _maps(b, op, word, inputs, outputs)
    if maps is None:
        return False
    sizes, rows = _sizes(b, [*inputs, *outputs], maps)
    for position, (result, output) in enumerate(zip(op.results, outputs, strict=False)):
        if output in b.empty:
            outputs[position] = result
            first = _in_place(b).get(result)
            if first is not None:
                b.aliases[result] = (first, {CONSTANT: 0})
                if output in b.shapes:
                    b.shapes[result] = b.shapes[output]
                continue
            b.allocs += 1
            nest.counts[opclass.CALL] += CALLS_OF_A_BUFFER
            if output in b.shapes:
                b.shapes[result] = b.shapes[output]
            continue
        b.aliases[result] = (output, {CONSTANT: 0})
        if output in b.shapes:
            b.shapes[result] = b.shapes[output]
    inner, ivs = nest_of(b, op, nest, sizes)
    _body(b, op, inner, ivs, inputs, outputs, rows, word)
    return True


def _in_place(b: Builder) -> dict[int, int]:
    """Results of the function that take the buffer of an earlier one, found once."""
    if b.shared is None:
        blocks = () if b.module.merged else b.blocks
        b.shared = shared(blocks, lambda op: _operands(b, op), lambda op, value: _alike(b, op, value))
    return b.shared


def _alike(b: Builder, op: Op, value: int) -> bool:
    """Whether an operation reads a tensor element by element, as it writes."""
    inputs, outputs = _operands(b, op)
    maps = _maps(b, op, op.name.partition(".")[2], inputs, outputs)
    if maps is None or len(outputs) != 1 or len(maps) <= len(inputs):
        return False
    whole = identity(len(b.type(outputs[0]).shape))
    read = [maps[position] for position, operand in enumerate(inputs) if operand == value]
    return maps[len(inputs)] == whole and all(rows == whole for rows in read)


def _operands(b: Builder, op: Op) -> tuple[list[int], list[int]]:
    segments = op.attributes.get("operandSegmentSizes")
    shaped = op.operands
    if segments and len(segments) >= 2:
        return shaped[: segments[0]], shaped[segments[0] : segments[0] + segments[1]]
    if op.name in ("linalg.transpose", "linalg.broadcast", "linalg.copy"):
        return shaped[:1], shaped[1:2]
    return shaped[:-1], shaped[-1:]


def _maps(b: Builder, op: Op, word: str, inputs: list[int], outputs: list[int]) -> list[Subscripts | None] | None:
    given = op.attributes.get("indexing_maps")
    if given:
        return [None if any(r is None for r in m[2]) else m[2] for m in given]
    ranks = [len(b.type(v).shape) for v in (*inputs, *outputs)]
    return named_maps(word, ranks, op.attributes)


def _sizes(b: Builder, values: list[int], maps: list[Subscripts | None]) -> tuple[list[int], list[Subscripts | None]]:
    """Iterator sizes from the shapes, by the subscripts that are a single iterator."""
    width = max((len(rows[0]) - 1 for rows in maps if rows), default=0)
    sizes = [0] * width
    for value, rows in zip(values, maps, strict=False):
        for row, dim in zip(rows or (), b.shape(value), strict=False):
            used = [i for i, factor in enumerate(row[1:]) if factor]
            if len(used) == 1 and row[used[0] + 1] == 1 and not sizes[used[0]]:
                sizes[used[0]] = dim
    return [size or 1 for size in sizes], maps


def _body(
    b: Builder, op: Op, inner: Nest, ivs: list[int], inputs: list[int], outputs: list[int],
    maps: Sequence[Subscripts | None], word: str,
) -> None:  # fmt: skip
    """Loads of what the body reads, its operations, stores of what it yields."""
    block = op.regions[0][0] if op.regions and op.regions[0] else None
    used = set(range(len(inputs) + len(outputs)))
    if block is not None:
        from featurizers.mlir.liveness import liveness

        read = {v for o in block.ops for v in o.operands}
        used = {i for i, argument in enumerate(block.arguments) if argument in read}
        _bind_indices(b, block.ops, ivs)
        for position in used:
            b.ready[block.arguments[position]] = chain_of("load")
        b.block(block, inner)
        liveness(b, block, inner)
    elif word not in ("fill", "copy", "transpose", "broadcast"):
        kind = b.type(outputs[0])
        inner.counts[elementwise_class(word, kind.is_float) or CLASS["fadd" if kind.is_float else "iadd"]] += 1
    for position, value in enumerate(inputs):
        if position in used and b.type(value).shape:
            touch(b, inner, value, maps[position], ivs, False)
    for position, value in enumerate(outputs, len(inputs)):
        where = maps[position] if position < len(maps) else maps[-1]
        if position in used and block is not None and word not in ("fill",):
            touch(b, inner, value, where, ivs, False)
        touch(b, inner, value, where, ivs, True, word == "fill" and inputs[0] in b.zeros)
        if position in used and block is not None and position < len(block.arguments):
            from featurizers.mlir.stored import yielded_to

            inner.accesses[-1].into = yielded_to(b, block, inner, position, position - len(inputs))


def _bind_indices(b: Builder, ops: Sequence[Op], ivs: list[int]) -> None:
    """`linalg.index` gives the iterators; which one is an attribute that only the position tells here."""
    number = 0
    for op in ops:
        if op.name == "linalg.index" and op.results and number < len(ivs):
            b.forms[op.results[0]] = add_forms({CONSTANT: 0}, {ivs[number]: 1})
            number += 1


_LIST = re.compile(r"-?\d+")


def numbers_after(text: str, key: str) -> list[int]:
    """The integers of ``key = [..]`` in an attribute's text."""
    found = re.search(re.escape(key) + r"\s*=\s*\[([^\]]*)\]", text)
    return [int(n) for n in _LIST.findall(found.group(1))] if found else []
