"""Sums and differences of whole numbers that stay within bounds are one operation, as LLVM 22 has them."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.columns import COLUMNS, row

FEATURIZER = MlirFeaturizer()
CYCLES = [column.name for column in COLUMNS].index("est_cycles")


def saturating(body: str, kind: str) -> str:
    """A loop that computes %r of %x and %y."""
    return f"""func.func @f(%a: memref<1024x{kind}>, %b: memref<1024x{kind}>, %o: memref<1024x{kind}>) {{
      %low = arith.constant -32768 : i32
      %high = arith.constant 32767 : i32
      %ones = arith.constant -1 : {kind}
      %zero = arith.constant 0 : {kind}
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
    ],
)  # fmt: skip
def test_sums_within_bounds_are_one_instruction(body: str, kind: str, name: str, labelled: float) -> None:
    program = FEATURIZER.parse({"mlir": saturating(body, kind)})
    assert row(program, cpu(name))[CYCLES] == pytest.approx(labelled, rel=0.1)


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
