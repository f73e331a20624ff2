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


def copied(columns: int) -> str:
    """Four elements of a column side by side."""
    lines = [
        f"""%i{k} = affine.apply affine_map<(d) -> (d + {k})>(%i)
        %x{k} = affine.load %b[%i{k}, %j] : memref<100x100xf32>
        affine.store %x{k}, %a[%i{k}, %j] : memref<100x100xf32>"""
        for k in range(4)
    ]
    return f"""func.func @f(%a: memref<100x100xf32> {{llvm.noalias}}, %b: memref<100x100xf32> {{llvm.noalias}}) {{
      affine.for %j = 0 to {columns} {{ affine.for %i = 0 to 80 step 4 {{ {" ".join(lines)} }} }}
      return }}"""


@pytest.mark.parametrize(("name", "size"), [("skylake-avx512", 302), ("sifive-p670", 350)])
def test_what_is_added_before_a_loop_is_in_the_one_around(name: str, size: int) -> None:
    """opt-22 unrolls 12 columns from ``-unroll-threshold`` 303 and 351 on: three constants are in each."""
    around = FEATURIZER.parse({"mlir": copied(12)}).loops_on(cpu(name).isa)[0].children[0]
    assert (around.total - 2) * around.trip + 2 == size


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


def tiles_of_one(rows: int, columns: int, kind: str, body: str) -> str:
    """Three loops, and the loops of their tiles inside, which run once each."""
    names = zip("xyz", "ijk", strict=True)
    points = " ".join(
        f"affine.for %{x} = affine_map<(d) -> (d)>(%{i}) to affine_map<(d) -> (d + 1)>(%{i}) {{" for x, i in names
    )
    return f"""func.func @f(%a: memref<64x64x64x{kind}> {{llvm.noalias}}, %c: {kind},
                          %b: memref<64x64x64x{kind}> {{llvm.noalias}}) {{
      affine.for %i = 0 to 64 {{ affine.for %j = 0 to {rows} {{ affine.for %k = 0 to {columns} {{ {points}
        {body} }} }} }} }} }} }}
      return }}"""


COPY = """%0 = affine.load %a[-%x + 63, %y * 2, %z] : memref<64x64x64xf32>
        %1 = arith.mulf %0, %c : f32
        affine.store %1, %b[%y, %z, %x] : memref<64x64x64xf32>"""
SCAN = """%0 = affine.load %b[%x, %y, %z + 1] : memref<64x64x64xf32>
        %1 = affine.load %a[%x, %y, %z] : memref<64x64x64xf32>
        %2 = arith.mulf %0, %c : f32
        %3 = arith.addf %2, %1 : f32
        affine.store %3, %b[%x, %y, %z] : memref<64x64x64xf32>"""


@pytest.mark.parametrize(
    ("body", "gone", "stay"), [(COPY, ((4, 8), (8, 4)), ((6, 8),)), (SCAN, ((4, 6), (8, 3), (3, 8)), ((4, 7), (8, 4)))]
)
def test_what_tiles_of_one_compute_of_indices_is_gone_when_the_loop_around_is_and_their_branches_are_not(
    body: str, gone: tuple[tuple[int, int], ...], stay: tuple[tuple[int, int], ...]
) -> None:
    """opt-22: rows and columns of loops that are unrolled completely both, and where the outer one stays."""
    assert all(len(loops(tiles_of_one(*place, "f32", body))) == 2 for place in gone)
    assert all(len(loops(tiles_of_one(*place, "f32", body))) == 3 for place in stay)
