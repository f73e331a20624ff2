"""The loop-nest tree of a function as it is written: what each loop's body does per iteration. No CPU yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec
from msgspec import field

from featurizers.mlir.latency import Step, Steps
from featurizers.mlir.module import Op
from featurizers.mlir.opclass import COUNT
from featurizers.mlir.straight import Straight

if TYPE_CHECKING:
    from featurizers.mlir.domain import Level

Form = dict[int, int]
"""An index as a linear form: coefficient by loop (`Nest.iv`), and the constant under CONSTANT."""

Moving = tuple[tuple[int, int], ...]
"""The same without the constant: (loop, coefficient), in the order of loops and without zeros."""

Wide = tuple[int, int, int, int, int, bool]
"""A vector operation: class (or a kind of `legal`), class of what it is made of, rows, lanes of a row, bits, whether of
floats."""

Typed = tuple[int, int, int, bool]
"""An operation on scalars: class, bits of its elements, bits that it converts from (0: none), whether of what was just
loaded; of shifts, whether they are of a product with a constant; of minima, whether they are one instruction of x86."""

Divided = tuple[int, bool, bool, bool]
"""A division by a constant: bits, whether signed, whether the remainder is asked for, whether the quotient is known."""

Fixed = tuple[int, tuple[tuple[int, bool], ...], Typed, int, float]
"""An operation that does not vary in all loops around it, see `invariant.note`: what it depends on, its buffers and
whether they are from outside, its class, which of `minmax` it is, how often it is done."""

CONSTANT = -1
PASSED = -2

JUMP = 1 << 40
"""Elements from one iteration to the next of a place that a loop computes or loads, as the loops inside it see it."""


def jumps(stride: int) -> bool:
    """Whether a stride is of places that are anywhere."""
    return abs(stride) >= JUMP


class Access(msgspec.Struct, gc=False):
    """A memory access. base : value id of the buffer. moving : (loop, coefficient) of the element offset, in the order
    of loops and without zeros, None where the offset is not linear; constant : the rest of it, or the operations that
    an address takes that is not linear.

    lanes : elements moved at once. external : whether the buffer came from outside (may alias any other such one).
    fill : a store of zero. called : what memcpy or memset does. maybe : under a
    condition. apart : a store in a block of its own, between loops or branches. whole : of whole numbers. copied : of
    what memcpy or memset is expanded to. shape : of a store, see `isomorphic`. spread : whether one
    element is read into all lanes. place : its last index, where that is loaded. scale : what an affine map multiplies
    the index by, of a loop that the source has unrolled. into : of a store, the class of the one kind of operation
    between what was loaded there before and what it stores, -1 where that is not known.
    """

    base: int
    moving: Moving | None
    constant: int
    store: bool
    bits: int
    lanes: int = 1
    external: bool = True
    fill: bool = False
    called: bool = False
    maybe: bool = False
    apart: bool = False
    whole: bool = False
    copied: bool = False
    shape: int = 0
    scale: int = 1
    spread: bool = False
    place: int = 0
    into: int = -1

    @property
    def form(self) -> Form | None:
        """The element offset as a linear form."""
        return None if self.moving is None else {CONSTANT: self.constant, **dict(self.moving)}

    def stride(self, iv: int) -> int:
        """Elements from one iteration of a loop to the next; 0 also where the offset is not linear."""
        moving = self.moving
        if moving:
            for key, factor in moving:
                if key == iv:
                    return factor
        return 0

    def shifted(self, iv: int, iteration: int) -> Access:
        """In one iteration of a loop: a constant in place of its index."""
        step = self.stride(iv)
        if not step:
            return self
        rest = tuple([pair for pair in self.moving or () if pair[0] != iv])
        constant = self.constant + step * iteration
        return Access(self.base, rest, constant, self.store, self.bits, self.lanes, self.external, self.fill,
                      self.called, self.maybe, self.apart, self.whole, self.copied, self.shape,
                      spread=self.spread, into=self.into)  # fmt: skip


def iterations(accesses: list[Access], iv: int, trip: int, by_shape: dict[Moving | None, int]) -> list[Access]:
    """The accesses of each iteration of a loop in order, as `Access.shifted` gives them one by one. by_shape : their
    `strides`."""
    rests = {moving: tuple([pair for pair in moving or () if pair[0] != iv]) for moving in by_shape}
    copies: list[list[Access]] = []
    for a in accesses:
        step = by_shape[a.moving]
        if not step:
            copies.append([a] * trip)
            continue
        base, rest, store, bits, lanes, external, shape = (
            a.base, rests[a.moving], a.store, a.bits, a.lanes, a.external, a.shape,
        )  # fmt: skip
        fill, called, maybe, apart, whole, copied = a.fill, a.called, a.maybe, a.apart, a.whole, a.copied
        spread, into = a.spread, a.into
        copies.append([
            Access(base, rest, constant, store, bits, lanes, external, fill, called, maybe, apart, whole, copied, shape,
                   spread=spread, into=into)
            for constant in range(a.constant, a.constant + step * trip, step)
        ])  # fmt: skip
    return [access for iteration in zip(*copies, strict=True) for access in iteration]


def strides(accesses: list[Access], iv: int) -> dict[Moving | None, int]:
    """The stride over a loop of every way in which accesses move; 0 where an offset is not linear."""
    found: dict[Moving | None, int] = dict.fromkeys([access.moving for access in accesses], 0)
    for moving in found:
        for key, factor in moving or ():
            if key == iv:
                found[moving] = factor
    return found


def moving_of(form: Form) -> Moving:
    """The part of a linear form that varies, in the order of loops."""
    if len(form) < 3:
        return tuple([pair for pair in form.items() if pair[0] != CONSTANT and pair[1]])
    return tuple(sorted([pair for pair in form.items() if pair[0] != CONSTANT and pair[1]]))


class Chain(msgspec.Struct):
    """A value carried from one iteration to the next: class of the operation on it, -1 for none, PASSED for an inner
    loop that carries it on; bits of its type; reassociable : integer, or floating point with `reassoc`.

    steps : operations of that class, one after the other, from the value to its next one. whole : those of all unrolled
    copies are counted. used : the body stores a value of it, which makes it no reduction. kinds : all operations from
    the value to its next one, where they are known; timed : those of whole numbers, as the code has them, see
    `whole_steps`.
    taken : something is subtracted. stored : each step is, in memory that others may read. base : the buffer whose
    place it is, 0 for none.
    """

    op_class: int
    bits: int
    is_float: bool
    reassociable: bool
    steps: float = 1.0
    whole: bool = False
    used: bool = False
    kinds: Steps = ()
    timed: Steps = ()
    taken: bool = False
    stored: bool = False
    base: int = 0


class Nest(msgspec.Struct):
    """A loop (or a function's body, of trip 1).

    trip : iterations per execution. exact : known at compile time. iv : its number in forms. counts : per iteration
    by class, of scalar or vector operations. widths : of vector operations, the largest size in bits (0: scalar
    code). bits : the widest element computed on, float_bits : the widest of floats, 0 without any. live_int,
    live_float : most values alive at a point of the body. invariants : scalars from outside that the body uses,
    held_floats, literals : those of them of floating point, and constants. path : longest chain of dependent operations
    in the body, in typical cycles; critical : that chain. step : of the index as it is written. uncounted : it ends by
    what it computes. starts : the loops whose index it begins with (the points of a tile), begun : how many loops of
    known length, not directly inside, begin with this one's. bounded_by : the loops that the trip count depends on,
    empty where it is exact or not known, and lengths : the trip counts that occur, with their shares; least : the
    smallest of all. cut : it ends at the smaller of two bounds. linear : its bounds are one linear form each. share :
    of the iterations around in which it is entered. skipped : operations of an iteration that are not run, on average.
    folds : products that are added. of_loaded : operations on what was just loaded. immediates : operations on
    whole numbers with a constant. reloads : of what the iteration before has stored, see `stored.by_memory`.
    returns_into : of a function's body, see `build._register_of`; alike : see `scalars.alike`. wide : vector
    operations with their numbers, of which `counts` has one per 512 bits; divided : see `divisions`; guarded :
    operations behind branches, ways : to go on after them, beyond one for each. typed : operations on scalars by width.
    live_bits : of the vectors alive at a point. stacked : rows of transfers of several, which go through the stack.
    owned : buffers that are made here, with the calls that each takes. masks : lanes of
    accesses under a mask, by the loops that it depends on; whole_masks : those in vectors of 128 bits.
    given : buffers of a function's body that are the caller's. across : floats that wait while the mathematical library
    is called; in_memory : loaded ones that are operands there later; rounding : while a fused product of halves is
    rounded; called_loaded : calls of what was just loaded;
    functions : those that are no intrinsics. stepwise : a value that goes on through memory, where iterations are one
    block, see `stored`; passing : such values of loops around (`iv`), where this one is of a single iteration.
    extremes : operations of class FMINMAX by their kind, see `minmax`. by_masks : choices that are no branch
    anywhere, see `ranges`. scope : a bit for it and
    each loop around, still : operations that do not vary in all of those, see `invariant`. ends, at_most : of a loop
    that ends by what it computes, the conditions that it goes on by, and the most iterations that one of them lets it
    have (0: any number); begins_by : numbers it begins with. straight : of a function of scalars in one block. fused :
    see `fused`. level : its bounds, where they are known. divisions : see `rounding`.
    """

    label: str
    line: int
    column: int
    trip: float
    exact: bool
    iv: int
    depth: int
    parallel: bool = False
    counts: list[float] = field(default_factory=lambda: [0.0] * COUNT)
    accesses: list[Access] = field(default_factory=list)
    children: list[Nest] = field(default_factory=list)
    chains: list[Chain] = field(default_factory=list)
    widths: int = 0
    bits: int = 0
    float_bits: int = 0
    live_int: int = 0
    live_float: int = 0
    invariants: int = 0
    held_floats: int = 0
    literals: int = 0
    ops: int = 0
    unknown_trip: bool = False
    uncounted: bool = False
    path: float = 0.0
    critical: Step | None = None
    step: int = 1
    bounded_by: frozenset[int] = frozenset()
    starts: frozenset[int] = frozenset()
    begun: int = 0
    lengths: tuple[tuple[int, float], ...] = ()
    least: int = 0
    cut: bool = False
    linear: bool = False
    share: float = 1.0
    skipped: float = 0.0
    folds: float = 0.0
    of_loaded: float = 0.0
    reloads: int = 0
    immediates: float = 0.0
    returns_into: str = ""
    alike: tuple[int, int] = (0, 0)
    wide: dict[Wide, float] = field(default_factory=dict)
    typed: dict[Typed, float] = field(default_factory=dict)
    divided: dict[Divided, float] = field(default_factory=dict)
    guarded: float = 0.0
    ways: float = 0.0
    live_bits: int = 0
    stacked: float = 0.0
    owned: dict[int, float] = field(default_factory=dict)
    masks: dict[frozenset[int], float] = field(default_factory=dict)
    whole_masks: float = 0.0
    given: set[int] = field(default_factory=set)
    across: int = 0
    across_in_memory: int = 0
    across_rounding: int = 0
    called_loaded: int = 0
    functions: int = 0
    stepwise: Chain | None = None
    passing: list[tuple[int, Chain]] = field(default_factory=list)
    divisions: dict[str, int] = field(default_factory=dict)
    extremes: dict[int, float] = field(default_factory=dict)
    scope: int = 0
    by_masks: float = 0.0
    still: list[Fixed] = field(default_factory=list)
    ends: int = 1
    at_most: int = 0
    begins_by: int = 0
    straight: Straight | None = None
    fused: dict[int, float] = field(default_factory=dict)
    level: Level | None = None

    @property
    def is_float(self) -> bool:
        """Whether any float is computed or moved."""
        return self.float_bits > 0

    def walk(self) -> list[Nest]:
        """This nest and all below it, outermost first."""
        found = [self]
        for child in self.children:
            found += child.walk()
        return found


class Function(msgspec.Struct):
    """A function. arguments : machine words that its arguments take (a memref of dynamic shape is a
    descriptor of 3 + 2 rank words, another a pointer). constants, floats : (bits, value) of large whole numbers, and of
    floating-point ones. op : where it stands in its module. unknown_ops : operations that nothing here knows, with how
    often they occur. unknown_trips : loops whose length is not known."""

    name: str
    op: Op
    body: Nest
    arguments: int
    buffers: int
    calls: list[tuple[str, float]] = field(default_factory=list)
    is_kernel: bool = False
    constants: frozenset[tuple[int, int]] = frozenset()
    floats: frozenset[tuple[int, float]] = frozenset()
    unknown_ops: Mapping[str, int] = field(default_factory=dict)
    unknown_trips: int = 0
    allocations: int = 0
