"""`Module` -> a loop-nest tree per function: trip counts, linear indices, carried values, liveness."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from featurizers.errors import InputError, UnknownNameError
from featurizers.mlir import opclass
from featurizers.mlir.domain import Level
from featurizers.mlir.fused import DOUBLED, Logic
from featurizers.mlir.fused import note as fused
from featurizers.mlir.invariant import note
from featurizers.mlir.kept import Kept
from featurizers.mlir.latency import Step
from featurizers.mlir.legal import classes, units
from featurizers.mlir.minmax import kind_of
from featurizers.mlir.module import DYNAMIC, Block, Module, Op, Type
from featurizers.mlir.nest import CONSTANT, Chain, Form, Function, Nest, Typed, Wide
from featurizers.mlir.opclass import FMAXIMUM, FMINMAX

DEFAULT_TRIP = 32.0
"""Iterations taken for a loop whose bound is not known (a `while`, a bound that is loaded): LLVM's guess."""

_BETWEEN_WIDTHS = (opclass.CLASS["extend"], opclass.CLASS["fconvert"])
_FMUL = opclass.CLASS["fmul"]
_FUNCTIONS = frozenset({"func.func", "llvm.func", "gpu.func"})
_MODULES = frozenset({"builtin.module", "gpu.module"})


@dataclass(slots=True)
class Builder:
    """State of one function's walk; `handlers` is the registry of operations that need more than a class.

    floating : of each of the module's types, whether its elements are floating-point numbers; sizes : bits of those
    that are vectors. steps : strides of buffers that were asked for already. empty : tensors without contents.
    literals : constants of floating point; floats : their bits and values. products : those that may be added in
    the same instruction. quotients : values that were divided by a number, signed or not. extremes : larger and
    smaller ones of two whole numbers, ranges : what is known of their bounds. single : loops that run once, whose
    index is known. path : loops and conditions around. begun : loops deep inside that begin with an index.
    in_memory : loaded values, and whether they are operands of the one operation that uses them. placed : indices
    that are loaded or computed, as moving anyhow with the loops that they vary in; rounded : those of affine maps.
    around : the loop around each. stepwise : as of `Nest`, by loop.
    uniform : tensors whose elements are all one number; parts : those that are views of others. depends, numbers : see
    `invariant.note`. blocks : of the function, uses : of its values, counted when first asked for. logic : steps of
    logic, see `fused`; ones : sums of the ones of eight bits each, and their products. overwritten : values that an
    instruction of x86 writes over. shared : results of tensors that are written over an earlier one, see `in_place`.
    twos : constants that a product with is a sum of the other factor and itself (`DAGCombiner::visitFMUL`).
    """

    module: Module
    dims: Mapping[str, int]
    forms: dict[int, Form] = field(default_factory=dict)
    shapes: dict[int, tuple[int, ...]] = field(default_factory=dict)
    middle: dict[int, float] = field(default_factory=dict)
    aliases: dict[int, tuple[int, Form | None]] = field(default_factory=dict)
    local: set[int] = field(default_factory=set)
    empty: set[int] = field(default_factory=set)
    zeros: set[int] = field(default_factory=set)
    calls: list[tuple[str, float]] = field(default_factory=list)
    weight: float = 1.0
    ivs: int = 0
    unknown_trips: int = 0
    unknown_ops: dict[str, int] = field(default_factory=dict)
    allocs: int = 0
    trips: dict[int, float] = field(default_factory=dict)
    ready: dict[int, Step] = field(default_factory=dict)
    steps: dict[int, tuple[int, ...]] = field(default_factory=dict)
    floating: Sequence[bool] = ()
    sizes: Sequence[int] = ()
    shifts: dict[int, tuple[str, int, int]] = field(default_factory=dict)
    constants: set[tuple[int, int]] = field(default_factory=set)
    literals: set[int] = field(default_factory=set)
    products: set[int] = field(default_factory=set)
    quotients: set[tuple[bool, int, int]] = field(default_factory=set)
    extremes: dict[int, Op] = field(default_factory=dict)
    ranges: dict[int, tuple[int, int]] = field(default_factory=dict)
    floats: set[tuple[int, float]] = field(default_factory=set)
    single: set[int] = field(default_factory=set)
    begun: dict[int, int] = field(default_factory=dict)
    in_memory: dict[int, bool] = field(default_factory=dict)
    placed: dict[int, Form] = field(default_factory=dict)
    rounded: dict[tuple[str, tuple[int, ...]], int] = field(default_factory=dict)
    widened: dict[int, tuple[bool, int, bool]] = field(default_factory=dict)
    around: dict[int, int] = field(default_factory=dict)
    stepwise: dict[int, Chain] = field(default_factory=dict)
    path: list[Level] = field(default_factory=list)
    kept: Kept = field(default_factory=Kept)
    same: dict[int, int] = field(default_factory=dict)
    uniform: set[int] = field(default_factory=set)
    parts: set[int] = field(default_factory=set)
    depends: dict[int, int] = field(default_factory=dict)
    numbers: dict[int, int] = field(default_factory=dict)
    blocks: Sequence[Block] = ()
    overwritten: set[int] = field(default_factory=set)
    twos: set[int] = field(default_factory=set)
    uses: dict[int, int] = field(default_factory=dict)
    ones: set[int] = field(default_factory=set)
    shared: dict[int, int] | None = None
    logic: dict[int, Logic] = field(default_factory=dict)

    def block(self, block: Block, nest: Nest) -> None:
        """Account for all operations of a block, in order."""
        classes, handlers, counts = opclass.OP_CLASS, HANDLERS, nest.counts
        types, of = self.module.types, self.module.value_types
        nest.ops += len(block.ops)
        for op in block.ops:
            name = op.name
            handler = handlers.get(name)
            if handler is not None:
                handler(self, op, nest)
                continue
            found = classes.get(name)
            if found is None:
                other(self, op, nest)
            elif found >= 0:
                extreme = -1
                if found == FMINMAX or (found == FMAXIMUM and not self.literals.isdisjoint(op.operands)):
                    extreme = kind_of(self, op, found)
                    found = FMINMAX
                counts[found] += 1.0
                if found == _FMUL and not self.twos.isdisjoint(op.operands):
                    fused(nest, DOUBLED)
                results = op.results
                if results:
                    self.follow(op, nest, found)
                    kind = types[of[results[0]]]
                    if kind.bits > nest.bits:
                        nest.bits = kind.bits
                    if kind.kind == "float":
                        if kind.bits > nest.float_bits:
                            nest.float_bits = kind.bits
                    elif kind.kind == "vector":
                        counts[found] -= 1.0
                        wide(nest, kind, found, extreme)
                    elif kind.kind == "tensor":
                        counts[found] -= 1.0
                        tensor_op(self, op, nest, found)
                    if not kind.shape:
                        self.scalar(op, nest, found, kind.bits, extreme)
                        if extreme >= 0:
                            nest.extremes[extreme] = nest.extremes.get(extreme, 0.0) + 1.0

    def scalar(self, op: Op, nest: Nest, op_class: int, bits: int, extreme: int = -1) -> None:
        """Count an operation on scalars by the width of its elements."""
        source, loaded = 0, False
        if op_class in _BETWEEN_WIDTHS:
            source = self.type(op.operands[0]).bits
            waited = self.ready.get(op.operands[0])
            loaded = waited is not None and waited[1] == opclass.LOAD
        elif op_class == opclass.COMPARE:
            bits = self.type(op.operands[0]).bits
        key = op_class, bits, source, loaded
        nest.typed[key] = nest.typed.get(key, 0.0) + 1.0
        if nest.depth:
            note(self, op, nest, key, extreme)

    def retype(self, nest: Nest, before: Typed, after: Typed) -> None:
        """Move one operation from a kind to another."""
        nest.typed[before] -= 1.0
        nest.typed[after] = nest.typed.get(after, 0.0) + 1.0

    def follow(self, op: Op, nest: Nest, op_class: int, times: float = 1.0) -> None:
        """How long the results have waited for what they depend on."""
        ready = self.ready
        longest: Step | None = None
        loaded = op_class not in opclass.OF_MEMORY or (op_class == _FMUL and not self.twos.isdisjoint(op.operands))
        for value in op.operands:
            waited = ready.get(value)
            if waited is not None:
                if waited[1] == opclass.LOAD:
                    loaded = self.use(value, nest, loaded)
                if longest is None or waited[0] > longest[0]:
                    longest = waited
        waited_for = 0.0 if longest is None else longest[0]
        found = waited_for + opclass.LATENCY[op_class] * times, op_class, times, longest
        for value in op.results:
            ready[value] = found
        if found[0] > nest.path:
            nest.path, nest.critical = found[0], found

    def use(self, value: int, nest: Nest, other: bool) -> bool:
        """An operation uses what was loaded: as its operand in memory, if it has no `other` and nobody else uses it."""
        known = self.in_memory.get(value)
        if known is None:
            self.in_memory[value] = not other
            nest.of_loaded += not other
        elif known:
            self.in_memory[value] = False
            nest.of_loaded -= 1.0
        return True

    def child(self, nest: Nest, op: Op, label: str, trip: float, exact: bool, parallel: bool = False) -> Nest:
        """A new loop inside `nest`."""
        self.ivs += 1
        made = Nest(label, op.line, op.column, max(trip, 0.0), exact, self.ivs, nest.depth + 1, parallel)
        made.scope = nest.scope | 1 << 2 * made.iv
        nest.children.append(made)
        self.around[made.iv] = nest.iv
        if exact and trip <= 1:
            self.single.add(made.iv)
        self.trips[id(op)] = self.trips.get(id(op), 1.0) * made.trip
        return made

    def shape(self, value: int) -> tuple[int, ...]:
        """Dims of a shaped value, with what is known of dynamic ones; DEFAULT_TRIP where nothing is."""
        known = self.shapes.get(value)
        if known is None:
            known = self.module.type_of(value).shape
        return tuple(d if d >= 0 else int(DEFAULT_TRIP) for d in known)

    def type(self, value: int) -> Type:
        """The type of a value."""
        return self.module.types[self.module.value_types[value]]

    def number(self, value: int) -> int | None:
        """The value of an index if it is a constant."""
        form = self.forms.get(value)
        if form is None or any(key != CONSTANT and factor for key, factor in form.items()):
            return None
        return form.get(CONSTANT, 0)

    def average(self, form: Form) -> float:
        """A form's value in the middle of the loops that it depends on."""
        middle = self.middle
        return sum(factor * (1.0 if key == CONSTANT else middle.get(key, 0.0)) for key, factor in form.items())


def wide(nest: Nest, kind: Type, op_class: int, of: int = -1) -> None:
    """Account for an operation on vectors: its width, and one operation per 512 bits of it at least. of : which of
    `minmax` it is."""
    size = kind.size * max(kind.bits, 8)
    if size > nest.widths:
        nest.widths = size
    nest.bits = max(nest.bits, kind.bits)
    if kind.is_float:
        nest.float_bits = max(nest.float_bits, kind.bits)
    if op_class == opclass.LIBM:
        nest.counts[op_class] += kind.size  # of each element
        return
    rows, lanes = rows_of(kind)
    add_wide(nest, (op_class, of, rows, lanes, kind.bits, kind.is_float), 1.0)


def rows_of(kind: Type) -> tuple[int, int]:
    """How many rows a vector has, each in registers of its own, and the lanes of one."""
    lanes = kind.shape[-1] if kind.shape else 1
    return kind.size // max(lanes, 1), lanes


def add_wide(nest: Nest, key: Wide, times: float) -> None:
    """Count a vector operation, `legal` says as what."""
    nest.wide[key] = nest.wide.get(key, 0.0) + times
    for index in classes(key):
        nest.counts[index] += units(key) * times


def add_forms(a: Form, b: Form, factor: int = 1) -> Form:
    """a + factor * b."""
    total = dict(a)
    for key, value in b.items():
        total[key] = total.get(key, 0) + factor * value
    return total


def row_major(shape: Sequence[int]) -> tuple[int, ...]:
    """Strides of a contiguous buffer, in elements."""
    strides, size = [], 1
    for dim in reversed(shape):
        strides.append(size)
        size *= max(dim, 1)
    return tuple(reversed(strides))


Handler = Callable[[Builder, Op, Nest], None]
HANDLERS: dict[str, Handler] = {}


def handles(*names: str) -> Callable[[Handler], Handler]:
    """Register a handler; a name that is taken is refused."""

    def register(handler: Handler) -> Handler:
        for name in names:
            if name in HANDLERS:
                raise ValueError(f"The operation '{name}' has a handler already.")
            HANDLERS[name] = handler
        return handler

    return register


def other(b: Builder, op: Op, nest: Nest) -> None:
    """An operation without an entry: its regions are walked once, itself counts as one unit of other work."""
    from featurizers.mlir.tensor_ops import expand

    if expand(b, op, nest):
        return
    b.unknown_ops[op.name] = b.unknown_ops.get(op.name, 0) + 1
    nest.counts[opclass.OTHER] += 1.0
    for region in op.regions:
        for block in region:
            b.block(block, nest)


def tensor_op(b: Builder, op: Op, nest: Nest, op_class: int) -> None:
    """Arithmetic on whole tensors: a loop over the elements."""
    from featurizers.mlir.tensor_ops import elementwise, result_made

    result_made(b, op, nest)
    elementwise(b, op, nest, op_class)


def build(module: Module, dims: Mapping[str, int]) -> tuple[list[Function], dict[int, float]]:
    """All functions with a body, and how often each operation that is a loop runs, by its id. `dims` gives values to
    what is dynamic; see `MlirFeaturizer.parse`.

    Raises InputError: no function; a dynamic shape without a value (it names what is missing).
    """
    import featurizers.mlir.bits
    import featurizers.mlir.control
    import featurizers.mlir.copies
    import featurizers.mlir.indices
    import featurizers.mlir.ranges
    import featurizers.mlir.scalars
    import featurizers.mlir.slices
    import featurizers.mlir.vectors
    import featurizers.mlir.whiles  # noqa: F401
    from featurizers.mlir.bit_loops import replace

    functions: list[Function] = []
    found = _functions(module.ops)
    for op in found:
        replace(module, op.regions[0])
    floating = [kind.is_float for kind in module.types]
    sizes = [kind.size * max(kind.bits, 8) if kind.kind == "vector" else 0 for kind in module.types]
    trips: dict[int, float] = {}
    used: set[str] = set()
    for op in found:
        builder = Builder(module, dims, trips=trips, floating=floating, sizes=sizes)
        functions.append(_function(builder, op, used))
    if not functions:
        raise InputError("The module", "must hold at least one function with a body", where="line 1, column 1")
    unused = sorted(set(dims) - used - {"*"})
    if unused:
        known = sorted(name for f in functions for name in _names(f))
        raise UnknownNameError("dynamic dimension", unused[0], known)
    return functions, trips


def _names(function: Function) -> list[str]:
    return [f"{function.name}:arg0"]


def _functions(ops: Sequence[Op]) -> list[Op]:
    found = []
    for op in ops:
        if op.name in _FUNCTIONS:
            if op.regions and op.regions[0]:
                found.append(op)
        elif op.name in _MODULES or (op.regions and "." in op.name and not op.operands):
            for region in op.regions:
                for block in region:
                    found += _functions(block.ops)
    return found


def _function(b: Builder, op: Op, used: set[str]) -> Function:
    name = str(op.attributes.get("sym_name", "?"))
    blocks = b.blocks = op.regions[0]
    from featurizers.mlir.combine import combine

    combine(b, blocks)
    words = buffers = 0
    notes = op.attributes.get("arg_attrs") or []
    for position, value in enumerate(blocks[0].arguments):
        kind = b.type(value)
        buffers += kind.kind in ("memref", "tensor")
        words += 3 + 2 * len(kind.shape) if kind.kind == "memref" and DYNAMIC in kind.shape else 1
        if position < len(notes) and "llvm.noalias" in notes[position]:
            b.local.add(value)
        _bind(b, name, position, value, kind, op, used)
        if not kind.shape and value not in b.forms:
            b.depends[value] = 0
    body = Nest(f"func {name}", op.line, op.column, 1.0, True, 0, 0)
    body.given.update(blocks[0].arguments)
    from featurizers.mlir.control import region
    from featurizers.mlir.isomorphic import mark

    region(b, blocks, body)
    if len(blocks) == 1:
        mark(b, blocks[0], body)
    body.returns_into = _register_of(b, blocks)
    from featurizers.mlir.scalars import alike
    from featurizers.mlir.straight import straight

    body.alike = alike(b, blocks)
    body.straight = straight(b, blocks)
    constants = frozenset(b.constants)
    return Function(name, op, body, words, buffers, b.calls, op.name == "gpu.func", constants,
                    frozenset(b.floats), b.unknown_ops, b.unknown_trips, b.allocs)  # fmt: skip


def _register_of(b: Builder, blocks: Sequence[Block]) -> str:
    """Whether a function returns its scalar in the register that an argument came in, so that calls wait for each other
    when they are repeated: ``float``, ``int`` or nothing. (x86 has another register for whole numbers.)"""
    results = blocks[-1].ops[-1].operands if blocks[-1].ops else []
    if not results:
        return ""
    kind = b.type(results[0])
    if kind.shape or kind.kind not in ("float", "int", "index"):
        return ""
    given = [b.type(value) for value in blocks[0].arguments]
    if kind.kind == "float":
        return "float" if any(own.kind == "float" for own in given) else ""
    return "int" if any(own.kind != "float" for own in given) else ""


def _bind(b: Builder, name: str, position: int, value: int, kind: Type, op: Op, used: set[str]) -> None:
    """Give an argument's dynamic dims, or an index argument, the value that the caller named."""
    if kind.kind in ("index", "int"):
        for key in (f"{name}:arg{position}", f"arg{position}"):
            if key in b.dims:
                used.add(key)
                b.forms[value] = {CONSTANT: b.dims[key]}
                return
        return
    if DYNAMIC not in kind.shape:
        return
    shape = list(kind.shape)
    for axis, dim in enumerate(shape):
        if dim != DYNAMIC:
            continue
        for key in (f"{name}:arg{position}.{axis}", f"arg{position}.{axis}", "*"):
            if key in b.dims:
                used.add(key)
                shape[axis] = b.dims[key]
                break
        else:
            what = f"Dimension {axis} of argument {position} of function '{name}'"
            rule = f"is dynamic and needs a value: dims={{'arg{position}.{axis}': 64}}, or '*' for all"
            raise InputError(what, rule, where=f"line {op.line}, column {op.column}")
    b.shapes[value] = tuple(shape)
