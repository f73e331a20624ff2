"""Index arithmetic as linear forms, and memory accesses with their element offsets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from featurizers.mlir import opclass
from featurizers.mlir.build import Builder, add_forms, handles, row_major
from featurizers.mlir.domain import Bound
from featurizers.mlir.invariant import loaded
from featurizers.mlir.module import DYNAMIC, Block, Op
from featurizers.mlir.nest import CONSTANT, Access, Form, Nest, moving_of
from featurizers.mlir.placed import place, rounded, subscript
from featurizers.mlir.rounding import divide

CALLS_OF_A_BUFFER = 2.0
"""malloc and free. A tensor's pointer is then aligned by arithmetic, after which LLVM no longer knows that it is a new
one: such buffers may overlap with any other."""


@handles("stablehlo.constant", "tosa.const")
def _tensor_constant(b: Builder, op: Op, nest: Nest) -> None:
    _uniform(b, op, op.attributes.get("value", op.attributes.get("values")))


def _uniform(b: Builder, op: Op, value: Any) -> None:
    """A tensor whose elements are all the same is that number wherever it is read
    (`ConstantFoldLoadFromUniformValue`)."""
    if isinstance(value, int | float) and b.type(op.results[0]).kind == "tensor":
        b.uniform.add(op.results[0])
        if value == 0:
            b.zeros.add(op.results[0])


_TWO = 2.0


@handles("arith.constant", "llvm.mlir.constant", "index.constant")
def _constant(b: Builder, op: Op, nest: Nest) -> None:
    value = op.attributes.get("value")
    if value == 0 and op.results:
        b.zeros.add(op.results[0])
    if op.results:
        _uniform(b, op, value)
    if op.results and b.type(op.results[0]).kind == "float":
        b.literals.add(op.results[0])
        if isinstance(value, float) and value:
            b.floats.add((b.type(op.results[0]).bits, value))
            if value == _TWO:
                b.twos.add(op.results[0])
    if type(value) is int and op.results:
        b.forms[op.results[0]] = {CONSTANT: value}
        kind = b.type(op.results[0])
        if kind.kind == "int" and not -2048 <= value < 2048:
            b.constants.add((kind.bits, value & ((1 << kind.bits) - 1)))


@handles("arith.index_cast", "arith.index_castui", "index.casts", "index.castu")
def _cast(b: Builder, op: Op, nest: Nest) -> None:
    form = b.forms.get(op.operands[0])
    if form is not None:
        b.forms[op.results[0]] = form
    else:
        b.placed[op.results[0]] = place(b, op.operands[0], nest)
    waited = b.ready.get(op.operands[0])
    if waited is not None:
        b.ready[op.results[0]] = waited


def apply(b: Builder, affine_map: Any, operands: Sequence[int]) -> list[Form | None]:
    """Results of an affine map on index values; None where the map or an operand is not linear."""
    found: list[Form | None] = []
    for result in affine_map[2]:
        if result is None:
            found.append(None)
            continue
        total: Form | None = {CONSTANT: result[0]}
        for factor, value in zip(result[1:], operands, strict=False):
            if factor:
                form = b.forms.get(value)
                if form is None:
                    total = None
                    break
                assert total is not None
                if factor == 1 and len(total) == 1 and not result[0]:
                    total |= form
                    continue
                for key, coefficient in form.items():
                    total[key] = total.get(key, 0) + factor * coefficient
        found.append(total)
    return found


def _places(b: Builder, op: Op, nest: Nest, first: int) -> list[Form | None]:
    """Subscripts by an affine map on the operands from `first` on."""
    affine_map, operands = op.attributes["map"], op.operands[first:]
    found = apply(b, affine_map, operands)
    if None in found:
        for at, tree in enumerate(affine_map[3]):
            if tree is not None and found[at] is None:
                found[at] = rounded(b, tree, operands, nest)
                if found[at] is None:
                    divide(tree, operands, nest)
    return found


def bounds(b: Builder, affine_map: Any, operands: Sequence[int]) -> list[Form | Bound | None]:
    """Results of an affine map as `apply` gives them, but those that are rounded as they are."""
    found: list[Form | Bound | None] = list(apply(b, affine_map, operands))
    for position, tree in enumerate(affine_map[3]):
        if tree is not None:
            found[position] = _bound(b, tree, operands)
    return found


def _bound(b: Builder, tree: Any, operands: Sequence[int]) -> Form | Bound | None:
    if isinstance(tree, int):
        return {CONSTANT: tree}
    if len(tree) == 1:
        return b.forms.get(operands[tree[0]])
    left, right = (_bound(b, part, operands) for part in tree[1:])
    return None if left is None or right is None else (tree[0], left, right)


@handles("affine.apply")
def _apply(b: Builder, op: Op, nest: Nest) -> None:
    nest.counts[opclass.ADDRESS] += 1
    form = apply(b, op.attributes["map"], op.operands)[0]
    if form is not None:
        b.forms[op.results[0]] = form


@handles("affine.min", "affine.max")
def _extremum(b: Builder, op: Op, nest: Nest) -> None:
    nest.counts[opclass.ADDRESS] += 1
    constants = [f for f in apply(b, op.attributes["map"], op.operands) if f is not None and set(f) <= {CONSTANT}]
    if constants:
        pick = min if op.name == "affine.min" else max
        b.forms[op.results[0]] = {CONSTANT: pick(f.get(CONSTANT, 0) for f in constants)}


@handles("memref.dim", "tensor.dim")
def _dim(b: Builder, op: Op, nest: Nest) -> None:
    axis = b.number(op.operands[1])
    shape = b.shapes.get(op.operands[0], b.type(op.operands[0]).shape)
    if axis is not None and 0 <= axis < len(shape) and shape[axis] >= 0:
        b.forms[op.results[0]] = {CONSTANT: shape[axis]}


@handles("memref.alloc", "memref.alloca", "tensor.empty")
def _alloc(b: Builder, op: Op, nest: Nest) -> None:
    kind = b.type(op.results[0])
    if op.name == "tensor.empty":
        b.empty.add(op.results[0])
    else:
        b.local.add(op.results[0])
    if op.name == "memref.alloc":
        nest.counts[opclass.CALL] += CALLS_OF_A_BUFFER
        nest.owned[op.results[0]] = CALLS_OF_A_BUFFER
        b.allocs += 1
    elif op.name == "memref.alloca":
        nest.owned[op.results[0]] = 0.0
    if DYNAMIC in kind.shape:
        sizes = iter(op.operands)
        b.shapes[op.results[0]] = tuple(_next_size(b, sizes) if d == DYNAMIC else d for d in kind.shape)


def _next_size(b: Builder, sizes: Any) -> int:
    value = next(sizes, None)
    number = None if value is None else b.number(value)
    return DYNAMIC if number is None else number


@handles("memref.dealloc")
def _dealloc(b: Builder, op: Op, nest: Nest) -> None:
    """Counted with the allocation: where a program has none, deallocation is inserted."""


@handles("memref.get_global")
def _global(b: Builder, op: Op, nest: Nest) -> None:
    b.local.add(op.results[0])


@handles("memref.cast", "memref.collapse_shape", "memref.expand_shape", "memref.memory_space_cast", "tensor.cast",
         "memref.assume_alignment", "vector.type_cast", "bufferization.to_tensor", "tensor.collapse_shape",
         "tensor.expand_shape", "bufferization.to_buffer")  # fmt: skip
def _same(b: Builder, op: Op, nest: Nest) -> None:
    if op.results:
        b.aliases[op.results[0]] = (op.operands[0], {CONSTANT: 0})
        if len(b.type(op.results[0]).shape) == len(b.type(op.operands[0]).shape) and op.operands[0] in b.shapes:
            b.shapes[op.results[0]] = b.shapes[op.operands[0]]


@handles("memref.subview", "memref.reinterpret_cast")
def _view(b: Builder, op: Op, nest: Nest) -> None:
    nest.counts[opclass.ADDRESS] += 1
    offsets = list(op.attributes.get("static_offsets", ()))
    given = iter(op.operands[1:])
    forms = [b.forms.get(next(given, -1)) if o == DYNAMIC else {CONSTANT: o} for o in offsets]
    source = op.operands[0]
    steps = strides_of(b, source) if op.name == "memref.subview" else (1,) * len(forms)
    total: Form | None = {CONSTANT: 0}
    for form, step in zip(forms, steps, strict=False):
        total = None if form is None or total is None else add_forms(total, form, step)
    b.aliases[op.results[0]] = (source, total)
    sizes = op.attributes.get("static_sizes", ())
    shape = b.type(op.results[0]).shape
    if DYNAMIC in shape:
        numbers = [_next_size(b, given) if s == DYNAMIC else s for s in sizes]
        if len(numbers) == len(shape):
            b.shapes[op.results[0]] = tuple(numbers)


def strides_of(b: Builder, value: int) -> tuple[int, ...]:
    """Strides in elements, with what is known of dynamic shapes."""
    kind = b.type(value)
    if kind.strides and DYNAMIC not in kind.strides:
        return kind.strides
    plain = row_major(b.shape(value))
    if not kind.strides:
        return plain
    return tuple(p if s == DYNAMIC else s for s, p in zip(kind.strides, plain, strict=True))


def access(b: Builder, value: int, subscripts: Sequence[Form | None], store: bool, lanes: int = 1) -> Access:
    """An access of a buffer at the given subscripts, followed back through views to where the buffer was made."""
    kind = b.type(value)
    steps = b.steps.get(value)
    if steps is None:
        steps = b.steps[value] = strides_of(b, value)
    offset: Form | None = {CONSTANT: 0}
    for form, stride in zip(subscripts, steps, strict=False):
        if form is None:
            offset = None
            break
        assert offset is not None
        for key, factor in form.items():
            offset[key] = offset.get(key, 0) + stride * factor
    base = value
    while base in b.aliases:
        base, shift = b.aliases[base]
        offset = None if offset is None or shift is None else add_forms(offset, shift)
    if offset is None:
        moving, constant = None, _operations(subscripts, steps)
    else:
        moving, constant = moving_of(offset), offset.get(CONSTANT, 0)
    return Access(base, moving, constant, store, max(kind.bits, 8), lanes, base not in b.local)


def made_as(b: Builder, value: int) -> int:
    """The buffer that a view, or a result that is written in place, is of."""
    while value in b.aliases:
        value = b.aliases[value][0]
    return value


OF_ELEMENTS = frozenset({"memref.load", "memref.store", "affine.load", "affine.store"})


def moves_of(block: Block, nest: Nest) -> list[Op]:
    """The operations of a block that made a nest's accesses, in their order; none where others made some of them."""
    moves = [op for op in block.ops if op.name in OF_ELEMENTS]
    return moves if len(moves) == len(nest.accesses) else []


def _operations(subscripts: Sequence[Form | None], steps: Sequence[int]) -> int:
    """Operations for an address that is not linear: a product for each value that is no index of elements, and a sum
    where something else is added."""
    values = [stride for form, stride in zip(subscripts, steps, strict=False) if form is None]
    others = any(key != CONSTANT and factor for form in subscripts for key, factor in (form or {}).items())
    return sum(stride != 1 for stride in values) + (len(values) - 1) + others if values else 0


_BYTE = 8


def _of_one_byte(b: Builder, value: int, bits: int) -> bool:
    """Whether a number is the same byte all over, as memset writes it (`isBytewiseValue`)."""
    number = b.number(value)
    if number is None or bits < _BYTE:
        return False
    number &= (1 << bits) - 1
    return number == (number & 255) * (((1 << bits) - 1) // 255)


def _record(b: Builder, op: Op, nest: Nest, buffer: int, subscripts: Sequence[Form | None], store: bool) -> None:
    moved = b.type(op.operands[0] if store else op.results[0])
    lanes = moved.size if moved.kind == "vector" else 1
    found = access(b, buffer, subscripts, store, lanes)
    found.spread = lanes > 1 and not store and _spreads(op)
    if lanes > 1 and op.name in OF_ELEMENTS and found.moving is not None:  # elements of the buffer are vectors
        found.moving = tuple((iv, factor * lanes) for iv, factor in found.moving)
        found.constant *= lanes
    if nest.step > 1 and op.name.startswith("affine."):
        found.scale = max([abs((form or {}).get(nest.iv, 0)) // nest.step for form in subscripts], default=1)
    found.fill = store and (op.operands[0] in b.zeros or (lanes == 1 and _of_one_byte(b, op.operands[0], moved.bits)))
    nest.accesses.append(found)
    op_class = opclass.STORE if store else opclass.LOAD
    size = lanes * found.bits
    nest.counts[op_class] += max(size / 512, 1.0)
    if store:
        b.kept.store(nest, found, op.operands[0])
    else:
        _loaded(b, op, nest, found)
    if len(moved.shape) > 1 and moved.kind == "vector" and nest.depth and op.name.startswith("vector.transfer"):
        nest.stacked += moved.size / max(moved.shape[-1], 1)
    if lanes > 1 and size > nest.widths:
        nest.widths = size
    if found.bits > nest.bits:
        nest.bits = found.bits
    if moved.is_float:
        if found.bits > nest.float_bits:
            nest.float_bits = found.bits
    else:
        found.whole = True


def _loaded(b: Builder, op: Op, nest: Nest, access: Access) -> None:
    """What the body has stored before is in a register."""
    value = b.kept.load(nest, access)
    if value is None:
        b.follow(op, nest, opclass.LOAD)
        loaded(b, op.results[0], access)
        return
    if value in b.depends:
        b.depends[op.results[0]] = b.depends[value]
    b.same[op.results[0]] = value
    waited = b.ready.get(value)
    if waited is not None:
        b.ready[op.results[0]] = waited


@handles("affine.load", "affine.vector_load")
def _affine_load(b: Builder, op: Op, nest: Nest) -> None:
    _record(b, op, nest, op.operands[0], _places(b, op, nest, 1), False)


@handles("affine.store", "affine.vector_store")
def _affine_store(b: Builder, op: Op, nest: Nest) -> None:
    _record(b, op, nest, op.operands[1], _places(b, op, nest, 2), True)


@handles("memref.load", "vector.load", "vector.transfer_read")
def _load(b: Builder, op: Op, nest: Nest) -> None:
    _plain(b, op, nest, 0, False)


@handles("memref.store", "vector.store", "vector.transfer_write")
def _store(b: Builder, op: Op, nest: Nest) -> None:
    _plain(b, op, nest, 1, True)


def _plain(b: Builder, op: Op, nest: Nest, at: int, store: bool) -> None:
    """An access whose buffer is operand `at`, followed by one index per dimension."""
    buffer = op.operands[at]
    kind = b.type(buffer)
    if kind.kind != "memref":
        nest.counts[opclass.STORE if store else opclass.LOAD] += 1
        return
    subscripts = [subscript(b, v, nest) for v in op.operands[at + 1 : at + 1 + len(kind.shape)]]
    if not op.name.startswith("vector.transfer") or _plain_transfer(b, op, nest, buffer, subscripts, store):
        _record(b, op, nest, buffer, subscripts, store)
        if subscripts and op.operands[at + len(kind.shape)] in b.placed:
            nest.accesses[-1].place = op.operands[at + len(kind.shape)]


def _spreads(op: Op) -> bool:
    """Whether a transfer reads one element into all lanes."""
    results = (op.attributes.get("permutation_map") or (0, 0, ()))[2]
    last = results[-1] if results else None
    return last is not None and len(results) == 1 and not any(last)


def _plain_transfer(
    b: Builder, op: Op, nest: Nest, buffer: int, subscripts: Sequence[Form | None], store: bool
) -> bool:
    """Whether a transfer is one vector access. One that may leave the buffer goes under a mask; one along another
    dimension becomes a loop over the lanes."""
    moved = b.type(op.operands[0] if store else op.results[0])
    if moved.kind != "vector":
        return True
    rank = len(subscripts)
    results = (op.attributes.get("permutation_map") or (0, 0, ()))[2]
    last = results[-1] if results else None
    along_last = last is not None and rank and len(last) > rank and last[rank] == 1
    broadcast = last is not None and not any(last)
    bounds = op.attributes.get("in_bounds") or []
    if (along_last or broadcast) and bounds and all(bounds):
        return True
    axis = next((axis for axis, factor in enumerate((last or ())[1:]) if factor and axis < rank), None)
    known = axis is not None and _known_place(b, subscripts[axis])
    if along_last:
        if not known:
            _mask(nest, subscripts[-1], float(moved.size))
            nest.whole_masks += moved.size * (moved.size * moved.bits == _WHOLE_BITS)
        return True
    if known and axis is not None:
        active = min(float(b.shape(buffer)[axis]), float(moved.size))
        inside = b.child(nest, op, f"{op.name} (lanes)", active, True)
        inside.counts[opclass.STORE if store else opclass.LOAD] += 1
        inside.counts[opclass.SHUFFLE] += 1
        inside.accesses.append(access(b, buffer, [None], store))
        return False
    lanes = b.child(nest, op, f"{op.name} (lanes)", float(moved.size), True)
    lanes.counts[opclass.STORE if store else opclass.LOAD] += 1
    lanes.counts[opclass.SHUFFLE] += 1
    lanes.counts[opclass.BRANCH] += 1
    lanes.counts[opclass.COMPARE] += 1
    lanes.accesses.append(access(b, buffer, [None], store))
    return False


def _mask(nest: Nest, form: Form | None, lanes: float) -> None:
    """A mask, which is a constant where the loops that it depends on are unrolled."""
    nest.counts[opclass.MASKED] += lanes
    if form is not None:
        depends = frozenset([key for key, factor in form.items() if key != CONSTANT and factor])
        nest.masks[depends] = nest.masks.get(depends, 0.0) + lanes


def _known_place(b: Builder, form: Form | None) -> bool:
    """Whether a subscript is the same in all iterations: a mask that depends on it is a constant."""
    return form is not None and all(key == CONSTANT or not factor or key in b.single for key, factor in form.items())


_WHOLE_BITS = 128
"""Of the vectors of fixed length that SVE moves under a mask (`isLegalMaskedLoadStore`)."""


@handles("func.return")
def _return(b: Builder, op: Op, nest: Nest) -> None:
    """A tensor that is returned is written into a buffer of the caller."""
    from featurizers.mlir.copies import handed_out

    for value in op.operands:
        if value in b.parts:
            handed_out(b, nest, value)
    whole = [value for value in op.operands if value not in b.parts]
    returned = [made_as(b, value) for value in whole if b.type(value).kind == "tensor"]
    made = CALLS_OF_A_BUFFER * sum([value not in nest.given for value in returned])
    nest.counts[opclass.CALL] = max(nest.counts[opclass.CALL] - made, 0.0)
    for value in returned:
        if value in nest.given:
            handed_out(b, nest, value)
    nest.given.update([made_as(b, value) for value in whole])
