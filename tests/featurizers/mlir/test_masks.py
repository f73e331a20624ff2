"""Transfers that may leave their buffer, as opt-22 -O3 and llc-22 -O3 made them of the same program."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu, opclass
from featurizers.mlir.codegen import LoopCode, generate

FEATURIZER = MlirFeaturizer()


def codes(reads: int, name: str) -> list[LoopCode]:
    """Twelve sums of `reads` neighbours, eight at a time: the last four lanes are none."""
    lines = [
        f"""%i{k} = affine.apply affine_map<(d) -> (d + {k})>(%i)
            %x{k} = vector.transfer_read %a[%i{k}], %p : memref<20xi16>, vector<8xi16>
            %y{k} = arith.addi %{f"y{k - 1}" if k else "x0"}, %x{k} : vector<8xi16>"""
        for k in range(reads)
    ]
    text = f"""func.func @f(%a: memref<20xi16> {{llvm.noalias}}, %b: memref<12xi16> {{llvm.noalias}}) {{
      %p = ub.poison : i16
      affine.for %i = 0 to 12 step 8 {{
        {" ".join(lines)}
        vector.transfer_write %y{reads - 1}, %b[%i] : vector<8xi16>, memref<12xi16> }}
      return }}"""
    return generate(FEATURIZER.parse({"mlir": text}).loops_on(cpu(name).isa)[0], cpu(name))


@pytest.mark.parametrize(("name", "instructions"), [("apple-m1", 7), ("znver4", 7), ("sifive-p670", 11)])
def test_masks_of_unrolled_loops_are_constants(name: str, instructions: float) -> None:
    (code,) = codes(1, name)
    assert code.loop.counts[opclass.MASKED] == 0
    assert code.instructions + 1 == pytest.approx(instructions, abs=2)  # the return is one


@pytest.mark.parametrize(("name", "loops"), [("apple-m1", 2), ("sifive-p670", 2), ("znver4", 1)])
def test_masked_lanes_count_one_by_one_where_loops_are_unrolled(name: str, loops: int) -> None:
    assert len(codes(3, name)) == loops


def doubled(size: int, lanes: int, name: str) -> list[LoopCode]:
    text = f"""func.func @f(%a: memref<{size}xi32> {{llvm.noalias}}, %b: memref<{size}xi32> {{llvm.noalias}}) {{
      %p = arith.constant 0 : i32
      affine.for %i = 0 to {size} step {lanes} {{
        %x = vector.transfer_read %a[%i], %p : memref<{size}xi32>, vector<{lanes}xi32>
        %y = arith.addi %x, %x : vector<{lanes}xi32>
        vector.transfer_write %y, %b[%i] : vector<{lanes}xi32>, memref<{size}xi32> }}
      return }}"""
    return generate(FEATURIZER.parse({"mlir": text}).loops_on(cpu(name).isa)[0], cpu(name))


@pytest.mark.parametrize(("name", "size", "masked"), [("znver4", 48, 0), ("apple-m1", 48, 16), ("znver4", 1024, 16)])
def test_steps_that_never_leave_the_buffer_have_masks_while_there_is_a_loop(name: str, size: int, masked: int) -> None:
    assert doubled(size, 8, name)[-1].loop.counts[opclass.MASKED] == masked


@pytest.mark.parametrize(("name", "lanes", "instructions"), [("neoverse-v1", 4, 16), ("neoverse-v1", 8, 99),
                                                             ("apple-m1", 4, 54), ("apple-m1", 8, 97)])  # fmt: skip
def test_sve_has_masks_for_vectors_of_128_bits_alone(name: str, lanes: int, instructions: int) -> None:
    total = sum(code.instructions for code in doubled(1024, lanes, name)) + 1  # the return
    assert total == pytest.approx(instructions, rel=0.35)
