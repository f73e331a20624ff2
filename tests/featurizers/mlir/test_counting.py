"""Bits that are counted, as llc-22 and opt-22's cost model have them."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.codegen import LoopCode, generate
from featurizers.mlir.counting import LEADING, ONES, TRAILING, alone, beyond, size, together, wide_size
from featurizers.mlir.loop import Loop

FEATURIZER = MlirFeaturizer()


def loop(op: str, kind: str = "i64", length: int = 2000) -> Loop:
    buffer = f"memref<{length}x{kind}> {{llvm.noalias}}"
    text = f"""func.func @f(%a: {buffer}, %b: {buffer}) {{
      affine.for %i = 0 to {length} {{
        %x = affine.load %a[%i] : memref<{length}x{kind}>
        %r = math.{op} %x : {kind}
        affine.store %r, %b[%i] : memref<{length}x{kind}>
      }}
      return }}"""
    return FEATURIZER.parse({"mlir": text}).loops[0]


def code(op: str, name: str, kind: str = "i64", length: int = 2000) -> LoopCode:
    return max(generate(loop(op, kind, length), cpu(name)), key=lambda found: found.cycles)


def test_each_is_a_kind_with_its_bits() -> None:
    for op, kind in (("ctpop", ONES), ("ctlz", LEADING), ("cttz", TRAILING)):
        assert loop(op, "i16").children[0].fused == {kind + 16: 1.0}


@pytest.mark.parametrize(
    ("name", "near", "more"),
    [("skylake-avx512", False, 6.0), ("znver4", False, 0.0), ("apple-m1", True, 3.0), ("neoverse-v1", False, 0.0)],
)
def test_ones_of_vectors_take_what_llc_makes_of_them(name: str, near: bool, more: float) -> None:
    """``vpshufb`` twice, ``vpsadbw`` on Skylake; ``cnt``, ``udot``, ``uaddlp`` on M1."""
    assert beyond(loop("ctpop").children[0], cpu(name), True, near) == more


def test_trailing_zeros_stay_scalar_on_neon() -> None:
    assert code("cttz", "apple-m1").vf == 1
    assert code("cttz", "cortex-a55").vf == 1
    assert code("cttz", "neoverse-v1").vf > 1, "rbit, clz"
    assert code("cttz", "znver4").vf > 1


def test_short_loops_of_them_are_not_packed_on_neon_either() -> None:
    assert all(not found.packed.share for found in generate(loop("cttz", "i16", 16), cpu("apple-m1")))


def test_costs_are_beyond_one() -> None:
    body = loop("ctpop", "i32").children[0]
    assert alone(body, cpu("apple-m1")) == 4.0
    assert together(body, cpu("skylake-avx512"), 8, False, 256) == 6.0
    assert together(body, cpu("skylake-avx512"), 16, False, 256) == 12.0, "two registers"


def test_ones_counted_by_sums_of_masks_are_counted_ones() -> None:
    """The usual way, of 32 bits: twelve operations for one (`tryToRecognizePopCount`)."""
    text = """func.func @f(%a: memref<2000xi32> {llvm.noalias}, %b: memref<2000xi32> {llvm.noalias}) {
      %one = arith.constant 1 : i32
      %two = arith.constant 2 : i32
      %four = arith.constant 4 : i32
      %last = arith.constant 24 : i32
      %m1 = arith.constant 1431655765 : i32
      %m2 = arith.constant 858993459 : i32
      %m4 = arith.constant 252645135 : i32
      %all = arith.constant 16843009 : i32
      affine.for %i = 0 to 2000 {
        %x = affine.load %a[%i] : memref<2000xi32>
        %v1 = arith.shrui %x, %one : i32
        %v2 = arith.andi %v1, %m1 : i32
        %v3 = arith.subi %x, %v2 : i32
        %v4 = arith.andi %v3, %m2 : i32
        %v5 = arith.shrui %v3, %two : i32
        %v6 = arith.andi %v5, %m2 : i32
        %v7 = arith.addi %v4, %v6 : i32
        %v8 = arith.shrui %v7, %four : i32
        %v9 = arith.addi %v7, %v8 : i32
        %v10 = arith.andi %v9, %m4 : i32
        %v11 = arith.muli %v10, %all : i32
        %v12 = arith.shrui %v11, %last : i32
        affine.store %v12, %b[%i] : memref<2000xi32>
      }
      return }"""
    found = FEATURIZER.parse({"mlir": text}).loops[0].children[0]
    assert sum(found.counts) == 3.0, "a load, a count, a store"
    assert found.fused[ONES + 32] == 1.0


def test_sizes_are_those_of_code() -> None:
    """``opt-22 -cost-kind=code-size``: a scalar's ones are 5 on AArch64; a vector's, 14 on Skylake."""
    body = loop("ctpop", "i32").children[0]
    assert wide_size(body, cpu("skylake-avx512"), 8, False, 256) == 13.0
    assert wide_size(body, cpu("cortex-a55"), 4, True, 128) == 2.0
    assert size(body) == 0.0, "x86"
    assert size(FEATURIZER.parse({"mlir": ONES_OF_WORDS}).loops_on("aarch64")[0].children[0]) == 4.0


def test_long_counts_are_not_unrolled_completely() -> None:
    assert not code("ctpop", "skylake-avx512", "i32", 300).full
    assert code("ctpop", "znver4", "i32", 300).full


ONES_OF_WORDS = """func.func @f(%a: memref<2000xi32>, %b: memref<2000xi32>) {
  affine.for %i = 0 to 2000 {
    %x = affine.load %a[%i] : memref<2000xi32>
    %r = math.ctpop %x : i32
    affine.store %r, %b[%i] : memref<2000xi32>
  }
  return }"""
