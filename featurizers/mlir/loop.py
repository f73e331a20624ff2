"""A loop after the middle end: what is left of its body, and what was found out about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec
from msgspec import field

from featurizers.mlir.domain import Lengths
from featurizers.mlir.latency import Step
from featurizers.mlir.nest import Access, Chain, Divided, Fixed, Moving, Nest, Typed, Wide, strides

if TYPE_CHECKING:
    from featurizers.mlir.slp import Runs
    from featurizers.mlir.widened import Sums

VECTORISABLE, NOT_INNERMOST, HAS_CALL, CARRIED, DEPENDENCE, NOT_LINEAR, WIDE_ALREADY, TOO_FEW = range(8)


Share = tuple[int, int, bool, float]
"""See `widths.mix`."""


_Key = TypeVar("_Key")


class Loop(msgspec.Struct):
    """A loop that is left after the middle end. counts, accesses : per iteration, of what stays in the body.

    isa : the instruction set that sizes are for. bits, widths, float_bits : as of `Nest`, with what is merged
    in. copies : iterations of inner loops that full unrolling put into one. size : of the body in LLVM instructions,
    total : with the loops inside. fixed : loops whose copies are in the body. weight : executions of the body in all.
    around : iterations of the loop around. factor : copies of this loop that unrolling the loop around it made,
    multiplicity : in the whole function. path, critical : as of `Nest`. serial : dependent steps of accumulators of
    inner loops in one iteration, in_turn : of all that stand one after the other, see `optimise._in_turn`. lifted :
    accesses that moved out, to the body around; the first `lifted_early` of them before anything was unrolled. raw :
    size as full unrolling finds it. indexing : operations on the index in the body, mixed : those of them on sums of
    indices; early : the same then. forwarded : loads of what was stored just before, at places that stay written. runs
    : see `slp`. computed : operations for addresses that are not linear. shapes : how the accesses of the body and of
    the loops inside move. unit, strided, invariant, gathered : accesses by their stride. wide, typed, divided, guarded,
    ways, live_bits, held_floats, literals, stacked, masks, whole_masks, across, across_in_memory, called_loaded,
    functions, extremes : as of `Nest`. mix, narrowest, widest : see `widths`. moved_by_calls : calls that copy or clear
    what a loop was of. plain : see `legal`. depth : loops around that are left. lengths : as of `Nest`, of those
    executions that are left. skipped : as of `Nest`. folded : of its size, the branches that are gone when loops are
    unrolled for the last time; deleted : of `raw`, those between the blocks of loops of one iteration.
    overlapping : share of its executions whose overlap checks fail, see `overlaps`; refused : whether they always do,
    so that there are no vectors. summed : of a loop without its sums, these, see `widened`.
    serial_of : the buffers whose places take the steps of `serial`, 0 for values that are in none.
    settled : of `raw`, sums of indices that full unrolling left, which vary with none of the loops that are unrolled.
    held_around : whether a loop around, or the function, needs floats that wait in registers all the time.
    passing : as of `Nest`.
    products, doublings, sums : of the index, for addresses: with strides that are no powers of two, with those that
    are; sums : with indices of other loops; shifts : with constants; shared : sums with the indices of loops around
    that several buffers have in common.
    still : as of `Nest`, moved : what moved out of it, until the loop around has it; moved_out : how much did.
    by_masks, fused : as of `Nest`.
    part : of its executions, those that this version has, see `unswitch`; parted : loops on which that depends; unmet :
    size of a version that never runs, until that is known.
    passed_on : of `forwarded`, those that are read again; and stores to a buffer whose last value was read just before.
    kept : products with the index of a loop around that are in this one until they move out.
    resumed : indices of unrolled bodies that begin with the index of a loop around, until that is known.
    begun : sums with an index that this one begins with, which only its copies have, and so not its size.
    tied : of `indexing`, constants put into sums with the indices of loops around, without what is gone beside it when
    the index is known; early_tied : the same then. before : constants of written out iterations that are added in a
    loop around, by its index. pointers, ways_in : see `riscv_pointers`; early : those of `raw`.
    """

    nest: Nest
    trip: float
    exact: bool
    counts: list[float]
    accesses: list[Access]
    chains: list[Chain]
    isa: str = "x86"
    bits: int = 0
    widths: int = 0
    float_bits: int = 0
    children: list[Loop] = field(default_factory=list)
    copies: float = 1.0
    size: float = 0.0
    weight: float = 1.0
    entries: float = 1.0
    around: float = 1.0
    factor: float = 1.0
    multiplicity: float = 1.0
    total: float = 0.0
    path: float = 0.0
    critical: Step | None = None
    serial: float = 0.0
    in_turn: float = 0.0
    unrolled: bool = False
    legality: int = VECTORISABLE
    checks: int = 0
    unit: int = 0
    strided: int = 0
    invariant: int = 0
    gathered: int = 0
    streams: int = 0
    live_int: int = 0
    live_float: int = 0
    held_floats: int = 0
    literals: int = 0
    store_run: int = 1
    memory_chain: bool = False
    serial_chain: Chain | None = None
    removed: int = 0
    hoisted: int = 0
    unrolled_below: int = 0
    fixed: frozenset[int] = frozenset()
    decided: list[tuple[float, float]] = field(default_factory=list)
    raw: float = 0.0
    indexing: float = 0.0
    mixed: float = 0.0
    early_indexing: float = 0.0
    early_mixed: float = 0.0
    indexed: list[Moving | None] = field(default_factory=list)
    early_indexed: list[Moving | None] = field(default_factory=list)
    folds: float = 0.0
    of_loaded: float = 0.0
    immediates: float = 0.0
    lifted: list[Access] = field(default_factory=list)
    lifted_early: int = 0
    forwarded: int = 0
    passed_on: int = 0
    computed: int = 0
    shapes: set[Moving | None] = field(default_factory=set)
    runs: Runs | None = None
    wide: dict[Wide, float] = field(default_factory=dict)
    typed: dict[Typed, float] = field(default_factory=dict)
    divided: dict[Divided, float] = field(default_factory=dict)
    guarded: float = 0.0
    ways: float = 0.0
    mix: dict[int, list[Share]] | None = None
    narrowest: int = 8
    widest: int = 8
    live_bits: int = 0
    stacked: float = 0.0
    masks: dict[frozenset[int], float] = field(default_factory=dict)
    whole_masks: float = 0.0
    moved_by_calls: float = 0.0
    plain: bool | None = None
    across: float = 0.0
    across_in_memory: float = 0.0
    called_loaded: float = 0.0
    functions: float = 0.0
    extremes: dict[int, float] = field(default_factory=dict)
    depth: int = 0
    lengths: Lengths = ()
    skipped: float = 0.0
    folded: float = 0.0
    deleted: float = 0.0
    settled: float = 0.0
    resumed: float = 0.0
    overlapping: float = 0.0
    refused: bool = False
    summed: Sums | None = None
    serial_of: frozenset[int] = frozenset()
    held_around: bool = False
    passing: list[tuple[int, Chain]] = field(default_factory=list)
    products: int = 0
    doublings: int = 0
    sums: int = 0
    shifts: int = 0
    shared: int = 0
    still: list[Fixed] = field(default_factory=list)
    moved: list[Fixed] = field(default_factory=list)
    moved_out: float = 0.0
    by_masks: float = 0.0
    part: float = 1.0
    parted: frozenset[int] = frozenset()
    unmet: float = 0.0
    begun: float = 0.0
    early_begun: float = 0.0
    tied: float = 0.0
    early_tied: float = 0.0
    before: dict[int, float] = field(default_factory=dict)
    pointers: int = 0
    early_pointers: int = 0
    ways_in: set[tuple[int, Moving | None]] = field(default_factory=set)
    early_ways: set[tuple[int, Moving | None]] = field(default_factory=set)
    kept: dict[int, float] = field(default_factory=dict)
    fused: dict[int, float] = field(default_factory=dict)
    known_strides: tuple[list[Access], int, dict[Moving | None, int]] | None = None

    def parts(self, size: int, within: int = 0, kept: int = 0) -> tuple[float, float]:
        """How often so many iterations fit into an execution, on average, and how many are left. within : of what is
        left of it by steps of so many. kept : iterations that are left in any case."""
        whole = rest = 0.0
        for length, share in self.lengths or ((self.trip, 1.0),):
            left = length % within if within else length
            times = max(left - kept, 0) // size
            whole += times * share
            rest += (left - times * size) * share
        return whole, rest

    @property
    def most(self) -> int:
        """The most iterations, where the length is not known but its bounds are linear, so that LLVM knows of them
        (`getSmallConstantMaxTripCount`), or a counter is among its conditions; else 0."""
        if self.nest.at_most:
            return self.nest.at_most
        if self.exact or not self.nest.linear:
            return 0
        return max([length for length, _ in self.lengths], default=0)

    def by_shape(self) -> dict[Moving | None, int]:
        """The stride over this loop of every way in which its accesses move. Kept in `known_strides` while `accesses`
        is the same list, and as long: who changes one of them makes a new list."""
        known, accesses = self.known_strides, self.accesses
        if known is None or known[0] is not accesses or known[1] != len(accesses):
            known = self.known_strides = accesses, len(accesses), strides(accesses, self.nest.iv)
        return known[2]

    @property
    def is_float(self) -> bool:
        """As of `Nest`."""
        return self.float_bits > 0

    def walk(self) -> list[Loop]:
        """This loop and those below."""
        found = [self]
        for child in self.children:
            found += child.walk()
        return found


def add_counts(into: dict[_Key, float], more: dict[_Key, float], times: float) -> None:
    """Add so many times what is counted by key."""
    for key, count in more.items() if times else ():
        into[key] = into.get(key, 0.0) + count * times
