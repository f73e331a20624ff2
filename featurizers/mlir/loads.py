"""Loads that a compiler leaves out of a body: what does not vary, what was read already, what is in a register."""

from __future__ import annotations

from collections.abc import Iterable

from featurizers.mlir import opclass
from featurizers.mlir.loop import Loop
from featurizers.mlir.nest import PASSED, Access, Chain, Moving

Key = tuple[int, Moving | None, int]
Shapes = dict[Moving | None, set[int]]
"""Places of a buffer by how they move."""


def _key(access: Access) -> Key:
    return access.base, access.moving, access.constant


class Written:
    """The stores of a loop, by what they may overwrite."""

    def __init__(self, stores: Iterable[Access]):
        self.external: set[int] = set()
        self.unknown: set[int] = set()
        self.places: dict[int, dict[Moving, set[int]]] = {}
        for store in stores:
            if store.external:
                self.external.add(store.base)
            if store.moving is None:
                self.unknown.add(store.base)
            else:
                self.places.setdefault(store.base, {}).setdefault(store.moving, set()).add(store.constant)

    def may_overwrite(self, access: Access) -> bool:
        """Whether any of the stores may write where the access reads. Two buffers from outside may overlap; two offsets
        of one buffer are told apart where they move alike."""
        base = access.base
        if access.external and (len(self.external) > 1 or (self.external and base not in self.external)):
            return True
        same = self.places.get(base)
        if base in self.unknown or (same and access.moving is None):
            return True
        if not same:
            return False
        return len(same) > 1 or access.moving not in same or access.constant in same[access.moving or ()]

    def others_may_overwrite(self, store: Access) -> bool:
        """`may_overwrite` by all of the stores but those to the same place."""
        base = store.base
        if store.external and len(self.external) > (base in self.external):
            return True
        return base in self.unknown or len(self.places.get(base, ())) > 1


class _Read:
    """The loads of a body, by what may read a place."""

    def __init__(self, accesses: Iterable[Access]):
        self.external: set[int] = set()
        self.shapes: dict[int, set[Moving | None]] = {}
        for access in accesses:
            if not access.store:
                if access.external:
                    self.external.add(access.base)
                self.shapes.setdefault(access.base, set()).add(access.moving)

    def may_read(self, store: Access) -> bool:
        """Whether any load of another place may be of what a store writes."""
        base = store.base
        if store.external and len(self.external) > (base in self.external):
            return True
        shapes = self.shapes.get(base, ())
        return len(shapes) > (store.moving in shapes)


class _Inside:
    """The accesses of the loops inside."""

    def __init__(self, loop: Loop):
        self.bases: set[int] = set()
        self.external: set[int] = set()
        for child in loop.children:
            for inner in child.walk():
                for access in inner.accesses:
                    self.bases.add(access.base)
                    if access.external:
                        self.external.add(access.base)

    def may_touch(self, store: Access) -> bool:
        """Whether any of them may be of what a store writes."""
        return store.base in self.bases or (store.external and bool(self.external))


def hoist(loop: Loop) -> None:
    """Loads that do not vary move out when nothing may overwrite them; an accumulator in memory becomes a register
    that is still stored where other accesses may read it."""
    still = {moving for moving, stride in loop.by_shape().items() if not stride and moving is not None}
    if not still:
        return
    stores = [a for a in loop.accesses if a.store]
    for child in loop.children:
        stores += [a for inner in child.walk() for a in inner.accesses if a.store]
    written = Written(stores)
    kept = []
    fixed_stores: dict[Key, Access] = {}
    for access in loop.accesses:
        if access.moving in still:
            if access.store and not access.maybe:
                fixed_stores[access.base, access.moving, access.constant] = access
            elif not written.may_overwrite(access):
                loop.hoisted += 1
                loop.lifted.append(access)
                loop.counts[opclass.LOAD] = max(loop.counts[opclass.LOAD] - moves(access), 0.0)
                continue
        kept.append(access)
    if len(kept) < len(loop.accesses):
        loop.accesses = kept
    if fixed_stores:
        _registers(loop, still, written, fixed_stores)


def _registers(loop: Loop, still: set[Moving], written: Written, fixed: dict[Key, Access]) -> None:
    """Places that the body reads and writes in every iteration, and nothing else may write, live in registers. What
    is written before it is read is no accumulator: each iteration has a value of its own. still : how what does not
    vary moves over the loops around."""
    reads: dict[Key, list[Access]] = {}
    writes: dict[Key, int] = {}
    begun: dict[Key, bool] = {}
    for access in loop.accesses:
        if access.moving in still:
            key: Key = access.base, access.moving, access.constant
            if key in fixed:
                begun.setdefault(key, access.store and not access.maybe)
                if access.store:
                    writes[key] = writes.get(key, 0) + 1
                else:
                    reads.setdefault(key, []).append(access)
    carried = {_key(access) for access in loop.lifted}
    read = _Read(loop.accesses)
    below = _Inside(loop)
    unread, gone = set[Key](), set[Key]()
    for key, store in fixed.items():
        loads = reads.get(key, [])
        if written.others_may_overwrite(store):
            continue
        elsewhere = read.may_read(store) or below.may_touch(store)
        if begun[key] and key not in carried:
            if elsewhere or (store.external and not loads):
                continue
            gone.add(key)
            loop.lifted.append(store)
        elif not loads or (begun[key] and loop.children):
            continue
        else:
            loop.lifted.append(loads[0])
            inside = loop.serial if not loop.serial_of or not loop.serial_of.isdisjoint((0, store.base)) else 0.0
            loop.chains.append(_memory_chain(loop, store, max(float(writes[key]), inside), elsewhere))
            if elsewhere or (store.external and not loads):
                loop.memory_chain = True
            else:
                gone.add(key)
                loop.lifted.append(store)
        unread.add(key)
        loop.hoisted += len(loads)
        loop.counts[opclass.LOAD] = max(loop.counts[opclass.LOAD] - len(loads), 0.0)
        if key in gone:
            loop.counts[opclass.STORE] = max(loop.counts[opclass.STORE] - writes[key], 0.0)
    if unread:
        loop.accesses = [
            a
            for a in loop.accesses
            if a.moving not in still or (a.base, a.moving, a.constant) not in (gone if a.store else unread)
        ]


def _memory_chain(loop: Loop, store: Access, steps: float, stored: bool) -> Chain:
    if store.into >= 0 and loop.counts[store.into]:
        kind, extreme = store.into in opclass.FLOAT_CLASSES, store.into in (opclass.FMINMAX, opclass.FMAXIMUM)
        return Chain(store.into, store.bits, kind, not kind or extreme, steps, True, stored=stored, base=store.base)
    is_float = loop.is_float
    wanted = (
        ("fadd", "fma", "fmul", "fmaximum", "fminmax", "fdiv") if is_float else ("iadd", "logic", "imul", "iminmax")
    )
    for name in wanted:
        if loop.counts[opclass.CLASS[name]]:
            return Chain(
                opclass.CLASS[name],
                store.bits,
                is_float,
                not is_float or name in ("fminmax", "fmaximum"),
                steps,
                True,
                stored=stored,
                base=store.base,
            )
    over = PASSED if loop.children else -1
    return Chain(over, store.bits, is_float, False, steps, True, stored=stored, base=store.base)


def moves(access: Access) -> float:
    """What an access is in the counts of loads and stores."""
    size = access.lanes * access.bits
    return 0.0 if access.called else 1.0 if size <= _UNIT else size / _UNIT


_UNIT = 512


def common(loop: Loop) -> None:
    """Equal loads are read once, unless a store that may overwrite them lies between; of stores to one place, between
    which nothing may read it, the last one is left."""
    if len({(access.base, access.moving, access.constant) for access in loop.accesses}) == len(loop.accesses):
        return  # no place is accessed twice
    counts = loop.counts
    outside: dict[int, Shapes] = {}
    local: dict[int, Shapes] = {}
    kept: list[Access] = []
    unread = _Unread()
    pending = unread.at
    removed = 0
    last: dict[int, Access] = {}
    waits: set[int] = set()  # buffers of which the last stored value was read since the last store to any
    again: set[tuple[int, Moving, int]] = set()
    for access in loop.accesses:
        base, moving = access.base, access.moving
        known = outside if access.external else local
        shapes = known.get(base)
        same = None if shapes is None else shapes.get(moving)
        if access.store:
            if same is None or moving is None:
                same = set()
            if not access.maybe:
                same.add(access.constant)  # under a condition, it is one of two values: known if both are
            if access.external:
                outside.clear()
            known[base] = {moving: same}
            if not access.maybe and unread.store(access, len(kept)):
                counts[opclass.STORE] = max(counts[opclass.STORE] - moves(access), 0.0)
            elif base in waits:
                loop.passed_on += 1
            waits.clear()
            last[base] = access
            kept.append(access)
            continue
        if shapes is None:
            known[base] = {moving: {access.constant}}
        elif same is None:
            shapes[moving] = {access.constant}
        elif access.constant not in same:
            same.add(access.constant)
        elif moving is not None:
            removed += 1
            if pending and unread.holds(access):
                loop.forwarded += 1
                before = last[base]
                if before.constant == access.constant and before.moving == moving:
                    waits.add(base)
                elif (base, moving, access.constant) in again:
                    loop.passed_on += 1
                again.add((base, moving, access.constant))
            counts[opclass.LOAD] = max(counts[opclass.LOAD] - moves(access), 0.0)
            continue
        if pending:
            unread.load(access)
        kept.append(access)
    loop.accesses = [a for at, a in enumerate(kept) if at not in unread.dead] if unread.dead else kept
    loop.removed += removed
    loop.forwarded -= len(unread.dead)


class _Unread:
    """Stores that nothing may have read yet, by buffer and how they move. dead : those overwritten since."""

    def __init__(self) -> None:
        self.at: dict[int, dict[Moving, dict[int, int]]] = {}
        self.external: set[int] = set()
        self.dead: set[int] = set()

    def store(self, access: Access, position: int) -> bool:
        """Whether it overwrites one."""
        if access.moving is None:
            return False
        shapes = self.at.get(access.base)
        if shapes is None:
            shapes = self.at[access.base] = {}
        places = shapes.get(access.moving)
        if places is None:
            places = shapes[access.moving] = {}
        before = places.get(access.constant)
        places[access.constant] = position
        if access.external:
            self.external.add(access.base)
        if before is not None:
            self.dead.add(before)
        return before is not None

    def holds(self, access: Access) -> bool:
        """Whether a load is of what one of them wrote."""
        return access.constant in self.at.get(access.base, {}).get(access.moving or (), {})

    def load(self, access: Access) -> None:
        """Forget those that this may read."""
        if not self.at:
            return
        if access.external and self.external and self.external != {access.base}:
            for base in self.external - {access.base}:
                del self.at[base]
            self.external &= {access.base}
        shapes = self.at.get(access.base)
        if shapes:
            same = shapes.get(access.moving) if access.moving is not None else None
            if same is not None:
                same.pop(access.constant, None)
            if same is None or len(shapes) > 1:
                shapes.clear()
                if same is not None and access.moving is not None:
                    shapes[access.moving] = same


def segments(loop: Loop, copies: int = 1) -> float:
    """Parts of a body that stay one after the other: a load that may be of what a store before it wrote waits for it,
    and so does all that is computed from it. Of `copies` of the body, one after the other."""
    if copies > 2:
        once = segments(loop, 2)
        return once + (copies - 2) * (once - segments(loop))
    found = 1.0
    external: set[int] = set()
    places: dict[int, set[Moving | None]] = {}
    for access in loop.accesses * copies:
        base = access.base
        if access.store:
            places.setdefault(base, set()).add(access.moving)
            if access.external:
                external.add(base)
            continue
        shapes = places.get(base)
        other = access.external and (len(external) > 1 or (external and base not in external))
        if other or (shapes and (access.moving is None or shapes != {access.moving})):
            found += 1.0
            external.clear()
            places.clear()
    return found


def unread(root: Loop) -> list[Loop]:
    """Buffers of a function's own that nothing reads any more are none: neither what is stored there nor the calls that
    make and free them (`isAllocSiteRemovable`). The loops that have stored there."""
    loops = root.walk()
    owned = {base: (loop, calls) for loop in loops for base, calls in loop.nest.owned.items()}
    for nest in root.nest.walk() if owned or len(loops) < len(root.nest.walk()) else ():
        owned.update({base: (root, calls) for base, calls in nest.owned.items() if base not in owned})
    for loop in loops if owned else ():
        for access in loop.accesses:
            if not access.store or access.moving is None:
                owned.pop(access.base, None)
    changed: list[Loop] = []
    if not owned:
        return changed
    for loop in loops:
        dead = [access for access in loop.accesses if access.base in owned]
        if dead:
            gone = sum(moves(access) for access in dead)
            loop.counts[opclass.STORE] = max(loop.counts[opclass.STORE] - gone, 0.0)
            loop.accesses = [access for access in loop.accesses if access.base not in owned]
            changed.append(loop)
        if loop.lifted:
            loop.lifted = [access for access in loop.lifted if access.base not in owned]
    for loop, calls in owned.values():
        loop.counts[opclass.CALL] = max(loop.counts[opclass.CALL] - calls, 0.0)
    return changed
