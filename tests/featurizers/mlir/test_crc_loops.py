"""Loops over the bits of a checksum look bytes up. Instructions are those of LLVM 22's tools (`llc -O3`)."""

from __future__ import annotations

import pytest

from tests.featurizers.mlir.generated import estimated

CONSTANTS = """
  %i0 = arith.constant 0 : index
  %i1 = arith.constant 1 : index
  %c0 = arith.constant 0 : i32
  %c1 = arith.constant 1 : i32
  %k = arith.constant -306674912 : i32"""
LOWEST = """
    %b = arith.andi %v, %c1 : i32
    %o = arith.cmpi ne, %b, %c0 : i32
    %s = arith.shrui %v, %c1 : i32
    %x = arith.xori %s, %k : i32
    %y = arith.select %o, %x, %s : i32"""
HIGHEST = """
    %o = arith.cmpi slt, %v, %c0 : i32
    %s = arith.shli %v, %c1 : i32
    %x = arith.xori %s, %k : i32
    %y = arith.select %o, %x, %s : i32"""
TURNED = LOWEST.replace("cmpi ne", "cmpi eq").replace("%x, %s : i32", "%s, %x : i32")


def _counted(step: str, length: int = 8) -> str:
    return f"""func.func @f(%a: i32) -> i32 {{{CONSTANTS}
  %n = arith.constant {length} : index
  %r = scf.for %i = %i0 to %n step %i1 iter_args(%v = %a) -> (i32) {{{step}
    scf.yield %y : i32
  }}
  return %r : i32
}}"""


def _affine(step: str) -> str:
    return f"""func.func @f(%a: i32) -> i32 {{{CONSTANTS}
  %r = affine.for %i = 0 to 8 iter_args(%v = %a) -> (i32) {{{step}
    affine.yield %y : i32
  }}
  return %r : i32
}}"""


def _instructions(text: str, cpu: str) -> float:
    return estimated(text, cpu, "est_instructions")[0]


@pytest.mark.parametrize("step", [LOWEST, TURNED, HIGHEST])
@pytest.mark.parametrize(
    ("cpu", "length", "instructions"),
    [
        ("skylake-avx512", 8, 5),
        ("cortex-a55", 8, 6),
        ("cortex-a55", 16, 9),
        ("cortex-a55", 32, 15),
        ("sifive-p670", 32, 23),
    ],
)
def test_bytes_are_looked_up(step: str, cpu: str, length: int, instructions: int) -> None:
    assert _instructions(_counted(step, length), cpu) == pytest.approx(instructions, abs=1.1)


def test_affine_loops_are_counted_too() -> None:
    assert _instructions(_affine(LOWEST), "cortex-a55") == pytest.approx(6)


@pytest.mark.parametrize(
    ("step", "length"),
    [
        (LOWEST, 12),
        (LOWEST, 64),
        (LOWEST.replace("shrui", "shrsi"), 8),
        (HIGHEST.replace("slt", "sgt"), 8),
        (LOWEST.replace("%x, %s : i32", "%s, %x : i32"), 8),
    ],
)
def test_other_lengths_and_steps_stay_loops(step: str, length: int) -> None:
    assert _instructions(_counted(step, length), "cortex-a55") > 25
