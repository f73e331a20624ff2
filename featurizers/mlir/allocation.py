"""Registers of straight-line code: a function's results stay in the registers that arguments come in (AArch64, RISC-V),
two-address code writes over its operands (x86), and what is free is used first.

Sources (LLVM 22): `TwoAddressInstructionPass.cpp`, `RegAllocGreedy.cpp` (hints first, then the order of allocation),
the calling conventions (``*CallingConv.td``).
"""

from __future__ import annotations

from typing import NamedTuple

from featurizers.mlir.selection import HARD, Code, Instruction
from featurizers.mlir.values import ARGUMENT

_NONE, _FLAGS = -2, 200
_WRITES_FLAGS = ("compare", "test", "fcompare", "kmove")
_FLOAT = 100
"""Beyond the numbers of registers of whole numbers, those of floats."""


class _File(NamedTuple):
    """Registers: where arguments come and results go, and the order in which others are taken."""

    arguments: tuple[int, ...]
    results: tuple[int, ...]
    order: tuple[int, ...]


_X86 = _File((4, 3, 2, 1, 5, 6), (0, 2, 1), (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14))
_X86_FLOATS = _File(tuple(range(8)), (0, 1, 32, 33), tuple(range(32)))
_AARCH64 = _File(tuple(range(8)), tuple(range(8)), (*range(8, 18), *range(8), *range(19, 29)))
_AARCH64_FLOATS = _File(tuple(range(8)), tuple(range(8)), tuple(range(32)))
_RISCV = _File(tuple(range(10, 18)), (10, 11), (*range(10, 18), 5, 6, 7, 28, 29, 30, 31, 8, 9, *range(18, 28)))
_RISCV_FLOATS = _File(tuple(range(10, 18)), (10, 11), (*range(15, 9, -1), *range(8), *range(28, 32), *range(16, 28)))
_BY_NAME = (0, 1, 4, 2, 3)
"""Registers of x86 in the order of their names, in which hints of equal weight are tried (`CopyHint`)."""
_FILES = {"x86": (_X86, _X86_FLOATS), "aarch64": (_AARCH64, _AARCH64_FLOATS), "riscv": (_RISCV, _RISCV_FLOATS)}


Placed = list[tuple[int, tuple[int, ...], Instruction]]
"""Of each instruction, the register that it writes and those that it reads (negative: none)."""


def place(code: Code) -> Placed:
    """Code with its registers, moves between them and results in their places."""
    return _Allocation(code).run()


class _Group:
    """Virtual registers that share one, since each is written over the one before. entry : the argument that the first
    of them is written over, if it can be. hint : the register that the last one is wanted in."""

    __slots__ = ("end", "entry", "flags", "hard", "hint", "place", "start")

    def __init__(self, start: int, end: int):
        self.start, self.end = start, end
        self.entry = self.hint = self.place = -1
        self.hard = self.flags = False


class _Allocation:
    """Registers of a function's instructions, in order of the program."""

    def __init__(self, code: Code):
        self.code = code
        self.files = _FILES[code.cpu.isa]
        self.last: dict[int, int] = {}
        self.groups: dict[int, _Group] = {}
        self.given: dict[int, int] = {}
        self.busy: dict[int, list[tuple[int, int]]] = {}

    def run(self) -> Placed:
        """Of each instruction, the register that it writes and those that it reads."""
        returned = self.code.returned
        in_memory = self._results_in_memory(returned)
        self._arguments(in_memory)
        body = self._in_pairs(self.code.list, returned)
        for at, instruction in enumerate(body):
            for register in instruction.of:
                self.last[register] = at
        for register in returned:
            self.last[register] = len(body) + 1
        self._group(body)
        hints = self._hints(returned, in_memory)
        for register, place in self.given.items():
            if register in self.last:
                self.busy.setdefault(place, []).append((-1, self.last[register]))
        groups = list({id(group): group for group in self.groups.values()}.values())
        for group in sorted(groups, key=lambda each: (each.hint < 0, each.start)):
            self._place(group)
        placed = {register: group.place for register, group in self.groups.items()} | self.given
        found = self._with_registers(body, placed)
        pairs = 0
        for register, hint in hints:
            pairs = 0 if register else pairs + 1
            if pairs and not pairs % 2:
                continue  # zeros side by side are stored at once
            of = (placed.get(register, _NONE),)
            if in_memory:
                found.append((_NONE, of, _STORE))
            elif hint >= _FLOAT + _IN_VECTORS:  # the stack of x87, which it comes to through memory
                found += [(_NONE, of, _STORE), (_NONE, (), _LOAD)]
            elif of[0] != hint:
                found.append((hint, of, _MOVE))
        return found

    def _with_registers(self, body: list[Instruction], placed: dict[int, int]) -> Placed:
        """Arguments that are written over elsewhere than where they came are moved there first."""
        found: Placed = []
        for instruction in body:
            group = self.groups.get(instruction.made)
            of = tuple([placed.get(register, _NONE) for register in instruction.of])
            if group is not None and group.hard and group.entry >= 0 and group.place != self.given.get(group.entry):
                own, group.hard = placed[group.entry], False
                found.append((group.place, (own,), _MOVE))
                of = tuple([group.place if place == own else place for place in of])
            found.append((placed.get(instruction.made, _NONE), of, instruction))
        return found

    def _results_in_memory(self, returned: list[int]) -> bool:
        """Whether there are more results than registers for them: the caller then says where they go."""
        floats = sum([register in self.code.floats for register in returned])
        whole = len(returned) - floats
        return whole > len(self.files[0].results) or floats > len(self.files[1].results)

    def _arguments(self, in_memory: bool) -> None:
        counts = [int(in_memory), 0]
        for position, value in enumerate(self.code.values):
            if value.op != ARGUMENT:
                continue
            file = self.files[value.real]
            if counts[value.real] < len(file.arguments):
                place = file.arguments[counts[value.real]] + _FLOAT * value.real
                self.given[self.code.registers[position]] = place
            counts[value.real] += 1
        if in_memory:
            self.busy[self.files[0].arguments[0]] = [(-1, 1 << 30)]

    def _in_pairs(self, code: list[Instruction], returned: list[int]) -> list[Instruction]:
        """With moves before instructions that write over an operand which is needed again; with loads of arguments that
        come on the stack."""
        last = {register: at for at, instruction in enumerate(code) for register in instruction.of}
        for register in returned:
            last[register] = len(code)
        on_stack = {
            self.code.registers[position]
            for position, value in enumerate(self.code.values)
            if value.op == ARGUMENT and self.code.registers[position] not in self.given
        }
        found: list[Instruction] = []
        own = set(self.given)
        for at, instruction in enumerate(code):
            for register in instruction.of:
                if register in on_stack:
                    on_stack.discard(register)
                    others = any(r for r in instruction.of if r != register)  # one operand is in a register
                    folded = self.code.cpu.isa == "x86" and others and last[register] == at
                    if folded and (instruction.swaps or instruction.of[0] != register):
                        instruction = instruction._replace(of=tuple([r * (r != register) for r in instruction.of]))
                        continue
                    found.append(Instruction(register, (), "load"))
            candidates = [register for register in _candidates(instruction) if register]
            if instruction.tied == HARD and candidates:
                dying = [register for register in candidates if last.get(register) == at]
                if not dying:
                    self.code.count += 1
                    if candidates[0] in self.code.floats:
                        self.code.floats.add(self.code.count)
                    kind = "fmove" if candidates[0] in self.code.floats else "move"
                    found.append(Instruction(self.code.count, (candidates[0],), kind))
                    of = (
                        self.code.count,
                        *[r for i, r in enumerate(instruction.of) if i != instruction.of.index(candidates[0])],
                    )
                    instruction = instruction._replace(of=of)
                else:
                    best = next((register for register in dying if register not in own), dying[0])
                    if best in own:
                        own.add(instruction.made)
                    rest = [r for i, r in enumerate(instruction.of) if i != instruction.of.index(best)]
                    instruction = instruction._replace(of=(best, *rest))
            found.append(instruction)
        return found

    def _group(self, body: list[Instruction]) -> None:
        for at, instruction in enumerate(body):
            made = instruction.made
            if not made:
                continue
            first = instruction.of[0] if instruction.of else 0
            if instruction.tied and first and self.last.get(first) == at:
                group = self.groups.get(first)
                if group is not None and (instruction.tied == HARD or self.last.get(made, 0) <= len(body)):
                    group.end = self.last.get(made, at)
                    self.groups[made] = group
                    continue
                group = self.groups[made] = _Group(at, self.last.get(made, at))
                if first in self.given:
                    group.entry, group.hard = first, instruction.tied == HARD
                continue
            self.groups[made] = _Group(at, self.last.get(made, at))
            self.groups[made].flags = instruction.kind in _WRITES_FLAGS

    def _hints(self, returned: list[int], in_memory: bool) -> list[tuple[int, int]]:
        counts, hints = [0, 0], []
        for register in returned:
            real = register in self.code.floats
            if in_memory:
                hints.append((register, -1))
                continue
            place = self.files[real].results[counts[real]] + _FLOAT * real
            counts[real] += 1
            hints.append((register, place))
            group = self.groups.get(register)
            if group is not None and group.hint < 0 and place < _FLOAT + _IN_VECTORS:
                group.hint = place
        return hints

    def _free(self, place: int, start: int, end: int) -> bool:
        return all(last <= start or first >= end for first, last in self.busy.get(place, ()))

    def _place(self, group: _Group) -> None:
        if group.flags:
            group.place = _FLAGS
            return
        real = any(register in self.code.floats for register, own in self.groups.items() if own is group)
        order = [place + _FLOAT * real for place in self.files[real].order]
        if group.hint >= 0 and not group.hard:
            group.entry = -1  # ``lea`` (`isProfitableToConv3Addr`)
        start = -1 if group.entry >= 0 else group.start  # an argument is one with what is written over it
        own = self.given.get(group.entry, -1)
        stays = own in _BY_NAME and group.hint in _BY_NAME and _BY_NAME.index(own) < _BY_NAME.index(group.hint)
        place = (
            group.hint
            if group.hint >= 0
            and not (stays and self.code.cpu.isa == "x86")
            and self._free(group.hint, start, group.end)
            else -1
        )
        if place < 0 and group.entry >= 0 and self._free(self.given[group.entry], group.start, group.end):
            place = self.given[group.entry]
        if place < 0:
            place = next((each for each in order if self._free(each, group.start, group.end)), order[-1])
        group.place = place
        self.busy.setdefault(place, []).append((group.start, group.end))


def _candidates(instruction: Instruction) -> tuple[int, ...]:
    """Operands that a result may be written over: flags are none."""
    if instruction.kind == "choice":
        return instruction.of[:2]
    return instruction.of if instruction.swaps else instruction.of[:1]


_MOVE = Instruction(0, (), "move")
_STORE = Instruction(0, (), "store")
_LOAD = Instruction(0, (), "load")
_IN_VECTORS = 32
