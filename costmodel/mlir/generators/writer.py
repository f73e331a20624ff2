"""Writing MLIR text: loops, loads and stores, arithmetic by element type."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

FLOATS = ("f16", "f32", "f64")
_FLOAT_OPS = {"add": "addf", "sub": "subf", "mul": "mulf", "div": "divf", "max": "maximumf", "min": "minimumf"}
_INT_OPS = {"add": "addi", "sub": "subi", "mul": "muli", "div": "divsi", "max": "maxsi", "min": "minsi"}


def is_float(kind: str) -> bool:
    """Whether an element type is a floating-point one."""
    return kind in FLOATS


def memref(shape: Sequence[int], kind: str) -> str:
    """``memref<4x8xf32>``."""
    return f"memref<{'x'.join(map(str, [*shape, kind]))}>"


def tensor(shape: Sequence[int], kind: str) -> str:
    """``tensor<4x8xf32>``."""
    return f"tensor<{'x'.join(map(str, [*shape, kind]))}>"


class Writer:
    """One function of memrefs, written line by line with fresh names."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._depth = 1
        self._next = 0
        self._arguments: list[tuple[str, str]] = []
        self._constants: dict[tuple[str, str], str] = {}
        self._kinds: dict[str, tuple[str, str]] = {}

    def fresh(self, stem: str = "v") -> str:
        """A name that no other value has."""
        self._next += 1
        return f"%{stem}{self._next}"

    def argument(self, kind: str, name: str | None = None) -> str:
        """Another argument of this type."""
        name = f"%{name}" if name else self.fresh("arg")
        self._arguments.append((name, kind))
        return name

    def buffer(self, shape: Sequence[int], kind: str) -> str:
        """An argument that is a memref."""
        name = self.argument(memref(shape, kind))
        self._kinds[name] = (memref(shape, kind), kind)
        return name

    def local(self, shape: Sequence[int], kind: str) -> str:
        """A buffer on the stack."""
        name = self.fresh("buf")
        self._kinds[name] = (memref(shape, kind), kind)
        self.line(f"{name} = memref.alloca() : {memref(shape, kind)}")
        return name

    def line(self, text: str) -> None:
        """A line at the current depth."""
        self._lines.append("  " * self._depth + text)

    def value(self, text: str, stem: str = "v") -> str:
        """A line that defines a value; its name."""
        name = self.fresh(stem)
        self.line(f"{name} = {text}")
        return name

    def constant(self, number: float, kind: str) -> str:
        """A constant, defined once at the top of the function."""
        literal = f"{float(number):.9e}" if is_float(kind) else str(int(number))
        key = (literal, kind)
        if key not in self._constants:
            self._constants[key] = f"%c{len(self._constants)}_{kind}"
        return self._constants[key]

    def op(self, name: str, kind: str, *operands: str) -> str:
        """Operation of one type: add, sub, mul, div, max, min of ``arith``, or a full name (``math.exp``)."""
        if "." not in name:
            table = _FLOAT_OPS if is_float(kind) else _INT_OPS
            name = f"arith.{table.get(name, name)}"
        return self.value(f"{name} {', '.join(operands)} : {kind}")

    def load(self, buffer: str, *indices: str) -> str:
        """``affine.load`` with affine index expressions."""
        return self.value(f"affine.load {buffer}[{', '.join(indices)}] : {self._kinds[buffer][0]}")

    def store(self, value: str, buffer: str, *indices: str) -> None:
        """``affine.store`` with affine index expressions."""
        self.line(f"affine.store {value}, {buffer}[{', '.join(indices)}] : {self._kinds[buffer][0]}")

    def load_at(self, buffer: str, *indices: str) -> str:
        """``memref.load`` with index values."""
        return self.value(f"memref.load {buffer}[{', '.join(indices)}] : {self._kinds[buffer][0]}")

    def store_at(self, value: str, buffer: str, *indices: str) -> None:
        """``memref.store`` with index values."""
        self.line(f"memref.store {value}, {buffer}[{', '.join(indices)}] : {self._kinds[buffer][0]}")

    @contextmanager
    def loop(self, low: int | str, high: int | str, step: int = 1, name: str = "i") -> Iterator[str]:
        """An ``affine.for``; bounds are numbers or affine expressions such as ``affine_map<(d0) -> (d0 + 1)>(%i)``."""
        index = self.fresh(name)
        by = f" step {step}" if step != 1 else ""
        self.line(f"affine.for {index} = {low} to {high}{by} {{")
        self._depth += 1
        yield index
        self._depth -= 1
        self.line("}")

    @contextmanager
    def reduction(self, low: int | str, high: int | str, start: str, kind: str) -> Iterator[Reduction]:
        """An ``affine.for`` that carries one value; set ``result`` inside, read ``out`` after."""
        loop = Reduction(self.fresh("k"), self.fresh("acc"), self.fresh("red"))
        self.line(
            f"{loop.out} = affine.for {loop.index} = {low} to {high} iter_args({loop.carried} = {start}) -> ({kind}) {{"
        )
        self._depth += 1
        yield loop
        self.line(f"affine.yield {loop.result} : {kind}")
        self._depth -= 1
        self.line("}")

    @contextmanager
    def block(self, head: str, tail: str = "}") -> Iterator[None]:
        """Any region: its first line, what is inside, its last line."""
        self.line(head)
        self._depth += 1
        yield
        self._depth -= 1
        self.line(tail)

    def function(self, name: str, *, noalias: bool = False, returns: Sequence[tuple[str, str]] = ()) -> str:
        """The whole function's text."""
        attribute = " {llvm.noalias}"
        arguments = ", ".join(
            f"{arg}: {kind}{attribute if noalias and kind.startswith('memref') else ''}"
            for arg, kind in self._arguments
        )
        kinds = ", ".join(kind for _, kind in returns)
        head = f"func.func @{name}({arguments}){f' -> ({kinds})' if returns else ''} {{"
        constants = [
            f"  {label} = arith.constant {literal} : {kind}" for (literal, kind), label in self._constants.items()
        ]
        values = ", ".join(value for value, _ in returns)
        end = f"  return {values} : {kinds}" if returns else "  return"
        return "\n".join([head, *constants, *self._lines, end, "}"]) + "\n"


class Reduction:
    """The names of a loop that carries a value."""

    def __init__(self, index: str, carried: str, out: str):
        self.index = index
        self.carried = carried
        self.out = out
        self.result = carried
