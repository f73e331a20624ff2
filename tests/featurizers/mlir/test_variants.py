"""Forms of one function that LLVM makes equal, and those that it does not, each as opt-22 -O3 made it."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.codegen import LoopCode, generate

FEATURIZER = MlirFeaturizer()


def codes(text: str, name: str) -> list[LoopCode]:
    return generate(FEATURIZER.parse({"mlir": text}).loops[0], cpu(name))


def fused(inner: str = "0", around: str = "") -> str:
    """A sum in a buffer of one element that each point begins anew, in a loop of one iteration or not."""
    return f"""func.func @f(%a: memref<4x64xf32> {{llvm.noalias}}, %b: memref<64xf32> {{llvm.noalias}}) {{
      %zero = arith.constant 0.0 : f32
      %sum = memref.alloc() : memref<1xf32>
      {around}
      affine.for %i = 0 to 64 {{
        affine.store %zero, %sum[0] : memref<1xf32>
        affine.for %k = 0 to 4 {{
          %x = affine.load %a[%k, %i] : memref<4x64xf32>
          %y = affine.load %sum[0] : memref<1xf32>
          %z = arith.addf %x, %y : f32
          affine.store %z, %sum[0] : memref<1xf32>
        }}
        %s = affine.load %sum[{inner}] : memref<1xf32>
        affine.store %s, %b[%i] : memref<64xf32>
      }}
      {"}" if around else ""}
      return }}"""


@pytest.mark.parametrize("text", [fused(), fused("%one", "affine.for %one = 0 to 1 {")])
def test_a_sum_that_each_point_begins_anew_is_not_carried_on(text: str) -> None:
    """Nor is it where it is read by the index of a loop that runs once."""
    (loop,) = [code for code in codes(text, "skylake-avx512") if code.loop.nest.trip == 64]
    assert loop.vf > 1
    assert not loop.loop.chains


def sums(jammed: bool) -> str:
    """Four sums of eight terms each, of buffers that may overlap, side by side or one after the other."""
    first = [f"%s{j}_0 = affine.load %a[{j}] : memref<4xi32>" for j in range(4)]
    terms = [
        f"""%t{j}_{k} = affine.load %b[{k}, {j}] : memref<8x4xi32>
        %s{j}_{k + 1} = arith.addi %s{j}_{k}, %t{j}_{k} : i32"""
        for k in range(8)
        for j in range(4)
    ]
    last = [f"affine.store %s{j}_8, %a[{j}] : memref<4xi32>" for j in range(4)]
    if jammed:
        lines = [*first, *terms, *last]
    else:
        lines = [line for j in range(4) for line in (first[j], *terms[j::4], last[j])]
    body = "\n".join(lines)
    return f"func.func @f(%a: memref<4xi32>, %b: memref<8x4xi32>) {{\n{body}\nreturn }}"


def test_sums_are_packed_where_no_store_stands_between_them() -> None:
    assert codes(sums(True), "neoverse-v1")[0].packed.share == 1.0
    assert codes(sums(False), "neoverse-v1")[0].packed.share == 0.0


def test_few_iterations_under_a_predicate_may_have_checks() -> None:
    """`CM_ScalarEpilogueNotNeededUsePredicate` stays where tails are folded anyhow."""
    text = """func.func @f(%a: memref<48x7xi64>, %b: memref<7xi64>) {
      affine.for %i = 0 to 7 {
        %0 = affine.load %b[%i] : memref<7xi64>
        %1 = affine.for %k = 0 to 48 iter_args(%x = %0) -> (i64) {
          %2 = affine.load %a[%k, %i] : memref<48x7xi64>
          %3 = arith.minsi %x, %2 : i64
          affine.yield %3 : i64
        }
        affine.store %1, %b[%i] : memref<7xi64>
      }
      return }"""
    assert codes(text, "neoverse-v1")[-1].vf == 4
    assert codes(text, "apple-m1")[-1].vf == 1
