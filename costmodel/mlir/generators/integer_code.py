"""Integer code: fixed point, residues, digits, dates, saturation, big numbers, iterations, a small interpreter."""

from __future__ import annotations

import random

from costmodel.mlir.generators import integer_streams
from costmodel.mlir.generators.code import Code
from costmodel.mlir.generators.groups import Group
from costmodel.mlir.generators.structures import added, drawn, mapped, saturated
from costmodel.mlir.generators.values import Value, width


def integer_code(rng: random.Random) -> Group:
    """Fixed point, modular arithmetic, ciphers, checksums, packing, base64, UTF-8, digits, dates, big numbers, gcd."""
    return drawn("integer_code", _KERNELS, rng, often=("chains",))


def _fixed_point(c: Code) -> None:
    narrow, wide = c.pick((("i8", "i16"), ("i16", "i32"), ("i16", "i64"), ("i32", "i64")))
    shift, terms, rounded, clamped = c.size(2, 14), c.size(1, 5), c.coin(), c.coin(0.7)

    def body(*x: Value) -> list[Value]:
        products = [a.to(wide) * b.to(wide) for a, b in zip(x[::2], x[1::2], strict=True)]
        total = added(c, products) + (1 << (shift - 1)) if rounded else added(c, products)
        scaled = total >> min(shift, width(wide) - 2)
        return [saturated(scaled, narrow) if clamped else scaled.to(narrow)]

    mapped(c, [narrow] * 2 * terms, body)


def _residues(c: Code) -> None:
    """Products and powers modulo a constant: by division, by a reciprocal (Barrett) or by Montgomery's reduction."""
    how, power = c.pick(("remainder", "barrett", "montgomery")), c.pick((1, 1, 2, 3, 5, 16, 17))
    modulus = c.rng.randrange(1 << 20, 1 << 30) | 1
    inverse = -pow(modulus, -1, 1 << 32) % (1 << 32)

    def multiply(a: Value, b: Value) -> Value:
        product = a.to("u64") * b.to("u64")
        if how == "remainder":
            return (product % modulus).to("u32")
        if how == "barrett":
            quotient = ((product >> 29) * ((1 << 60) // modulus // (1 << 29))) >> 31
            left = product - quotient * modulus
            return (left >= modulus).then(left - modulus, left).to("u32")
        folded = (product.to("u32") * inverse).to("u64") * modulus + product
        high = (folded >> 32).to("u32")
        return (high >= modulus).then(high - modulus, high)

    def body(a: Value, b: Value) -> list[Value]:
        result, square, left = multiply(a, b), a, power
        while left > 1:
            square = multiply(square, square)
            result = multiply(result, square) if left & 1 else result
            left >>= 1
        return [result]

    mapped(c, ["u32", "u32"], body, largest=3000)


def _saturating(c: Code) -> None:
    """Chains of saturating sums and differences, averages, absolute differences, clamps."""
    narrow, wide = c.pick((("i8", "i16"), ("u8", "u16"), ("i16", "i32"), ("u16", "u32")))
    steps = [c.pick(("add", "sub", "average", "difference", "scale", "clamp", "sign")) for _ in range(c.size(1, 9))]
    count, bound = c.rng.randint(2, 4), c.rng.randint(1, 90)

    def step(what: str, a: Value, b: Value) -> Value:
        x, y = a.to(wide), b.to(wide)
        if what in ("add", "sub"):
            signed = "i" + wide[1:]
            return saturated(c.binary(what, x.to(signed), y.to(signed)), narrow)
        if what == "average":
            return ((x + y + 1) >> 1).to(narrow)
        if what == "difference":
            return a.max(b) - a.min(b)
        if what == "scale":
            return ((x * bound) >> 6).to(narrow)
        return a.clamp(1, bound + 3) if what == "clamp" else (a < b).then(b - a, a)

    def body(*x: Value) -> list[Value]:
        values = list(x)
        for n, what in enumerate(steps):
            values.append(step(what, values[-1], values[n % count]))
        return values[-1:]

    mapped(c, [narrow] * count, body)


def _digits(c: Code) -> None:
    """Quotients and remainders by constants: decimal digits, units of time, grids, hash buckets; digits read back."""
    what, kind = c.pick(("digits", "time", "grid", "parse", "mixed")), c.pick(("u32", "i32", "u64", "i64", "u16"))
    divisors = {"digits": [10] * c.size(2, 10), "time": [60, 60, 24, 7]}.get(what, [])
    divisors = divisors or [c.pick((3, 7, 10, 12, 100, 360, 1000, 1461, 127)) for _ in range(c.size(1, 5))]
    if what == "parse":
        m, n = c.size(2, 400), c.size(2, 18)
        text, out = c.array([m, n], "u8"), c.array(m, kind)
        with c.loop(0, m) as i:
            out[i] = c.total(n, c.known(0, kind), lambda k, v: v * 10 + (text[i, k] - 48).to(kind))
        return

    def body(x: Value) -> list[Value]:
        out = []
        for divisor in divisors:
            quotient = x / divisor
            rest = x - quotient * divisor if c.alternative else x % divisor
            out.append((rest + 48).to("u8") if what == "digits" else rest)
            x = quotient
        return [*out, x]

    mapped(c, [kind], body)


def _dates(c: Code) -> None:
    """Days of a calendar date, the date of a day, leap years, days of the week."""
    what, kind = c.pick(("days", "date", "leap", "weekday")), c.pick(("i32", "i32", "i64"))

    def days(y: Value, m: Value, d: Value) -> Value:
        y = y - (m <= 2).to(kind)
        era = (y >= 0).then(y, y - 399) / 400
        in_era = y - era * 400
        in_year = (153 * (m + (m > 2).then(c.known(-3, kind), 9)) + 2) / 5 + d - 1
        return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468

    def date(z: Value) -> list[Value]:
        z = z + 719468
        era = (z >= 0).then(z, z - 146096) / 146097
        day = z - era * 146097
        year = (day - day / 1460 + day / 36524 - day / 146096) / 365
        in_year = day - (365 * year + year / 4 - year / 100)
        month = (5 * in_year + 2) / 153
        return [year + era * 400, month + (month < 10).then(c.known(3, kind), -9), in_year - (153 * month + 2) / 5 + 1]

    def leap(y: Value) -> list[Value]:
        return [((y % 4).same(0) & (c.known(1, "i1") ^ (y % 100).same(0)) | (y % 400).same(0)).to(kind)]

    def weekday(y: Value, m: Value, d: Value) -> list[Value]:
        return [(days(y, m, d) + 4) % 7]

    single = what in ("date", "leap")
    body = {"date": date, "leap": leap, "weekday": weekday, "days": lambda y, m, d: [days(y, m, d)]}[what]
    mapped(c, [kind] if single else [kind] * 3, body, largest=2000)  # type: ignore[arg-type]


def _big_numbers(c: Code) -> None:
    """Sums, products by a word and schoolbook products of numbers of many limbs."""
    what, limbs, n = c.pick(("sum", "scale", "product", "square_mod")), c.size(2, 24), c.pick((1, 1, 30))
    unrolled = c.coin(0.4)
    limbs = min(limbs, 8) if unrolled or what == "product" else limbs
    a, b, out = c.array([n, limbs], "u32"), c.array([n, limbs], "u32"), c.array([n, 2 * limbs], "u32")
    factor = c.scalar("u32").to("u64") if what == "scale" else None

    def limb(i: str, k: str | int, carried: Value, row: str | int = 0) -> Value:
        x = a[i, k].to("u64")
        if what == "sum":
            total = x + b[i, k].to("u64") + carried
        elif factor is not None:
            total = x * factor + carried
        else:
            total = x * b[i, row].to("u64") + out[i, f"{k} + {row}"].to("u64") + carried
        out[i, f"{k} + {row}"] = total.to("u32")
        return total >> 32

    def run(i: str, row: str | int = 0) -> None:
        carried = c.known(0, "u64")
        if unrolled != c.alternative:
            for k in range(limbs):
                carried = limb(i, k, carried, row)
        else:
            carried = c.total(limbs, carried, lambda k, v: limb(i, k, v, row))
        out[i, f"{row} + {limbs}"] = carried.to("u32")

    with c.nest(n) as (i,):
        if what in ("sum", "scale"):
            run(i)
        else:
            with c.loop(0, limbs) as row:
                run(i, row)


def _iterated(c: Code) -> None:
    """Common divisors, Collatz steps, integer roots, powers, Fibonacci residues: loops that the data ends."""
    what, kind, n = (
        c.pick(("gcd", "collatz", "root", "power", "fibonacci", "log")),
        c.pick(("u32", "u64")),
        c.size(1, 900),
    )
    bits = width(kind)

    def body(a: Value, b: Value) -> list[Value]:
        if what == "gcd":
            return c.repeat([a, b], lambda v: v[1] > 0, lambda v: [v[1], v[0] % v[1].max(1)])[:1]
        if what == "collatz":
            start = [a & 0xFFFF, c.known(0, kind)]

            def odd(v: Value) -> Value:
                return (v & 1).same(1).then(3 * v + 1, v >> 1)

            return c.repeat(start, lambda v: (v[0] > 1) & (v[1] < 200), lambda v: [odd(v[0]), v[1] + 1])[1:]
        if what == "log":
            return c.repeat([a, c.known(0, kind)], lambda v: v[0] > 0, lambda v: [v[0] / 10, v[1] + 1])[1:]
        if what == "root":
            with c.carry(0, bits // 2, c.known(0, kind), a, c.known(1 << (bits - 2), kind)) as loop:
                root, left, bit = loop.values
                take = left >= root + bit
                loop.next = [take.then((root >> 1) + bit, root >> 1), take.then(left - root - bit, left), bit >> 2]
            return loop.out[:1]
        if what == "power":
            with c.carry(0, bits // 4, c.known(1, kind), a, b) as loop:
                result, square, left = loop.values
                loop.next = [(left & 1).same(1).then(result * square, result), square * square, left >> 1]
            return loop.out[:1]
        with c.carry(0, n + 2, a, b) as loop:
            loop.next = [loop.values[1], (loop.values[0] + loop.values[1]) % 1000007]
        return loop.out[:1]

    mapped(c, [kind, kind], body, largest=600, forms=("scalar", "line", "line", "guarded", "total", "plane"))


def _interpreter(c: Code) -> None:
    """A little machine: instructions fetched from a buffer, dispatched on, working on an accumulator and registers."""
    kind, cases, n = c.pick(("i32", "i64", "u32", "i16")), c.size(3, 12), c.size(8, 3000)
    names = [
        c.pick(("add", "sub", "mul", "and", "or", "xor", "max", "min", "shl", "load", "store")) for _ in range(cases)
    ]
    code, operands, registers = c.array(n, "u8"), c.array(n, kind), c.array(16, kind)
    out = c.array(1, kind)

    def one(k: str, state: Value) -> Value:
        operand = operands[k]
        at = (operand & 15).to("u" + kind[1:])

        def case(name: str) -> Value:
            if name == "load":
                return registers[at]
            if name == "store":
                registers[at] = state
                return state
            return c.binary(name, state, operand & 7 if name == "shl" else operand)

        return c.switch(code[k], [lambda name=name: case(name) for name in names], kind)  # type: ignore[misc]

    out[0] = c.total(n, c.known(1, kind), one)


def _chains(c: Code) -> None:
    """Random straight-line code of mixed widths, as address and size computations are."""
    kinds = [c.pick(("i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64")) for _ in range(c.rng.randint(1, 5))]
    names = ("add", "sub", "mul", "and", "or", "xor", "shl", "shr", "div", "rem", "max", "min", "select", "cast", "add")
    bits = c.rng.getrandbits
    steps = [(c.pick(names), bits(20), bits(20), bits(20)) for _ in range(c.size(3, 60))]

    def body(*x: Value) -> list[Value]:
        values = list(x)
        for name, first, second, number in steps:
            a, b = values[-1 - first % min(4, len(values))], values[second % len(values)]
            if name == "cast":
                values.append(a.to(("i32", "u64", "u16", "i64")[number % 4]))
            elif name == "select":
                values.append((a < b.to(a.kind)).then(b.to(a.kind) + 1, a ^ number))
            elif name in ("shl", "shr"):
                values.append(c.binary(name, a, 1 + number % (width(a.kind) - 1)))
            elif name in ("div", "rem"):
                values.append(c.binary(name, a, 2 + number % 100))
            else:
                values.append(c.binary(name, a, b.to(a.kind) if number % 3 else number % 120))
        return [added(c, [value.to(values[-1].kind) for value in values[-3:]])]

    mapped(c, kinds, body)


_KERNELS = {
    **integer_streams.KERNELS,
    "fixed_point": _fixed_point,
    "residues": _residues,
    "saturating": _saturating,
    "digits": _digits,
    "dates": _dates,
    "big_numbers": _big_numbers,
    "iterated": _iterated,
    "interpreter": _interpreter,
    "chains": _chains,
}
