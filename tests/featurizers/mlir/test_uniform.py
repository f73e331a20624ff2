"""Tensors whose elements are all one number: constants wherever they are read."""

from __future__ import annotations

from featurizers.mlir import MlirFeaturizer, opclass

FEATURIZER = MlirFeaturizer()


def scaled(constant: str) -> tuple[int, float, float]:
    """Loops, loads and calls of a product with a constant that is spread over a tensor."""
    text = f"""func.func @f(%a: tensor<90x70xf32>) -> tensor<90x70xf32> {{
      {constant}
      %s = stablehlo.broadcast_in_dim %c, dims = [] : (tensor<f32>) -> tensor<90x70xf32>
      %r = stablehlo.multiply %a, %s : tensor<90x70xf32>
      return %r : tensor<90x70xf32> }}"""
    loops = FEATURIZER.parse({"mlir": text}).loops_on("x86")[0].walk()
    return len(loops) - 1, *(sum(loop.counts[index] for loop in loops) for index in (opclass.LOAD, opclass.CALL))


def test_one_number_in_all_elements_is_neither_stored_nor_loaded() -> None:
    assert scaled("%c = stablehlo.constant dense<2.0> : tensor<f32>") == (2, 1, 0)


def test_a_number_that_is_converted_first_is_computed() -> None:
    converted = """%d = stablehlo.constant dense<2.0> : tensor<f64>
      %c = stablehlo.convert %d : (tensor<f64>) -> tensor<f32>"""
    loops, loads, calls = scaled(converted)
    assert min(loops - 2, loads - 1, calls) > 0


def test_a_maximum_with_one_number_needs_no_other_operand() -> None:
    text = """func.func @f(%a: tensor<90x70xf32>) -> tensor<90x70xf32> {
      %c = "tosa.const"() <{values = dense<0.0> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
      %r = tosa.maximum %a, %c : (tensor<90x70xf32>, tensor<1x1xf32>) -> tensor<90x70xf32>
      return %r : tensor<90x70xf32> }"""
    loops = FEATURIZER.parse({"mlir": text}).loops_on("x86")[0].walk()
    assert sum(loop.counts[opclass.FMINMAX] for loop in loops) == 1
    assert sum(loop.counts[opclass.LOAD] for loop in loops) == 1
