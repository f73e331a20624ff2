"""Instructions for whole numbers in straight-line code, per instruction set.

Sources (LLVM 22): as of `selection`; `TargetLowering::BuildUDIV`, `BuildSDIV`, `BuildSDIVPow2`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from featurizers.mlir.bits import cost
from featurizers.mlir.folds import signed
from featurizers.mlir.quotients import divided, extend, quotient, x86_product
from featurizers.mlir.selection import FREE, HARD, SOFT, Code
from featurizers.mlir.values import ARGUMENT, Value

_LOGIC = ("and", "or", "xor")
_SHIFTS = ("shl", "lshr", "ashr")
_EXTREMES = ("smax", "smin", "umax", "umin")
_WORD, _LONG = 32, 64
_SIGNED_PREDICATES = frozenset((2, 3, 4, 5))


_DISTANCE = {"aarch64": "alu", "x86": "move"}
"""What a rotation by a variable needs first: its complement, where all turn to the right; the register ``cl``."""


def _any(code: Code, position: int) -> int:
    """What all instruction sets do alike."""
    value = code.values[position]
    op, bits, args, _, _ = value
    if op == "trunc":
        return code.register(args[0])
    if op in ("bswap", "bitreverse"):
        return _turned_over(code, op, bits, args[0])
    if op == "rotl" and bits >= _WORD:
        to = code.register(args[1])
        if code.cpu.isa in _DISTANCE:
            to = code.emit(_DISTANCE[code.cpu.isa], to)
        return code.emit("shift", code.register(args[0]), to, tied=HARD if code.cpu.isa == "x86" else FREE)
    if op in ("udiv", "sdiv", "urem", "srem"):
        by = code.constant(args[1])
        return divided(code, value, by) if by else quotient(code, value)
    return code.give_up()


def _turned_over(code: Code, op: str, bits: int, value: int) -> int:
    """Bytes or bits the other way around: of narrower ones, those on top are shifted down."""
    isa = code.cpu.isa
    if op == "bitreverse" and isa != "aarch64":
        return code.give_up()
    if isa == "x86":
        return code.emit("shift" if bits < _WORD else "alu", code.register(value), tied=HARD)
    made = code.emit("alu", code.register(value))
    return code.emit("shift", made) if bits < (_LONG if isa == "riscv" else _WORD) else made


def _turned(code: Code, args: tuple[int, ...], bits: int) -> int | None:
    """The value that two shifts are of, which together turn it around (`MatchRotate`)."""
    one, other = (code.values[argument] for argument in args)
    if {one.op, other.op} == {"shl", "lshr"} and one.args[0] == other.args[0]:
        by = [code.constant(each.args[1]) or 0 for each in (one, other)]
        if sum(by) == bits and min(by):
            return one.args[0]
    return None


def _x86(code: Code, position: int) -> int:
    value = code.values[position]
    op, bits, args, _number, _ = value
    last = code.constant(args[1]) if len(args) > 1 else None
    if op == "add":
        if last is not None:
            return code.emit("alu", code.register(args[0]), tied=SOFT if code.uses[position] == 1 else FREE)
        return code.emit("alu", code.register(args[0]), code.register(args[1]), tied=SOFT, swaps=True)
    if op == "sub":
        if code.constant(args[0]) == 0:
            return code.emit("alu", code.register(args[1]), tied=HARD)
        return code.emit("alu", code.register(args[0]), code.register(args[1]), tied=HARD)
    if op in _LOGIC:
        turned = _turned(code, args, bits) if op == "or" else None
        if turned is not None:
            return code.emit("shift", code.register(turned), tied=SOFT)
        if last is not None and -(1 << 31) <= signed(last, bits) < 1 << 31:
            return code.emit("alu", code.register(args[0]), tied=HARD)
        for one, other in ((args[0], args[1]), (args[1], args[0])) if op == "and" and bits >= _WORD else ():
            inverted = _inverted(code, other, bits)
            if inverted is not None:
                return code.emit("alu", code.register(one), code.register(inverted))  # ``andn``
        return code.emit("alu", code.register(args[0]), code.register(args[1]), tied=HARD, swaps=True)
    if op in _SHIFTS:
        return _x86_shift(code, op, bits, args, last)
    if op == "mul":
        one = code.register(args[0])
        if last is None:
            return code.emit("mul", one, code.register(args[1]), tied=HARD, swaps=True)
        return x86_product(code, one, signed(last, bits))
    if op in _EXTREMES:
        if last == 0 and op[0] == "s" and bits >= _WORD:
            one = code.register(args[0])
            sign = code.emit("shift", code.emit("move", one), tied=HARD)
            return code.emit("alu", sign, one, tied=FREE if op == "smax" else HARD)  # ``andn`` needs no copy
        one, other = code.register(args[0]), code.register(args[1])
        flags = code.emit("test", one) if last is not None else code.emit("compare", one, other)
        return code.emit("choice", one, other, flags, tied=HARD, swaps=True)
    if op == "abs":
        one = extend(code, args[0], "s") if bits == 8 else code.register(args[0])
        return code.emit("choice", code.emit("alu", one, tied=HARD), one, tied=HARD, swaps=True)
    if op == "icmp":
        return code.emit("set", _flags(code, value))
    if op == "select":
        one, other = code.register(args[1]), code.register(args[2])
        return code.emit("choice", one, other, _condition(code, args[0]), tied=HARD, swaps=True)
    if op in ("sext", "zext"):
        source = code.values[args[0]].bits
        if source == 1:
            made = code.emit("alu", code.register(args[0]), tied=HARD)
            return made if op == "zext" else code.emit("alu", made, tied=HARD)
        if source == _WORD:
            if op == "zext" and code.values[args[0]].op not in (ARGUMENT, "trunc"):
                return code.register(args[0])  # which its instruction has cleared
            return code.emit("move" if op == "zext" else "extend", code.register(args[0]))
        return extend(code, args[0], "s" if op == "sext" else "u")
    if op in ("ctpop", "ctlz", "cttz") and bits >= _WORD:
        return code.emit("count", code.register(args[0]))
    return _any(code, position)


def _x86_shift(code: Code, op: str, bits: int, args: tuple[int, ...], by: int | None) -> int:
    """Of narrow values to the right, all bits must be known; those of bytes have an instruction."""
    extended = op != "shl" and (bits == 16 or (by is None and bits < _WORD))
    one = extend(code, args[0], "s" if op == "ashr" else "u") if extended else code.register(args[0])
    if by is None:
        if bits >= _WORD:
            return code.emit("shift", one, code.register(args[1]))
        return code.emit("shift", one, code.emit("move", code.register(args[1])), tied=HARD)
    if op == "shl" and by <= 3:
        return code.emit("scaled" if by > 1 else "alu", one, tied=SOFT)
    return code.emit("shift", one, tied=HARD)


def _flags(code: Code, comparison: Value) -> int:
    """What a comparison leaves behind."""
    one, other = comparison.args
    bits, last = code.values[one].bits, code.constant(other)
    if bits < _WORD and code.cpu.isa == "aarch64":
        how = "s" if comparison.number in _SIGNED_PREDICATES else "u"
        left = extend(code, one, how)
        return code.emit("test", left) if last is not None else code.emit("compare", left, code.register(other))
    if last is not None:
        return code.emit("test", code.register(one))
    return code.emit("compare", code.register(one), code.register(other))


def _condition(code: Code, condition: int) -> int:
    """The flags that a choice goes by."""
    known = code.values[condition]
    if condition in code.chosen and known.op == "icmp":
        return _flags(code, known)
    if known.op == "fcmp":
        return code.give_up()
    return code.emit("test", code.register(condition))


def _inner(code: Code, value: int, *ops: str) -> Value | None:
    """A value that nothing else is of, if it is one of these: it can be part of its user's instruction."""
    known = code.values[value]
    return known if known.op in ops and code.uses[value] == 1 else None


def _inverted(code: Code, value: int, bits: int) -> int | None:
    """What a value that nothing else is of is the complement of."""
    known = _inner(code, value, "xor")
    return known.args[0] if known is not None and code.constant(known.args[1]) == (1 << bits) - 1 else None


def _shifted(code: Code, value: int, bits: int) -> int | None:
    """What a value that nothing else is of is a shift of, which an operand of AArch64 can be: by a constant."""
    known = _inner(code, value, *_SHIFTS)
    if known is None or code.constant(known.args[1]) is None:
        return None
    return known.args[0] if bits >= _WORD or known.op == "shl" else None


def _aarch64(code: Code, position: int) -> int:
    value = code.values[position]
    op, bits, args, _number, _ = value
    last = code.constant(args[1]) if len(args) > 1 else None
    if op in ("add", "sub"):
        return _aarch64_sum(code, op, bits, args, last)
    if op in _LOGIC:
        return _aarch64_logic(code, op, bits, args, last)
    if op in _SHIFTS:
        if last is not None:
            return code.emit("shift", code.register(args[0]))
        narrow = op != "shl" and bits < _WORD
        one = extend(code, args[0], "s" if op == "ashr" else "u") if narrow else code.register(args[0])
        return code.emit("shift", one, code.register(args[1]))
    if op == "mul":
        size = signed(last, bits) if last is not None else 0
        if size > 2 and (size - 1) & (size - 2) == 0:
            return code.emit("shifted", code.register(args[0]))
        if size > 2 and (size + 1) & size == 0:
            return code.emit("alu", code.emit("shift", code.register(args[0])), code.register(args[0]))
        if size > 2:
            odd = size // (size & -size)
            added = any(
                position in code.values[user].args
                for user in code.program.used
                if code.values[user].op in ("add", "sub")
            )
            if odd > 1 and (odd - 1) & (odd - 2) == 0 and not (code.uses[position] == 1 and added):
                return code.emit("shift", code.emit("shifted", code.register(args[0])))
        return code.emit("mul", code.register(args[0]), code.register(args[1]))
    if op in _EXTREMES:
        how = op[0]
        if last == 0 and how == "s":
            one = code.register(args[0])
            return code.emit("shifted", one, *(() if bits >= _WORD else (code.emit("shift", one),)))
        one = extend(code, args[0], how)
        other = code.register(args[1]) if last is not None else extend(code, args[1], how)
        flags = code.emit("test", one) if last is not None else code.emit("compare", one, other)
        return code.emit("choice", one, other, flags)
    if op == "abs":
        one = extend(code, args[0], "s")
        return code.emit("choice", one, code.emit("test", one))
    if op == "icmp":
        return code.emit("set", _flags(code, value))
    if op == "select":
        flags = _condition(code, args[0])
        return code.emit("choice", code.register(args[1]), code.register(args[2]), flags)
    if op in ("sext", "zext"):
        source = code.values[args[0]]
        if op == "zext" and (source.op == "icmp" or (source.bits == _WORD and source.op not in (ARGUMENT, "trunc"))):
            return code.register(args[0])
        shift = _inner(code, args[0], "shl", "ashr" if op == "sext" else "lshr")
        if shift is not None and code.constant(shift.args[1]) is not None:
            return code.emit("shift", code.register(shift.args[0]))
        return code.emit("extend", code.register(args[0]))
    if op == "ctlz" and bits >= _WORD:
        return code.emit("count", code.register(args[0]))
    if op == "cttz" and bits >= _WORD:
        return code.emit("count", code.emit("alu", code.register(args[0])))
    return _any(code, position)


def _aarch64_sum(code: Code, op: str, bits: int, args: tuple[int, ...], last: int | None) -> int:
    """Shifts by constants and products are part of it."""
    if last is not None:
        size, product = signed(last, bits), _inner(code, args[0], "mul")
        if product is not None and not _by_shifts(code, product):
            return code.emit("madd", *[code.register(each) for each in product.args], code.number(last, bits))
        if abs(size) < 4096 or (abs(size) % 4096 == 0 and abs(size) < 1 << 24):
            return code.emit("immediate", code.register(args[0]))
        return code.emit("alu", code.register(args[0]), code.register(args[1]))
    if op == "sub" and code.constant(args[0]) == 0:
        return code.emit("alu", code.register(args[1]))
    for one, other in ((args[0], args[1]), (args[1], args[0])) if op == "add" else ((args[0], args[1]),):
        product = _inner(code, other, "mul")
        if product is not None and not _by_shifts(code, product):
            return code.emit("madd", *[code.register(each) for each in product.args], code.register(one))
        shifted = _shifted(code, other, bits)
        if shifted is not None:
            return code.emit("shifted", code.register(one), code.register(shifted))
    return code.emit("alu", code.register(args[0]), code.register(args[1]))


def _by_shifts(code: Code, product: Value) -> bool:
    """Whether a product is a shift and a sum: with a power of two plus or minus one."""
    by = code.constant(product.args[1])
    return by is not None and by > 2 and (by & (by - 1) == 0 or (by - 1) & (by - 2) == 0 or (by + 1) & by == 0)


def _aarch64_logic(code: Code, op: str, bits: int, args: tuple[int, ...], last: int | None) -> int:
    if op == "or":
        turned = _turned(code, args, bits)
        if turned is not None and bits >= _WORD:
            return code.emit("rotate", code.register(turned))
    if last is not None:
        if last == (1 << bits) - 1 and op == "xor":
            return code.emit("alu", code.register(args[0]))
        inner = _inner(code, args[0], "lshr")
        if op == "and" and last & (last + 1) == 0 and inner is not None and code.constant(inner.args[1]) is not None:
            return code.emit("shift", code.register(inner.args[0]))
        if cost("aarch64", frozenset([(max(bits, _WORD), last)])) == 0:
            return code.emit("immediate", code.register(args[0]))
        return code.emit("alu", code.register(args[0]), code.register(args[1]))
    for one, other in ((args[0], args[1]), (args[1], args[0])):
        shifted = _shifted(code, other, bits)
        if shifted is not None:
            return code.emit("shifted", code.register(one), code.register(shifted))
        inverted = _inverted(code, other, bits)
        if inverted is not None:
            return code.emit("alu", code.register(one), code.register(inverted))
    return code.emit("alu", code.register(args[0]), code.register(args[1]))


def _riscv(code: Code, position: int) -> int:
    value = code.values[position]
    op, bits, args, _number, _ = value
    last = code.constant(args[1]) if len(args) > 1 else None
    short = last is not None and -2048 <= signed(last, bits) < 2048
    if op in ("add", "sub"):
        made = _riscv_sum(code, op, bits, args, short)
        if bits == _WORD:
            code.known[made] = "s"
        return made
    if op in _LOGIC:
        turned = _turned(code, args, bits) if op == "or" else None
        if turned is not None and bits >= _WORD:
            return code.emit("shift", code.register(turned))
        of = tuple([code.register(argument) for argument in (args[:1] if short else args)])
        made = code.emit("alu", *of)
        known = [code.known.get(register, "") for register in of]
        if short or all("s" in each for each in known):
            code.known[made] = "us" if op == "and" and short and signed(last or 0, bits) >= 0 else known[0]
        return made
    if op in _SHIFTS:
        return _riscv_shift(code, op, bits, args, last)
    if op == "mul":
        size = signed(last, bits) if last is not None else 0
        if size in (3, 5, 9):
            return code.emit("alu", code.register(args[0]))
        if size > 2 and any(near & (near - 1) == 0 for near in (size - 1, size + 1)):
            return code.emit("alu", code.emit("shift", code.register(args[0])), code.register(args[0]))
        made = code.emit("mul", code.register(args[0]), code.register(args[1]))
        if bits == _WORD:
            code.known[made] = "s"
        return made
    if op in _EXTREMES:
        how = "s" if bits == _WORD else op[0]
        of = tuple(
            [
                extend(code, argument, how, _LONG) if code.constant(argument) is None else code.register(argument)
                for argument in args
            ]
        )
        made = code.emit("alu", *of)
        code.known[made] = how
        return made
    if op == "abs":
        one = extend(code, args[0], "s", _LONG)
        made = code.emit("alu", one, code.emit("alu", one))
        code.known[made] = "s"
        return made
    if op == "icmp":
        return _riscv_truth(code, value)
    if op in ("sext", "zext"):
        source = code.values[args[0]]
        if source.bits == 1:
            if source.op == "icmp" and op == "zext":
                return code.register(args[0])
            return (
                code.emit("alu", code.register(args[0]))
                if op == "zext"
                else code.emit("shift", code.emit("shift", code.register(args[0])))
            )
        return extend(code, args[0], "s" if op == "sext" else "u", _LONG)
    if op in ("ctpop", "ctlz", "cttz") and bits >= _WORD:
        return code.emit("count" if op == "ctpop" else "alu", code.register(args[0]))
    if op == "select":
        return code.give_up()
    return _any(code, position)


def _riscv_sum(code: Code, op: str, bits: int, args: tuple[int, ...], short: bool) -> int:
    """Shifts by one to three are part of it (``sh1add``)."""
    if short:
        return code.emit("alu", code.register(args[0]))
    if op == "sub" and code.constant(args[0]) == 0:
        return code.emit("alu", code.register(args[1]))
    for one, other in ((args[0], args[1]), (args[1], args[0])) if op == "add" else ():
        shift = _inner(code, other, "shl")
        if shift is not None and (code.constant(shift.args[1]) or 4) <= 3:
            return code.emit("alu", code.register(one), code.register(shift.args[0]))
    return code.emit("alu", code.register(args[0]), code.register(args[1]))


def _riscv_shift(code: Code, op: str, bits: int, args: tuple[int, ...], last: int | None) -> int:
    """Those of words have instructions of their own; of narrower ones, all bits must be known."""
    narrow = bits < _WORD and op != "shl"
    one = extend(code, args[0], "s" if op == "ashr" else "u", _LONG) if narrow else code.register(args[0])
    made = code.emit("shift", one) if last is not None else code.emit("shift", one, code.register(args[1]))
    if op != "shl" or bits == _WORD:
        code.known[made] = "s" if op == "ashr" or bits == _WORD else "us"
    return made


def _riscv_truth(code: Code, comparison: Value) -> int:
    """A comparison as a number: those of greater or equal are turned around."""
    predicate = comparison.number
    signs = "s" if predicate in _SIGNED_PREDICATES or code.values[comparison.args[0]].bits == _WORD else "u"
    of = [
        extend(code, argument, signs, _LONG) if code.constant(argument) is None else code.register(argument)
        for argument in comparison.args
    ]
    if predicate < 2:
        return code.emit("alu", code.emit("alu", *of))
    made = code.emit("alu", *of)
    return code.emit("alu", made) if predicate in (3, 5, 7, 9) else made


OF: Mapping[str, Callable[[Code, int], int]] = {"x86": _x86, "aarch64": _aarch64, "riscv": _riscv}
"""The register of a value, by instruction set."""
