"""Cycles on a core that issues in order, as llvm-mca-22 has them of the code that LLVM 22 makes of the same program."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.codegen import generate

FEATURIZER = MlirFeaturizer()


def cycles(text: str, name: str = "cortex-a55") -> float:
    """Of a whole function."""
    return sum(code.cycles for code in generate(FEATURIZER.parse({"mlir": text}).loops_on(cpu(name).isa)[0], cpu(name)))


AXPY = """func.func @f(%x: memref<24xf16> {llvm.noalias}, %y: memref<24xf16> {llvm.noalias}) {
  %three = arith.constant 3.0 : f16
  %zero = arith.constant 0.0 : f16
  %a = vector.broadcast %three : f16 to vector<8xf16>
  affine.for %i = 0 to 24 step 8 {
    %u = vector.transfer_read %y[%i], %zero {in_bounds = [true]} : memref<24xf16>, vector<8xf16>
    %v = vector.transfer_read %x[%i], %zero {in_bounds = [true]} : memref<24xf16>, vector<8xf16>
    %w = vector.fma %a, %v, %u : vector<8xf16>
    vector.transfer_write %w, %y[%i] {in_bounds = [true]} : vector<8xf16>, memref<24xf16> }
  return }"""


def test_two_whole_vectors_are_one_load_of_six_cycles() -> None:
    assert cycles(AXPY) == pytest.approx(21, rel=0.2)


ROWS = """func.func @f(%a: memref<331x48xi64> {llvm.noalias}, %b: memref<331xi64> {llvm.noalias}) {
  affine.for %i = 0 to 331 {
    %s = affine.load %b[%i] : memref<331xi64>
    %r = affine.for %j = 0 to 48 iter_args(%t = %s) -> (i64) {
      %x = affine.load %a[%i, %j] : memref<331x48xi64>
      %y = arith.addi %t, %x : i64
      affine.yield %y : i64 }
    affine.store %r, %b[%i] : memref<331xi64> }
  return }"""


def test_so_are_neighbours_that_slp_has_packed() -> None:
    assert cycles(ROWS) == pytest.approx(29635, rel=0.2)


SQUARES = """func.func @f(%a: memref<2168xf32>, %s: f32) -> f32 {
  %r = affine.for %i = 0 to 2168 iter_args(%t = %s) -> (f32) {
    %x = affine.load %a[%i] : memref<2168xf32>
    %y = arith.mulf %x, %x : f32
    %z = arith.addf %t, %y : f32
    affine.yield %z : f32 }
  return %r : f32 }"""


@pytest.mark.parametrize(("name", "labelled"), [("cortex-a55", 10846), ("apple-m1", 8688)])
def test_neon_adds_lanes_to_a_sum_one_after_the_other(name: str, labelled: float) -> None:
    assert cycles(SQUARES, name) == pytest.approx(labelled, rel=0.15)


def test_what_is_left_of_a_sum_is_added_one_by_one_and_halves_take_m1_two_cycles() -> None:
    assert cycles(SQUARES.replace("2168", "46"), "apple-m1") == pytest.approx(185, rel=0.1)
    assert cycles(SQUARES.replace("2168", "1024").replace("f32", "f16"), "apple-m1") == pytest.approx(2075, rel=0.1)


CHOICES = """func.func @f(%a: memref<494xi32> {llvm.noalias}, %s: i32) -> i32 {
  %r:2 = affine.for %i = 0 to 494 iter_args(%u = %s, %v = %s) -> (i32, i32) {
    %x = affine.load %a[%i] : memref<494xi32>
    %y = arith.addi %v, %x : i32
    %z = arith.maxsi %u, %y : i32
    %w = arith.subi %u, %x : i32
    %t = arith.maxsi %v, %w : i32
    affine.yield %z, %t : i32, i32 }
  %c = arith.maxsi %r#0, %r#1 : i32
  return %c : i32 }"""


def test_comparisons_wait_for_the_choice_before_them() -> None:
    assert cycles(CHOICES) == pytest.approx(4989, rel=0.25)


STENCIL = """func.func @f(%a: memref<128xf32>) {
  %four = arith.constant 4.0 : f32
  affine.for %i = 1 to 127 step 3 {
    BODY
  }
  return }""".replace(
    "BODY",
    "".join(
        f"""%x{k} = affine.load %a[%i + {k - 1}] : memref<128xf32>
        %y{k} = arith.mulf %x{k}, %four : f32
        %z{k} = affine.load %a[%i + {k + 1}] : memref<128xf32>
        %w{k} = arith.addf %y{k}, %z{k} : f32
        affine.store %w{k}, %a[%i + {k}] : memref<128xf32>\n"""
        for k in range(3)
    ),
)

PRODUCTS = """func.func @f(%a: memref<4x9x3xf32>, %b: memref<4x6x3xf32>, %c: memref<4x9x6xf32>) {
  %zero = arith.constant 0.0 : f32
  affine.for %i = 0 to 4 { affine.for %j = 0 to 9 { affine.for %k = 0 to 6 {
    %r = affine.for %l = 0 to 3 iter_args(%t = %zero) -> (f32) {
      %x = affine.load %a[%i, %j, %l] : memref<4x9x3xf32>
      %y = affine.load %b[%i, %k, %l] : memref<4x6x3xf32>
      %z = arith.mulf %x, %y : f32
      %u = arith.addf %t, %z : f32
      affine.yield %u : f32 }
    affine.store %r, %c[%i, %j, %k] : memref<4x9x6xf32> } } }
  return }"""

NARROW = """func.func @f(%a: memref<24x17xf64> {llvm.noalias}, %b: memref<17x30xf64> {llvm.noalias},
                          %c: memref<24x30xf64> {llvm.noalias}) {
  %zero = arith.constant 0.0 : f64
  affine.for %i = 0 to 24 { affine.for %j = 0 to 30 step 2 {
    %r = affine.for %k = 0 to 17 iter_args(%t = %zero) -> (f64) {
      %x = affine.load %a[%i, %k] : memref<24x17xf64>
      %y = affine.load %b[%k, %j] : memref<17x30xf64>
      %z = arith.mulf %x, %y : f64
      %u = arith.addf %t, %z : f64
      affine.yield %u : f64 }
    affine.store %r, %c[%i, %j] : memref<24x30xf64> } }
  return }"""


def test_what_is_stored_for_the_next_iteration_is_waited_for_in_copies_too() -> None:
    assert cycles(STENCIL) == pytest.approx(1054, rel=0.2)


def test_parts_that_aliasing_stores_divide_take_the_way_from_load_to_store_each() -> None:
    assert cycles(PRODUCTS) == pytest.approx(4817, rel=0.15)


def test_copies_of_a_body_wait_once_beside_what_they_issue() -> None:
    assert cycles(NARROW) == pytest.approx(12774, rel=0.1)


GROUPS = """func.func @f(%a: memref<12288xi32> {llvm.noalias}, %b: memref<12288xi32> {llvm.noalias}) {
  affine.for %i = 0 to 12288 step 4 {
BODY  }
  return }""".replace(
    "BODY",
    "".join(
        f"""    %x{k} = affine.load %a[%i + {k}] : memref<12288xi32>
    %y{k} = arith.muli %x{k}, %x{k} : i32
    affine.store %y{k}, %b[%i + {k}] : memref<12288xi32>
"""
        for k in range(4)
    ),
)


def test_groups_of_one_operation_that_fill_a_register_go_one_iteration_at_a_time() -> None:
    loop = generate(FEATURIZER.parse({"mlir": GROUPS}).loops_on("aarch64")[0], cpu("apple-m1"))[-1]
    assert loop.executed == pytest.approx(3072 * 6, rel=0.1)
    assert cycles(GROUPS) == pytest.approx(33860, rel=0.4)


RUNNING = """func.func @f(%a: memref<256xi32> {llvm.noalias}, %b: memref<256xi32> {llvm.noalias}, %s: i32) {
  %r = affine.for %i = 0 to 256 iter_args(%t = %s) -> (i32) {
    %x = affine.load %a[%i] : memref<256xi32>
    %y = arith.muli %x, %x : i32
    %z = arith.addi %t, %y : i32
    affine.store %z, %b[%i] : memref<256xi32>
    affine.yield %z : i32 }
  return }"""


def test_sums_of_products_take_two_cycles_a_step() -> None:
    loop = generate(FEATURIZER.parse({"mlir": RUNNING}).loops_on("aarch64")[0], cpu("cortex-a55"))[-1]
    assert loop.chain_cycles == 2.0
    assert cycles(RUNNING) == pytest.approx(676, rel=0.2)


ROWS_OF_PRODUCTS = """func.func @f(%a: memref<7xf64> {llvm.noalias}, %b: memref<7x86xf64> {llvm.noalias},
                                     %c: memref<86xf64> {llvm.noalias}) {
  affine.for %j = 0 to 86 { affine.for %k = 0 to 7 {
    %x = affine.load %a[%k] : memref<7xf64>
    %y = affine.load %b[%k, %j] : memref<7x86xf64>
    %z = arith.mulf %x, %y : f64
    %t = affine.load %c[%j] : memref<86xf64>
    %u = arith.addf %t, %z : f64
    affine.store %u, %c[%j] : memref<86xf64> } }
  return }"""


def test_a_store_that_moves_its_pointer_on_is_waited_for() -> None:
    assert cycles(ROWS_OF_PRODUCTS, "apple-m1") == pytest.approx(1740, rel=0.1)
    of_index = ROWS_OF_PRODUCTS.replace("86", "87")  # rows at no multiple of a register
    assert cycles(of_index, "apple-m1") < 1000


def written_out(copies: int) -> str:
    """A sum in memory of sixteen elements, so many of which are an iteration of the source."""
    lines = "".join(
        f"""    %s{k} = affine.load %c[0] : memref<1xf32>
    %x{k} = affine.load %a[%i + {k}] : memref<16xf32>
    %t{k} = arith.addf %s{k}, %x{k} : f32
    affine.store %t{k}, %c[0] : memref<1xf32>
"""
        for k in range(copies)
    )
    return f"""func.func @f(%c: memref<1xf32>, %a: memref<16xf32>) {{
  affine.for %i = 0 to 16 step {copies} {{
{lines}  }}
  return }}"""


@pytest.mark.parametrize("copies", [1, 2, 8])
def test_each_part_of_a_sum_that_is_stored_takes_one_of_its_steps_however_it_was_unrolled(copies: int) -> None:
    assert cycles(written_out(copies)) == pytest.approx(114, rel=0.1)
