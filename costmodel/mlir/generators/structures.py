"""What surrounds a kernel's body: scalars, buffers in several layouts, sums; and drawing a group of such kernels."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Mapping, Sequence

from costmodel.mlir.generators.code import Array, Code
from costmodel.mlir.generators.drawing import coin, loop_variants, nest_variants
from costmodel.mlir.generators.groups import Group, Variant
from costmodel.mlir.generators.values import Value

Kernel = Callable[[Code], None]
Body = Callable[..., Sequence[Value]]

_FOR = re.compile(r"^( +)(?:%\S+ = )?affine\.for ", re.MULTILINE)


def drawn(family: str, kernels: Mapping[str, Kernel], rng: random.Random, *, often: Sequence[str] = ()) -> Group:
    """One of the kernels by a seed, with its alternative and the transformations that its loops admit.

    `often` names kernels again that shall be drawn more often than others.
    """
    what, seed, noalias = rng.choice([*kernels, *often]), rng.randrange(1 << 40), coin(rng)

    def write(alternative: bool) -> str:
        code = Code(seed, alternative=alternative)
        kernels[what](code)
        return code.written(what, noalias=noalias)

    text = write(False)
    variants = [Variant({"order": "other"}, text=write(True)), *variants_of(rng, text)]
    return Group(family, f"{what}-{hashlib.sha256(text.encode()).hexdigest()[:12]}", text, variants)


def variants_of(rng: random.Random, text: str) -> list[Variant]:
    """Transformations for the affine loops of a text: of one nest, or of several after one another."""
    starts = [len(found[1]) for found in _FOR.finditer(text)]
    if not starts:
        return [Variant({"canonical": True}, "func.func(canonicalize,cse)")]
    depth, tops = (max(starts) - min(starts)) // 2 + 1, starts.count(min(starts))
    made = nest_variants(rng, depth, 4) if tops > 1 else loop_variants(rng, depth, 3)
    return [*made, Variant({"level": "scf"}, "func.func(lower-affine,canonicalize)")] if coin(rng, 0.15) else made


_FORMS = ("scalar", "line", "line", "line", "plane", "plane", "records", "total", "guarded", "strided", "rows")


def mapped(c: Code, kinds: Sequence[str], body: Body, *, largest: int = 8000, forms: Sequence[str] = _FORMS) -> None:
    """A body of numbers on scalars, or on the elements of buffers.

    Buffers are lines, planes, records of all operands (where they have one type), read with a stride, shared by rows;
    results are stored (into the operand where the types agree, at times), only under a condition, or folded.
    """
    form = c.pick(forms)
    if form == "scalar":
        c.results = list(body(*(c.scalar(kind) for kind in kinds)))
        return
    planar, step = form in ("plane", "rows"), c.pick((2, 3, 4)) if form == "strided" else 1
    shape = [c.size(2, 120), c.size(4, 160)] if planar else [c.size(4, largest)]
    records = form == "records" and len(set(kinds)) == 1
    shared = [form == "rows" and c.coin() for _ in kinds]
    if records:
        whole = c.array([*shape, len(kinds)], kinds[0])
        inputs = [whole] * len(kinds)
    else:
        inputs = [c.array(shape[1:] if s else [n * step for n in shape], k) for s, k in zip(shared, kinds, strict=True)]
    in_place, test = c.coin(0.2), c.pick((1, 3, 7))
    together = c.pick((2, 4)) if form == "line" and c.alternative else 1
    outputs: list[Array] = []

    def element(at: list[str]) -> list[Value]:
        if records:
            return list(body(*(whole[(*at, n)] for n in range(len(kinds)))))
        places = [tuple(f"({i}) * {step}" if step > 1 else i for i in at[s:]) for s in map(int, shared)]
        read = [array[place] for array, place in zip(inputs, places, strict=True)]
        if form == "guarded":
            with c.when(read[0] > test):
                keep(at, body(*read))
            return []
        return list(body(*read))

    def keep(at: list[str], results: Sequence[Value]) -> None:
        for number, value in enumerate(results):
            if number == len(outputs):
                same = number < len(inputs) and not records and not shared[number] and step == 1
                reuse = in_place and same and inputs[number].kind == value.kind
                outputs.append(inputs[number] if reuse else c.array(shape, value.kind))
            outputs[number][tuple(at)] = value

    if form == "total":
        _folded(c, shape[0], lambda i: element([i])[0])
        return
    if planar and c.alternative:
        with c.loop(0, shape[1]) as j, c.loop(0, shape[0]) as i:
            keep([i, j], element([i, j]))
        return
    if planar:
        with c.nest(*shape) as at:
            keep(at, element(at))
        return
    whole_ = shape[0] // together * together
    with c.loop(0, whole_, together) as i:
        for copy in range(together):
            place = [f"{i} + {copy}" if copy else i]
            keep(place, element(place))
    for left in range(whole_, shape[0]):
        keep([str(left)], element([str(left)]))


def _folded(c: Code, count: int, term: Callable[[str], Value]) -> None:
    """All results folded into one, in the other order by two accumulators."""
    how, lanes = c.pick(("add", "add", "max", "min")), 2 if c.alternative else 1
    starts = [term(str(n)) for n in range(lanes)]
    out = c.array(1, starts[0].kind)
    whole = count // lanes * lanes
    with c.carry(lanes, whole, *starts, step=lanes) as loop:
        loop.next = [
            c.binary(how, value, term(f"{loop.index} + {n}" if n else loop.index))
            for n, value in enumerate(loop.values)
        ]
    total = loop.out[0]
    for other in [*loop.out[1:], *(term(str(left)) for left in range(whole, count))]:
        total = c.binary(how, total, other)
    out[0] = total


def summed(values: Sequence[Value]) -> Value:
    """Added up in order."""
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total


def paired(values: Sequence[Value]) -> Value:
    """Added up as a tree."""
    values = list(values)
    while len(values) > 1:
        values = [a + b for a, b in zip(values[::2], values[1::2], strict=False)] + values[len(values) // 2 * 2 :]
    return values[0]


def added(c: Code, values: Sequence[Value]) -> Value:
    """Added up in order, or as a tree in the other order."""
    return paired(values) if c.alternative else summed(values)


def saturated(value: Value, kind: str) -> Value:
    """Clamped to a narrower integer type's range, and cut to it."""
    bits = int(kind[1:])
    low, high = (0, (1 << bits) - 1) if kind[0] == "u" else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    return value.clamp(low, high).to(kind)
