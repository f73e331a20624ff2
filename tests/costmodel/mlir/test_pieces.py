"""A module of several functions costs what its functions cost."""

from __future__ import annotations

import pytest

from costmodel.passes import CostModel
from costmodel.pieces import whole_of
from costmodel.prediction import Prediction, Target
from costmodel.predictor import Predictor
from costmodel.registry import PRETRAINED
from featurizers.mlir import MlirFeaturizer
from tests.featurizers.mlir.samples import MATMUL, SAXPY

CALLER = """
func.func @caller(%A: memref<1024xf32>, %B: memref<1024xf32>, %s: f32) {
  func.call @saxpy(%A, %B, %s) : (memref<1024xf32>, memref<1024xf32>, f32) -> ()
  return
}
"""


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor.load(PRETRAINED / "mlir")


def _said(predictor: Predictor, text: str, device: str = "znver4", **options: object) -> tuple[Prediction, ...]:
    (outcome,) = predictor.predict([{"mlir": text, **options}], [device])
    assert not isinstance(outcome, Exception)
    return tuple(outcome)


def test_functions_that_do_not_call_one_another_are_pieces_of_a_module() -> None:
    featurizer = MlirFeaturizer(in_process=True)
    alone = featurizer.parse({"mlir": MATMUL})
    both = featurizer.parse({"mlir": MATMUL + SAXPY})
    assert not featurizer.pieces(alone)
    pieces = featurizer.pieces(both)
    assert list(pieces) == ["matmul", "saxpy"]
    of_piece, of_alone = (featurizer.features([own], profile="znver4").vectors for own in (pieces["matmul"], alone))
    assert (of_piece == of_alone).all()
    calling = featurizer.pieces(
        featurizer.parse({"mlir": MATMUL + SAXPY.replace(") {", ") attributes {no_inline} {", 1) + CALLER})
    )
    assert [[f.name for f in piece.functions] for piece in calling.values()] == [["matmul"], ["saxpy", "caller"]]
    twice = featurizer.parse({"mlir": f"module @a {{ {SAXPY} }}\nmodule @b {{ {SAXPY} }}"})
    assert len(twice.functions) == 2
    assert not featurizer.pieces(twice), "of one name: nothing is lost"


def test_one_function_of_a_module_has_the_columns_that_it_has_alone() -> None:
    featurizer = MlirFeaturizer(in_process=True)
    subjects = [featurizer.parse({"mlir": SAXPY}), featurizer.parse({"mlir": MATMUL + SAXPY, "function": "saxpy"})]
    first, second = featurizer.features(subjects, profile="cortex-a55").vectors
    assert (first == second).all()


def test_a_module_costs_what_its_functions_cost_and_is_as_well_known(predictor: Predictor) -> None:
    whole = _said(predictor, MATMUL + SAXPY)
    for place, (first, second) in enumerate(zip(_said(predictor, MATMUL), _said(predictor, SAXPY), strict=True)):
        assert whole[place].value == pytest.approx(first.value + second.value)
        assert first.low + second.low <= whole[place].low <= whole[place].value
        assert whole[place].value <= whole[place].high <= first.high + second.high
        assert whole[place].in_domain == (first.in_domain and second.in_domain)
    model = CostModel.load("znver4", "cycles")
    assert model.cost(MATMUL + SAXPY) == pytest.approx(model.cost(MATMUL) + model.cost(SAXPY))


def test_a_gpu_has_the_registers_of_the_hungriest(predictor: Predictor) -> None:
    whole, first, second = (_said(predictor, text, "gfx942")[0] for text in (MATMUL + SAXPY, MATMUL, SAXPY))
    assert whole.target == "vgprs"
    assert whole.value == max(first.value, second.value)


def test_an_explanation_of_a_module_divides_the_sum(predictor: Predictor) -> None:
    explained = predictor.explain({"mlir": MATMUL + SAXPY}, "znver4", "cycles")
    assert sum(share.value for share in explained.shares) == pytest.approx(explained.prediction.value)
    assert sum(share.fraction for share in explained.shares) == pytest.approx(1.0)
    alone = predictor.explain({"mlir": SAXPY}, "znver4", "cycles")
    assert explained.shares[-1].value == pytest.approx(alone.shares[-1].value)


def test_reasons_name_the_piece_and_many_are_counted() -> None:
    def said(reasons: tuple[str, ...]) -> tuple[Prediction]:
        return (Prediction("cycles", 2.0, "cycles", 1.0, 3.0, 0.9, not reasons, reasons, "znver4", "m", "1"),)

    target = Target("cycles", "cycles")
    (whole,) = whole_of({f"f{n}": said(("too long",) if n else ()) for n in range(6)}, [target])
    assert (whole.value, whole.in_domain) == (12.0, False)
    assert whole.high - 12 == pytest.approx(12 - whole.low) == pytest.approx((0.5 * 6**2 + 0.5 * 6) ** 0.5)
    spills = Target("register_spills", "spills", positive=False, count=True)
    (counted,) = whole_of({f"f{n}": said(()) for n in range(6)}, [spills])
    assert (counted.low, counted.high) == (7, 17), "whole numbers"
    assert whole.reasons == (*(f"in 'f{n}': too long" for n in (1, 2, 3)), "and 2 more of its 6 pieces")
    (known,) = whole_of({"f": said(()), "g": said(())}, [target])
    assert known.in_domain
