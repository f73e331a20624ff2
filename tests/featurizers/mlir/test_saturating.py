"""Sums and differences of whole numbers that stay within bounds, and averages, are one operation, as LLVM 22 has
them."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.columns import COLUMNS, row
from featurizers.mlir.counting import beyond

FEATURIZER = MlirFeaturizer()
CYCLES = [column.name for column in COLUMNS].index("est_cycles")


def saturating(body: str, kind: str) -> str:
    """A loop that computes %r of %x and %y."""
    return f"""func.func @f(%a: memref<1024x{kind}>, %b: memref<1024x{kind}>, %o: memref<1024x{kind}>) {{
      %low = arith.constant -32768 : i32
      %high = arith.constant 32767 : i32
      %ones = arith.constant -1 : {kind}
      %zero = arith.constant 0 : {kind}
      %one = arith.constant 1 : i16
      affine.for %i = 0 to 1024 {{
        %x = affine.load %a[%i] : memref<1024x{kind}>
        %y = affine.load %b[%i] : memref<1024x{kind}>
        {body.replace("KIND", kind)}
        affine.store %r, %o[%i] : memref<1024x{kind}>
      }}
      return }}"""


WIDENED = """%p = arith.extsi %x : i16 to i32
             %q = arith.extsi %y : i16 to i32
             %s = arith.addi %p, %q : i32
             %m = arith.maxsi %s, %low : i32
             %n = arith.minsi %m, %high : i32
             %r = arith.trunci %n : i32 to i16"""
CARRIED = """%s = arith.addi %x, %y : KIND
             %c = arith.cmpi ult, %s, %x : KIND
             %r = arith.select %c, %ones, %s : KIND"""
BORROWED = """%s = arith.subi %x, %y : KIND
              %c = arith.cmpi ult, %x, %y : KIND
              %r = arith.select %c, %zero, %s : KIND"""

AVERAGED = """%p = arith.extui %x : i8 to i16
              %q = arith.extui %y : i8 to i16
              %s = arith.addi %p, %q : i16
              %m = arith.addi %s, %one : i16
              %n = arith.shrui %m, %one : i16
              %r = arith.trunci %n : i16 to i8"""
DOWN = AVERAGED.replace("shrui %m", "shrui %s")


def kinds(body: str, kind: str) -> dict[int, float]:
    """What operations of a loop are, see `counting`."""
    found = FEATURIZER.parse({"mlir": saturating(body, kind)}).loops[0].children[0]
    return {key: times for key, times in found.fused.items() if key >= 6000}


@pytest.mark.parametrize(
    ("body", "kind", "name", "labelled"),
    [
        (WIDENED, "i16", "skylake-avx512", 70.6), (WIDENED, "i16", "znver4", 51.1),
        (WIDENED, "i16", "neoverse-v1", 109.6), (WIDENED, "i16", "apple-m1", 140.1),
        (WIDENED, "i16", "sifive-p670", 277.6), (CARRIED, "i8", "skylake-avx512", 36.6),
        (CARRIED, "i32", "apple-m1", 272.9), (CARRIED, "i64", "neoverse-v1", 407.5),
        (AVERAGED, "i8", "skylake-avx512", 36.6), (AVERAGED, "i8", "neoverse-v1", 77.2),
        (AVERAGED, "i8", "apple-m1", 73.5), (AVERAGED, "i8", "sifive-p670", 142.7),
    ],
)  # fmt: skip
def test_sums_within_bounds_are_one_instruction(body: str, kind: str, name: str, labelled: float) -> None:
    program = FEATURIZER.parse({"mlir": saturating(body, kind)})
    assert row(program, cpu(name))[CYCLES] == pytest.approx(labelled, rel=0.15)


def test_sums_and_differences_are_told_from_choices_and_other_bounds() -> None:
    assert kinds(WIDENED, "i16") == {6016: 1.0}
    assert kinds(WIDENED.replace("addi", "subi"), "i16") == {7016: 1.0}
    assert kinds(CARRIED, "i32") == {8032: 1.0}
    assert kinds(CARRIED.replace("ult, %s, %x", "ugt, %y, %s"), "i32") == {8032: 1.0}
    assert kinds(BORROWED, "i8") == {9008: 1.0}
    assert kinds(BORROWED.replace("ult, %x, %y", "uge, %x, %y").replace("%zero, %s", "%s, %zero"), "i8") == {9008: 1.0}
    assert kinds(WIDENED.replace("%high", "%low"), "i16") == {}
    assert kinds(WIDENED.replace("extsi", "extui"), "i16") == {}
    assert kinds(CARRIED.replace("%s, %x", "%x, %s"), "i32") == {}
    assert kinds(CARRIED.replace("ult", "slt"), "i32") == {}
    assert kinds(BORROWED.replace("ult", "ugt"), "i8") == {}


def test_averages_are_told_by_rounding_and_signs() -> None:
    assert kinds(AVERAGED, "i8") == {10008: 1.0}
    assert kinds(DOWN, "i8") == {11008: 1.0}
    assert kinds(AVERAGED.replace("extui", "extsi"), "i8") == {12008: 1.0}
    assert kinds(DOWN.replace("extui", "extsi"), "i8") == {13008: 1.0}
    assert kinds(AVERAGED.replace("%s, %one", "%s, %p"), "i8") == {}
    assert kinds(DOWN.replace("addi", "subi"), "i8") == {}


@pytest.mark.parametrize(
    ("body", "name", "more"),
    [
        (AVERAGED, "skylake-avx512", 0), (AVERAGED, "apple-m1", 0), (AVERAGED, "sifive-p670", 0),
        (DOWN, "skylake-avx512", 4), (DOWN, "apple-m1", 0), (DOWN.replace("extui", "extsi"), "znver4", 5),
    ],
)  # fmt: skip
def test_x86_has_unsigned_averages_that_round_up(body: str, name: str, more: int) -> None:
    """``vpavgb``, ``urhadd``, ``uhadd``, ``vaaddu``; ``vpand``, ``vpxor``, ``vpsrlw``, ``vpandd``, ``vpaddb``."""
    found = FEATURIZER.parse({"mlir": saturating(body, "i8")}).loops[0].children[0]
    assert beyond(found, cpu(name), vector=True, near=True) == more
