"""What stands behind the copies of an unrolled loop, as opt-22 leaves it."""

from __future__ import annotations

import pytest

from tests.featurizers.mlir.generated import codes, innermost
from tests.featurizers.mlir.samples import NEWTON


def chain(length: str, operations: int = 2) -> str:
    """Each element from the one before: no vectors."""
    lines = [f"%x{k + 1} = arith.{'xori' if k % 2 else 'muli'} %x{k}, %c : i32" for k in range(operations)]
    return f"""func.func @f(%a: memref<720x512xi32>, %c: i32) {{
      affine.for %i = 0 to 512 step 16 {{ affine.for %j = {length} {{
        %x0 = affine.load %a[%i, %j - 1] : memref<720x512xi32>
        {" ".join(lines)}
        affine.store %x{operations}, %a[%i, %j] : memref<720x512xi32> }} }}
      return }}"""


TRIANGLE = chain("1 to affine_map<(d) -> (d)>(%i)", 6)
TILE = chain("affine_map<(d) -> (d)>(%i) to min affine_map<(d) -> (d + 16, 504)>(%i)", 6)


@pytest.mark.parametrize(("name", "copies", "left"), [("sifive-p670", 8, 7), ("cortex-a55", 4, 3), ("znver4", 8, 1)])
def test_single_iterations_behind_copies_are_unrolled_in_order_and_on_risc_v(name: str, copies: int, left: int) -> None:
    code = innermost(TRIANGLE, name)
    body = (code.scalar_instructions - 3) / code.unroll
    assert code.unroll == copies
    assert (copies + left) * body < code.instructions < (copies + left) * (body + 3) + 20


def test_no_iteration_is_left_where_all_lengths_are_multiples_of_the_copies() -> None:
    assert innermost(TILE, "sifive-p670").instructions < innermost(TRIANGLE, "sifive-p670").instructions * 0.75


def test_a_known_length_that_is_no_multiple_leaves_by_one_of_the_copies() -> None:
    prime = innermost(chain("0 to 509"), "znver4")
    body = (prime.scalar_instructions - 3) / prime.unroll
    assert prime.unroll == 8
    assert prime.instructions < 9 * body + 8


STRIDED = """func.func @f(%a: memref<24x3xf32> {llvm.noalias}, %b: memref<24x3xf32> {llvm.noalias}) {
  affine.for %i = 0 to 24 { affine.for %j = 0 to 3 {
    %x = affine.load %a[%i, %j] : memref<24x3xf32>
    %y = arith.addf %x, %x : f32
    affine.store %y, %b[%i, %j] : memref<24x3xf32> } }
  return }"""


def test_loops_of_fixed_vectors_are_unrolled_completely_beside_sve() -> None:
    code = innermost(STRIDED, "neoverse-v1")
    assert (code.vf, code.unroll, code.full) == (4, 6, True)


def test_divisions_of_vectors_count_four() -> None:
    code = innermost(NEWTON, "apple-m1")
    assert (code.vf, code.unroll) == (4, 1)
    assert code.instructions == pytest.approx(29, rel=0.05)


def transposed(column: int) -> str:
    """Rows of `column` elements that become columns."""
    return f"""func.func @f(%a: memref<20x8x{column}xf64>, %b: memref<20x{column}x8xf64>) {{
      affine.for %i = 0 to 20 {{ affine.for %j = 0 to 8 {{ affine.for %k = 0 to {column} {{
        %x = affine.load %a[%i, %j, %k] : memref<20x8x{column}xf64>
        affine.store %x, %b[%i, %k, %j] : memref<20x{column}x8xf64> }} }} }}
      return }}"""


def test_stores_beside_another_are_one_to_x86_and_what_is_gone_with_the_index_raises_the_threshold() -> None:
    code = innermost(transposed(20), "znver4")
    assert code.loop.size > 20 * 3  # as if each store had an index of its own
    assert 8 * (20 + 20 + 1) + 2 > 300
    assert code.full
    assert code.unroll == 8  # opt-22: "completely unrolled loop with 8 iterations"
    assert not innermost(transposed(22), "znver4").full


POINTS = """#next = affine_map<(d) -> (d + 1)>
func.func @f(%a: memref<6x72x24xf64> {llvm.noalias}, %b: memref<24x2x36xf64> {llvm.noalias}) {
  affine.for %i = 0 to OUTER { affine.for %j = 0 to 36 { affine.for %k = 0 to 24 {
    affine.for %p = affine_map<(d) -> (d)>(%i) to #next(%i) {
      affine.for %q = affine_map<(d) -> (d)>(%j) to #next(%j) {
        affine.for %r = affine_map<(d) -> (d)>(%k) to #next(%k) {
          %x = affine.load %a[%p * 3, %q * 2, %r] : memref<6x72x24xf64>
          affine.store %x, %b[%r, %p, %q] : memref<24x2x36xf64> } } } } } }
  return }"""


def test_loops_inside_one_that_is_unrolled_are_looked_at_once_more() -> None:
    inside = innermost(POINTS.replace("OUTER", "2"), "znver4")
    assert inside.loop.trip == 36  # opt-22: "completely unrolled loop with 24 iterations"
    assert inside.vf == 8
    assert inside.full  # stores of the vector loop are beside one another, too
    assert innermost(POINTS.replace("OUTER", "1"), "znver4").loop.trip == 24  # a loop of one iteration is no loop


def rows_of_four(length: int) -> str:
    """Four neighbours in each iteration, which are one vector again."""
    lines = [
        f"""%p{k} = affine.apply affine_map<(d) -> (d + {k})>(%i)
        %x{k} = affine.load %a[%p{k}] : memref<{length}xf64>
        %y{k} = affine.load %b[%p{k}] : memref<{length}xf64>
        %z{k} = arith.addf %x{k}, %y{k} : f64
        affine.store %z{k}, %c[%p{k}] : memref<{length}xf64>"""
        for k in range(4)
    ]
    buffers = ", ".join(f"%{name}: memref<{length}xf64> {{llvm.noalias}}" for name in "abc")
    return f"""func.func @f({buffers}) {{
      affine.for %i = 0 to {length} step 4 {{
        {" ".join(lines)} }}
      return }}"""


def test_groups_that_are_one_vector_each_are_small_to_the_unroller() -> None:
    code = innermost(rows_of_four(512), "znver4")
    assert code.vf == 4
    assert code.full  # opt-22: "completely unrolled loop with 32 iterations"
    assert not innermost(rows_of_four(1024), "znver4").full


def test_a_group_that_fills_a_register_is_one_iteration() -> None:
    code = innermost(rows_of_four(512), "skylake-avx512")
    assert code.vf == 4
    assert code.unroll == 4  # opt-22: "unrolled loop by a factor of 4", of 128 iterations
    assert not code.full
    assert code.instructions < innermost(rows_of_four(512), "znver4").instructions / 4


def stencil(kind: str) -> str:
    lines, last = [], "%x0"
    for k in range(5):
        lines.append(f"%x{k} = affine.load %a[%i, %j + {k - 2}] : memref<140x128x{kind}>")
        lines.append(f"%p{k} = arith.mulf %x{k}, %c : {kind}")
        if k:
            lines.append(f"%s{k} = arith.addf {last}, %p{k} : {kind}")
            last = f"%s{k}"
    body = " ".join(lines)
    buffers = ", ".join(f"%{name}: memref<140x128x{kind}> {{llvm.noalias}}" for name in "ab")
    return f"""func.func @f({buffers}, %c: {kind}) {{
      affine.for %i = 0 to 140 {{ affine.for %j = 2 to 122 {{
        {body}
        affine.store {last}, %b[%i, %j] : memref<140x128x{kind}> }} }}
      return }}"""


def test_operations_on_vectors_of_halves_count_one_to_the_unroller() -> None:
    code = innermost(stencil("f16"), "skylake-avx512")
    assert code.vf == 8
    assert code.full  # opt-22: "completely unrolled loop with 15 iterations"


def test_a_store_to_a_column_has_a_constant_as_its_last_index() -> None:
    text = """func.func @f(%a: memref<100x4xf32>) {{ affine.for %i = 0 to 100 {{
        %x = affine.load %a[%i, 3] : memref<100x4xf32>
        affine.store %x, %a[%i, {}] : memref<100x4xf32> }}
      return }}"""
    first, second = (innermost(text.format(column), "znver4").loop for column in (0, 1))
    assert second.size == first.size - 1  # `X86TTIImpl::getMemoryOpCost`


def test_functions_are_slow_where_it_is_seen_what_unrolling_saves() -> None:
    text = """func.func @f(%a: memref<82xf32> {llvm.noalias}, %b: memref<82xf32> {llvm.noalias},
                           %c: memref<82xf32> {llvm.noalias}) {
      %one = arith.constant 1.0 : f32
      affine.for %i = 0 to 82 {
        %0 = affine.load %a[%i] : memref<82xf32>
        %1 = affine.load %b[%i] : memref<82xf32>
        %2 = arith.addf %0, %1 : f32
        %3 = arith.negf %2 : f32
        %4 = math.exp %3 : f32
        %5 = arith.addf %4, %one : f32
        %6 = arith.divf %one, %5 : f32
        affine.store %6, %c[%i] : memref<82xf32>
      }
      return }"""
    code = innermost(text, "skylake-avx512")
    assert code.vf == 8
    assert not code.full  # opt-22: 313, of which a tenth would be saved, were it not for the functions


def test_loops_that_slp_has_packed_are_unrolled_on_riscv() -> None:
    """No loop of the loop vectoriser's (`llvm.loop.isvectorized`): opt-22 makes eight copies of rows of one value."""
    text = """func.func @f(%a: memref<50x72xf32>, %s: f32) {
      affine.for %i = 0 to 40 { affine.for %j = 0 to 64 { affine.store %s, %a[%i, %j] : memref<50x72xf32> } }
      return }"""
    found = innermost(text, "sifive-p670")
    assert found.packed.share == 1.0
    assert 8 <= found.unroll <= 10


def test_loops_of_copied_rows_are_unrolled() -> None:
    """``memcpy`` is an intrinsic when loops are unrolled: opt-22 makes eight copies."""
    text = """func.func @f(%at: memref<384xi32> {llvm.noalias}, %a: memref<163x110xf32> {llvm.noalias},
        %b: memref<384x110xf32> {llvm.noalias}) {
      affine.for %i = 0 to 384 {
        %0 = affine.load %at[%i] : memref<384xi32>
        %1 = arith.index_cast %0 : i32 to index
        affine.for %j = 0 to 110 {
          %2 = memref.load %a[%1, %j] : memref<163x110xf32>
          affine.store %2, %b[%i, %j] : memref<384x110xf32> } }
      return }"""
    assert innermost(text, "cortex-a55").unroll >= 8


def copied(bits: int) -> str:
    """Rows of 128 bits, written out."""
    lines = "\n".join(
        f"""%x{k} = affine.load %a[%i + {k}] : memref<512xi{bits}>
        affine.store %x{k}, %b[%i + {k}] : memref<512xi{bits}>"""
        for k in range(128 // bits)
    )
    return f"""func.func @f(%a: memref<512xi{bits}> {{llvm.noalias}}, %b: memref<512xi{bits}> {{llvm.noalias}}) {{
      affine.for %i = 0 to 512 step {128 // bits} {{ {lines} }}
      return }}"""


def test_addresses_of_packed_elements_are_instructions_where_an_index_is_not_scaled_by_the_vector() -> None:
    """opt-22: "unrolled loop by a factor of 2"."""
    assert innermost(copied(16), "neoverse-v1").unroll == 2


LU = """func.func @lu(%a: memref<49x49xf32> {llvm.noalias}) {
  affine.for %i = 0 to 49 { affine.for %j = affine_map<(d) -> (d + 1)>(%i) to 49 {
    %0 = affine.load %a[%j, %i] : memref<49x49xf32>
    %1 = affine.load %a[%i, %i] : memref<49x49xf32>
    %2 = arith.divf %0, %1 : f32
    affine.store %2, %a[%j, %i] : memref<49x49xf32>
    affine.for %k = affine_map<(d) -> (d + 1)>(%i) to 49 {
      %3 = affine.load %a[%j, %i] : memref<49x49xf32>
      %4 = affine.load %a[%i, %k] : memref<49x49xf32>
      %5 = arith.mulf %3, %4 : f32
      %6 = affine.load %a[%j, %k] : memref<49x49xf32>
      %7 = arith.subf %6, %5 : f32
      affine.store %7, %a[%j, %k] : memref<49x49xf32> } } }
  return }"""


@pytest.mark.parametrize(
    ("name", "copies", "instructions"), [("cortex-a55", [1, 2, 1], 340), ("apple-m1", [1] * 3, 134)]
)
def test_loops_around_vector_loops_are_unrolled_in_order(name: str, copies: list[int], instructions: int) -> None:
    """opt-22 and llc-22: by two where the length is not known, with a third copy for what is left."""
    found = codes(LU, name)
    assert [code.unroll for code in found] == copies
    assert sum(code.instructions for code in found) == pytest.approx(instructions, rel=0.2)
