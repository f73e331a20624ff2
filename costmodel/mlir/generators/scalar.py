"""Scalar kernels without memory: polynomials and other arithmetic, and integer bit tricks."""

from __future__ import annotations

import random

from costmodel.mlir.generators.drawing import coin, kind
from costmodel.mlir.generators.groups import Group, Variant
from costmodel.mlir.generators.writer import Writer, is_float

_FLOAT_STEPS = ("add", "sub", "mul", "mul", "add", "max", "min", "fma", "div", "sqrt", "abs", "select", "neg")
_INT_STEPS = ("add", "sub", "mul", "and", "or", "xor", "shl", "shr", "max", "min", "select", "abs", "div")


def scalar_math(rng: random.Random) -> Group:
    """Polynomials (Horner and Estrin) and random straight-line arithmetic of some scalars."""
    element = kind(rng, ("f32", "f32", "f64", "f16", "i32", "i64", "i16"))
    if coin(rng, 0.4):
        return _polynomial(rng, element)
    length, inputs = round(4 * 100 ** rng.random()), rng.randint(1, 8)
    seed = rng.randrange(1 << 30)
    locality = rng.choice((3, 8, 30))
    text = _expression(random.Random(seed), element, length, inputs, locality)
    variants = [Variant({"cse": True}, "func.func(canonicalize,cse)")]
    for other in (2, 5):
        again = _expression(random.Random(seed), element, length, inputs, locality, repeat=other)
        variants.append(Variant({"repeat": other}, text=again))
    return Group("scalar_math", f"expr-{element}-{length}-{inputs}-{locality}-{seed}", text, variants)


def _expression(rng: random.Random, element: str, length: int, inputs: int, locality: int, repeat: int = 1) -> str:
    w = Writer()
    values = [w.argument(element) for _ in range(inputs)]
    program = [
        (rng.choice(_FLOAT_STEPS if is_float(element) else _INT_STEPS), *_picks(rng, locality)) for _ in range(length)
    ]
    for _ in range(repeat):
        for what, first, second, third, number in program:
            near = values[-locality:] if coin(random.Random(first), 0.9) else values
            a, b, c = (near[pick % len(near)] for pick in (first, second, third))
            values.append(_step(w, element, what, a, b, c, number))
    outputs = [(value, element) for value in values[-min(3, len(values)) :]]
    return w.function("expression", returns=outputs)


def _picks(rng: random.Random, locality: int) -> tuple[int, int, int, int]:
    return rng.randrange(1000 * locality), rng.randrange(1000), rng.randrange(1000), rng.randint(1, 7)


def _step(w: Writer, element: str, what: str, a: str, b: str, c: str, number: int) -> str:
    if what == "fma":
        return w.op("math.fma", element, a, b, c)
    if what in ("sqrt", "abs"):
        return w.op({"sqrt": "math.sqrt", "abs": "math.absf" if is_float(element) else "math.absi"}[what], element, a)
    if what == "neg":
        return w.op("arith.negf", element, a)
    if what == "select":
        test = "arith.cmpf olt" if is_float(element) else "arith.cmpi slt"
        condition = w.value(f"{test}, {a}, {b} : {element}")
        return w.value(f"arith.select {condition}, {c}, {b} : {element}")
    if what in ("shl", "shr"):
        return w.op({"shl": "arith.shli", "shr": "arith.shrui"}[what], element, a, w.constant(number, element))
    if what in ("and", "or", "xor"):
        return w.op({"and": "arith.andi", "or": "arith.ori", "xor": "arith.xori"}[what], element, a, b)
    if what == "div" and not is_float(element):
        return w.op("arith.divui", element, a, w.constant(2 * number + 1, element))
    return w.op(what, element, a, b)


def _polynomial(rng: random.Random, element: str) -> Group:
    degree, points = round(2 * 16 ** rng.random()), rng.randint(1, 6)
    coefficients = [rng.randint(1, 99) for _ in range(degree + 1)]
    text = _horner(element, coefficients, points)
    variants = [Variant({"scheme": "estrin"}, text=_estrin(element, coefficients, points))]
    if is_float(element):
        variants.append(Variant({"scheme": "horner-fma"}, text=_horner(element, coefficients, points, fma=True)))
    stamp = sum(c * 31**n for n, c in enumerate(coefficients)) % 1_000_003
    return Group("scalar_math", f"poly-{element}-{degree}-{points}-{stamp}", text, variants)


def _horner(element: str, coefficients: list[int], points: int, fma: bool = False) -> str:
    w = Writer()
    results = []
    for x in [w.argument(element) for _ in range(points)]:
        total = w.constant(coefficients[-1], element)
        for coefficient in coefficients[-2::-1]:
            constant = w.constant(coefficient, element)
            if fma:
                total = w.op("math.fma", element, total, x, constant)
            else:
                total = w.op("add", element, w.op("mul", element, total, x), constant)
        results.append(total)
    return w.function("polynomial", returns=[(value, element) for value in results])


def _estrin(element: str, coefficients: list[int], points: int) -> str:
    w = Writer()
    results = []
    for x in [w.argument(element) for _ in range(points)]:
        terms = [w.constant(coefficient, element) for coefficient in coefficients]
        power = x
        while len(terms) > 1:
            paired = []
            for low in range(0, len(terms) - 1, 2):
                paired.append(w.op("add", element, terms[low], w.op("mul", element, terms[low + 1], power)))
            terms = paired + terms[len(paired) * 2 :]
            if len(terms) > 1:
                power = w.op("mul", element, power, power)
        results.append(terms[0])
    return w.function("polynomial", returns=[(value, element) for value in results])


def bit_tricks(rng: random.Random) -> Group:
    """Hash mixers, xorshift generators, population counts, bit reversal, leading zeros, byte swaps, Gray codes."""
    element = rng.choice(("i16", "i32", "i32", "i64"))
    bits = int(element[1:])
    names = [rng.choice(list(_TRICKS)) for _ in range(round(1 * 10 ** rng.random()))]
    inputs, rounds = rng.randint(1, 4), rng.choice((1, 1, 2, 4))
    amounts = [rng.randint(1, bits - 1) for _ in range(4)]
    constant = rng.randrange(1, 1 << (bits - 1)) | 1

    def write(times: int, interleave: bool) -> str:
        w = Writer()
        values = [w.argument(element) for _ in range(inputs)]
        for _ in range(times):
            steps = [(name, slot) for name in names for slot in range(inputs)]
            if not interleave:
                steps.sort(key=lambda step: step[1])
            for name, slot in steps:
                values[slot] = _TRICKS[name](w, element, values[slot], amounts, constant)
        total = values[0]
        for value in values[1:]:
            total = w.op("arith.xori", element, total, value)
        return w.function("bits", returns=[(total, element)])

    variants = [
        Variant({"order": "by-value"}, text=write(rounds, False)),
        Variant({"rounds": rounds * 3}, text=write(rounds * 3, True)),
        Variant({"canonical": True}, "func.func(canonicalize,cse,arith-expand)"),
    ]
    stamp = (constant * 31 + sum(a * 7**n for n, a in enumerate(amounts))) % 1_000_003
    key = f"{element}-{'.'.join(names)}-{inputs}-{rounds}-{stamp}"
    return Group("bit_tricks", key, write(rounds, True), variants)


def _shift(w: Writer, element: str, name: str, value: str, amount: int) -> str:
    return w.op(f"arith.{name}", element, value, w.constant(amount, element))


def _xorshift(w: Writer, element: str, value: str, amounts: list[int], _: int) -> str:
    for name, amount in zip(("shli", "shrui", "shli"), amounts, strict=False):
        value = w.op("arith.xori", element, value, _shift(w, element, name, value, amount))
    return value


def _multiply_mix(w: Writer, element: str, value: str, amounts: list[int], constant: int) -> str:
    product = w.op("arith.muli", element, value, w.constant(constant, element))
    return w.op("arith.xori", element, product, _shift(w, element, "shrui", product, amounts[0]))


def _rotate(w: Writer, element: str, value: str, amounts: list[int], _: int) -> str:
    left = _shift(w, element, "shli", value, amounts[1])
    right = _shift(w, element, "shrui", value, int(element[1:]) - amounts[1])
    return w.op("arith.ori", element, left, right)


def _masked_sum(w: Writer, element: str, value: str, shift: int, mask: int) -> str:
    bits = int(element[1:])
    pattern = mask * (((1 << bits) - 1) // ((1 << (2 * shift)) - 1))
    pattern = pattern - (1 << bits) if pattern >> (bits - 1) else pattern
    low = w.op("arith.andi", element, value, w.constant(pattern, element))
    high = w.op("arith.andi", element, _shift(w, element, "shrui", value, shift), w.constant(pattern, element))
    return w.op("arith.addi", element, low, high)


def _population(w: Writer, element: str, value: str, _: list[int], __: int) -> str:
    shift = 1
    while shift < int(element[1:]):
        value = _masked_sum(w, element, value, shift, (1 << shift) - 1)
        shift *= 2
    return value


def _named(operation: str):  # type: ignore[no-untyped-def]
    def trick(w: Writer, element: str, value: str, _: list[int], constant: int) -> str:
        counted = w.op(operation, element, value)
        return w.op("arith.xori", element, w.op("arith.muli", element, counted, w.constant(constant, element)), value)

    return trick


def _gray(w: Writer, element: str, value: str, _: list[int], __: int) -> str:
    return w.op("arith.xori", element, value, _shift(w, element, "shrui", value, 1))


def _smear(w: Writer, element: str, value: str, _: list[int], __: int) -> str:
    amount = 1
    while amount < int(element[1:]):
        value = w.op("arith.ori", element, value, _shift(w, element, "shrui", value, amount))
        amount *= 2
    return value


def _lowest(w: Writer, element: str, value: str, _: list[int], constant: int) -> str:
    negative = w.op("arith.subi", element, w.constant(0, element), value)
    bit = w.op("arith.andi", element, value, negative)
    return w.op("arith.addi", element, bit, w.constant(constant, element))


_TRICKS = {
    "xorshift": _xorshift,
    "multiply": _multiply_mix,
    "rotate": _rotate,
    "population": _population,
    "ctpop": _named("math.ctpop"),
    "ctlz": _named("math.ctlz"),
    "cttz": _named("math.cttz"),
    "gray": _gray,
    "smear": _smear,
    "lowest": _lowest,
}
