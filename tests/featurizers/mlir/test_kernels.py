"""Which loops become blocks and threads of a GPU, and what one thread holds."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer
from featurizers.mlir.kernels import KERNELS, is_parallel, kernel_columns


@pytest.fixture(scope="module")
def featurizer():
    return MlirFeaturizer(in_process=True)


def of_kernel(featurizer, text):
    """Columns of the hungriest kernel by name, without their prefix."""
    values = kernel_columns(featurizer.parse({"mlir": text}).functions)
    return {name.removeprefix("kernel_"): value for (name, _), value in zip(KERNELS, values, strict=True)}


def parallel(featurizer, text):
    """Which loops of a function are parallel, in order."""
    (function,) = featurizer.parse({"mlir": text}).functions
    return [is_parallel(nest) for nest in function.body.walk()[1:]]


MATMUL = """
func.func @f(%a: memref<59x50xi32> {llvm.noalias}, %b: memref<59x22xi32> {llvm.noalias}, %c: memref<50x22xi32> {llvm.noalias}) {
  %zero = arith.constant 0 : i32
  affine.for %i = 0 to 50 {
    affine.for %j = 0 to 22 {
      %sum = affine.for %k = 0 to 59 iter_args(%s = %zero) -> i32 {
        %x = affine.load %a[%k, %i] : memref<59x50xi32>
        %y = affine.load %b[%k, %j] : memref<59x22xi32>
        %xy = arith.muli %x, %y : i32
        %t = arith.addi %s, %xy : i32
        affine.yield %t : i32
      }
      affine.store %sum, %c[%i, %j] : memref<50x22xi32>
    }
  }
  return
}"""  # noqa: E501


def test_the_inner_loop_of_a_product_is_unrolled_and_all_its_loads_are_in_flight(featurizer):
    # llc-22 for gfx942: 127 vector registers, no loop.
    found = of_kernel(featurizer, MATMUL)
    assert (found["kernels"], found["dims"], found["loops"]) == (1, 2, 0)
    assert found["in_flight"] == found["loads"] == 2 * 59
    assert 100 < found["vgprs"] < 150


def test_a_block_is_one_thread_where_loops_inside_are_parallel_too(featurizer):
    # llc-22 for gfx1100: four vector registers; all addresses are scalar.
    found = of_kernel(
        featurizer,
        """
func.func @f(%a: memref<72x120xi8> {llvm.noalias}, %b: memref<16x72xi8> {llvm.noalias}, %c: memref<120x16xi8> {llvm.noalias}) {
  affine.for %i = 0 to 16 {
    affine.for %k = 0 to 72 {
      affine.for %j = 0 to 120 {
        %x = affine.load %a[%k, %j] : memref<72x120xi8>
        %y = affine.load %b[%i, %k] : memref<16x72xi8>
        %xy = arith.muli %x, %y : i8
        %z = affine.load %c[%j, %i] : memref<120x16xi8>
        %t = arith.addi %z, %xy : i8
        affine.store %t, %c[%j, %i] : memref<120x16xi8>
      }
    }
  }
  return
}""",  # noqa: E501
    )
    assert (found["kernels"], found["dims"], found["addresses"], found["loads"]) == (1, 1, 0, 0)
    assert found["vgprs"] < 6


def test_a_scan_is_parallel_over_what_it_does_not_go_along(featurizer):
    text = """
func.func @f(%a: memref<24x18xf32>, %b: memref<24x18xf32>) {{
  affine.for %i = {} {{
    affine.for %j = {} {{
      %x = affine.load %b[{}] : memref<24x18xf32>
      %y = affine.load %a[%j, %i] : memref<24x18xf32>
      %z = arith.addf %x, %y : f32
      affine.store %z, %b[%j, %i] : memref<24x18xf32>
    }}
  }}
  return
}}"""
    assert parallel(featurizer, text.format("0 to 18", "1 to 24", "%j - 1, %i")) == [True, False]
    assert parallel(featurizer, text.format("1 to 18", "0 to 24", "%j, %i - 1")) == [False, True]
    assert parallel(featurizer, text.format("1 to 18", "1 to 24", "%j - 1, %i - 1")) == [False, True]
    assert parallel(featurizer, text.format("0 to 18", "0 to 24", "%j, %i")) == [True, True]


def test_a_row_in_two_loops_does_not_meet_the_next_row(featurizer):
    text = """
func.func @f(%b: memref<12x183xf32>) {
  %zero = arith.constant 0.0 : f32
  affine.for %i = 0 to 12 {
    affine.for %j = 0 to 180 step 4 {
      affine.store %zero, %b[%i, %j] : memref<12x183xf32>
      affine.store %zero, %b[%i, %j + 3] : memref<12x183xf32>
    }
    affine.for %j = 180 to 183 {
      affine.store %zero, %b[%i, %j] : memref<12x183xf32>
    }
  }
  return
}"""
    assert parallel(featurizer, text) == [True, True, True]


def test_a_sum_into_one_place_is_no_kernel(featurizer):
    text = """
func.func @f(%a: memref<64xf32>, %s: memref<1xf32>) {
  affine.for %i = 0 to 64 {
    %x = affine.load %a[%i] : memref<64xf32>
    %y = affine.load %s[0] : memref<1xf32>
    %z = arith.addf %x, %y : f32
    affine.store %z, %s[0] : memref<1xf32>
  }
  return
}"""
    assert set(of_kernel(featurizer, text).values()) == {0.0}


def test_columns_of_kernels_are_of_gpus_alone(featurizer):
    program = featurizer.parse({"mlir": MATMUL})
    gpu, cpu = (featurizer.features([program], profile=name) for name in ("gfx942", "znver4"))
    assert gpu.column("kernel_vgprs")[0] > 100
    assert all(cpu.column(name)[0] == 0 for name, _ in KERNELS)
