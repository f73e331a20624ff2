"""Parts of tensors, and rows that are looked up. Numbers are those of LLVM 22's tools."""

from __future__ import annotations

import pytest

from tests.featurizers.mlir.generated import estimated

STABLE = """
func.func @f(%a: tensor<64x96xf32>, %b: tensor<32x64xf32>) -> tensor<32x64xf32> {
  %0 = stablehlo.slice %a [8:40, 16:80] : (tensor<64x96xf32>) -> tensor<32x64xf32>
  %1 = stablehlo.add %0, %b : tensor<32x64xf32>
  return %1 : tensor<32x64xf32>
}"""

TOSA = """
func.func @f(%a: tensor<64x96xf32>, %b: tensor<32x64xf32>) -> tensor<32x64xf32> {
  %s = tosa.const_shape {values = dense<[8, 16]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %n = tosa.const_shape {values = dense<[32, 64]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %0 = tosa.slice %a, %s, %n : (tensor<64x96xf32>, !tosa.shape<2>, !tosa.shape<2>) -> tensor<32x64xf32>
  %1 = tosa.add %0, %b : (tensor<32x64xf32>, tensor<32x64xf32>) -> tensor<32x64xf32>
  return %1 : tensor<32x64xf32>
}"""

TENSOR = """
func.func @f(%a: tensor<64x96xf32>, %b: tensor<32x64xf32>) -> tensor<32x64xf32> {
  %0 = tensor.extract_slice %a[8, 16] [32, 64] [1, 1] : tensor<64x96xf32> to tensor<32x64xf32>
  %1 = arith.addf %0, %b : tensor<32x64xf32>
  return %1 : tensor<32x64xf32>
}"""

GATHER = """
func.func @f(%v: tensor<1x48x6xf64>, %i: tensor<1x20xi32>) -> tensor<1x20x6xf64> {
  %0 = tosa.gather %v, %i : (tensor<1x48x6xf64>, tensor<1x20xi32>) -> tensor<1x20x6xf64>
  return %0 : tensor<1x20x6xf64>
}"""

RETURNED = """
func.func @f(%a: tensor<64x96xf32>) -> tensor<32x64xf32> {
  %0 = stablehlo.slice %a [8:40, 16:80] : (tensor<64x96xf32>) -> tensor<32x64xf32>
  return %0 : tensor<32x64xf32>
}"""


def both(text: str, on: str = "znver4") -> list[float]:
    """Instructions and cycles."""
    return estimated(text, on, "est_instructions", "est_cycles")


@pytest.mark.parametrize("text", [STABLE, TOSA])
def test_a_part_is_a_view(text: str) -> None:
    """78 instructions and 261.15 cycles: there is one loop, and no buffer."""
    instructions, cycles = both(text)
    assert instructions == pytest.approx(78, rel=0.15)
    assert cycles == pytest.approx(261.15, rel=0.25)


def test_a_part_of_a_tensor_has_rows_of_the_whole() -> None:
    """270.9 cycles."""
    assert both(TENSOR)[1] == pytest.approx(270.9, rel=0.25)


def test_what_is_returned_of_a_tensor_is_copied() -> None:
    """24 instructions for a call with descriptors, of which the function waits 19.7 cycles."""
    instructions, cycles = both(RETURNED)
    assert instructions == pytest.approx(24, rel=0.15)
    assert cycles == pytest.approx(19.7, rel=0.25)


def test_rows_that_are_looked_up_are_no_copy() -> None:
    """Each element waits for the number of its row, and none is in vectors: 146.5 cycles, 131.3 on Neoverse V1."""
    assert both(GATHER)[1] == pytest.approx(146.5, rel=0.3)
    instructions, cycles = both(GATHER, "neoverse-v1")
    assert instructions == pytest.approx(32, rel=0.15)
    assert cycles == pytest.approx(131.3, rel=0.15)
