"""Divisions and products with constants in straight-line code, as products, shifts and sums.

Sources (LLVM 22): `TargetLowering::BuildUDIV`, `BuildSDIV`, `BuildSDIVPow2`, `combineMulSpecial` of
`X86ISelLowering.cpp`.
"""

from __future__ import annotations

from featurizers.mlir.folds import signed
from featurizers.mlir.selection import FREE, HARD, SOFT, Code
from featurizers.mlir.values import Value

_WORD, _LONG = 32, 64


def extend(code: Code, value: int, how: str, full: int = _WORD) -> int:
    """A narrow value with all bits of its register known: signed (``s``) or not (``u``)."""
    bits, register = code.values[value].bits, code.register(value)
    if bits >= full or how in code.known.get(register, ""):
        return register
    found = code.extended.get((value, how))
    if found is None:
        found = code.extended[value, how] = code.emit("extend", register)
        code.known[found] = how
    return found


def x86_product(code: Code, one: int, size: int) -> int:
    """With a constant: one or two ``lea``, a shift and a sum (`combineMulSpecial`), or a product."""
    if size in (3, 5, 9):
        return code.emit("scaled", one, tied=SOFT)
    if size > 0 and any(near & (near - 1) == 0 for near in (size - 1, size + 1)):
        return code.emit("alu", code.emit("shift", one, tied=HARD), one, tied=HARD)
    for first in (9, 5, 3):
        rest = size // first
        if size > 0 and size % first == 0 and (rest in (3, 5, 9) or rest & (rest - 1) == 0):
            return code.emit("scaled" if rest in (3, 5, 9) else "shift", code.emit("scaled", one), tied=SOFT)
        if size > 0 and size - 1 in (2 * first, 4 * first, 8 * first):
            return code.emit("scaled", code.emit("scaled", one), one)
    return code.emit("mul", one)


def quotient(code: Code, value: Value) -> int:
    """By what is not known."""
    op, _bits, args, _, _ = value
    how = "s" if op[0] == "s" else "u"
    one, other = (extend(code, argument, how, _LONG if code.cpu.isa == "riscv" else _WORD) for argument in args)
    cpu = code.cpu
    if cpu.isa == "x86":
        upper = code.emit("move", one)
        made = code.emit("div", upper, other, code.emit("number"), lasts=float(cpu.idiv_latency))
        return code.emit("move", made) if op.endswith("rem") else made
    made = code.emit("div", one, other, lasts=float(cpu.idiv_latency))
    if not op.endswith("rem") or cpu.isa == "riscv":
        return made
    return code.emit("madd", made, other, one)


def _multiplier(by: int, bits: int) -> tuple[int, bool]:
    """The number to multiply with in place of a division, and whether it has one bit too many
    (`UnsignedDivisionByConstantInfo`)."""
    for shift in range(bits + 1):
        number = -(-(1 << (bits + shift)) // by)
        if number * by - (1 << (bits + shift)) <= 1 << shift:
            return number & ((1 << bits) - 1), number >> bits > 0
    return by, False


def divided(code: Code, value: Value, by: int) -> int:
    """By a constant: products and shifts."""
    op, bits, args, _, _ = value
    isa, size = code.cpu.isa, abs(signed(by, bits)) if op[0] == "s" else by
    rest = op.endswith("rem")
    if size & (size - 1) == 0:
        return _by_power(code, args[0], bits, rest)
    key = args[0], f"{op[0]}{by}"
    made = code.extended.get(key)
    if made is None:
        made = (_signed if op[0] == "s" else _unsigned)(code, args[0], bits, size)
        code.extended[key] = made
    if not rest:
        return made
    one = code.register(args[0])
    if isa == "x86":
        return code.emit("alu", one, x86_product(code, made, size), tied=HARD)
    if isa == "aarch64" and any(near & (near - 1) == 0 for near in (size - 1, size + 1)):
        return code.emit("alu", one, code.emit("shifted", made))
    if isa == "aarch64":
        return code.emit("madd", made, code.number(size, max(bits, _WORD)), one)
    if size in (3, 5, 9):
        return code.emit("alu", one, code.emit("alu", made))
    return code.emit("alu", one, code.emit("mul", made, code.number(size, bits)))


def _unsigned(code: Code, value: int, bits: int, by: int) -> int:
    isa = code.cpu.isa
    narrow = bits < _WORD
    number, beyond = _multiplier(by, bits)
    if narrow:
        one = extend(code, value, "u", _LONG if isa == "riscv" else _WORD)
        if isa == "x86":
            return code.emit("shift", code.emit("mul", one), tied=HARD)
        made = code.emit("shift", code.emit("mul", one, code.number(number, _WORD)))
        if not beyond or isa != "aarch64":  # others have room for it
            return made
        half = code.emit("immediate", code.emit("alu", one, made))
        return code.emit("shift", code.emit("shifted", made, half))
    one = code.register(value)
    if not by & 1 and beyond:
        one, beyond = code.emit("shift", one, tied=HARD if isa == "x86" else FREE), False
    if isa == "x86":
        if bits == _WORD:
            wide = code.emit("move", one)
            if number < 1 << 31:
                upper = code.emit("mul", wide)
            else:
                upper = code.emit("mul", wide, code.number(number, _LONG), tied=HARD, swaps=True)
        else:
            upper = code.emit("upper", code.emit("move", one), code.number(number, _LONG))
        made = code.emit("shift", upper, tied=HARD)
    elif isa == "aarch64":
        upper = code.emit("upper" if bits == _LONG else "mul", one, code.number(number, bits))
        made = code.emit("shift", upper)
    elif bits == _WORD:
        upper = code.emit("upper", code.emit("shift", one), code.emit("shift", code.number(number, bits)))
        made = code.emit("shift", upper)
    else:
        made = code.emit("shift", code.emit("upper", one, code.number(number, bits)))
    if beyond:
        tied = HARD if isa == "x86" else FREE
        half = code.emit("shift", code.emit("alu", one, made, tied=tied), tied=tied)
        made = code.emit("shift", code.emit("alu", half, made, tied=SOFT, swaps=True), tied=tied)
    return made


def _signed(code: Code, value: int, bits: int, by: int) -> int:
    isa = code.cpu.isa
    tied = HARD if isa == "x86" else FREE
    if bits == _LONG:
        one = code.register(value)
        if isa == "x86":
            upper = code.emit("upper", code.emit("move", one), code.number((1 << 62) + 1, _LONG))
        else:
            upper = code.emit("upper", one, code.number((1 << 62) // by | 1, _LONG))
    else:
        one = extend(code, value, "s", _LONG if isa != "aarch64" else _WORD)
        if isa == "x86":
            upper = code.emit("mul", one)
        else:
            upper = code.emit("mul", one, code.number((1 << 34) // by & ((1 << 31) - 1), _WORD))
    if isa == "aarch64":
        return code.emit("shifted", code.emit("shift", upper), upper)
    sign = code.emit("shift", code.emit("move", upper) if isa == "x86" else upper, tied=tied)
    return code.emit("alu", code.emit("shift", upper, tied=tied), sign, tied=tied, swaps=True)


def _by_power(code: Code, value: int, bits: int, rest: bool) -> int:
    """By a power of two, rounded towards zero."""
    isa = code.cpu.isa
    tied = HARD if isa == "x86" else FREE
    one = extend(code, value, "s", _LONG if isa == "riscv" and bits < _WORD else _WORD)
    if isa == "riscv":
        sign = code.emit("shift", code.emit("shift", one))
        total = code.emit("alu", one, sign)
    else:
        more, flags = code.emit("immediate", one), code.emit("test", one)
        total = code.emit("choice", more, one, flags, tied=tied, swaps=True)
    if not rest:
        return code.emit("shift", total, tied=tied)
    return code.emit("alu", one, code.emit("alu", total, tied=tied), tied=tied)
