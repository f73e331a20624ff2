"""Writing graphs of linalg operations on tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from costmodel.mlir.generators.writer import Writer, tensor

Body = Callable[[Writer, list[str]], str]


class TensorFunction:
    """One function of tensors as it is written; values are names with a known shape."""

    def __init__(self, element: str):
        self.w = Writer()
        self.element = element
        self.shapes: dict[str, list[int]] = {}

    def input(self, shape: Sequence[int]) -> str:
        """Another argument."""
        return self._known(self.w.argument(tensor(shape, self.element)), shape)

    def _known(self, name: str, shape: Sequence[int]) -> str:
        self.shapes[name] = list(shape)
        return name


class Graph(TensorFunction):
    """Of linalg operations."""

    def full(self, shape: Sequence[int], number: float) -> str:
        """A tensor filled with a number."""
        kind = tensor(shape, self.element)
        empty = self.w.value(f"tensor.empty() : {kind}")
        constant = self.w.constant(number, self.element)
        text = f"linalg.fill ins({constant} : {self.element}) outs({empty} : {kind}) -> {kind}"
        return self._known(self.w.value(text), shape)

    def named(self, op: str, operands: list[str], shape: Sequence[int], start: float = 0, attributes: str = "") -> str:
        """A named linalg operation accumulating on a filled tensor."""
        out = self.full(shape, start)
        kinds = ", ".join(tensor(self.shapes[name], self.element) for name in operands)
        kind = tensor(shape, self.element)
        text = f"linalg.{op} {attributes}ins({', '.join(operands)} : {kinds}) outs({out} : {kind}) -> {kind}"
        return self._known(self.w.value(text), shape)

    def matmul(self, a: str, b: str) -> str:
        """Product of matrices, or of batches of them."""
        left, right = self.shapes[a], self.shapes[b]
        op = "matmul" if len(left) == 2 else "batch_matmul"
        return self.named(op, [a, b], [*left[:-1], right[-1]])

    def map(self, operands: list[str], body: Body, axes: list[list[int]] | None = None) -> str:
        """Element by element over the first operand's shape; `axes` say which of its axes the others have."""
        shape = self.shapes[operands[0]]
        rank = len(shape)
        used = axes or [list(range(rank)) for _ in operands]
        return self._generic(operands, used, shape, ["parallel"] * rank, list(range(rank)), body)

    def reduce(self, operand: str, axis: int, start: float, body: Body) -> str:
        """Fold one axis away."""
        shape = self.shapes[operand]
        rank = len(shape)
        kept = [a for a in range(rank) if a != axis]
        kinds = ["reduction" if a == axis else "parallel" for a in range(rank)]
        out = self.full([shape[a] for a in kept], start)
        return self._generic([operand], [list(range(rank))], shape, kinds, kept, body, out)

    def transpose(self, operand: str, order: list[int]) -> str:
        """Axes permuted."""
        shape = [self.shapes[operand][axis] for axis in order]
        inverse = [order.index(axis) for axis in range(len(order))]
        kinds = ["parallel"] * len(order)
        return self._generic([operand], [inverse], shape, kinds, list(range(len(order))), lambda _, values: values[0])

    def function(self, name: str, results: Sequence[str]) -> str:
        """The whole function's text."""
        return self.w.function(name, returns=[(r, tensor(self.shapes[r], self.element)) for r in results])

    def _generic(
        self,
        operands: list[str],
        axes: list[list[int]],
        extents: list[int],
        kinds: list[str],
        kept: list[int],
        body: Body,
        out: str | None = None,
    ) -> str:
        w = self.w
        shape = [extents[axis] for axis in kept]
        kind = tensor(shape, self.element)
        out = out or w.value(f"tensor.empty() : {kind}")
        dims = ", ".join(f"d{n}" for n in range(len(extents)))
        maps = ", ".join(f"affine_map<({dims}) -> ({', '.join(f'd{a}' for a in used)})>" for used in [*axes, kept])
        listed = ", ".join(f'"{k}"' for k in kinds)
        inputs = ", ".join(tensor(self.shapes[name], self.element) for name in operands)
        result = w.fresh()
        names = [w.fresh("e") for _ in range(len(operands) + 1)]
        w.line(f"{result} = linalg.generic {{indexing_maps = [{maps}], iterator_types = [{listed}]}}")
        w.line(f"  ins({', '.join(operands)} : {inputs}) outs({out} : {kind}) {{")
        arguments = ", ".join(f"{name}: {self.element}" for name in names)
        with w.block(f"^bb0({arguments}):", f"}} -> {kind}"):
            w.line(f"linalg.yield {body(w, names)} : {self.element}")
        return self._known(result, shape)
