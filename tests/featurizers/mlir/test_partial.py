"""What is around vector loops that carry a value, as LLVM 22 has it."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.columns import COLUMNS, row

FEATURIZER = MlirFeaturizer()
INSTRUCTIONS = [column.name for column in COLUMNS].index("est_instructions")


def reduced(step: str, kind: str) -> str:
    start = "0.0" if kind.startswith("f") else "0" if step == "addi" else "3"
    return f"""func.func @f(%a: memref<4000x{kind}>, %b: memref<1x{kind}>) {{
      %z = arith.constant {start} : {kind}
      %c = arith.constant 0 : index
      %r = affine.for %i = 0 to 4000 iter_args(%t = %z) -> ({kind}) {{
        %x = affine.load %a[%i] : memref<4000x{kind}>
        %s = arith.{step} %t, %x : {kind}
        affine.yield %s : {kind} }}
      memref.store %r, %b[%c] : memref<1x{kind}>
      return }}"""


@pytest.mark.parametrize(
    ("step", "kind", "name", "labelled"),
    [
        ("maximumf", "f32", "skylake-avx512", 125), ("maximumf", "f64", "skylake-avx512", 103),
        ("addi", "i32", "skylake-avx512", 40), ("maxsi", "i32", "apple-m1", 20), ("xori", "i32", "apple-m1", 24),
        ("muli", "i32", "cortex-a55", 19), ("addi", "i64", "cortex-a55", 14), ("addi", "i16", "sifive-p670", 19),
        ("maxsi", "i16", "sifive-p670", 17), ("maximumf", "f32", "sifive-p670", 23),
    ],
)  # fmt: skip
def test_partial_results_begin_before_a_loop_and_are_one_behind_it(
    step: str, kind: str, name: str, labelled: int
) -> None:
    program = FEATURIZER.parse({"mlir": reduced(step, kind)})
    assert row(program, cpu(name))[INSTRUCTIONS] == pytest.approx(labelled, rel=0.2)


def test_upper_parts_of_registers_are_cleared_before_x86_returns() -> None:
    """``vzeroupper`` behind vectors of 256 bits, not behind those of 128."""
    text = """func.func @f(%a: memref<LENGTHxf32>, %x: f32) {
      affine.for %i = 0 to LENGTH { affine.store %x, %a[%i] : memref<LENGTHxf32> }
      return }"""
    four, eight = (
        row(FEATURIZER.parse({"mlir": text.replace("LENGTH", length)}), cpu("skylake-avx512"))[INSTRUCTIONS]
        for length in ("4", "8")
    )
    assert eight == four + 1
