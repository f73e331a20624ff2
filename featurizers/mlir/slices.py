"""Parts of tensors, which are views: they take no buffer, and nothing is moved.

Source (MLIR 22): `tensor.extract_slice`, to which tosa and StableHLO are lowered, is a `memref.subview`
(`ExtractSliceOpInterface`).
"""

from __future__ import annotations

from collections.abc import Sequence

from featurizers.mlir.build import Builder, add_forms, handles
from featurizers.mlir.indices import strides_of
from featurizers.mlir.module import DYNAMIC, Op
from featurizers.mlir.nest import CONSTANT, Form, Nest


@handles("tosa.const_shape")
def _numbers(b: Builder, op: Op, nest: Nest) -> None:
    """Numbers that others take for their places (one where all are equal)."""
    values = op.attributes.get("values")
    if op.results and values is not None:
        b.shapes[op.results[0]] = tuple(values) if isinstance(values, list | tuple) else (values,)


def part_of(b: Builder, op: Op, word: str) -> bool:
    """Whether an operation is a view of a part, whose place is known."""
    rank = len(b.type(op.operands[0]).shape)
    forms: Sequence[Form | None]
    if word == "extract_slice":
        given = iter(op.operands[1:])
        offsets = op.attributes.get("static_offsets", ())
        forms = [b.forms.get(next(given, -1)) if o == DYNAMIC else {CONSTANT: o} for o in offsets]
        by = list(op.attributes.get("static_strides", ()))
    elif len(op.operands) > 1:
        start = b.shapes.get(op.operands[1], ())
        forms = [{CONSTANT: o} for o in (start * rank if len(start) == 1 else start)]
        by = [1] * rank
    else:
        forms = [{CONSTANT: o} for o in op.attributes.get("start_indices") or ()]
        by = list(op.attributes.get("strides") or ())
    steps = b.steps.get(op.operands[0]) or strides_of(b, op.operands[0])
    if not len(forms) == len(by) == len(steps) == rank or DYNAMIC in by:
        return False
    _view(b, op, forms, [step * factor for step, factor in zip(steps, by, strict=True)], steps)
    return True


def _view(b: Builder, op: Op, forms: Sequence[Form | None], kept: Sequence[int], steps: Sequence[int]) -> None:
    source, result = op.operands[0], op.results[0]
    total: Form | None = {CONSTANT: 0}
    for form, step in zip(forms, steps, strict=True):
        total = None if form is None or total is None else add_forms(total, form, step)
    b.aliases[result] = (source, total)
    b.parts.add(result)
    sizes = op.attributes.get("static_sizes") or ()
    ones = [axis for axis, size in enumerate(sizes) if size == 1]
    without = set(ones[: max(len(kept) - len(b.type(result).shape), 0)])  # dims that the view does not have
    b.steps[result] = tuple(step for axis, step in enumerate(kept) if axis not in without)
