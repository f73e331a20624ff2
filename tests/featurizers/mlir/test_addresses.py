"""Registers for addresses, and sums that wait in registers: what llc-22 -O3 spilled (remarks)."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.codegen import LoopCode, generate

FEATURIZER = MlirFeaturizer()
COLUMN = [column.name for column in FEATURIZER.columns].index("est_spills")


def spills(text: str, name: str) -> float:
    """The estimate of a program."""
    return float(FEATURIZER.features([FEATURIZER.parse({"mlir": text})], profile=name).vectors[0][COLUMN])


def scan(shape: str, index: str, rows: int, length: int, times: int) -> str:
    """Rows that are added up, each to the next: copies of a body that is vectorised along the rows."""
    return f"""func.func @f(%a: memref<{shape}xi32>, %b: memref<{shape}xi32>) {{
      %c = arith.constant 3 : i32
      affine.for %i = 0 to {times} {{ affine.for %j = 0 to {length} {{
        affine.for %k = 1 to {rows} {{
          %1 = affine.load %b[{index.replace("%k", "%k - 1")}] : memref<{shape}xi32>
          %2 = affine.load %a[{index}] : memref<{shape}xi32>
          %3 = arith.muli %1, %c : i32
          %4 = arith.addi %3, %2 : i32
          affine.store %4, %b[{index}] : memref<{shape}xi32> }} }} }}
      return }}"""


@pytest.mark.parametrize("name", ["neoverse-v1", "sifive-p670"])
def test_places_that_no_sum_reaches_have_a_pointer_each(name: str) -> None:
    """SVE and RISC-V's vectors add no bytes to an address, and sums no more than 4095 and 2047. llc counts 57 for
    RISC-V: its pointers are stored once more in the loop around."""
    far = scan("15x29x16", "%k, %i, %j", 15, 16, 29)
    assert 10 < spills(far, name) < 60
    assert spills(far, "znver4") < 0.5


def test_places_in_reach_are_sums_with_one_pointer() -> None:
    near = scan("24x12x16", "%i, %k, %j", 12, 16, 24)
    assert spills(near, "neoverse-v1") < 0.5
    assert spills(near, "sifive-p670") < 0.5


PRODUCT = """func.func @f(%a: memref<45x16xf64> {llvm.noalias}, %b: memref<16xf64> {llvm.noalias},
    %c: memref<45x3xf64> {llvm.noalias}) {
  affine.for %k = 0 to 16 { affine.for %i = 0 to 45 {
    %x = affine.load %a[%i, %k] : memref<45x16xf64>
    %y = affine.load %b[%k] : memref<16xf64>
    %m = arith.mulf %x, %y : f64
    STEPS } }
  return }""".replace(
    "STEPS",
    "\n".join(
        f"""%l{n} = affine.load %c[%i, {n}] : memref<45x3xf64>
        %s{n} = arith.addf %l{n}, %m : f64
        affine.store %s{n}, %c[%i, {n}] : memref<45x3xf64>"""
        for n in range(3)
    ),
)


def innermost(text: str, name: str) -> LoopCode:
    return generate(FEATURIZER.parse({"mlir": text}).loops_on(cpu(name).isa)[0], cpu(name))[-1]


def test_sums_that_the_loop_around_has_once_wait_in_registers_where_nothing_else_may_be_there() -> None:
    code = innermost(PRODUCT, "znver4")
    assert code.full
    assert code.spills >= 1
    assert innermost(PRODUCT.replace(" {llvm.noalias}", ""), "znver4").spills == 0


def test_what_waits_around_a_loop_is_its_index_more_than_the_ways_it_goes_through_buffers() -> None:
    """None is spilled of a scalar loop with six buffers; a vector loop of unknown length has the ends of its parts."""
    buffers = ", ".join(f"%b{n}: memref<20x40xi32> {{llvm.noalias}}" for n in range(6))
    body = "".join(
        f"""%x{n} = affine.load %b{n}[%i, %j] : memref<20x40xi32>
        %y{n} = arith.addi %x{n}, %c : i32
        affine.store %y{n}, %b{n}[%i, %j] : memref<20x40xi32>\n"""
        for n in range(6)
    )
    text = f"""func.func @f({buffers}, %c: i32) {{
      affine.for %i = 0 to 20 {{ affine.for %j = 0 to 40 {{ {body} }} }}
      return }}"""
    assert spills(text, "skylake-avx512") < 0.5
