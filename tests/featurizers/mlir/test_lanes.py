"""How loads lie beside the lanes of packed stores, as opt-22 -O3 made vectors of the same programs."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.codegen import LoopCode, generate
from featurizers.mlir.loop import DEPENDENCE

FEATURIZER = MlirFeaturizer()


def code(text: str, name: str) -> LoopCode:
    """The hottest loop, or what is left of it."""
    return max(generate(FEATURIZER.parse({"mlir": text}).loops[0], cpu(name)), key=lambda found: found.cycles)


def rows(load: str, kind: str, more: str = "") -> str:
    """In each of 3 rows, 8 elements of which each is computed of one of another buffer, and stored."""
    return f"""func.func @f(%a: memref<3x64x{kind}> {{llvm.noalias}}, %b: memref<3x8x{kind}> {{llvm.noalias}}) {{
      affine.for %i = 0 to 3 {{
        affine.for %j = 0 to 8 {{
          %x = affine.load %a[{load}] : memref<3x64x{kind}>
          {more or f"%y = arith.addf %x, %x : {kind}"}
          affine.store %y, %b[%i, %j] : memref<3x8x{kind}>
        }}
      }}
      return }}"""


STENCIL = """func.func @f(%a: memref<111x11xi16> {llvm.noalias}, %b: memref<111x11xi16> {llvm.noalias}) {
  affine.for %i = 1 to 110 {
    affine.for %j = 1 to 10 {
      %0 = affine.load %a[%i - 1, %j] : memref<111x11xi16>
      %1 = affine.load %a[%i, %j - 1] : memref<111x11xi16>
      %2 = arith.addi %0, %1 : i16
      %3 = affine.load %a[%i, %j + 1] : memref<111x11xi16>
      %4 = arith.addi %2, %3 : i16
      %5 = affine.load %a[%i + 1, %j] : memref<111x11xi16>
      %6 = arith.addi %4, %5 : i16
      affine.store %6, %b[%i, %j] : memref<111x11xi16>
    }
  }
  return }"""

RUNNING = """func.func @f(%a: memref<4x4xf32> {llvm.noalias}, %b: memref<4x4xf32> {llvm.noalias}) {
  affine.for %i = 0 to 4 {
    %0 = affine.load %a[%i, 0] : memref<4x4xf32>
    %r = affine.for %j = 1 to 4 iter_args(%s = %0) -> (f32) {
      %x = affine.load %a[%i, %j] : memref<4x4xf32>
      %n = arith.addf %s, %x : f32
      affine.store %n, %b[%i, %j] : memref<4x4xf32>
      affine.yield %n : f32
    }
  }
  return }"""


@pytest.mark.parametrize("name", ["apple-m1", "cortex-a55", "znver4"])
def test_neighbours_are_one_load_of_each_vector_wherever_it_begins(name: str) -> None:
    assert code(STENCIL, name).packed.ratio < 0.35


def test_lanes_at_steps_cost_an_insertion_each() -> None:
    """Neoverse: a sum and a store save less than eight lanes cost to put in; x86 takes them out of few wide loads."""
    beside, apart = rows("%i, %j", "f32"), rows("%i, %j * 8", "f32")
    assert code(beside, "neoverse-v1").packed.ratio < 0.3
    assert code(apart, "neoverse-v1").packed.share == 0
    assert code(rows("%i, %j * 2", "f32"), "znver4").packed.share == 1
    assert code(beside, "znver4").packed.ratio < code(rows("%i, %j * 2", "f32"), "znver4").packed.ratio


def test_what_all_lanes_share_is_read_once() -> None:
    shared = rows("%i, 3", "f32", "%z = arith.constant 2.0 : f32 %y = arith.mulf %x, %z : f32")
    assert code(shared, "apple-m1").packed.lanes == 4


@pytest.mark.parametrize("name", ["apple-m1", "znver4"])
def test_lanes_that_come_one_from_the_other_are_none(name: str) -> None:
    assert code(RUNNING, name).packed.share == 0


def in_place(read: str) -> str:
    """Rows to which another row is added, of the same buffer."""
    return f"""func.func @f(%a: memref<32x8xf32> {{llvm.noalias}}) {{
      affine.for %k = 0 to 9 {{
        affine.for %i = 0 to 3 {{
          affine.for %j = 0 to 8 {{
            %x = affine.load %a[{read}] : memref<32x8xf32>
            %y = affine.load %a[%i, %j] : memref<32x8xf32>
            %z = arith.addf %x, %y : f32
            affine.store %z, %a[%i, %j] : memref<32x8xf32>
          }}
        }}
      }}
      return }}"""


def test_loads_do_not_pass_stores_that_may_be_of_their_place() -> None:
    """Places in two rows are not the same in other columns, whichever the rows are."""
    assert code(in_place("%k, %j"), "znver4").packed.lanes >= 8
    assert code(in_place("%j, %k"), "znver4").packed.share == 0


def test_vectors_of_riscv_are_found_by_an_instruction_each() -> None:
    """Three rows: `vle`, `vfadd`, `vse`, and an `addi` for each place."""
    found = code(rows("%i, %j", "f32"), "sifive-p670")
    assert found.packed.lanes == 8
    assert found.packed.addresses == 6


def best(step: str, kind: str) -> str:
    """The largest of 16."""
    return f"""func.func @f(%a: memref<16x{kind}>, %z: {kind}) -> {kind} {{
      %r = affine.for %j = 0 to 16 iter_args(%s = %z) -> ({kind}) {{
        %x = affine.load %a[%j] : memref<16x{kind}>
        %y = arith.{step} %s, %x : {kind}
        affine.yield %y : {kind}
      }}
      return %r : {kind} }}"""


def test_maxima_that_propagate_nan_are_of_any_order() -> None:
    for name in ("znver4", "apple-m1"):
        assert code(best("maximumf", "f32"), name).packed.reduced
        assert not code(best("maxnumf", "f32"), name).packed.reduced
    assert not code(best("maximumf", "f16"), "znver4").packed.reduced


def into(read: str, written: str) -> str:
    """Eight sums, and eight products: of buffers of which two may overlap."""
    return f"""func.func @f(%a: memref<8xf32>, %b: memref<8xf32>, %c: memref<8xf32> {{llvm.noalias}},
                         %d: memref<8xf32> {{llvm.noalias}}) {{
      affine.for %i = 0 to 8 {{
        %x = affine.load %a[%i] : memref<8xf32>
        %y = arith.addf %x, %x : f32
        affine.store %y, {written}[%i] : memref<8xf32>
      }}
      affine.for %i = 0 to 8 {{
        %x = affine.load {read}[%i] : memref<8xf32>
        %y = arith.mulf %x, %x : f32
        affine.store %y, %b[%i] : memref<8xf32>
      }}
      return }}"""


def test_only_what_is_read_between_stores_that_may_overlap_stays_in_order() -> None:
    assert code(into("%d", "%c"), "apple-m1").packed.share == 1
    assert code(into("%a", "%c"), "apple-m1").packed.share == 0.5


SMOOTHED = """func.func @f(%a: memref<1x1030xf32> {llvm.noalias}) {
  affine.for %i = 0 to 1024 step 2 {
    %0 = affine.load %a[0, %i] : memref<1x1030xf32>
    %1 = affine.load %a[0, %i + 1] : memref<1x1030xf32>
    %2 = arith.addf %0, %1 : f32
    affine.store %2, %a[0, %i] : memref<1x1030xf32>
    %3 = affine.load %a[0, %i + 2] : memref<1x1030xf32>
    %4 = arith.addf %1, %3 : f32
    affine.store %4, %a[0, %i + 1] : memref<1x1030xf32>
  }
  return }"""


@pytest.mark.parametrize("name", ["apple-m1", "skylake-avx512"])
def test_what_is_read_behind_a_store_that_overwrites_it_later_is_a_dependence(name: str) -> None:
    """A vector of the first stores would come before the loads of what they write."""
    found = code(SMOOTHED, name)
    assert found.loop.legality == DEPENDENCE
    assert found.vf == 1


JAMMED = """func.func @f(%a: memref<32x32xi32> {llvm.noalias}, %b: memref<32xi32> {llvm.noalias},
                       %c: memref<32xi32> {llvm.noalias}) {
  affine.for %i = 0 to 32 {
    affine.for %j = 0 to 32 {
      %0 = affine.load %a[%i, %j] : memref<32x32xi32>
      %1 = affine.load %b[%i] : memref<32xi32>
      %2 = arith.muli %0, %1 : i32
      %3 = affine.load %c[%j] : memref<32xi32>
      %4 = arith.addi %3, %2 : i32
      affine.store %4, %c[%j] : memref<32xi32>
    }
  }
  return }"""


def test_sums_that_unrolling_puts_side_by_side_leave_no_registers_to_interleave() -> None:
    """32 of them, in as many registers: opt-22 makes vectors of 8, interleaved once."""
    found = code(JAMMED, "skylake-avx512")
    assert (found.vf, found.interleave) == (8, 1)
