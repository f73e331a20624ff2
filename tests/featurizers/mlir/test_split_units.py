"""Zen 4's units of 256 bits, for vectors of the source. Numbers are llvm-mca-22's of the code that LLVM 22 makes."""

from __future__ import annotations

import pytest

from tests.featurizers.mlir.generated import estimated


def cycles(ops: str, kind: str, lanes: int, on: str = "znver4") -> float:
    """Of six steps, by these operations in turn, on each of 8192 elements."""
    names = ops.split()
    steps = "\n".join(f"%s{n + 1} = {names[n % len(names)]} %s{n}, %y : vector<{lanes}x{kind}>" for n in range(6))
    buffer = f"memref<8192x{kind}>"
    text = f"""
func.func @f(%a: {buffer} {{llvm.noalias}}, %b: {buffer} {{llvm.noalias}}) {{
    affine.for %i = 0 to 8192 step {lanes} {{
      %s0 = affine.vector_load %a[%i] : {buffer}, vector<{lanes}x{kind}>
      %y = affine.vector_load %b[%i] : {buffer}, vector<{lanes}x{kind}>
      {steps}
      affine.vector_store %s6, %a[%i] : {buffer}, vector<{lanes}x{kind}>
    }}
    return
}}"""
    return estimated(text, on, "est_cycles")[0]


@pytest.mark.parametrize(
    ("ops", "kind", "lanes", "expected"),
    [("arith.addf", "f64", 32, 6285.9), ("arith.mulf", "f64", 32, 6285.9), ("arith.mulf", "f32", 8, 3533.9)],
)
def test_floats_have_two_units(ops: str, kind: str, lanes: int, expected: float) -> None:
    """A whole register goes twice through the units that multiply, or those that add, and half a one once."""
    assert cycles(ops, kind, lanes) == pytest.approx(expected, rel=0.15)


def test_products_and_sums_go_side_by_side() -> None:
    """Three of each in turn take half as long as six sums."""
    assert cycles("arith.mulf arith.addf", "f64", 32) == pytest.approx(cycles("arith.addf", "f64", 32) / 2, rel=0.1)


def test_other_cores_do_all_in_all() -> None:
    """Skylake's two units take whole registers: 3493.2 cycles."""
    assert cycles("arith.addf", "f64", 32, "skylake-avx512") == pytest.approx(3493.2, rel=0.15)
