"""Sums and products of what was extended: widths as opt-22 has them on AArch64, instructions as llc-22."""

from __future__ import annotations

import pytest

from tests.featurizers.mlir.generated import innermost


def dot(source: str, to: str, sign: str = "si") -> str:
    return f"""func.func @f(%a: memref<64x256x{source}> {{llvm.noalias}}, %b: memref<256x{source}> {{llvm.noalias}},
    %o: memref<64x{to}> {{llvm.noalias}}) {{
  %z = arith.constant 0 : {to}
  affine.for %i = 0 to 64 {{
    %r = affine.for %j = 0 to 256 iter_args(%s = %z) -> ({to}) {{
      %v = affine.load %a[%i, %j] : memref<64x256x{source}>
      %w = affine.load %b[%j] : memref<256x{source}>
      %x = arith.ext{sign} %v : {source} to {to}
      %y = arith.ext{sign} %w : {source} to {to}
      %m = arith.muli %x, %y : {to}
      %n = arith.addi %s, %m : {to}
      affine.yield %n : {to} }}
    affine.store %r, %o[%i] : memref<64x{to}> }}
  return }}"""


@pytest.mark.parametrize(
    ("source", "to", "vf"), [("i8", "i32", 16), ("i8", "i64", 16), ("i16", "i32", 8), ("i16", "i64", 8)]
)
@pytest.mark.parametrize(("name", "interleave"), [("apple-m1", 4), ("cortex-a55", 2), ("neoverse-v1", 2)])
def test_a_dot_product_has_as_many_lanes_as_a_register_of_what_is_loaded(
    name: str, interleave: int, source: str, to: str, vf: int
) -> None:
    code = innermost(dot(source, to), name)
    assert (code.vf, code.interleave, code.full) == (vf, interleave, False)


def test_bytes_that_are_multiplied_and_summed_up_are_one_instruction_for_sixteen() -> None:
    """1,374 cycles and 30 instructions on M1, 1,042 on V1; 3,709 where two instructions double the width."""
    code = innermost(dot("i8", "i32", "ui"), "apple-m1")
    assert code.cycles == pytest.approx(1374, rel=0.15)
    assert code.instructions < 40
    assert innermost(dot("i8", "i32"), "neoverse-v1").cycles == pytest.approx(1042, rel=0.15)
    assert innermost(dot("i16", "i32"), "apple-m1").cycles == pytest.approx(3709, rel=0.15)


LONG = """func.func @f(%a: memref<1024xi32> {llvm.noalias}, %b: memref<1024xi32> {llvm.noalias},
    %o: memref<1024xi64> {llvm.noalias}) {
  %k = arith.constant 1234567 : i64
  affine.for %i = 0 to 1024 {
    %v = affine.load %a[%i] : memref<1024xi32>
    %w = affine.load %b[%i] : memref<1024xi32>
    %x = arith.extsi %v : i32 to i64
    %y = arith.extsi %w : i32 to i64
    %m = arith.muli %x, BY : i64
    affine.store %m, %o[%i] : memref<1024xi64> }
  return }"""


@pytest.mark.parametrize("name", ["apple-m1", "cortex-a55"])
def test_neon_multiplies_words_to_64_bits(name: str) -> None:
    assert innermost(LONG.replace("BY", "%y"), name).vf == 4
    assert innermost(LONG.replace("BY", "%k"), name).vf == 1
