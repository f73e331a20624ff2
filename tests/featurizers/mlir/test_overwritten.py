"""Copies of whole numbers that instructions of x86 write over, against what llc-22 makes of the same programs."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.codegen import generate
from featurizers.mlir.fused import COPIED
from featurizers.mlir.loop import Loop

FEATURIZER = MlirFeaturizer()


def step(first: str, second: str) -> str:
    """A value that goes on from one iteration to the next, by two operations on it."""
    return f"""func.func @f(%a: memref<300xi32>, %b: memref<1xi32>) {{
      %one = arith.constant 1 : i32
      %two = arith.constant 2 : i32
      %byte = arith.constant 255 : i32
      %poly = arith.constant 79764919 : i32
      %r = affine.for %i = 0 to 300 iter_args(%t = %poly) -> (i32) {{
        %x = affine.load %a[%i] : memref<300xi32>
        %s = arith.xori %t, %x : i32
        %y = {first} : i32
        %z = {second} : i32
        %w = arith.xori %y, %z : i32
        affine.yield %w : i32 }}
      affine.store %r, %b[0] : memref<1xi32>
      return }}"""


def loop_of(text: str) -> Loop:
    return generate(FEATURIZER.parse({"mlir": text}).loops_on("x86")[0], cpu("znver4"))[-1].loop


@pytest.mark.parametrize(
    ("first", "second", "copies"),
    [
        ("arith.shrui %s, %one", "arith.andi %s, %poly", 1),
        ("arith.shrui %s, %one", "arith.andi %s, %byte", 0),  # movzbl
        ("arith.shli %s, %two", "arith.andi %s, %poly", 0),  # leal (,%rax,4)
        ("arith.shrui %s, %one", "arith.muli %s, %poly", 0),  # imull $79764919
        ("arith.subi %s, %x", "arith.shrui %s, %two", 1),
    ],
)
def test_all_but_the_last_use_that_writes_over_a_value_need_a_copy(first: str, second: str, copies: int) -> None:
    assert loop_of(step(first, second)).fused.get(COPIED, 0.0) == copies


CHECKSUM = """func.func @checksum(%a: memref<25xi16>, %b: memref<1xi16>) {
  %one = arith.constant 1 : i16
  %zero = arith.constant 0 : i16
  %poly = arith.constant 31 : i16
  %all = arith.constant -1 : i16
  %r = affine.for %i = 0 to 25 iter_args(%s = %all) -> (i16) {
    %x = affine.load %a[%i] : memref<25xi16>
    %t = arith.xori %s, %x : i16
    %u = affine.for %j = 0 to 8 iter_args(%v = %t) -> (i16) {
      %bit = arith.andi %v, %one : i16
      %half = arith.shrui %v, %one : i16
      %set = arith.cmpi ne, %bit, %zero : i16
      %mask = arith.select %set, %poly, %zero : i16
      %w = arith.xori %half, %mask : i16
      affine.yield %w : i16 }
    affine.yield %u : i16 }
  affine.store %r, %b[0] : memref<1xi16>
  return }"""


def test_a_checksum_copies_in_each_step() -> None:
    codes = generate(FEATURIZER.parse({"mlir": CHECKSUM}).loops_on("x86")[0], cpu("znver4"))
    assert sum(code.instructions for code in codes) == pytest.approx(108, rel=0.03)  # 93 without


def test_a_copy_is_in_the_way_of_a_step_on_cores_that_do_not_rename() -> None:
    codes = generate(FEATURIZER.parse({"mlir": CHECKSUM}).loops_on("x86")[0], cpu("skylake-avx512"))
    assert sum(code.cycles for code in codes) == pytest.approx(1157, rel=0.15)  # 828 without
    codes = generate(FEATURIZER.parse({"mlir": CHECKSUM}).loops_on("x86")[0], cpu("znver4"))
    assert sum(code.cycles for code in codes) == pytest.approx(933, rel=0.15)


def test_what_two_regions_write_over_is_not_copied_for_the_other() -> None:
    text = """func.func @f(%a: memref<64xi32>, %b: memref<64xi32>) {
      %zero = arith.constant 0 : i32
      %one = arith.constant 1 : i32
      %poly = arith.constant 31000 : i32
      affine.for %i = 0 to 64 {
        %x = affine.load %a[%i] : memref<64xi32>
        %y = affine.load %b[%i] : memref<64xi32>
        %c = arith.cmpi slt, %y, %zero : i32
        scf.if %c {
          %z = arith.shrui %x, %one : i32
          affine.store %z, %a[%i] : memref<64xi32>
        } else {
          %z = arith.andi %x, %poly : i32
          affine.store %z, %b[%i] : memref<64xi32>
        } }
      return }"""
    assert loop_of(text).fused.get(COPIED, 0.0) == 0.0
