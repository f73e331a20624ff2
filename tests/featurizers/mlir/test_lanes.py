"""How loads lie beside the lanes of packed stores, as opt-22 -O3 made vectors of the same programs."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.codegen import LoopCode, generate

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
