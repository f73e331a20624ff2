"""Instructions for the values of straight-line code: one by one, as instruction selection finds them.

Sources (LLVM 22): `X86ISelLowering.cpp`, `AArch64ISelLowering.cpp`, `RISCVISelLowering.cpp` and their ``.td`` patterns;
`X86InstrInfo::convertToThreeAddress`. Of whole numbers see `integers`.
"""

from __future__ import annotations

from struct import unpack
from typing import NamedTuple

from featurizers.mlir import opclass
from featurizers.mlir.bits import cost, short
from featurizers.mlir.cpus import Cpu
from featurizers.mlir.folds import signed
from featurizers.mlir.latency import latencies
from featurizers.mlir.opclass import CLASS
from featurizers.mlir.straight import Straight
from featurizers.mlir.values import ARGUMENT, CONSTANT, Value

FREE, SOFT, HARD = 0, 1, 2
"""Whether a result goes to any register, to that of an operand if nobody else needs that, or to no other."""


class Instruction(NamedTuple):
    """made : the virtual register that it writes. of : those that it reads. kind : see `cores`. tied : see above.
    swaps : whether its operands may change places. lasts : cycles until its result is there, 0 for those of its kind.
    real : whether it writes a register of floating point."""

    made: int
    of: tuple[int, ...]
    kind: str
    tied: int = FREE
    swaps: bool = False
    lasts: float = 0.0
    real: bool = False


class Code:
    """What is selected for a function. registers : of each value, the virtual register that holds it; floats : those
    of floating point. chosen : comparisons that are nothing but conditions of choices. unknown : whether something has
    no selection here."""

    def __init__(self, program: Straight, cpu: Cpu):
        self.program, self.cpu, self.values = program, cpu, program.values
        self.list: list[Instruction] = []
        self.registers: dict[int, int] = {}
        self.numbers: dict[tuple[int, int], int] = {}
        self.extended: dict[tuple[int, str], int] = {}
        self.known: dict[int, str] = {}
        self.floats: set[int] = set()
        self.unknown = False
        self.count = 0
        self.uses: dict[int, int] = dict.fromkeys(program.used, 0)
        others: set[int] = set(program.results)
        for value in program.used:
            op, _, args, _, _ = self.values[value]
            for position, argument in enumerate(args):
                self.uses[argument] += 1
                if op != "select" or position:
                    others.add(argument)
        for value in program.results:
            self.uses[value] += 1
        self.chosen = {v for v in program.used if self.values[v].op in ("icmp", "fcmp") and v not in others}
        self.returned: list[int] = []

    def emit(
        self, kind: str, *of: int, tied: int = FREE, swaps: bool = False, lasts: float = 0.0, real: bool = False
    ) -> int:
        """One more instruction; gives the register that it writes."""
        self.count += 1
        if real:
            self.floats.add(self.count)
        self.list.append(Instruction(self.count, of, kind, tied, swaps, lasts, real))
        return self.count

    def register(self, value: int) -> int:
        """The register of a value; a constant is put into one."""
        found = self.registers.get(value)
        if found is not None:
            return found
        known = self.values[value]
        if known.op != CONSTANT:
            from featurizers.mlir.integers import OF

            found = self.registers[value] = OF[self.cpu.isa](self, value)
            return found
        return self.literal(value) if known.real else self.number(known.number, known.bits)

    def returned_in(self, value: int) -> int:
        """The register that a result is in: numbers are made where they are wanted."""
        known = self.values[value]
        if self.cpu.isa == "riscv" and self.constant(value) == 0 and len(self.program.results) > _IN_REGISTERS:
            return 0  # stored from the register of zeros
        return self.number(known.number, known.bits, True) if self.constant(value) is not None else self.register(value)

    def number(self, number: int, bits: int, anew: bool = False) -> int:
        """A register with a number."""
        if number == 0 and not anew and self.cpu.isa != "x86":
            return 0  # the register of zeros
        found = None if anew else self.numbers.get((number, bits))
        if found is None:
            found = self.emit("number" if number else "zero")
            for _ in range(self.steps(number, bits) - 1):
                found = self.emit("number", found, tied=SOFT, lasts=1.0)
            if self.cpu.isa != "x86" and not anew:  # which makes them anew
                self.numbers[number, bits] = found
            self.known[found] = "us"
        return found

    def steps(self, number: int, bits: int) -> int:
        """Instructions that put a number into a register."""
        if self.cpu.isa == "x86":
            return 1
        value = signed(number, bits)
        if self.cpu.isa == "riscv":
            short = -2048 <= value < 2048 or (value & 0xFFF == 0 and -(1 << 31) <= value < 1 << 31)
            return 1 if short else 2 if -(1 << 31) <= value < 1 << 31 else 5
        width = max(bits, 32)
        parts = [
            sum([(part >> at) & 0xFFFF > 0 for at in range(0, width, 16)])
            for part in (value & ((1 << width) - 1), ~value & ((1 << width) - 1))
        ]
        repeated = cost("aarch64", frozenset([(width, value & ((1 << width) - 1))]))
        return max(min(*parts, int(max(repeated, 1.0))), 1)

    def literal(self, value: int, first: bool = False) -> int:
        """A register with a number of floating point. first : x86's first operand, which is none in memory."""
        known = self.values[value]
        key = known.number, -known.bits
        found = self.numbers.get(key)
        if found is None:
            (number,) = unpack("<d", known.number.to_bytes(8, "little"))
            isa = self.cpu.isa
            if isa == "x86":
                if self.uses[value] < _OFTEN and not first:
                    return 0  # an operand in memory
                found = self.emit("load", lasts=float(self.cpu.load_latency), real=True)
            elif isa == "aarch64" and (short(number) or not number):
                found = self.emit("fmove", lasts=3.0 if self.cpu.in_order else 1.0, real=True)
            else:
                whole = 0 if not number else self.emit("number")
                for _ in range(known.bits > _SINGLE and bool(whole)):
                    whole = self.emit("number", whole, lasts=1.0)
                found = self.emit("fmove", whole, lasts=_TO_FLOATS.get(self.cpu.name, 3.0), real=True)
            self.numbers[key] = found
        return found

    def constant(self, value: int) -> int | None:
        """The number that a value is."""
        known = self.values[value]
        return known.number if known.op == CONSTANT and not known.real else None

    def give_up(self) -> int:
        """Something that has no selection here."""
        self.unknown = True
        return 0


def select(program: Straight, cpu: Cpu) -> Code | None:
    """The code of a function; None where one of its operations is not known for this CPU."""
    from featurizers.mlir.integers import OF

    if cpu.isa not in OF:
        return None
    code = Code(program, cpu)
    for position, value in enumerate(program.values):
        if value.op == ARGUMENT:
            code.count += 1
            code.registers[position] = code.count
            if value.real:
                code.floats.add(code.count)
    for position in program.used:
        value = program.values[position]
        if value.op in (ARGUMENT, CONSTANT) or position in code.chosen or position in code.registers:
            continue
        if value.real or value.op in ("fcmp", "fptosi", "fptoui"):
            code.registers[position] = _real(code, value)
        else:
            code.registers[position] = OF[cpu.isa](code, position)
        if code.unknown:
            return None
    code.returned = [code.returned_in(value) for value in program.results]
    _without_unused(code)
    return code


def _without_unused(code: Code) -> None:
    """Leave out what nobody needs, since its users are made of what it is of (shifts inside of sums)."""
    wanted = set(code.returned)
    kept = []
    for instruction in reversed(code.list):
        if instruction.made in wanted or not instruction.made:
            kept.append(instruction)
            wanted.update(instruction.of)
    code.list = kept[::-1]


_CLASS_OF = {
    "fadd": "fadd", "fsub": "fadd", "fmul": "fmul", "fdiv": "fdiv", "fma": "fma", "fsqrt": "fsqrt", "fext": "fconvert",
    "ftrunc": "fconvert", "sitofp": "fconvert", "uitofp": "fconvert", "fptosi": "fconvert", "fptoui": "fconvert",
    "fneg": "logic", "fabs": "logic", "fround": "fminmax",
}  # fmt: skip
_OFTEN = 2
"""Uses from which on x86 loads a constant into a register."""
_IN_REGISTERS = 2
"""Whole numbers that RISC-V returns in registers."""
_TO_FLOATS = {"neoverse-v1": 3.0, "apple-m1": 5.0, "cortex-a55": 3.0, "sifive-p670": 2.0}
"""Cycles from a register of whole numbers to one of floats."""
_EXTREMES = {"fmaximum": True, "fminimum": True, "fmaxnum": False, "fminnum": False}
_SINGLE = 32


def _real(code: Code, value: Value) -> int:
    """Of floating point, in registers of its own."""
    op, bits, args, _, real = value
    cpu = code.cpu
    wide = max([bits, *[code.values[argument].bits for argument in args]])
    if (real and (bits < _SINGLE and not cpu.half)) or op in ("fcmp", "uitofp", "fptoui"):
        return code.give_up()
    known = latencies(cpu, wide, True)
    if op == "select":
        return _chosen(code, value, known)
    if op in ("fma", "fneg", "fmul"):
        args = _without_signs(code, value)
        if op == "fneg" and len(args) > 1:
            op = {2: "fmul", 3: "fma"}[len(args)]
    of = tuple([code.register(argument) for argument in args])
    if op in _EXTREMES:
        if cpu.isa == "x86":
            return _x86_extreme(code, value, of, known)
        if cpu.isa == "riscv" and _EXTREMES[op]:
            return code.give_up()
        return code.emit("fadd", *of, lasts=known[opclass.FMINMAX], real=True)
    if cpu.isa == "riscv" and op == "fround":
        return code.give_up()
    kind = _CLASS_OF.get(op)
    if kind is None:
        return code.give_up()
    if cpu.isa == "x86" and op == "fma":
        return code.emit(kind, *of, tied=HARD, swaps=True, lasts=known[CLASS[kind]], real=True)
    lasts = _BITS_OF_FLOATS.get(cpu.name, 1.0) if kind == "logic" else known[CLASS[kind]]
    return code.emit("f" + kind if kind == "logic" else kind, *of, lasts=lasts, real=real)


def _without_signs(code: Code, value: Value) -> tuple[int, ...]:
    """Of what a sum of a product is: signs are part of the instruction; AArch64 has a product for them as well."""
    op, _, args, _, _ = value
    if op == "fma" or (op == "fmul" and code.cpu.isa == "aarch64"):
        return tuple([code.values[each].args[0] if code.values[each].op == "fneg" else each for each in args])
    inner = code.values[args[0]]
    if (
        op == "fneg"
        and code.uses[args[0]] == 1
        and (inner.op == "fma" or (inner.op == "fmul" and code.cpu.isa == "aarch64"))
    ):
        return inner.args
    return args


_BITS_OF_FLOATS = {"skylake-avx512": 1.0, "znver4": 1.0, "neoverse-v1": 2.0, "apple-m1": 2.0, "cortex-a55": 4.0,
                   "sifive-p670": 1.0}  # fmt: skip
"""Cycles of a sign that is changed."""


def _x86_extreme(code: Code, value: Value, of: tuple[int, ...], known: tuple[float, ...]) -> int:
    constants = [code.values[argument].number for argument in value.args if code.values[argument].op == CONSTANT]
    if constants == [0] and value.op == "fmaximum":
        made = code.emit("fadd", of[0], code.emit("zero", real=True), lasts=known[opclass.FMINMAX], real=True)
        flags = code.emit("fcompare", of[0], of[0], lasts=known[opclass.SELECT])
        return code.emit("fchoice", made, of[0], flags, tied=HARD, lasts=1.0, real=True)
    if constants and _EXTREMES[value.op]:  # where the other is NaN, it is the second operand that is given
        of = tuple(
            [code.literal(arg, True) if code.values[arg].op == CONSTANT else code.register(arg) for arg in value.args]
        )
    if constants:
        return code.emit("fadd", *of, lasts=_EXTREME_LATENCY.get(code.cpu.name, known[opclass.FMINMAX]), real=True)
    least = _EXTREME_LATENCY.get(code.cpu.name, known[opclass.FMINMAX])
    one, other = of
    if not _EXTREMES[value.op]:
        flags = code.emit("fcompare", one, one, lasts=known[opclass.SELECT])
        made = code.emit("fadd", other, one, lasts=least, real=True)
        return code.emit("fchoice", made, other, flags, tied=HARD, lasts=1.0, real=True)
    sign = code.emit("set", code.emit("test", code.emit("fbits", one, lasts=_SIGN_LATENCY)))
    mask = code.emit("kmove", sign)
    first = code.emit("fchoice", one, other, mask, tied=HARD, lasts=1.0, real=True)
    second = code.emit("fchoice", other, one, mask, tied=HARD, lasts=1.0, real=True)
    made = code.emit("fadd", second, first, lasts=least, real=True)
    ordered = code.emit("fcompare", second, second, lasts=known[opclass.SELECT])
    return code.emit("fchoice", made, second, ordered, tied=HARD, lasts=1.0, real=True)


_EXTREME_LATENCY = {"znver4": 2.0}
_SIGN_LATENCY = 2.0
"""Cycles from a register of floats to one of whole numbers."""


def _chosen(code: Code, value: Value, known: tuple[float, ...]) -> int:
    """A choice among floats."""
    condition = code.values[value.args[0]]
    one, other = code.register(value.args[1]), code.register(value.args[2])
    if code.cpu.isa == "riscv" or condition.op != "fcmp":
        return code.give_up()
    left, right = (code.register(argument) for argument in condition.args)
    if code.cpu.isa == "x86" and {left, right} == {one, other}:
        return code.emit("fadd", one, other, lasts=known[opclass.FMINMAX], real=True)
    each = known[opclass.SELECT]
    flags = code.emit("fcompare", left, right, lasts=each)
    tied = HARD if code.cpu.isa == "x86" else FREE  # what is moved under a mask, over what stays
    return code.emit("fchoice", other, one, flags, tied=tied, lasts=each, real=True)
