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
