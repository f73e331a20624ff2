"""What accumulators in memory carry on. Decisions are those of the remarks of `opt-22 -O3` on the same code."""

from __future__ import annotations

from featurizers.mlir import opclass
from tests.featurizers.mlir.generated import innermost

CHAIN = """
func.func @f(%a: memref<1024xf64> {{llvm.noalias}}, %b: memref<1024xf64> {{llvm.noalias}},
             %c: memref<4xf64> {{llvm.noalias}}) {{
  affine.for %i = 0 to 4 {{
    affine.for %j = 0 to 1024 {{
      %x = affine.load %a[%j] : memref<1024xf64>
      %y = affine.load %b[%j] : memref<1024xf64>
      %t = arith.{term} %x, %y : f64
      %o = affine.load %c[%i] : memref<4xf64>
      %r = arith.{into} %o, %t : f64
      affine.store %r, %c[%i] : memref<4xf64>
    }}
  }}
  return
}}"""

GENERIC = """
#row = affine_map<(d0, d1) -> (d1)>
#out = affine_map<(d0, d1) -> (d0)>
func.func @f(%a: memref<192xf64> {llvm.noalias}, %b: memref<192xf64> {llvm.noalias},
             %c: memref<400xf64> {llvm.noalias}) {
  linalg.generic {indexing_maps = [#row, #row, #out], iterator_types = ["parallel", "reduction"]}
    ins(%a, %b : memref<192xf64>, memref<192xf64>) outs(%c : memref<400xf64>) {
    ^bb0(%x: f64, %y: f64, %o: f64):
      %t = arith.mulf %x, %y : f64
      %r = arith.maximumf %o, %t : f64
      linalg.yield %r : f64
  }
  return
}"""


def test_a_maximum_of_products_is_a_maximum() -> None:
    """It may be taken in any order: LLVM vectorises with 4 lanes, interleaved 4 times."""
    for text in (CHAIN.format(term="mulf", into="maximumf"), GENERIC):
        code = innermost(text, "skylake-avx512")
        assert [chain.op_class for chain in code.loop.chains] == [opclass.FMAXIMUM]
        assert (code.vf, code.interleave) == (4, 4)


def test_a_product_of_sums_is_a_product() -> None:
    """Which stays in order, and waits for products."""
    code = innermost(CHAIN.format(term="addf", into="mulf"), "skylake-avx512")
    assert [chain.op_class for chain in code.loop.chains] == [opclass.CLASS["fmul"]]
    assert code.vf == 1


def test_a_maximum_that_is_asked_for_on_the_way_is_no_reduction() -> None:
    """LLVM finds a value that is no reduction and used outside, and leaves the loop as it is."""
    more = "affine.store %r, %c[%i] : memref<4xf64>\n      affine.store %r, %b[%j] : memref<1024xf64>"
    text = CHAIN.format(term="mulf", into="maximumf").replace("affine.store %r, %c[%i] : memref<4xf64>", more)
    assert innermost(text, "skylake-avx512").vf == 1
