"""Conditions: what becomes a choice, and how much code branches are, as LLVM 22 made it of the same programs."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.codegen import generate
from featurizers.mlir.opclass import CLASS

FEATURIZER = MlirFeaturizer()

CHOICE = """func.func @f(%x: f32, %y: f32) -> f32 {
  %p = arith.cmpf olt, %x, %y : f32
  %z = scf.if %p -> (f32) {
    %1 = arith.mulf %x, %y : f32
    %2 = arith.addf %1, %y : f32
    scf.yield %2 : f32
  } else {
    %3 = arith.subf %x, %y : f32
    scf.yield %3 : f32
  }
  return %z : f32 }"""

EXCHANGES = """func.func @f(%a: memref<7xf32> {llvm.noalias}) {
  affine.for %i = 0 to 6 {
    affine.for %j = 0 to 6 {
      %0 = affine.load %a[%j] : memref<7xf32>
      %1 = affine.load %a[%j + 1] : memref<7xf32>
      %2 = arith.cmpf olt, %1, %0 : f32
      scf.if %2 {
        affine.store %1, %a[%j] : memref<7xf32>
        affine.store %0, %a[%j + 1] : memref<7xf32>
      }
    }
  }
  return }"""

SWITCH = """func.func @f(%a: memref<21xi8> {llvm.noalias}, %b: memref<21xi32> {llvm.noalias},
                       %c: memref<1xi32> {llvm.noalias}) {
  %s = arith.constant 1 : i32
  %0 = affine.for %i = 0 to 21 iter_args(%x = %s) -> (i32) {
    %1 = affine.load %b[%i] : memref<21xi32>
    %2 = affine.load %a[%i] : memref<21xi8>
    %3 = arith.index_castui %2 : i8 to index
    %4 = scf.index_switch %3 -> i32
    case 0 {
      %5 = arith.xori %x, %1 : i32
      scf.yield %5 : i32
    }
    case 1 {
      %5 = arith.addi %x, %1 : i32
      scf.yield %5 : i32
    }
    case 2 {
      %5 = arith.ori %x, %1 : i32
      scf.yield %5 : i32
    }
    default {
      %5 = arith.andi %x, %1 : i32
      scf.yield %5 : i32
    }
    affine.yield %4 : i32
  }
  affine.store %0, %c[0] : memref<1xi32>
  return }"""


def test_a_few_operations_without_effects_are_computed_always() -> None:
    counts = FEATURIZER.parse({"mlir": CHOICE}).loops[0].counts
    assert (counts[CLASS["branch"]], counts[CLASS["select"]]) == (0, 1)
    more = "%4 = arith.mulf %x, %x : f32 %5 = arith.addf %4, %x : f32 %3 = arith.subf %x, %5"
    longer = CHOICE.replace("%3 = arith.subf %x, %y", more)
    counts = FEATURIZER.parse({"mlir": longer}).loops[0].counts
    assert (counts[CLASS["branch"]], counts[CLASS["select"]]) == (1, 0)


@pytest.mark.parametrize(
    ("text", "name", "instructions"), [(EXCHANGES, "neoverse-v1", 286), (SWITCH, "neoverse-v1", 459)]
)
def test_what_follows_branches_is_copied_to_each_way(text: str, name: str, instructions: float) -> None:
    (code,) = generate(FEATURIZER.parse({"mlir": text}).loops[0], cpu(name))
    assert code.instructions == pytest.approx(instructions, rel=0.25)


@pytest.mark.parametrize(
    ("text", "name", "cycles"),
    [(EXCHANGES, "znver4", 111.7), (EXCHANGES, "cortex-a55", 231.0), (SWITCH, "skylake-avx512", 93.7)],
)
def test_blocks_run_one_by_one(text: str, name: str, cycles: float) -> None:
    (code,) = generate(FEATURIZER.parse({"mlir": text}).loops[0], cpu(name))
    assert code.cycles == pytest.approx(cycles, rel=0.25)
