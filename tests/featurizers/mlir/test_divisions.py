"""Divisions by constants, as opt-22 -O3 decides about loops of them (`-pass-remarks=loop-vectorize|loop-unroll`)."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.codegen import LoopCode, generate
from featurizers.mlir.opclass import CLASS

FEATURIZER = MlirFeaturizer()


def quotients(kind: str, trip: int = 320) -> str:
    return f"""func.func @f(%a: memref<{trip}x{kind}> {{llvm.noalias}}, %b: memref<{trip}x{kind}> {{llvm.noalias}}) {{
      %c = arith.constant 7 : {kind}
      affine.for %i = 0 to {trip} {{
        %x = affine.load %a[%i] : memref<{trip}x{kind}>
        %y = arith.divui %x, %c : {kind}
        affine.store %y, %b[%i] : memref<{trip}x{kind}> }}
      return }}"""


LONG, WORDS = quotients("i64"), quotients("i32")
EIGHT = quotients("i64", 8)

BOTH = """func.func @f(%x: i32) -> (i32, i32) {
  %c = arith.constant 7 : i32
  %y = arith.divui %x, %c : i32
  %z = arith.remui %x, %c : i32
  return %y, %z : i32, i32 }"""


def chosen(text: str, name: str) -> LoopCode:
    return generate(FEATURIZER.parse({"mlir": text}).loops[0], cpu(name))[-1]


@pytest.mark.parametrize(
    ("text", "name", "vf"),
    [(WORDS, "znver4", 16), (LONG, "znver4", 1), (WORDS, "cortex-a55", 4), (LONG, "cortex-a55", 1)],
)
def test_quotients_of_64_bits_are_vectorised_where_there_are_such_products(text: str, name: str, vf: int) -> None:
    assert chosen(text, name).vf == vf


def test_what_is_divided_lane_by_lane_is_not_packed() -> None:
    assert chosen(EIGHT, "znver4").packed.share == 0


def test_a_remainder_is_what_the_quotient_leaves() -> None:
    counts = FEATURIZER.parse({"mlir": BOTH}).loops[0].counts
    assert counts[CLASS["imul"]] == 2
    assert counts[CLASS["logic"]] == 1


def by_values(kind: str) -> str:
    return f"""func.func @f(%a: memref<100x{kind}> {{llvm.noalias}}, %b: memref<100x{kind}> {{llvm.noalias}},
                       %o: memref<100x{kind}> {{llvm.noalias}}) {{
      affine.for %i = 0 to 100 {{
        %x = affine.load %a[%i] : memref<100x{kind}>
        %y = affine.load %b[%i] : memref<100x{kind}>
        %z = arith.divui %x, %y : {kind}
        affine.store %z, %o[%i] : memref<100x{kind}> }}
      return }}"""


@pytest.mark.parametrize(("kind", "name", "made"), [("i64", "znver4", 130), ("i64", "skylake-avx512", 70)])
def test_x86_goes_around_divisions_of_64_bits_where_values_are_short(kind: str, name: str, made: int) -> None:
    """Numbers of `llc-22`."""
    assert chosen(by_values(kind), name).instructions == pytest.approx(made, rel=0.15)


@pytest.mark.parametrize(("kind", "taken"), [("i32", 1206), ("i64", 1711)])
def test_either_way_of_a_division_is_taken_half_of_the_time(kind: str, taken: int) -> None:
    """Numbers of `llvm-mca-22`."""
    assert chosen(by_values(kind), "znver4").cycles == pytest.approx(taken, rel=0.05)
