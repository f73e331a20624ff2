"""Overlap checks between places of one buffer: whether opt-22's code comes to the vector loop (`labelling.weights`)."""

from __future__ import annotations

import pytest

from tests.featurizers.mlir.generated import innermost

PATHS = """func.func @f(%d: memref<130x130xf16>) {
  affine.for %k = 0 to 130 { affine.for %i = 0 to 130 { affine.for %j = 0 to 130 step STEP {
    %a = affine.load %d[%i, %k] : memref<130x130xf16>
    %b = affine.load %d[%k, %j] : memref<130x130xf16>
    %s = arith.addf %a, %b : f16
    %c = affine.load %d[%i, %j] : memref<130x130xf16>
    %m = arith.minimumf %c, %s : f16
    affine.store %m, %d[%i, %j] : memref<130x130xf16> } } }
  return }"""

SOLVES = """func.func @f(%l: memref<57x57xi32> {llvm.noalias}, %x: memref<57x64xi32> {llvm.noalias}) {
  affine.for %i = 0 to 57 { affine.for %k = 0 to affine_map<(d) -> (d)>(%i) { affine.for %j = 0 to 64 {
    %a = affine.load %l[%i, %k] : memref<57x57xi32>
    %b = affine.load %x[%k, %j] : memref<57x64xi32>
    %p = arith.muli %a, %b : i32
    %c = affine.load %x[%i, %j] : memref<57x64xi32>
    %s = arith.subi %c, %p : i32
    affine.store %s, %x[%i, %j] : memref<57x64xi32> } } }
  return }"""


@pytest.mark.parametrize("name", ["znver4", "apple-m1"])
def test_rows_that_are_read_where_a_row_is_written_overlap_in_all_iterations_of_the_loop_around(name: str) -> None:
    code = innermost(PATHS.replace("STEP", "1"), name)
    assert code.vf > 1
    assert code.loop.overlapping == 1.0  # "vector.body" runs 0 times
    assert code.cycles > 130**3


def test_rows_above_the_one_that_is_written_are_apart() -> None:
    code = innermost(SOLVES, "znver4")
    assert code.loop.checks
    assert code.loop.overlapping == 0.0


def test_a_plain_loop_for_what_vectors_leave_is_taken_to_do_no_more() -> None:
    """65 iterations: 64 in vectors, and one by the plain loop, as often as the labels run it."""
    code = innermost(PATHS.replace("STEP", "2").replace("130x130", "130x260"), "apple-m1")
    assert code.loop.overlapping == 1.0
    assert code.cycles < 130 * 130 * 20


SUMS = """func.func @f(%a: memref<96x6xf64> {llvm.noalias}, %x: memref<6xf64> {llvm.noalias},
    %y: memref<96xf64> {llvm.noalias}, %r: memref<96xf64> {llvm.noalias}, %s: memref<6xf64> {llvm.noalias}) {
  affine.for %i = 0 to 96 { affine.for %j = 0 to 6 {
    %v = affine.load %a[%i, %j] : memref<96x6xf64>
    %p = affine.load %s[%j] : memref<6xf64>
    %q = affine.load %y[%i] : memref<96xf64>
    %m = arith.mulf %q, %v : f64
    %t = arith.addf %p, %m : f64
    affine.store %t, %s[%j] : memref<6xf64>
    %u = affine.load %r[%i] : memref<96xf64>
    %w = affine.load %x[%j] : memref<6xf64>
    %n = arith.mulf %v, %w : f64
    %o = arith.addf %u, %n : f64
    affine.store %o, %r[%i] : memref<96xf64> } }
  return }"""


def test_sums_over_a_loop_that_is_unrolled_are_no_steps_of_the_sums_beside_them() -> None:
    """llvm-mca-22: 17 cycles for three iterations of %i on Zen 4; six additions in turn take 18 for each."""
    code = innermost(SUMS, "znver4")
    assert code.loop.trip == 96
    assert code.chain_cycles < 18


MIRRORED = """func.func @f(%a: memref<128x96xi16>, %b: memref<128x96xi16>) {
  affine.for %i = 0 to 100 { affine.for %j = 0 to 96 {
    %x = affine.load %a[FROM, %j] : memref<128x96xi16>
    %y = arith.addi %x, %x : i16
    affine.store %y, %b[TO, %j] : memref<128x96xi16> } }
  return }"""


@pytest.mark.parametrize(
    ("source", "to", "vectors"),
    [("%i", "%i", True), ("-%i + 99", "%i", False), ("%i", "-%i + 99", False), ("-%i + 99", "-%i + 99", True)],
)
@pytest.mark.parametrize("name", ["skylake-avx512", "apple-m1", "sifive-p670"])
def test_a_check_that_is_made_before_a_loop_over_which_a_buffer_goes_backwards_always_fails(
    name: str, source: str, to: str, vectors: bool
) -> None:
    """opt-22 has no vectors then, unless both buffers go alike."""
    code = innermost(MIRRORED.replace("FROM", source).replace("TO", to), name)
    assert (code.vf > 1) == vectors


def test_buffers_that_are_told_apart_may_go_backwards() -> None:
    text = MIRRORED.replace("FROM", "-%i + 99").replace("TO", "%i").replace("xi16>,", "xi16> {llvm.noalias},")
    assert innermost(text.replace("xi16>)", "xi16> {llvm.noalias})"), "znver4").vf > 1


SUMMED = """func.func @f(%a: memref<64x256xf32>, %o: memref<64xf32>) {
  affine.for %i = 0 to 64 { affine.for %j = 0 to 256 {
    %s = affine.load %o[PLACE] : memref<64xf32>
    %v = affine.load %a[%i, %j] : memref<64x256xf32>
    %n = arith.addf %s, %v : f32
    affine.store %n, %o[PLACE] : memref<64xf32> } }
  return }"""


@pytest.mark.parametrize("name", ["apple-m1", "neoverse-v1", "sifive-p670"])
def test_a_sum_that_the_next_execution_goes_on_with_is_none_in_order_while_it_is_stored(name: str) -> None:
    """opt-22: cannot prove it is safe to reorder floating-point operations."""
    assert innermost(SUMMED.replace("PLACE", "%i"), name).vf > 1
    assert innermost(SUMMED.replace("PLACE", "3"), name).vf == 1
    alone = SUMMED.replace("PLACE", "3").replace("f32>,", "f32> {llvm.noalias},", 1)
    alone = alone.replace("f32>)", "f32> {llvm.noalias})", 1)
    assert innermost(alone, name).vf > 1


def summed(rows: int) -> str:
    body = [f"%v{k} = affine.load %a[{k}, %i] : memref<{rows}x64xf32>" for k in range(rows)]
    body += [f"%s{k + 1} = arith.addf %s{k}, %v{k} : f32" for k in range(rows)]
    return f"""func.func @f(%a: memref<{rows}x64xf32>, %o: memref<64xf32>) {{
      %s0 = arith.constant 1.0 : f32
      affine.for %i = 0 to 64 {{
        {chr(10).join(body)}
        affine.store %s{rows}, %o[%i] : memref<64xf32> }}
      return }}"""


def test_places_beyond_a_hundred_are_ranges_of_their_own_and_128_checks_are_the_most() -> None:
    """opt-22: too many memory checks needed, from 229 rows on."""
    assert innermost(summed(100), "skylake-avx512").loop.checks == 1
    assert innermost(summed(228), "skylake-avx512").vf == 8
    assert innermost(summed(230), "skylake-avx512").vf == 1


def rows_with_one_row(columns: int, other: str) -> str:
    """Rows of a buffer with another row of it, which does not vary in the loop over rows once columns are unrolled."""
    return f"""func.func @f(%a: memref<64x64xf32> {{llvm.noalias}}, %b: memref<64x64xf32> {{llvm.noalias}}) {{
      affine.for %k = 0 to 64 {{ affine.for %i = 0 to 64 {{ affine.for %j = 0 to {columns} {{
        %0 = affine.load {other}[%i, %k] : memref<64x64xf32>
        %1 = affine.load %a[%k, %j] : memref<64x64xf32>
        %2 = arith.addf %0, %1 : f32
        %3 = affine.load %a[%i, %j] : memref<64x64xf32>
        %4 = arith.mulf %3, %2 : f32
        affine.store %4, %a[%i, %j] : memref<64x64xf32> }} }} }}
      return }}"""


@pytest.mark.parametrize(
    ("columns", "other", "vf"), [(4, "%a", 16), (9, "%a", 16), (10, "%a", 1), (16, "%a", 1), (4, "%b", 1)]
)
def test_places_that_stand_still_are_compared_only_beside_some_that_move_and_if_they_are_few(
    columns: int, other: str, vf: int
) -> None:
    """opt-22, Zen 4: widths of its vectors."""
    assert innermost(rows_with_one_row(columns, other), "znver4").vf == vf
