"""An xDSL pass that annotates functions with what they are predicted to cost.

xDSL's programs go to the model as generic MLIR text: dialects that MLIR does not have are taken as they are.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from xdsl.context import Context
from xdsl.dialects.builtin import FloatAttr, ModuleOp, StringAttr, f64
from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass
from xdsl.printer import Printer

from costmodel.passes.model import CostModel
from featurizers.errors import InputError

ATTRIBUTE, REFUSED = "costmodel.cost", "costmodel.refused"


@dataclass(frozen=True)
class AnnotateCosts(ModulePass):
    """Every function with a body gets ``costmodel.cost`` (f64, in the model's unit).

    A function that the featurizer refuses (dynamic shapes, say) gets ``costmodel.refused`` with the reason instead.

    device, target : see `CostModel.load`. model : takes their place where it is given (from Python only).
    """

    name = "annotate-costs"

    device: str = "znver4"
    target: str | None = None

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        annotate(op, CostModel.load(self.device, self.target))


def annotate(module: ModuleOp, model: CostModel) -> None:
    """What the pass does, with a model that is loaded already."""
    for op in module.walk():
        if isinstance(op, FuncOp) and not op.is_declaration:
            try:
                op.attributes[ATTRIBUTE] = FloatAttr(cost_of(op, model), f64)
            except InputError as error:
                op.attributes[REFUSED] = StringAttr(str(error))


def cost_of(op: Operation, model: CostModel) -> float:
    """Predicted cost of one operation that stands alone, a function or a module. Raises InputError.

    Generic text goes first, since it is the same in xDSL and MLIR; where MLIR refuses it (xDSL takes loop indices of an
    affine access for symbols), the dialects' own syntax.
    """
    try:
        return model.cost(_raw(op, generic=True))
    except InputError as refused:
        try:
            return model.cost(_raw(op, generic=False))
        except InputError:
            raise refused from None


def _raw(op: Operation, *, generic: bool) -> dict[str, Any]:
    text = io.StringIO()
    Printer(text, print_generic_format=generic).print_op(op)
    return {"mlir": text.getvalue(), "allow_unregistered": True}
