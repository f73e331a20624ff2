"""Loops whose length depends on others, and what becomes of them on each CPU, as opt-22 -O3 made it (remarks)."""

from __future__ import annotations

import pytest

from featurizers.mlir import cpu
from tests.featurizers.mlir.generated import FEATURIZER, codes


def tiles_of_32(length: int, operations: int) -> str:
    steps = " ".join([f"%x{k + 1} = arith.{'xori' if k % 2 else 'muli'} %x{k}, %c : i64" for k in range(operations)])
    return f"""func.func @f(%a: memref<{length}xi64>, %c: i64) {{
      affine.for %t = 0 to {length} step 32 {{
        affine.for %k = affine_map<(d0) -> (d0)>(%t) to min affine_map<(d0) -> (d0 + 32, {length})>(%t) {{
          %x0 = affine.load %a[%k] : memref<{length}xi64>
          {steps}
          affine.store %x{operations}, %a[%k] : memref<{length}xi64> }} }}
      return }}"""


def test_a_tile_that_is_cut_off_is_two_loops_once_those_around_are_unrolled() -> None:
    (code,) = codes(tiles_of_32(34, operations=9), "skylake-avx512")
    assert (code.loop.trip, code.loop.exact, code.loop.entries) == (32, True, 1)
    assert code.vf == 4, "the other one, of two iterations, is in the function's body"


def test_tiles_of_each_length_are_vectorised_by_themselves() -> None:
    """The rest of 23 has narrower vectors and single iterations behind them, the whole tile has neither."""
    found = codes(tiles_of_32(55, operations=19), "znver4")
    assert [code.loop.trip for code in found] == [23, 32]
    assert sum([code.instructions for code in found]) == pytest.approx(246, rel=0.03)


def test_a_loop_around_others_is_unrolled_once_their_bodies_are_packed() -> None:
    text = """func.func @f(%a: memref<7x100x16xf32>, %c: f32) {
      affine.for %t = 0 to 7 { affine.for %i = 0 to 100 { affine.for %k = 0 to 16 {
        %x = affine.load %a[%t, %i, %k] : memref<7x100x16xf32>
        %y = arith.mulf %x, %c : f32
        %z = arith.addf %y, %c : f32
        affine.store %z, %a[%t, %i, %k] : memref<7x100x16xf32> } } }
      return }"""
    around, inside = codes(text, "apple-m1")
    assert (around.full, around.unroll, inside.full) == (True, 7, False)
    around, inside = codes(text, "znver4")
    assert (around.full, inside.vf) == (False, 16), "the vectorised loop is too large"


def test_a_loop_is_judged_by_what_is_left_in_it_once_tiles_are_unrolled() -> None:
    text = """func.func @f(%a: memref<64x57xi64> {llvm.noalias}, %b: memref<64x57xi64> {llvm.noalias}) {
      affine.for %i = 0 to 57 step 16 { affine.for %j = 1 to 64 step 16 {
        affine.for %k = affine_map<(d0) -> (d0)>(%i) to min affine_map<(d0) -> (d0 + 16, 57)>(%i) {
          affine.for %l = affine_map<(d0) -> (d0)>(%j) to min affine_map<(d0) -> (d0 + 16, 64)>(%j) {
            %0 = affine.load %a[%l - 1, %k] : memref<64x57xi64>
            %1 = affine.load %b[%l, %k] : memref<64x57xi64>
            %2 = arith.maxsi %0, %1 : i64
            affine.store %2, %a[%l, %k] : memref<64x57xi64> } } } }
      return }"""
    inside = codes(text, "znver4")[-1]
    assert (inside.vf, inside.interleave, inside.loop.multiplicity) == (8, 1, 4)
    assert inside.loop.lengths == ((9, 0.25), (16, 0.75))
    assert inside.loop.parts(8) == (1.75, 0.25)


@pytest.mark.parametrize(("name", "tile", "cycles"), [("skylake-avx512", 8, 1724), ("znver4", 16, 708)])
def test_short_loops_run_in_the_narrower_loop_behind_the_vector_loop(name: str, tile: int, cycles: float) -> None:
    text = f"""func.func @f(%a: memref<1001xf32> {{llvm.noalias}}) {{
      affine.for %i = 0 to 1001 step {tile} {{
        affine.for %j = affine_map<(d0) -> (d0)>(%i) to min affine_map<(d0) -> (d0 + {tile}, 1001)>(%i) {{
          %0 = affine.load %a[%j] : memref<1001xf32>
          %1 = arith.mulf %0, %0 : f32
          affine.store %1, %a[%j] : memref<1001xf32> }} }}
      return }}"""
    found = codes(text, name)
    assert found[-1].interleave == 4
    assert sum(code.cycles for code in found) == pytest.approx(cycles, rel=0.35), "llvm-mca's, by block"


TILE = "affine_map<(d0) -> (d0)>({0}) to min affine_map<(d0) -> (d0 + {1}, {2})>({0})"
ROWS = "affine.for %j = 0 to 300 { BODY }"
AROUND = {
    "tile": f"affine.for %t = 0 to 30 step 4 {{ affine.for %i = {TILE.format('%t', 4, 30)} {{ {ROWS} }} }}",
    "tiles": f"affine.for %s = 0 to 1000 step 16 {{ affine.for %t = 0 to 30 step 4 {{ "
    f"affine.for %i = {TILE.format('%s', 16, 1000)} {{ affine.for %j = {TILE.format('%t', 4, 30)} {{ BODY }} }} }} }}",
    "triangle": f"affine.for %t = 0 to 9 {{ affine.for %i = 0 to affine_map<(d0) -> (d0)>(%t) {{ {ROWS} }} }}",
    "far": "affine.for %t = 0 to 9 { affine.for %u = 0 to 500 { "
    f"affine.for %i = 0 to affine_map<(d0) -> (d0)>(%t) {{ {ROWS} }} }} }}",
}


@pytest.mark.parametrize(
    ("around", "name", "operations"),
    [("tile", "znver4", 20), ("tile", "apple-m1", 21), ("tiles", "znver4", 16), ("tiles", "apple-m1", 17),
     ("triangle", "znver4", 17), ("triangle", "apple-m1", 18), ("far", "znver4", 11)],
)  # fmt: skip
def test_guards_are_part_of_what_is_unrolled(around: str, name: str, operations: int) -> None:
    kept = []
    for count in (operations, operations + 1):
        steps = [f"%x{k + 1} = arith.{'xori' if k % 2 else 'muli'} %x{k}, %c : i32" for k in range(count)]
        body = f"""%x0 = affine.load %a[%i, %j] : memref<1000x300xi32> {" ".join(steps)}
          affine.store %x{count}, %a[%i, %j] : memref<1000x300xi32>"""
        text = f"func.func @f(%a: memref<1000x300xi32>, %c: i32) {{ {AROUND[around].replace('BODY', body)} return }}"
        depth = 2 if around == "tiles" else 1
        (root,) = FEATURIZER.parse({"mlir": text}).loops_on(cpu(name).isa)
        kept.append(any(loop.nest.depth == depth for loop in root.walk()))
    assert kept == [False, True], "as print-before=loop-vectorize shows"


@pytest.mark.parametrize(("name", "copies"), [("sifive-p670", 20), ("neoverse-v1", 6)])
def test_what_is_subtracted_is_no_sum_in_order(name: str, copies: int) -> None:
    text = """func.func @f(%a: memref<64x300xf32>, %b: memref<300xf32>, %o: memref<64xf32>) {
      %z = arith.constant 0.0 : f32
      affine.for %i = 0 to 64 {
        %s = affine.for %k = 0 to 300 iter_args(%x = %z) -> (f32) {
          %v = affine.load %a[%i, %k] : memref<64x300xf32>
          %w = affine.load %b[%k] : memref<300xf32>
          %p = arith.mulf %v, %w : f32
          %y = arith.OP %x, %p : f32
          affine.yield %y : f32 }
        affine.store %s, %o[%i] : memref<64xf32> }
      return }"""
    subtracted = codes(text.replace("OP", "subf"), name)[-1]
    assert (subtracted.vf, subtracted.unroll) == (1, copies)
    assert codes(text.replace("OP", "addf"), name)[-1].vf == 8
