"""Loads that move out of the loop around one that is unrolled completely, as opt-22 -O3 and llc-22 -O3 have them."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.codegen import LoopCode, generate

FEATURIZER = MlirFeaturizer()

PRODUCT = """func.func @f(
      %a: memref<24x163xf16> {ALIAS}, %b: memref<24x32xf16> {ALIAS}, %c: memref<163x32xf16> {ALIAS}) {
  affine.for %k = 0 to 163 { affine.for %i = 0 to 24 { affine.for %j = 0 to 32 {
    %x = affine.load %a[%i, %k] : memref<24x163xf16>
    %y = affine.load %b[%i, %j] : memref<24x32xf16>
    %p = arith.mulf %x, %y : f16
    %z = affine.load %c[%k, %j] : memref<163x32xf16>
    %s = arith.addf %z, %p : f16
    affine.store %s, %c[%k, %j] : memref<163x32xf16> } } }
  return }"""

SUMS = """func.func @f(%a: memref<64xf32>, %b: memref<500x64xf32>, %c: memref<500xf32>, %z: f32) {
  affine.for %k = 0 to 500 {
    %r = affine.for %i = 0 to 64 iter_args(%s = %z) -> (f32) {
      %x = affine.load %a[%i] : memref<64xf32>
      %y = affine.load %b[%k, %i] : memref<500x64xf32>
      %p = arith.mulf %x, %y : f32
      %t = arith.addf %s, %p fastmath<reassoc> : f32
      affine.yield %t : f32 }
    affine.store %r, %c[%k] : memref<500xf32> }
  return }"""


def innermost(text: str, name: str = "skylake-avx512") -> LoopCode:
    return generate(FEATURIZER.parse({"mlir": text}).loops_on(cpu(name).isa)[0], cpu(name))[-1]


def test_what_slp_packed_moves_out_of_the_loop_around_and_waits_in_vectors() -> None:
    code = innermost(PRODUCT.replace("ALIAS", "llvm.noalias"))
    assert code.full
    assert code.vf == 1
    assert code.lifted == pytest.approx(48)  # 24 rows of 32 halves, each half computed as a single
    assert 16 <= code.spills <= 24  # 20


def test_nothing_moves_out_over_a_store_that_may_be_to_it_in_the_loop_around() -> None:
    assert innermost(PRODUCT.replace("ALIAS", 'llvm.name = "x"')).lifted == 0
    assert innermost(SUMS).lifted == 0
    alone = SUMS.replace("memref<64xf32>,", "memref<64xf32> {llvm.noalias},", 1)
    assert innermost(alone).lifted == 8


def test_sums_of_packed_copies_wait_in_registers_around_all_of_them() -> None:
    text = """func.func @f(%a: memref<8x6xi32> {llvm.noalias}, %b: memref<6x32xi32> {llvm.noalias},
                           %c: memref<8x32xi32> {llvm.noalias}) {
      affine.for %k = 0 to 6 { affine.for %i = 0 to 8 { affine.for %j = 0 to 32 {
        %x = affine.load %a[%i, %k] : memref<8x6xi32>
        %y = affine.load %b[%k, %j] : memref<6x32xi32>
        %p = arith.muli %x, %y : i32
        %z = affine.load %c[%i, %j] : memref<8x32xi32>
        %s = arith.addi %z, %p : i32
        affine.store %s, %c[%i, %j] : memref<8x32xi32> } } }
      return }"""
    code = innermost(text, "apple-m1")
    assert code.packed.lanes == 4
    assert code.spills == pytest.approx(64 + 2 - 32)  # of 256 sums


def test_in_order_copies_lie_side_by_side_and_need_more_registers_beside_what_waits() -> None:
    text = """func.func @f(%a: memref<20x26xf32>, %b: memref<26x204xf32>, %c: memref<20x204xf32>) {
      linalg.matmul ins(%a, %b : memref<20x26xf32>, memref<26x204xf32>) outs(%c : memref<20x204xf32>)
      return }"""
    assert 4 <= innermost(text, "cortex-a55").spills <= 8  # 4
    assert innermost(text, "apple-m1").spills == 0


def test_a_single_vector_iteration_loads_what_does_not_vary_where_it_is_used() -> None:
    text = """func.func @f(%a: memref<8x16xf32> {llvm.noalias}, %b: memref<8x8xf32> {llvm.noalias},
                           %c: memref<16x8xf32> {llvm.noalias}) {
      %z = arith.constant 0.0 : f32
      affine.for %i = 0 to TRIP { affine.for %j = 0 to 8 {
        %r = affine.for %k = 0 to 8 iter_args(%s = %z) -> (f32) {
          %x = affine.load %a[%k, %i] : memref<8x16xf32>
          %y = affine.load %b[%k, %j] : memref<8x8xf32>
          %p = arith.mulf %x, %y : f32
          %t = arith.addf %s, %p : f32
          affine.yield %t : f32 }
        affine.store %r, %c[%i, %j] : memref<16x8xf32> } }
      return }"""
    code = innermost(text.replace("TRIP", "16"), "znver4")
    assert (code.full, code.unroll) == (True, 1)
    assert code.spills == 0
    several = innermost(text.replace("TRIP", "480").replace("x16x", "x480x").replace("<16x", "<480x"), "znver4")
    assert several.spills > 30


@pytest.mark.parametrize("name", ["skylake-avx512", "apple-m1"])
def test_what_vectors_leave_moves_out_as_well(name: str) -> None:
    """Of each of 8 columns, 7 vectors, a shorter one and a scalar or two: llc spills 53 on x86, 45 on AArch64."""
    text = """func.func @f(%a: memref<12x59xi16> {llvm.noalias}, %b: memref<59x8xi16> {llvm.noalias},
        %c: memref<12x8xi16> {llvm.noalias}) {
      %zero = arith.constant 0 : i16
      affine.for %i = 0 to 12 { affine.for %j = 0 to 8 {
        %s = affine.for %k = 0 to 59 iter_args(%t = %zero) -> (i16) {
          %x = affine.load %a[%i, %k] : memref<12x59xi16>
          %y = affine.load %b[%k, %j] : memref<59x8xi16>
          %m = arith.muli %x, %y : i16
          %u = arith.addi %t, %m : i16
          affine.yield %u : i16 }
        affine.store %s, %c[%i, %j] : memref<12x8xi16> } }
      return }"""
    code = innermost(text, name)
    assert 40 < code.spills * code.loop.multiplicity < 60
    assert code.lifted > 70


JAMMED = """func.func @f(%a: memref<6x7xi32> {llvm.noalias}, %b: memref<20x7xi32> {llvm.noalias},
                      %c: memref<6x20xi32> {llvm.noalias}) {
  affine.for %j = 0 to 20 step 4 { affine.for %i = 0 to 6 { affine.for %k = 0 to 7 { COPIES } } }
  return }"""

COPY = """
    %xN = affine.load %a[%i, %k] : memref<6x7xi32>
    %yN = affine.load %b[%j + N, %k] : memref<20x7xi32>
    %pN = arith.muli %xN, %yN : i32
    %zN = affine.load %c[%i, %j + N] : memref<6x20xi32>
    %sN = arith.addi %zN, %pN : i32
    affine.store %sN, %c[%i, %j + N] : memref<6x20xi32>"""


def test_what_all_lanes_of_a_packed_body_share_waits_in_a_register_each() -> None:
    """26 of the 42 elements are spilled on Neoverse V1."""
    code = innermost(JAMMED.replace("COPIES", "".join(COPY.replace("N", str(n)) for n in range(4))), "neoverse-v1")
    assert code.packed.lanes == 4
    assert code.lifted == 42
    assert code.spills > 10


def matrices(order: str, sizes: dict[str, int], kind: str = "f32") -> str:
    """A product of matrices with its loops in this order."""
    a, b, c = [f"memref<{sizes[x]}x{sizes[y]}x{kind}>" for x, y in ("ik", "kj", "ij")]
    multiply, add = ("mulf", "addf") if kind == "f32" else ("muli", "addi")
    loops = " ".join([f"affine.for %{loop} = 0 to {sizes[loop]} {{" for loop in order])
    return f"""func.func @f(%a: {a} {{llvm.noalias}}, %b: {b} {{llvm.noalias}}, %c: {c} {{llvm.noalias}}) {{
      {loops}
        %x = affine.load %a[%i, %k] : {a}
        %y = affine.load %b[%k, %j] : {b}
        %p = arith.{multiply} %x, %y : {kind}
        %z = affine.load %c[%i, %j] : {c}
        %s = arith.{add} %z, %p : {kind}
        affine.store %s, %c[%i, %j] : {c} }} }} }}
      return }}"""


def test_sums_that_are_scattered_stay_in_memory() -> None:
    """In nine zmm, each by two ``vscatterqps``, and two scalars."""
    assert innermost(matrices("jki", {"i": 146, "k": 39, "j": 9}), "znver4").spills == 0


def test_sums_stay_in_memory_where_a_body_has_many_accesses() -> None:
    text = matrices("kij", {"i": 12, "k": 60, "j": 46}, "i16")
    assert innermost(text, "skylake-avx512").spills == 0


@pytest.mark.parametrize(("length", "most"), [(30, 1), (36, 7)])
def test_what_is_used_once_in_a_single_vector_is_an_operand_in_memory(length: int, most: int) -> None:
    """Rows of the second matrix wait; of 30 none is spilled, of 36 six."""
    code = innermost(matrices("ikj", {"i": 64, "k": length, "j": 8}), "znver4")
    assert length - 30 <= code.spills <= most


@pytest.mark.parametrize(
    ("kind", "name", "spills"),
    [("i64", "znver4", 39), ("i16", "znver4", 88), ("i32", "skylake-avx512", 38), ("f32", "apple-m1", 59)],
)
def test_a_vector_iteration_that_stays_scalar_waits_value_by_value(kind: str, name: str, spills: int) -> None:
    """Columns are a group of three with gaps, so that the last iterations are no vector: what llc-22 spills."""
    code = innermost(matrices("ijk", {"i": 18, "k": 64, "j": 3}, kind), name)
    assert code.spills * code.loop.factor == pytest.approx(spills, abs=4)
