"""Blocks around vector loops, and what their iterations hand on, as llvm-mca-22 has it of LLVM 22's code."""

from __future__ import annotations

import pytest

from tests.featurizers.mlir.generated import codes
from tests.featurizers.mlir.samples import NEWTON


def reduced(kind: str, *steps: str, rows: int = 1, length: int = 1024) -> str:
    """A loop that carries a value on, in a loop over rows."""
    body = "\n".join(f"{step} : {kind}" for step in steps)
    return f"""func.func @f(%a: memref<{rows}x{length}x{kind}> {{llvm.noalias}},
                           %b: memref<{rows}x{length}x{kind}> {{llvm.noalias}},
                           %c: memref<{rows}x{kind}> {{llvm.noalias}}, %z: {kind}) {{
      affine.for %j = 0 to {rows} {{
        %r = affine.for %i = 0 to {length} iter_args(%t = %z) -> ({kind}) {{
          %x = affine.load %a[%j, %i] : memref<{rows}x{length}x{kind}>
          %y = affine.load %b[%j, %i] : memref<{rows}x{length}x{kind}>
          {body}
          affine.yield %s : {kind} }}
        affine.store %r, %c[%j] : memref<{rows}x{kind}> }}
      return }}"""


PRODUCTS = "%p = arith.muli %x, %y", "%s = arith.addi %t, %p"
SUMS = "%p = arith.xori %x, %y", "%s = arith.addi %t, %p"
MAXIMA = "%p = arith.addf %x, %y", "%s = arith.maximumf %t, %p"


def test_a_sum_of_products_of_vectors_waits_for_its_addend() -> None:
    """Four cycles by ``mla z0.s``, two by ``add z0.s``; three by M1's ``mla v0.4s``."""
    product, total = (codes(reduced("i32", *steps), "neoverse-v1")[0] for steps in (PRODUCTS, SUMS))
    assert product.cycles == pytest.approx(287, rel=0.1)
    assert total.cycles == pytest.approx(159, rel=0.15)
    assert codes(reduced("i32", *PRODUCTS), "apple-m1")[0].chain_cycles == 3.0


@pytest.mark.parametrize(("kind", "labelled"), [("f64", 2073), ("f32", 1425), ("f16", 1227)])
def test_sve_adds_lanes_in_order_by_their_width(kind: str, labelled: float) -> None:
    (code,) = codes(reduced(kind, "%p = arith.mulf %x, %y", "%s = arith.addf %t, %p"), "neoverse-v1")
    assert code.cycles == pytest.approx(labelled, rel=0.1)


def test_sve_reduces_no_products_nor_maxima_that_propagate_nan() -> None:
    """``fmax v0.4s`` and ``mul v0.4s``, where sums are of SVE's vectors."""
    largest = codes(reduced("f32", "%p = arith.mulf %x, %y", "%s = arith.maximumf %t, %p"), "neoverse-v1")[0]
    product = codes(reduced("i32", "%p = arith.addi %x, %y", "%s = arith.muli %t, %p"), "neoverse-v1")[0]
    total = codes(reduced("i32", *SUMS), "neoverse-v1")[0]
    assert (largest.vf, product.vf, total.vf) == (4, 4, 8)


@pytest.mark.parametrize(("kind", "labelled"), [("i32", 1759), ("i16", 1476)])
def test_each_run_of_a_vector_loop_of_sve_divides_its_length_and_adds_up_lanes(kind: str, labelled: float) -> None:
    code = codes(reduced(kind, *SUMS, rows=64, length=96), "neoverse-v1")[-1]
    assert code.cycles == pytest.approx(labelled, rel=0.15)


def rows_added(terms: int) -> str:
    """Rows of one buffer, times numbers, added to a row of another, term by term."""
    body = ""
    for k in range(terms):
        body += f"""%x{k} = affine.load %a[{k}, %j] : memref<8x256xf32>
          %o{k} = affine.load %c[%j] : memref<256xf32>
          %p{k} = arith.mulf %x{k}, %f : f32
          %s{k} = arith.addf %o{k}, %p{k} : f32
          affine.store %s{k}, %c[%j] : memref<256xf32>
          """
    return f"""func.func @f(%a: memref<8x256xf32> {{llvm.noalias}}, %c: memref<256xf32> {{llvm.noalias}}, %f: f32) {{
      affine.for %j = 0 to 253 {{ {body} }}
      return }}"""


def test_a_store_that_moves_on_its_pointer_waits_for_all_terms_added_in_place() -> None:
    code = codes(rows_added(8), "apple-m1")[-1]
    assert code.vf == 4
    assert code.cycles == pytest.approx(2388, rel=0.1)


def test_steps_of_an_unrolled_loop_come_on_top_of_those_that_the_source_has_unrolled() -> None:
    first = "\n".join(
        f"%a{k} = arith.divf %x, %{f'c{k - 1}' if k else 'x'} : f32\n"
        f"%b{k} = arith.addf %{f'c{k - 1}' if k else 'x'}, %a{k} : f32\n%c{k} = arith.mulf %c, %b{k} : f32"
        for k in range(4)
    )
    text = NEWTON.replace(
        "%r = affine.for %j = 0 to 7 iter_args(%t = %x)", f"{first}\n%r = affine.for %j = 4 to 7 iter_args(%t = %c3)"
    )
    whole, parted = (codes(source, "apple-m1")[-1].cycles for source in (NEWTON, text))
    assert parted == pytest.approx(whole, rel=0.2)  # labelled: 167, both


def test_terms_that_slp_reduces_at_once_are_added_by_halves() -> None:
    """A vector of 32 lanes and one of 16, each of which is halved until it fits: no chain of 24 additions."""
    text = """func.func @f(%a: memref<371x48xi64> {llvm.noalias}, %z: i64) -> i64 {
      %r = affine.for %i = 0 to 371 iter_args(%t = %z) -> (i64) {
        %s = affine.for %j = 0 to 48 iter_args(%u = %t) -> (i64) {
          %x = affine.load %a[%i, %j] : memref<371x48xi64>
          %v = arith.addi %u, %x : i64
          affine.yield %v : i64 }
        affine.yield %s : i64 }
      return %r : i64 }"""
    code = codes(text, "neoverse-v1")[-1]
    assert code.packed.reduced
    assert code.cycles < 371 * 13  # labelled: 371 times 8.7


@pytest.mark.parametrize(("kind", "steps", "labelled"), [("f64", MAXIMA, 4339), ("i32", SUMS, 689)])
def test_partial_results_of_x86_come_together_step_by_step(kind: str, steps: tuple[str, ...], labelled: float) -> None:
    """Of maxima that propagate NaN, each step waits for the one before; of sums, a permutation and a sum."""
    code = codes(reduced(kind, *steps, rows=60, length=128), "znver4")[1]
    assert code.cycles == pytest.approx(labelled, rel=0.15)


def products_of_bytes(sums: int) -> str:
    """Of columns of 64 bytes with so many others, side by side."""
    names = range(sums)
    bodies = "".join(
        f"""
          %x{n} = affine.load %a[%i, {n}] : memref<64x4xi8>
          %p{n} = arith.muli %x{n}, %y : i8
          %s{n} = arith.addi %t{n}, %p{n} : i8"""
        for n in names
    )
    started, summed, kinds = (", ".join(of) for of in ([f"%t{n} = %z" for n in names], [f"%s{n}" for n in names],
                                                       ["i8"] * sums))  # fmt: skip
    stores = "\n".join(f"affine.store %r#{n}, %c[{n}, %j] : memref<4x3xi8>" for n in names)
    return f"""func.func @f(%a: memref<64x4xi8> {{llvm.noalias}}, %b: memref<64x3xi8> {{llvm.noalias}},
                             %c: memref<4x3xi8> {{llvm.noalias}}, %z: i8) {{
      affine.for %j = 0 to 3 {{
        %r:{sums} = affine.for %i = 0 to 64 iter_args({started}) -> ({kinds}) {{
          %y = affine.load %b[%i, %j] : memref<64x3xi8>{bodies}
          affine.yield {summed} : {kinds} }}
        {stores} }}
      return }}"""


@pytest.mark.parametrize(("sums", "labelled"), [(1, 291), (4, 259)])
def test_products_of_bytes_that_vectors_leave_go_through_one_register(sums: int, labelled: float) -> None:
    """``imulb`` is of `al` alone: 3 cycles for each of the 32 iterations behind the one vector, unless SLP has put
    several sums together."""
    assert codes(products_of_bytes(sums), "znver4")[0].cycles == pytest.approx(labelled, rel=0.3)
