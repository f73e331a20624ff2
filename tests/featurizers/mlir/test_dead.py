"""Values that loops carry on for nothing: opt-22 -O3 has none of them left."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.codegen import generate

FEATURIZER = MlirFeaturizer()

SUMS = """func.func @f(%a: memref<4x160xi32> {llvm.noalias}, %c: memref<4xi32> {llvm.noalias}, %z: i32) {
  %r:4 = affine.for %i = 0 to 160 iter_args(%s0 = %z, %s1 = %z, %s2 = %z, %s3 = %z) -> (i32, i32, i32, i32) {
    %x0 = affine.load %a[0, %i] : memref<4x160xi32>
    %t0 = arith.addi %s0, %x0 : i32
    %x1 = affine.load %a[1, %i] : memref<4x160xi32>
    %t1 = arith.addi %s1, %x1 : i32
    %x2 = affine.load %a[2, %i] : memref<4x160xi32>
    %t2 = arith.addi %s2, %x2 : i32
    %x3 = affine.load %a[3, %i] : memref<4x160xi32>
    %t3 = arith.addi SECOND, %x3 : i32
    affine.yield %t0, %t1, %t2, %t3 : i32, i32, i32, i32 }
  affine.store %r#3, %c[0] : memref<4xi32>
  return }"""


@pytest.mark.parametrize(("second", "loads", "chains"), [("%s3", 1, 1), ("%s2", 2, 2)])
def test_sums_that_nobody_asks_for_are_gone(second: str, loads: int, chains: int) -> None:
    """Of four sums one is stored, which may go on from another one."""
    root = FEATURIZER.parse({"mlir": SUMS.replace("SECOND", second)}).loops_on("x86")[0]
    loop = root.children[0]
    assert [access.store for access in loop.accesses] == [False] * loads
    assert len(loop.chains) == chains


def test_what_is_stored_in_the_loop_is_wanted() -> None:
    text = SUMS.replace("SECOND", "%s3").replace("affine.yield", "affine.store %t1, %c[1] : memref<4xi32> affine.yield")
    loop = FEATURIZER.parse({"mlir": text}).loops_on("x86")[0].children[0]
    assert sum(not access.store for access in loop.accesses) == 2


def test_one_sum_is_interleaved_though_the_source_has_four() -> None:
    code = generate(FEATURIZER.parse({"mlir": SUMS.replace("SECOND", "%s3")}).loops_on("x86")[0], cpu("znver4"))[-1]
    assert (code.vf, code.interleave) == (16, 4)  # opt-22: "vectorization width: 16, interleaved count: 4"
