"""Writing chains of linalg, on tensors or on buffers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from costmodel.mlir.generators.code import Code
from costmodel.mlir.generators.values import ARITH, Value, sign
from costmodel.mlir.generators.writer import memref, tensor

Operand = tuple[str, Sequence[str]]
"""A name, and its indexing map's results in d0, d1, ..."""


class Chain:
    """One function of tensors, or of buffers that are all arguments; names have known shapes.

    Iterators of generic operations come in the reverse order where the code's alternative is asked for.
    """

    def __init__(self, code: Code, element: str, *, buffers: bool):
        self.code, self.element, self.buffers = code, element, buffers
        self.shapes: dict[str, list[int]] = {}

    def kind(self, shape: Sequence[int]) -> str:
        """The type of a value of this shape."""
        return (memref if self.buffers else tensor)(shape, self.element)

    def input(self, shape: Sequence[int]) -> str:
        """Another argument."""
        return self.known(self.code.argument(self.kind(shape)), shape)

    def known(self, name: str, shape: Sequence[int]) -> str:
        """The name, whose shape is remembered."""
        self.shapes[name] = list(shape)
        return name

    def filled(self, shape: Sequence[int], start: float | None) -> str:
        """A target, filled with a number or not."""
        kind = self.kind(shape)
        name = self.code.argument(kind) if self.buffers else self.code.value(f"tensor.empty() : {kind}")
        if start is None:
            return self.known(name, shape)
        constant = self.code.known(start, self.element).name
        return self._into(f"linalg.fill ins({constant} : {self.element})", name, shape)

    def _into(self, head: str, out: str, shape: Sequence[int], tail: str = "") -> str:
        kind = self.kind(shape)
        text = f"{head} outs({out} : {kind}){tail}"
        if self.buffers:
            self.code.line(text)
            return self.known(out, shape)
        return self.known(self.code.value(f"{text} -> {kind}"), shape)

    def named(
        self, op: str, operands: Sequence[str], shape: Sequence[int], start: float | None = 0, attributes: str = ""
    ) -> str:
        """A named operation that fills or accumulates."""
        kinds = ", ".join(self.kind(self.shapes[name]) for name in operands)
        head = f"linalg.{op} {attributes}ins({', '.join(operands)} : {kinds})"
        return self._into(head, self.filled(shape, start), shape)

    def folded(self, operand: str, axes: Sequence[int], op: str, start: float) -> str:
        """``linalg.reduce`` of these axes by an operation of two."""
        shape = [size for axis, size in enumerate(self.shapes[operand]) if axis not in axes]
        name = f"reduce {{ arith.{ARITH[op][sign(self.element)]} }}"
        return self._short(name, operand, shape, f"dimensions = {list(axes)}", start)

    def permuted(self, operand: str, order: Sequence[int]) -> str:
        """``linalg.transpose``, which writes its result without an arrow."""
        return self._short(
            "transpose", operand, [self.shapes[operand][a] for a in order], f"permutation = {list(order)}"
        )

    def repeated(self, operand: str, axis: int, count: int) -> str:
        """``linalg.broadcast`` along a new axis."""
        shape = list(self.shapes[operand])
        shape.insert(axis, count)
        return self._short("broadcast", operand, shape, f"dimensions = [{axis}]")

    def _short(self, op: str, operand: str, shape: list[int], tail: str, start: float | None = None) -> str:
        source, out = self.kind(self.shapes[operand]), self.filled(shape, start)
        text = f"linalg.{op} ins({operand} : {source}) outs({out} : {self.kind(shape)}) {tail}"
        if self.buffers:
            self.code.line(text)
            return out
        return self.known(self.code.value(text), shape)

    def reshaped(self, operand: str, op: str, groups: Sequence[Sequence[int]], shape: Sequence[int]) -> str:
        """Axes collapsed or one expanded; `groups` say which belong together."""
        dialect = "memref" if self.buffers else "tensor"
        sizes = f" output_shape {list(shape)}" if op == "expand_shape" else ""
        kinds = f"{self.kind(self.shapes[operand])} into {self.kind(shape)}"
        listed = ", ".join(f"[{', '.join(map(str, group))}]" for group in groups)
        return self.known(self.code.value(f"{dialect}.{op} {operand} [{listed}]{sizes} : {kinds}"), shape)

    def generic(
        self,
        operands: Sequence[Operand],
        extents: Sequence[int],
        kept: Sequence[int],
        body: Callable[[list[Value]], Value],
        start: float | None = None,
    ) -> str:
        """``linalg.generic`` over these extents; those not kept are reduced. The body's last value is the target's."""
        count = len(extents)
        back = self.code.alternative
        dims = [f"d{count - 1 - n if back else n}" for n in range(count)]
        kinds = ["parallel" if n in kept else "reduction" for n in range(count)]
        heads = ", ".join(f"d{n}" for n in range(count))
        maps = [list(results) for _, results in operands] + [[f"d{n}" for n in kept]]
        if back:
            kinds.reverse()
            maps = [[_renamed(result, dims) for result in results] for results in maps]
        listed = ", ".join(f"affine_map<({heads}) -> ({', '.join(results)})>" for results in maps)
        iterators = ", ".join(f'"{kind}"' for kind in kinds)
        shape = [extents[n] for n in kept]
        out, kind = self.filled(shape, start), self.kind(shape)
        inputs = ", ".join(self.kind(self.shapes[name]) for name, _ in operands)
        names = ", ".join(name for name, _ in operands)
        result = out if self.buffers else self.code.fresh()
        head = f"linalg.generic {{indexing_maps = [{listed}], iterator_types = [{iterators}]}}"
        self.code.line(head if self.buffers else f"{result} = {head}")
        self.code.line(f"  ins({names} : {inputs}) outs({out} : {kind}) {{")
        values = [Value(self.code, self.code.fresh("e"), self.element) for _ in range(len(operands) + 1)]
        arguments = ", ".join(f"{value.name}: {self.element}" for value in values)
        with self.code.block(f"^bb0({arguments}):", "}" if self.buffers else f"}} -> {kind}"):
            self.code.line(f"linalg.yield {body(values).name} : {self.element}")
        return self.known(result, shape)

    def index(self, axis: int, count: int) -> Value:
        """``linalg.index`` of an iterator, inside a body."""
        place = count - 1 - axis if self.code.alternative else axis
        return self.code.new(f"linalg.index {place} : index", "index")

    def written(self, name: str, results: Sequence[str], *, noalias: bool) -> str:
        """The whole function's text."""
        returned = [] if self.buffers else [(r, self.kind(self.shapes[r])) for r in results]
        return self.code.function(name, noalias=noalias, returns=returned)


def _renamed(result: str, dims: Sequence[str]) -> str:
    words = result.split(" ")
    return " ".join(dims[int(word[1:])] if word[0] == "d" and word[1:].isdigit() else word for word in words)
