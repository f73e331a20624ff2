"""What loops of whole numbers carry on, against what LLVM's tools say (llvm-mca-22, cycles of one call)."""

from __future__ import annotations

import pytest

from tests.featurizers.mlir.generated import estimated

ROTATED = """%a = arith.shli %s, %c5 : i32
    %b = arith.shrui %s, %c27 : i32
    %c = arith.ori %a, %b : i32
    %r = arith.xori %c, %x : i32"""
HASHED = """%a = arith.xori %s, %x : i32
    %r = arith.muli %a, %c101 : i32"""
ADDED_TO_PRODUCT = """%a = arith.muli %s, %c33 : i32
    %r = arith.addi %a, %x : i32"""
REMAINING = """%a = arith.addi %s, %x : i32
    %r = arith.remui %a, %c65521 : i32"""
SHIFTED = """%a = arith.shli %s, %c13 : i32
    %b = arith.xori %s, %a : i32
    %c = arith.shrui %b, %c17 : i32
    %r = arith.xori %b, %c : i32"""
OF_BITS = """%a = arith.andi %s, %c1 : i32
    %b = arith.subi %c0, %a : i32
    %c = arith.shrui %s, %c1 : i32
    %d = arith.andi %b, %c65521 : i32
    %r = arith.xori %c, %d : i32"""


def cycles(body: str, name: str, loads: str = "i32") -> float:
    """Of a thousand iterations, each."""
    numbers = "\n".join(f"  %c{n} = arith.constant {n} : i32" for n in (0, 1, 5, 13, 17, 27, 33, 101, 65521))
    load = "%x = affine.load %m[%i] : memref<1000xi32>" if loads == "i32" else ""
    if loads == "i8":
        load = "%l = affine.load %m[%i] : memref<1000xi8>\n    %x = arith.extui %l : i8 to i32"
    text = f"""func.func @f(%m: memref<1000x{loads or "i8"}>, %first: i32) -> i32 {{
{numbers}
  %e = affine.for %i = 0 to 1000 iter_args(%s = %first) -> (i32) {{
    {load}
    {body}
    affine.yield %r : i32
  }}
  return %e : i32 }}"""
    (found,) = estimated(text, name, "est_cycles")
    return found / 1000


@pytest.mark.parametrize(
    ("body", "loads", "name", "each"),
    [
        (ROTATED, "i32", "neoverse-v1", 1.04),
        (ROTATED, "i32", "apple-m1", 2.08),
        (ROTATED, "i32", "sifive-p670", 2.02),
        (ADDED_TO_PRODUCT, "i8", "apple-m1", 4.06),
        (ADDED_TO_PRODUCT, "i8", "neoverse-v1", 3.03),
        (ADDED_TO_PRODUCT, "i8", "sifive-p670", 2.06),
        (SHIFTED, "", "neoverse-v1", 2.02),
        (SHIFTED, "", "apple-m1", 4.03),
        (OF_BITS, "", "neoverse-v1", 3.02),
        (OF_BITS, "", "apple-m1", 5.03),
    ],
)
def test_shifts_are_parts_of_logic_and_sums(body: str, loads: str, name: str, each: float) -> None:
    assert cycles(body, name, loads) == pytest.approx(each, rel=0.05)


@pytest.mark.parametrize(
    ("name", "each"), [("znver4", 9.07), ("neoverse-v1", 6.04), ("apple-m1", 11.08), ("sifive-p670", 7.16)]
)
def test_remainders_by_numbers_wait_for_two_products(name: str, each: float) -> None:
    assert cycles(REMAINING, name, "i8") == pytest.approx(each, rel=0.05)


@pytest.mark.parametrize(
    ("body", "name", "each"),
    [
        (ROTATED, "skylake-avx512", 6.01),
        (ROTATED, "znver4", 5.01),
        (HASHED, "skylake-avx512", 6.02),
        (HASHED, "znver4", 5.01),
        (HASHED, "apple-m1", 6.08),
    ],
)
def test_an_operand_in_memory_is_not_loaded_before_the_other_is_begun(body: str, name: str, each: float) -> None:
    assert cycles(body, name) == pytest.approx(each, rel=0.05)
