"""What load and store units make of vector loops: decisions as opt-22 -O3 took them, cycles as llvm-mca-22 counted
them."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.codegen import LoopCode, generate
from featurizers.mlir.costs import lane_by_lane

FEATURIZER = MlirFeaturizer()

STRIDED = """func.func @f(%a: memref<16000xf32> {llvm.noalias}, %b: memref<16000xf32> {llvm.noalias}) {
  affine.for %i = 0 to 400 {
    %x = affine.load %a[%i * 37] : memref<16000xf32>
    %y = arith.mulf %x, %x : f32
    affine.store %y, %b[%i] : memref<16000xf32> }
  return }"""

GROUPED = """func.func @f(%a: memref<3000x3xf32> {llvm.noalias}, %b: memref<3000xf32> {llvm.noalias}) {
  affine.for %i = 0 to 3000 {
    %x = affine.load %a[%i, 0] : memref<3000x3xf32>
    %y = affine.load %a[%i, 1] : memref<3000x3xf32>
    %z = affine.load %a[%i, 2] : memref<3000x3xf32>
    %p = arith.mulf %x, %y : f32
    %q = arith.mulf %p, %z : f32
    affine.store %q, %b[%i] : memref<3000xf32> }
  return }"""

SUMS = """func.func @f(%a: memref<4096xf32> {llvm.noalias}, %b: memref<4096xf32> {llvm.noalias},
                     %c: memref<4096xf32> {llvm.noalias}) {
  affine.for %i = 0 to 4096 {
    %x = affine.load %a[%i] : memref<4096xf32>
    %y = affine.load %b[%i] : memref<4096xf32>
    %z = arith.addf %x, %y : f32
    affine.store %z, %c[%i] : memref<4096xf32> }
  return }"""


THROUGHOUT = """func.func @f(%a: memref<400x37xf32> {llvm.noalias}, %b: memref<400x37xf32> {llvm.noalias}) {
  affine.for %i = 0 to 400 {
    %x = affine.load %a[%i, 0] : memref<400x37xf32>
    %y = affine.load %a[%i, 16] : memref<400x37xf32>
    %z = arith.mulf %x, %y : f32
    affine.store %z, %b[%i, 0] : memref<400x37xf32> }
  return }"""

TABLE = """func.func @f(%t: memref<256xi8> {llvm.noalias}, %a: memref<4096xi8> {llvm.noalias},
                      %b: memref<4096xi32> {llvm.noalias}) {
  affine.for %i = 0 to 4096 {
    %x = affine.load %a[%i] : memref<4096xi8>
    %at = arith.index_castui %x : i8 to index
    %y = memref.load %t[%at] : memref<256xi8>
    %z = arith.extui %y : i8 to i32
    affine.store %z, %b[%i] : memref<4096xi32> }
  return }"""


def code(text: str, name: str) -> LoopCode:
    return generate(FEATURIZER.parse({"mlir": text}).loops_on(cpu(name).isa)[0], cpu(name))[-1]


@pytest.mark.parametrize(("name", "vf"), [("neoverse-v1", 4), ("apple-m1", 4), ("sifive-p670", 8), ("znver4", 16)])
def test_groups_of_three_are_no_scalable_vectors_of_aarch64(name: str, vf: int) -> None:
    assert code(GROUPED, name).vf == vf


@pytest.mark.parametrize(
    ("text", "name", "cycles"),
    [
        (STRIDED, "sifive-p670", 419),  # a lane a cycle, beside a unit that stores
        (GROUPED, "sifive-p670", 13597),  # 12 cycles and one for each element
        (GROUPED, "skylake-avx512", 1198),  # three permutations of two registers, each in a cycle
        (THROUGHOUT, "skylake-avx512", 422),  # 16 loads by two units and 8 stores, which three units have addresses for
        (SUMS, "znver4", 391),  # two moves a cycle, of loads and stores
    ],
)
def test_cycles_of_load_and_store_units(text: str, name: str, cycles: float) -> None:
    assert code(text, name).cycles == pytest.approx(cycles, rel=0.06)


def rows(length: int) -> str:
    return f"""func.func @f(%i: memref<128xi32> {{llvm.noalias}}, %a: memref<900x{length}xf32> {{llvm.noalias}},
                         %b: memref<128x{length}xf32> {{llvm.noalias}}) {{
      affine.for %r = 0 to 128 {{
        %n = affine.load %i[%r] : memref<128xi32>
        %m = arith.index_cast %n : i32 to index
        affine.for %j = 0 to {length} {{
          %x = memref.load %a[%m, %j] : memref<900x{length}xf32>
          %y = arith.mulf %x, %x : f32
          affine.store %y, %b[%r, %j] : memref<128x{length}xf32> }} }}
      return }}"""


def test_a_row_that_was_looked_up_is_read_from_side_to_side() -> None:
    found = code(rows(200), "skylake-avx512")
    assert (found.vf, found.interleave, found.loop.unit) == (8, 4, 2)


def test_rows_of_unrolled_loops_are_anywhere_to_the_loop_around() -> None:
    found = code(rows(8), "skylake-avx512")
    assert (found.vf, found.interleave, found.loop.gathered) == (8, 1, 8)


def test_bytes_of_a_table_are_loaded_one_by_one_into_words() -> None:
    assert code(TABLE, "skylake-avx512").cycles == pytest.approx(5034, rel=0.1)


def test_zen_4_permutes_beside_what_it_computes() -> None:
    """llvm-mca has 1,173 cycles for this one; the rate is that of many."""
    assert code(GROUPED, "znver4").cycles == pytest.approx(957, rel=0.03)


def column(kind: str) -> str:
    add = "addf" if kind == "f16" else "addi"
    return f"""func.func @f(%a: memref<1024x12x{kind}> {{llvm.noalias}}, %b: memref<1024x12x{kind}> {{llvm.noalias}}) {{
      affine.for %i = 0 to 1024 {{
        %x = affine.load %a[%i, 0] : memref<1024x12x{kind}>
        %y = arith.{add} %x, %x : {kind}
        affine.store %y, %b[%i, 0] : memref<1024x12x{kind}> }}
      return }}"""


@pytest.mark.parametrize(
    ("kind", "vf", "cost"), [("i8", 8, 27), ("i8", 64, 219), ("i16", 16, 55), ("f16", 4, 12), ("f16", 32, 107)]
)
def test_lanes_that_x86_does_not_gather_cost_what_opt_says(kind: str, vf: int, cost: float) -> None:
    loop = code(column(kind), "znver4").loop
    bits = int(kind[1:])
    assert lane_by_lane(loop, cpu("znver4"), vf, bits, 12, False) == cost


def products(batches: int) -> str:
    """Of so many matrices, side by side: three columns, each of which is written four times."""
    bodies = "".join(
        f"""
            %x{n} = affine.load %a[{n}, %k, %i] : memref<4x4x64xi16>
            %y{n} = affine.load %b[{n}, %k, %j] : memref<4x4x3xi16>
            %p{n} = arith.muli %x{n}, %y{n} : i16
            %t{n} = affine.load %c[{n}, %i, %j] : memref<4x64x3xi16>
            %s{n} = arith.addi %t{n}, %p{n} : i16
            affine.store %s{n}, %c[{n}, %i, %j] : memref<4x64x3xi16>"""
        for n in range(batches)
    )
    return f"""func.func @f(%a: memref<4x4x64xi16>, %b: memref<4x4x3xi16>, %c: memref<4x64x3xi16>) {{
      affine.for %i = 0 to 64 {{
        affine.for %k = 0 to 4 {{
          affine.for %j = 0 to 3 {{{bodies} }} }} }}
      return }}"""


@pytest.mark.parametrize(("batches", "labelled"), [(3, 241), (4, 4491)])
def test_groups_are_not_written_at_once_among_a_hundred_dependences(batches: int, labelled: float) -> None:
    """Five accesses to each of nine places are 90, of which LLVM knows; of twelve places they are 120, and it stores
    lane by lane."""
    assert code(products(batches), "znver4").cycles == pytest.approx(labelled, rel=0.2)
