"""Loops that copy, as opt-22 -O3 and llc-22 -O3 made them of the same program."""

from __future__ import annotations

import pytest

from featurizers.mlir import cpu, opclass
from featurizers.mlir.columns import COLUMNS, row
from tests.featurizers.mlir.generated import FEATURIZER, codes, estimated


def rows(count: int, length: int, kind: str, attribute: str) -> str:
    """Rows that an index buffer names, copied one after the other."""
    return f"""func.func @f(%n: memref<{count}xi32> {attribute}, %a: memref<512x{length}x{kind}> {attribute},
                           %b: memref<{count}x{length}x{kind}> {attribute}) {{
      affine.for %i = 0 to {count} {{
        %k = affine.load %n[%i] : memref<{count}xi32>
        %p = arith.index_cast %k : i32 to index
        affine.for %j = 0 to {length} {{
          %x = memref.load %a[%p, %j] : memref<512x{length}x{kind}>
          affine.store %x, %b[%i, %j] : memref<{count}x{length}x{kind}> }} }}
      return }}"""


@pytest.mark.parametrize(("name", "unroll", "instructions"), [("apple-m1", 1, 13), ("znver4", 12, 102)])
def test_a_row_is_copied_by_moves_that_may_overlap(name: str, unroll: int, instructions: float) -> None:
    length, kind = (11, "f32") if name == "apple-m1" else (26, "i8")
    (code,) = codes(rows(768, length, kind, "{llvm.noalias}"), name)
    assert (code.vf, code.unroll) == (1, unroll)
    assert code.instructions == pytest.approx(instructions, rel=0.35)


@pytest.mark.parametrize(("value", "kind", "called"), [(-1, "i32", 1.0), (7, "i8", 1.0), (7, "i32", 0.0)])
def test_rows_of_one_byte_are_set_by_one_call(value: int, kind: str, called: float) -> None:
    """`isBytewiseValue`: a number whose bytes are the same."""
    buffer = f"memref<40x200x{kind}>"
    text = f"""func.func @f(%a: {buffer}) {{
      %c = arith.constant {value} : {kind}
      affine.for %i = 0 to 40 {{
        affine.for %j = 0 to 200 {{
          affine.store %c, %a[%i, %j] : {buffer} }} }}
      return }}"""
    (root,) = FEATURIZER.parse({"mlir": text}).loops
    assert root.counts[opclass.CALL] == called


@pytest.mark.parametrize(("name", "shape", "instructions"), [("cortex-a55", "27x12xf32", 5), ("apple-m1", "4xf32", 3)])
def test_a_tensor_that_is_returned_as_it_was_given_is_copied(name: str, shape: str, instructions: int) -> None:
    """Arguments and a jump to memcpy; a load and a store."""
    text = f"func.func @f(%a: tensor<{shape}>) -> tensor<{shape}> {{ return %a : tensor<{shape}> }}"
    program = FEATURIZER.parse({"mlir": text})
    values = dict(zip([column.name for column in COLUMNS], row(program, cpu(name)), strict=True))
    assert values["est_instructions"] == pytest.approx(instructions, abs=1.0)


FILL = """func.func @f(%a: memref<1024xf32>) {
  %z = arith.constant 0.0 : f32
  affine.for %i = 0 to 1024 {
    affine.store %z, %a[%i] : memref<1024xf32> }
  return }"""
COPY = """func.func @f(%a: memref<1024xf32>, %b: memref<1024xf32>) {
  memref.copy %a, %b : memref<1024xf32> to memref<1024xf32>
  return }"""


@pytest.mark.parametrize(("text", "instructions", "cycles"), [(FILL, 3, 3.0), (COPY, 5, 4.0)])
def test_a_function_that_only_copies_jumps(text: str, instructions: float, cycles: float) -> None:
    """It saves no registers, and does not wait for what it jumps to; numbers are Cortex-A55's."""
    found = estimated(text, "cortex-a55", "est_instructions", "est_cycles")
    assert found[0] == pytest.approx(instructions, abs=1.6)
    assert found[1] == pytest.approx(cycles, abs=2.5)
