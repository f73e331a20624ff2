"""Full unrolling where what is gone raises the threshold, and indices that go into one sum, as opt-22 has them."""

from __future__ import annotations

import pytest

from featurizers.mlir import cpu
from featurizers.mlir.loop import Loop
from tests.featurizers.mlir.generated import innermost
from tests.featurizers.mlir.test_sizes import FEATURIZER, sizes


def two(first: str, second: str, bounds: str) -> str:
    """Two buffers at each of two iterations that are written out."""
    return f"""func.func @f(%a: memref<400x400xi8>, %b: memref<400x400xi8>) {{
      affine.for %j = 0 to 192 {{ affine.for %i = {bounds} step 2 {{
        %0 = affine.load %b[{first}] : memref<400x400xi8>
        affine.store %0, %a[{first}] : memref<400x400xi8>
        %n = affine.apply affine_map<(d) -> (d + 1)>(%i)
        %1 = affine.load %b[{second}] : memref<400x400xi8>
        %2 = arith.addi %1, %1 : i8
        affine.store %2, %a[{second}] : memref<400x400xi8> }} }}
      return }}"""


ROWS, COLUMNS = ("%i, %j", "%n, %j"), ("%j, %i", "%j, %n")


@pytest.mark.parametrize(
    ("places", "bounds", "size"),
    [(ROWS, "0 to 50", 11), (ROWS, "1 to 51", 11), (COLUMNS, "0 to 50", 11), (COLUMNS, "1 to 51", 10)],
)
def test_an_index_in_one_sum_is_added_before_the_loop_unless_it_is_bits(
    places: tuple[str, str], bounds: str, size: float
) -> None:
    assert sizes(two(*places, bounds), "neoverse-v1")[25] == size


def squares(rows: int) -> str:
    """Eight elements of a row side by side."""
    lines = [
        f"""%i{k} = affine.apply affine_map<(d) -> (d + {k})>(%i)
        %x{k} = affine.load %a[%j, %i{k}] : memref<{rows}x64xf64>
        %y{k} = arith.mulf %x{k}, %x{k} : f64
        affine.store %y{k}, %b[%j, %i{k}] : memref<{rows}x64xf64>"""
        for k in range(8)
    ]
    return f"""func.func @f(%a: memref<{rows}x64xf64>, %b: memref<{rows}x64xf64>) {{
      affine.for %j = 0 to {rows} {{ affine.for %i = 0 to 64 step 8 {{ {" ".join(lines)} }} }}
      return }}"""


def test_bits_beside_those_of_other_loops_are_constants_when_all_loops_are_gone() -> None:
    """opt-22: of four rows, the loop of rows goes first, and its copies then; of twenty, both stay."""
    assert [loop.nest.depth for loop in loops(squares(4))] == [0]
    assert [loop.nest.depth for loop in loops(squares(20))] == [0, 1, 2]


def loops(text: str) -> list[Loop]:
    return FEATURIZER.parse({"mlir": text}).loops_on(cpu("skylake-avx512").isa)[0].walk()


TRANSPOSED = """func.func @f(%a: memref<16x4x12x3xi64> {llvm.noalias}, %b: memref<3x4x12x16xi64> {llvm.noalias}) {
  affine.for %i = 0 to 16 { affine.for %j = 0 to 4 { affine.for %k = 0 to 12 { affine.for %l = 0 to 3 {
    %x = affine.load %a[%i, %j, %k, %l] : memref<16x4x12x3xi64>
    affine.store %x, %b[%l, %j, %k, %i] : memref<3x4x12x16xi64> } } } }
  return }"""


@pytest.mark.parametrize("name", ["neoverse-v1", "apple-m1"])
def test_what_is_gone_behind_the_vectorisers_counts_on_aarch64_too(name: str) -> None:
    code = innermost(TRANSPOSED, name)
    assert (code.loop.trip, code.unroll, code.full) == (4, 4, True)
