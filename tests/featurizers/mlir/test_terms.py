"""Equal products in sums of vectors. Numbers are those of `opt-22 -O3`, `llc-22` and llvm-mca."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer

FEATURIZER = MlirFeaturizer()


def axpy(factor: str = "%c", times: int = 8) -> str:
    """Eight lanes of sixteen ``x``, multiplied, are added to ``y`` so many times."""
    sums = "".join(
        f"""
      %p{n} = arith.muli {factor}, %x : vector<8xi16>
      %s{n + 1} = arith.addi %p{n}, %s{n} : vector<8xi16>"""
        for n in range(times)
    )
    return f"""
func.func @axpy(%a: memref<16xi16> {{llvm.noalias}}, %b: memref<16xi16> {{llvm.noalias}}) {{
    %three = arith.constant 3 : i16
    %zero = arith.constant 0 : i16
    %c = vector.broadcast %three : i16 to vector<8xi16>
    affine.for %i = 0 to 16 step 8 {{
      %s0 = vector.transfer_read %b[%i], %zero {{in_bounds = [true]}} : memref<16xi16>, vector<8xi16>
      %x = vector.transfer_read %a[%i], %zero {{in_bounds = [true]}} : memref<16xi16>, vector<8xi16>{sums}
      vector.transfer_write %s{times}, %b[%i] {{in_bounds = [true]}} : vector<8xi16>, memref<16xi16>
    }}
    return
}}"""


def estimated(text: str) -> tuple[float, float]:
    """Instructions and cycles on Neoverse V1."""
    found = FEATURIZER.features([FEATURIZER.parse({"mlir": text})], profile="neoverse-v1")
    return tuple(float(found.column(name)[0]) for name in ("est_instructions", "est_cycles"))  # type: ignore[return-value]


def test_equal_products_are_one() -> None:
    """7 instructions and 1.79 cycles, however often it is added."""
    instructions, cycles = estimated(axpy())
    assert instructions == pytest.approx(7, abs=1.5)
    assert cycles == pytest.approx(1.8, abs=0.5)
    assert estimated(axpy(times=2)) == (instructions, cycles)


def test_other_products_stay() -> None:
    """A product of two loaded values is none with a constant, and a sum that is used elsewhere stays as it is."""
    assert estimated(axpy("%x"))[0] > estimated(axpy())[0] + 5
    stored = "vector.transfer_write %s3, %a[%i] {in_bounds = [true]} : vector<8xi16>, memref<16xi16>\n      %p3 ="
    assert estimated(axpy().replace("%p3 =", stored))[0] > estimated(axpy())[0] + 1
