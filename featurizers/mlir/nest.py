"""The loop-nest tree of a function as it is written: what each loop's body does per iteration. No CPU yet."""

from __future__ import annotations

from dataclasses import dataclass, field

from featurizers.mlir.opclass import COUNT

Form = dict[int, int]
"""An index as a linear form: coefficient by loop (`Nest.iv`), and the constant under CONSTANT."""

CONSTANT = -1
PASSED = -2


@dataclass(slots=True)
class Access:
    """A memory access. base : value id of the buffer. form : element offset, None where it is not linear.

    lanes : elements moved at once. external : whether the buffer came from outside (may alias any other such one).
    fill : a store of zero.
    """

    base: int
    form: Form | None
    store: bool
    bits: int
    lanes: int = 1
    external: bool = True
    fill: bool = False


@dataclass(slots=True)
class Chain:
    """A value carried from one iteration to the next: class of the operation on it, -1 for none, PASSED for an inner
    loop that carries it on; bits of its type; reassociable : integer, or floating point with `reassoc`.

    steps : operations of that class, one after the other, from the value to its next one.
    """

    op_class: int
    bits: int
    is_float: bool
    reassociable: bool
    steps: float = 1.0


@dataclass(slots=True)
class Nest:
    """A loop (or a function's body, of trip 1).

    trip : iterations per execution. exact : known at compile time. iv : its number in forms.
    counts : per iteration by class, of scalar or vector operations. widths : of vector operations, the largest size
    in bits (0: scalar code). bits : the widest element computed on. live_int, live_float : most values alive at a
    point of the body. invariants : scalars from outside that the body uses. path : longest chain of dependent
    operations in the body, in typical cycles.
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
    is_float: bool = False
    live_int: int = 0
    live_float: int = 0
    invariants: int = 0
    ops: int = 0
    unknown_trip: bool = False
    path: float = 0.0

    def walk(self) -> list[Nest]:
        """This nest and all below it, outermost first."""
        found = [self]
        for child in self.children:
            found += child.walk()
        return found


@dataclass(slots=True)
class Function:
    """A function. arguments : machine words that its arguments take (a memref of dynamic shape is a
    descriptor of 3 + 2 rank words, another a pointer)."""

    name: str
    line: int
    column: int
    body: Nest
    arguments: int
    buffers: int
    calls: list[tuple[str, float]] = field(default_factory=list)
    is_kernel: bool = False
