"""What LLVM's code sizes (`TCK_CodeSize`), by which it unrolls, have of a body beyond one for each operation.

Source (LLVM 22): ``opt-22 -passes='print<cost-model>' -cost-kind=code-size`` for each instruction set.
"""

from __future__ import annotations

from collections.abc import Set
from math import gcd

from featurizers.mlir import counting, divisions, minmax, opclass
from featurizers.mlir.addresses import looked_up
from featurizers.mlir.legal import beyond_units
from featurizers.mlir.loop import Loop, add_counts
from featurizers.mlir.masks import lanes_beyond_counts
from featurizers.mlir.nest import Access, Moving, Nest, jumps
from featurizers.mlir.riscv_pointers import left_pointers, pointers, row_pointers
from featurizers.mlir.widths import free
from featurizers.mlir.written_out import WRITTEN_OUT, Place, added_before, added_in, of_bits, of_one_sum, start_of

_HALF = 16
_FDIV, _IDIV = (opclass.CLASS[name] for name in ("fdiv", "idiv"))


def target_size(loop: Loop, shapes: int) -> float:
    """What an instruction set adds to sizes (`getInstructionCost` for code size): divisions count 4, but not those of
    x86, whose stores to computed addresses and minima count 2; RISC-V has no addressing mode for an index."""
    counts = loop.counts
    size = divisions.size(loop) if loop.divided else 0.0
    size = size + 3.0 * counts[_IDIV] + counts[opclass.IMINMAX] * (loop.isa in ("x86", "aarch64"))
    if loop.fused:
        size += counting.size(loop)
    if counts[opclass.FMINMAX]:
        of = minmax.OF_HALVES if loop.float_bits == _HALF else minmax.COSTS
        size += counts[opclass.FMINMAX] * (minmax.mean(loop.extremes, of, loop.isa) - 1.0)
    if loop.isa == "x86":
        return size + counts[opclass.FMAXIMUM] * (loop.float_bits != _HALF) + len(loop.indexed)
    size += 3.0 * counts[_FDIV]
    return size + counts[opclass.FMAXIMUM] + shapes if loop.isa == "riscv" else size


def shared_sums(loop: Loop, by_shape: dict[Moving | None, int], begins: Set[int]) -> int:
    """Sums of indices that address several buffers: those of one buffer are parts of its address."""
    if not loop.nest.depth or len(loop.accesses) < 2:
        return 0
    shapes = {shape for shape, stride in by_shape.items() if stride and shape and len(shape) > 1}
    if not shapes:
        return 0
    own = {shape for shape in shapes if len(shape) == 1 + sum([key in begins for key, _ in shape])} if begins else set()
    users: dict[tuple[Moving | None, int], int] = {}
    for access in loop.accesses:
        moving = access.moving
        if moving in shapes and (access.constant or moving not in own):
            key = moving, access.constant
            if users.setdefault(key, access.base) != access.base:
                users[key] = _SEVERAL
    return list(users.values()).count(_SEVERAL)


def _begins(loop: Loop) -> frozenset[int]:
    """The loops whose index it goes on from, which makes no sum: that index is its own. Copies of it have sums."""
    return frozenset() if loop.exact and loop.trip != 1 else loop.nest.starts


def _shifted(loop: Loop) -> list[int]:
    """The buffers that each sum of an index and a constant addresses, where they are several, in the copies that full
    unrolling has put into a body: InstCombine makes it a part of the address where nothing else needs it
    (`visitGetElementPtrInst`)."""
    if not loop.unrolled_below:
        return []
    found: list[int] = []
    for moving, stride in loop.by_shape().items():
        if stride and moving and len(moving) == 1:  # others: `shared_sums`
            users: dict[int, set[int]] = {}
            for access in loop.accesses:
                if access.moving == moving:
                    users.setdefault(access.constant, set()).add(access.base)
            least = min(users)
            found += [len(bases) for at, bases in users.items() if len(bases) > 1 and at > least]
    return found


def shifted_sums(loop: Loop) -> float:
    """Instructions for these sums; on RISC-V, there is a pointer into each buffer as well."""
    several = _shifted(loop)
    return float(len(several) + (sum(several) if loop.isa == "riscv" else 0))


def scattered_indices(loop: Loop) -> int:
    """Of these sums, for each buffer, the indices that RISC-V has in a loop of vectors: each strided access goes on by
    one of its own (`RISCVGatherScatterLowering`). So does each of a sum with the indices of loops around, which is no
    part of an address, and of copies that the source has written out, unless their accesses are one of a whole group
    (`getMaxInterleaveFactor`)."""
    if loop.isa != "riscv":
        return 0
    iv = loop.nest.iv
    users: dict[tuple[Moving, int], set[int]] = {}
    written = loop.nest.step > _IN_GROUP and not loop.unrolled_below
    for access in loop.accesses if loop.unrolled_below or written else ():
        moving = access.moving
        if moving and len(moving) > 1 - written and abs(access.stride(iv)) > 1:
            users.setdefault((moving, access.constant), set()).add(access.base)
    return sum(_shifted(loop)) + sum([len(bases) for bases in users.values() if len(bases) > 1])


_IN_GROUP = 8
"""Accesses of a group that RISC-V has one instruction for (``vlseg8e32.v``)."""

_SEVERAL = -1


def _indexed(loop: Loop) -> list[Access]:
    """Stores to an address whose last index is no constant, which x86 counts as two. Of a sum with a constant, as of a
    column in a row, that is the last index (`InstCombinerImpl::visitGetElementPtrInst`), unless several buffers are
    addressed by the sum."""
    found = [a for a in loop.accesses if a.store and a.moving != () and not a.copied]
    if not found:
        return found
    if loop.nest.step != 1:
        shapes = loop.by_shape()
        alone = [next(iter(at)) for (_, shift), at in _addressed(loop, shapes).items() if shift and len(at) == 1]
        last = {at for at in alone if abs(shapes[at[1]]) == min([abs(factor) for _, factor in at[1] or ()])}
        return [a for a in found if (a.base, a.moving, a.constant) not in last]
    divisors = {moving: gcd(*[factor for _, factor in moving]) for moving in {a.moving for a in found} if moving}
    beside = {(a.moving, a.constant) for a in found if a.moving and a.constant % divisors[a.moving]}
    if beside:
        users = _users(loop, beside)
        found = [a for a in found if users.get((a.moving, a.constant), _SEVERAL) == _SEVERAL]
    return found


def _users(loop: Loop, sums: Set[tuple[Moving | None, int]]) -> dict[tuple[Moving | None, int], int]:
    """The buffer that each of these sums of indices addresses, `_SEVERAL` where it is more than one."""
    users: dict[tuple[Moving | None, int], int] = {}
    for access in loop.accesses:
        key = access.moving, access.constant
        if key in sums and users.setdefault(key, access.base) != access.base:
            users[key] = _SEVERAL
    return users


def near_stores(loop: Loop) -> int:
    """Stores that x86 counts as one, in copies that full unrolling has put into a body: their addresses are the first
    one's and a constant, so that only this is an index (`X86TTIImpl::getMemoryOpCost`). A sum that several buffers
    share stays an index."""
    if loop.isa != "x86" or not loop.unrolled_below or len(loop.indexed) < 2:
        return 0
    places: dict[tuple[int, Moving | None], list[int]] = {}
    for access in _indexed(loop):
        if access.moving:
            places.setdefault((access.base, access.moving), []).append(access.constant)
    beyond: list[tuple[Moving | None, int]] = []
    for (_, moving), row in places.items():
        if len(row) > 1:
            first = min(row)
            beyond += [(moving, at) for at in row if at > first]
    if not beyond:
        return 0
    users = _users(loop, set(beyond))
    return sum([users[key] != _SEVERAL for key in beyond])


def neighbouring_sums(loop: Loop, by_shape: dict[Moving | None, int]) -> int:
    """Sums of the index and a constant that places in several rows or buffers share: each row has a pointer of its own,
    which the index is added to, so that the constant is no part of an address. The next index is there already, as it
    is what the loop goes on with."""
    if loop.nest.step != 1 or len(loop.accesses) < 2 or not loop.nest.depth or loop.unrolled_below:
        return 0
    start = start_of(loop)
    rows: dict[int, set[tuple[int, Moving | None, int]]] = {}
    for moving, stride in by_shape.items():
        pitch = _pitch(loop, moving, stride) if stride and not jumps(stride) else 0
        if not pitch:
            continue
        for access in loop.accesses:
            if access.moving == moving:
                shift = (access.constant // stride - start + pitch // 2) % pitch - pitch // 2
                if shift not in (0, 1) and abs(shift) * WRITTEN_OUT < pitch:
                    rows.setdefault(shift, set()).add((access.base, moving, access.constant))
    return sum([len(places) > 1 for places in rows.values()])


def _pitch(loop: Loop, moving: Moving | None, stride: int) -> int:
    """Iterations from one row to the next, where rows are told apart by the index of another loop; else 0."""
    rows = [
        abs(factor)
        for key, factor in moving or ()
        if key != loop.nest.iv and key not in loop.nest.starts and abs(factor) > abs(stride)
    ]
    return min(rows) // abs(stride) if rows and min(rows) % stride == 0 else 0


_CALL_SIZE = 6.0


def measure(loop: Loop) -> None:
    """Size in LLVM instructions: arithmetic, accesses, a multiplication per stride that no addressing mode scales."""
    counts = loop.counts
    if loop.isa == "x86":
        loop.indexed = [a.moving for a in _indexed(loop)]
    size = sum(counts) - counts[opclass.ADDRESS] + 3.0 + beyond_units(loop) - free(loop, loop.isa, sizes=True)
    size += counts[opclass.CALL] * (_CALL_SIZE - 1) + lanes_beyond_counts(loop) + loop.nest.ends - 1
    iv, step = loop.nest.iv, loop.nest.step
    by_shape = loop.by_shape()
    scaled: set[tuple[int, int]] = set()
    begins = _begins(loop)
    summed = 0
    if None in by_shape:
        loop.computed = sum([access.constant for access in loop.accesses if access.moving is None])
        size += loop.computed
    for shape, stride in by_shape.items() if step == 1 else ():
        size_of = abs(stride)
        if size_of > 1 and shape is not None:
            scaled.add((size_of, 0))
            summed += not jumps(stride) and any(
                abs(factor) == size_of and key != iv and key not in begins for key, factor in shape
            )
    loop.tied, loop.before = 0.0, {}
    shifted = _written_out(loop, by_shape, scaled) if step > 1 else 0
    shared = shared_sums(loop, by_shape, begins)
    if loop.nest.starts and not begins:
        loop.begun = float(shared - shared_sums(loop, by_shape, loop.nest.starts))
        size -= loop.begun
    size += target_size(loop, _pointers(loop, by_shape)) + shared
    mixed = min(summed, 2 * len(scaled))
    loop.doublings = sum([_is_power(factor // step) for factor, _ in scaled])
    loop.products, loop.shared = len(scaled) - loop.doublings, shared
    beside = neighbouring_sums(loop, by_shape)
    loop.sums, loop.shifts = mixed, shifted + beside + len(_shifted(loop))
    loop.indexing = float(len(scaled) + shifted + mixed + beside)
    loop.mixed = float(mixed)
    loop.size = size + loop.indexing
    _outside(loop, set(by_shape))


def _is_power(factor: int) -> bool:
    return factor & (factor - 1) == 0


def _written_out(loop: Loop, by_shape: dict[Moving | None, int], scaled: set[tuple[int, int]]) -> int:
    """Indices of the iterations that the source unrolled. One that a single address is made of is part of that address
    (`canonicalizeGEPOfConstGEPI8`); of several, it is an operation, and so is its product with each stride. What an
    affine map multiplies is another index: a product and a sum. scaled : strides that the index is multiplied by; they
    are added here."""
    step = loop.nest.step
    shifts = 0
    for (_, shift), addresses in _addressed(loop, by_shape).items():
        factors = {abs(by_shape[moving]) // step for _, moving, _ in addresses}
        several = len(factors) > 1
        scaled.update([(factor * step, shift if several else 0) for factor in factors if factor > 1])
        if shift and len(addresses) > 1:
            inside = several or not of_one_sum(loop, addresses, shift, max(factors))
            shifts += inside
            if not inside:
                add_counts(loop.before, {added_in(loop, addresses): 1.0}, 1.0)
            loop.tied += of_bits(loop, addresses)
    return shifts


def _addressed(loop: Loop, by_shape: dict[Moving | None, int]) -> dict[tuple[int, int], set[Place]]:
    """The addresses that are made of each index of a loop that the source unrolled, by what multiplies it in an affine
    map and by the iteration."""
    step = loop.nest.step
    users: dict[tuple[int, int], set[Place]] = {}
    for access in loop.accesses:
        stride = abs(by_shape[access.moving])
        if stride >= step:
            index = access.scale, access.constant // (stride // step) % step
            users.setdefault(index, set()).add((access.base, access.moving, access.constant))
    return users


def _written_out_inside(loop: Loop) -> int:
    """The same where the iterations are jammed into a loop inside, around which their indices stay: operations for
    these and for their products. Loops that begin with the index, as those of a tile do, have their own."""
    if any(loop.nest.iv in inside.starts for inside in loop.nest.walk()):
        return 0
    return sum([_jammed(child, loop.nest, []) for child in loop.children])


_Jammed = dict[int, dict[int, set[int]]]


def _jammed(inside: Loop, around: Nest, before: list[Access]) -> int:
    """Of a body and those in it: each has its own indices, but for those of loads of bodies around, which stand before
    it. One index with one product is part of the address that this is of (``(x + c) * s`` is ``x * s + c * s`` then),
    or a sum where several buffers have it."""
    known = _by_shift(before, around)
    found = _by_shift([*before, *inside.accesses], around)
    total = sum([_operations(factors) for factors in found.values()])
    total -= sum([_operations(factors) for factors in known.values()])
    if inside.children:
        before = before + [access for access in inside.accesses if not access.store]
        total += sum([_jammed(child, around, before) for child in inside.children])
    return total


def _by_shift(accesses: list[Access], around: Nest) -> _Jammed:
    """Buffers by what the index of each iteration that was written out is multiplied with."""
    found: _Jammed = {}
    for access in accesses:
        factor = abs(access.stride(around.iv)) // around.step
        if factor and not jumps(factor):
            shift = (access.constant + factor // 2) // factor % around.step
            found.setdefault(shift, {}).setdefault(factor, set()).add(access.base)
    found.pop(0, None)
    return found


def _operations(factors: dict[int, set[int]]) -> int:
    if len(factors) > 1:
        return 1 + len(factors.keys() - {1})
    return any(len(bases) > 1 for bases in factors.values())


def _pointers(loop: Loop, by_shape: dict[Moving | None, int]) -> int:
    """Addresses that move with the index of a loop, or with what it loads."""
    if loop.isa != "riscv":
        return 0
    alone: set[Place] = set()
    for (_, shift), places in _addressed(loop, by_shape).items() if loop.nest.step > 1 else ():
        if shift and len(places) > 1:  # indices of several buffers
            alone |= {place for place in places if by_shape[place[1]] > 0}
    found = pointers(loop, by_shape, start_of(loop), alone)
    return found + int(looked_up(loop) if None in by_shape and not loop.nest.uncounted else 0)


_GUARD, _HOISTED_GUARD, _HOISTED_MINIMUM, _KNOWN_GUARD = 3.0, 5.0, 3.0, 4.0
"""Whether a loop runs at all whose length is not known: a comparison, and branches there and back. It stands in the
innermost loop that the length depends on; those between are unswitched for it (`SimpleLoopUnswitch`). That of a tile is
known to hold where it stands in the loop itself, which leaves its end.
Those of known length that begin with the index of a loop further out leave branches there."""


def _outside(loop: Loop, shapes: set[Moving | None]) -> None:
    """What the loops inside need of this one: the way into each, and what varies with it in their addresses."""
    loop.shapes, loop.folded = shapes, 0.0
    if loop.children:
        below = set[Moving | None]().union(*[child.shapes for child in loop.children])
        own, inside = _factors(loop.nest, shapes), _factors(loop.nest, below)
        products = sum([stride > 1 and not (stride - 1 in own or stride - 1 in inside) for stride in inside - own])
        products += _written_out_inside(loop) if loop.nest.step > 1 else 0
        shapes |= below
        guards = [_guards(child, loop, True) for child in loop.children]
        loop.size += len(loop.children) + products + _KNOWN_GUARD * loop.nest.begun + sum([size for size, _ in guards])
        loop.size += row_pointers(loop) if loop.isa == "riscv" else 0
        loop.size += added_before(loop.children, loop.nest.iv)
        loop.indexing += products
        loop.folded = len(loop.children) + sum([folded for _, folded in guards])


def _factors(nest: Nest, shapes: Set[Moving | None]) -> set[int]:
    """What the index of a loop is multiplied by."""
    iv, step = nest.iv, nest.step
    return {abs(factor) // step for shape in shapes if shape for key, factor in shape if key == iv}


def _guards(loop: Loop, around: Loop, inside: bool) -> tuple[float, float]:
    """Size of what stands in the loop `around` of the guards of a loop in it, and of those in that; and what is folded
    of it when LLVM puts blocks together: all but the comparison and one branch, for a tile these too."""
    size = folded = 0.0
    if not loop.exact:
        bounds = loop.nest.bounded_by
        if bounds and max(bounds) == around.nest.iv and inside and _always_runs(loop):
            size = float(around.nest.iv not in loop.nest.starts)  # its end
        elif bounds and max(bounds) == around.nest.iv:
            size = _GUARD if inside else _HOISTED_GUARD
            folded = size if loop.nest.cut else size - 2.0
            size += _HOISTED_MINIMUM * (loop.nest.cut and not inside)
        elif not bounds and inside and (not loop.nest.uncounted or loop.nest.share < 1.0):
            size = 2.0
    for child in loop.children:
        more = _guards(child, around, False)
        size, folded = size + more[0], folded + more[1]
    return size, folded


def _always_runs(loop: Loop) -> bool:
    """Whether LLVM knows that a loop whose length is not known runs at all (`isLoopEntryGuardedByCond`)."""
    return loop.nest.linear and loop.nest.least > 0


_DELETED = 1.0
"""Branches that a loop of one iteration leaves between its blocks, beside the way into it, which are only put together
later."""


def unfolded(child: Loop, around: Loop) -> float:
    """Size of the copies of an unrolled body: products with its index are constants now, unless it begins with another
    index (the rows of a tile), sums with others are not. Of stores that move with it, the first is to a computed
    address still, unless it moves with no other loop; so are all whose index is that of a loop of one iteration, which
    each copy computes behind its branches."""
    once, resumed = max(child.raw - 3.0 - child.early_indexing + child.early_begun, 0.0), around.resumed
    left = left_pointers(child, around) if child.isa == "riscv" and not child.nest.starts else 0.0
    iv, fixed = child.nest.iv, 0.0
    if child.trip == 1:
        moves = [moving and tuple([pair for pair in moving if pair[0] != iv]) for moving in child.early_indexed]
        around.early_indexed += [rest for rest in moves if rest != ()]
        kept = 0.0 if around.nest.iv in child.nest.starts else child.early_indexing  # until they move out
        add_counts(around.kept, {**child.kept, **dict.fromkeys(child.nest.starts, kept)}, 1.0)
        around.deleted += _DELETED + child.deleted
        around.settled += child.settled
        return once + _DELETED + kept - moves.count(()) + left
    around.deleted += child.deleted * child.trip
    add_counts(around.kept, child.kept, 1.0)
    sums = 2.0 * child.early_mixed * max(child.trip - 1.0, 0.0)
    if child.nest.starts and child.early_indexing > child.early_mixed:  # its copies add to the start
        begun = (child.early_indexing - child.early_mixed) * child.trip + child.trip - 1.0
        if child.children:
            sums += begun
        else:
            around.resumed += begun
    around.settled += sums + child.settled * child.trip
    for moving in child.early_indexed:
        rest = tuple([pair for pair in moving or () if pair[0] != iv])
        if moving is None or rest == moving:
            around.early_indexed += [moving] * int(child.trip)
            continue
        if not child.nest.starts and not (child.kept and any(key in child.kept for key, _ in moving)):
            fixed += child.trip - bool(rest)
        if rest:
            around.early_indexed.append(rest)
    return once * child.trip - fixed + sums + around.resumed - resumed + left
