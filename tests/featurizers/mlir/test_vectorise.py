"""The vectoriser's choices, each as opt-22 -O3 made it of the same loop (`-pass-remarks=loop-vectorize`)."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.codegen import LoopCode, generate
from featurizers.mlir.loop import DEPENDENCE, VECTORISABLE

FEATURIZER = MlirFeaturizer()


def loop(index: str, trip: int, element: str = "f32", attribute: str = "{llvm.noalias}", size: int = 16000) -> str:
    """Squares of what is read at `index`, stored one after the other."""
    return f"""func.func @f(%a: memref<{size}x{element}> {attribute}, %b: memref<{size}x{element}> {attribute}) {{
      affine.for %i = 0 to {trip} {{
        %x = affine.load %a[{index}] : memref<{size}x{element}>
        %y = arith.mulf %x, %x : {element}
        affine.store %y, %b[%i] : memref<{size}x{element}> }}
      return }}"""


def chosen(text: str, name: str) -> LoopCode:
    return generate(FEATURIZER.parse({"mlir": text}).loops[0], cpu(name))[-1]


@pytest.mark.parametrize(
    ("name", "vf"), [("znver4", 16), ("skylake-avx512", 8), ("apple-m1", 1), ("cortex-a55", 1), ("neoverse-v1", 1)]
)
def test_strided_reads_are_gathered_where_there_are_gathers(name: str, vf: int) -> None:
    assert chosen(loop("%i * 37", 400), name).vf == vf


def test_small_bodies_are_interleaved_and_large_ones_are_not() -> None:
    assert chosen(loop("%i", 4096), "znver4").interleave == 4
    assert chosen(loop("%i * 37", 400), "znver4").interleave == 1


def test_few_iterations_run_under_a_mask_only_where_there_are_masks() -> None:
    text = loop("%i * 37", 13)
    long = text.replace("%y = arith.mulf %x, %x : f32", "%y0 = arith.mulf %x, %x : f32 " + squares(30))
    assert chosen(long, "znver4").vf == 16
    assert not chosen(long, "znver4").remainder
    assert chosen(long, "apple-m1").vf == 1


def squares(count: int) -> str:
    lines = [f"%y{k + 1} = arith.mulf %y{k}, %x : f32" for k in range(count)]
    return " ".join(lines) + f" %y = arith.addf %y{count}, %x : f32"


def test_no_checks_for_what_has_no_bounds() -> None:
    text = """func.func @f(%i: memref<800xi64> A, %a: memref<800xi64> A, %b: memref<800xi64> A) {
      affine.for %k = 0 to 800 {
        %n = affine.load %i[%k] : memref<800xi64>
        %p = arith.index_cast %n : i64 to index
        %x = memref.load %a[%p] : memref<800xi64>
        affine.store %x, %b[%k] : memref<800xi64> }
      return }"""
    assert chosen(text.replace(" A", " {llvm.noalias}"), "znver4").vf > 1
    assert chosen(text.replace(" A", ""), "znver4").vf == 1


def test_short_loops_unroll_beyond_the_threshold_where_indices_fold_away() -> None:
    body = "%y0 = arith.mulf %x, %x : f32 " + squares(35)
    ten, eleven = (
        FEATURIZER.parse({"mlir": loop("%i * 37", trip).replace("%y = arith.mulf %x, %x : f32", body)}).loops[0].walk()
        for trip in (8, 11)
    )
    assert [inner.nest.depth for inner in ten] == [0], "8 x 40 above 300, what stays after folding is not"
    assert [inner.nest.depth for inner in eleven] == [0, 1], "more than ten iterations are not gone through"


def test_short_loops_that_the_longest_vector_leaves_a_rest_of_run_under_masks_or_not_at_all() -> None:
    body = "%y0 = arith.mulf %x, %x : f32 " + squares(60)
    text = loop("%i", 12).replace("%y = arith.mulf %x, %x : f32", body)
    assert chosen(text, "znver4").vf == 16
    assert not chosen(text, "znver4").remainder, "though vectors of four would leave none"
    assert chosen(text, "apple-m1").vf == 4


PAIRS = """func.func @f(%a: memref<8194xf32> {llvm.noalias}, %b: memref<8194xf32> {llvm.noalias}) {
  affine.for %i = 0 to 8192 step 2 {
    %x = affine.load %a[%i + FIRST] : memref<8194xf32>
    %y = affine.load %a[%i + 1] : memref<8194xf32>
    %p = arith.mulf %x, %x : f32
    %q = arith.mulf %y, %y : f32
    affine.store %p, %b[%i] : memref<8194xf32>
    affine.store %q, %b[%i + 1] : memref<8194xf32> }
  return }"""


def test_lanes_that_were_unrolled_side_by_side_are_one_vector_again() -> None:
    alike, crossed = (chosen(PAIRS.replace("FIRST", first), "znver4") for first in ("0", "3"))
    assert alike.vf == crossed.vf
    assert alike.executed < crossed.executed, "their permutations cancel"


def test_what_is_stored_is_needed_by_no_iteration_that_there_is_not() -> None:
    text = loop("%i", 12).replace("%y = arith.mulf %x, %x : f32", "%y0 = arith.mulf %x, %x : f32 " + squares(60))
    text = text.replace("%b[%i]", "%a[%i + FAR]")
    near, away = (FEATURIZER.parse({"mlir": text.replace("FAR", far)}).loops[0].children[0] for far in ("11", "12"))
    assert near.legality == DEPENDENCE
    assert away.legality == VECTORISABLE


def test_rows_of_one_buffer_that_may_be_the_same_are_told_apart_when_the_code_runs() -> None:
    text = """func.func @f(%a: memref<130x130xf32>) {
      affine.for %k = 0 to 130 { affine.for %i = 0 to 130 { affine.for %j = 0 to 130 {
        %x = affine.load %a[%k, %j] : memref<130x130xf32>
        %y = affine.load %a[%i, %j] : memref<130x130xf32>
        %z = arith.addf %x, %y : f32
        affine.store %z, %a[%i, %j] : memref<130x130xf32> } } }
      return }"""
    code = chosen(text, "znver4")
    assert code.vf == 16
    assert code.checks == 1


def test_a_maximum_that_propagates_nan_is_longer_on_x86_unless_one_is_a_constant() -> None:
    text = loop("%i", 4096).replace("arith.mulf %x, %x", "arith.maximumf %x, WITH")
    of_two = text.replace("WITH", "%w").replace("%y =", "%w = affine.load %b[%i] : memref<16000xf32>\n %y =")
    relu = text.replace("WITH", "%c").replace("affine.for", "%c = arith.constant 0.0 : f32\n affine.for")
    assert chosen(of_two, "znver4").executed > 1.3 * chosen(relu, "znver4").executed
    assert chosen(of_two, "neoverse-v1").executed < 1.3 * chosen(relu, "neoverse-v1").executed


def test_sums_side_by_side_are_packed() -> None:
    text = """func.func @f(%a: memref<64x2xf32>, %b: memref<64xf32>, %z: f32) -> (f32, f32) {
      %r:2 = affine.for %i = 0 to 64 iter_args(%s = %z, %t = %z) -> (f32, f32) {
        %w = affine.load %b[%i] : memref<64xf32>
        %x = affine.load %a[%i, 0] : memref<64x2xf32>
        %y = affine.load %a[%i, 1] : memref<64x2xf32>
        %p = arith.mulf %x, %w : f32
        %q = arith.mulf %y, %w : f32
        %m = arith.addf %s, %p : f32
        %n = arith.addf %t, %q : f32
        affine.yield %m, %n : f32, f32 }
      return %r#0, %r#1 : f32, f32 }"""
    assert chosen(text, "znver4").packed.lanes == 2


def test_loads_that_do_not_vary_around_an_unrolled_vector_loop_are_made_once() -> None:
    text = """func.func @f(%a: memref<64xf32> {llvm.noalias}, %b: memref<500x64xf32> {llvm.noalias}) {
      affine.for %k = 0 to 500 { affine.for %i = 0 to 64 {
        %x = affine.load %a[INDEX] : memref<64xf32>
        %y = affine.load %b[%k, %i] : memref<500x64xf32>
        %z = arith.addf %x, %y : f32
        affine.store %z, %b[%k, %i] : memref<500x64xf32> } }
      return }"""
    code = chosen(text.replace("INDEX", "%i"), "znver4")
    assert code.full
    assert code.lifted == 4


def test_a_loop_that_stores_to_two_fixed_places_of_a_buffer_is_not_summed_in_order() -> None:
    text = """func.func @f(%a: memref<2x64xf32>, %c: memref<2x8xf32>) {
      affine.for %i = 0 to 8 {
        affine.for %k = 0 to 64 {
          %x = affine.load %a[0, %k] : memref<2x64xf32>
          %y = affine.load %c[0, %i] : memref<2x8xf32>
          %z = arith.addf %y, %x : f32
          affine.store %z, %c[0, %i] : memref<2x8xf32>
          %u = affine.load %a[1, %k] : memref<2x64xf32>
          %v = affine.load %c[1, %i] : memref<2x8xf32>
          %w = arith.addf %v, %u : f32
          affine.store %w, %c[1, %i] : memref<2x8xf32> } }
      return }"""
    assert chosen(text, "neoverse-v1").loop.legality == DEPENDENCE
    assert chosen(text, "neoverse-v1").vf == 1


@pytest.mark.parametrize(("stride", "iterations"), [(2, 7), (7, 7), (9, 8)])
def test_the_last_iteration_stays_scalar_where_a_group_of_loads_would_read_on(stride: int, iterations: int) -> None:
    code = chosen(loop(f"%i * {stride}", 256), "skylake-avx512")
    assert (code.vf * code.interleave, code.unroll, code.full) == (32, iterations, True)
    assert code.remainder == (iterations == 7)


@pytest.mark.parametrize(("trip", "full"), [(56, True), (88, False)])
def test_vectors_are_unrolled_by_instructions_of_llvm(trip: int, full: bool) -> None:
    body = "".join(f"%x{k} = affine.load %a[%i * 37 + {k * 37}] : memref<16000xf64> " for k in range(10))
    most = "%s0 = arith.maximumf %x0, %x1 : f64 "
    most += "".join(f"%s{k} = arith.maximumf %s{k - 1}, %x{k} : f64 " for k in range(1, 10))
    text = f"""func.func @f(%a: memref<16000xf64> {{llvm.noalias}}, %b: memref<96xf64> {{llvm.noalias}}) {{
      affine.for %i = 0 to {trip} {{ {body} {most}
        affine.store %s9, %b[%i] : memref<96xf64> }}
      return }}"""
    code = chosen(text, "znver4")  # 10 gathers, 10 maxima of two, a store of two, two of vectors of the index
    assert (code.vf, code.full) == (8, full)


def test_one_vector_under_a_mask_is_no_loop() -> None:
    long = loop("%i * 37", 13).replace("%y = arith.mulf %x, %x : f32", "%y0 = arith.mulf %x, %x : f32 " + squares(30))
    assert chosen(long, "znver4").full


def accumulate(columns: int) -> str:
    return f"""func.func @f(%a: memref<188x53xi32>, %b: memref<188x{columns}xi32>, %c: memref<53x{columns}xi32>) {{
      affine.for %i = 0 to 188 {{ affine.for %j = 0 to {columns} {{ affine.for %k = 0 to 53 {{
        %x = affine.load %a[%i, %k] : memref<188x53xi32>
        %y = affine.load %b[%i, %j] : memref<188x{columns}xi32>
        %p = arith.muli %x, %y : i32
        %z = affine.load %c[%k, %j] : memref<53x{columns}xi32>
        %s = arith.addi %z, %p : i32
        affine.store %s, %c[%k, %j] : memref<53x{columns}xi32> }} }} }}
      return }}"""


def test_what_is_read_once_before_a_vector_loop_costs_it_nothing() -> None:
    """LLVM: 51 for four lanes and 13 for one; beyond 64 bytes an address is dearer."""
    assert chosen(accumulate(16), "apple-m1").vf == 4
    assert chosen(accumulate(17), "apple-m1").vf == 1


def test_sums_of_the_index_for_addresses_are_dearer_one_by_one() -> None:
    """LLVM: 73 for an iteration of eight products, with seven sums and sixteen products of indices, 982 for sixteen."""
    steps = " ".join(
        f"""%q{k} = affine.apply affine_map<(d0) -> (d0 + {k})>(%k)
        %x{k} = affine.load %a[%q{k}, %i] : memref<128x207xi8>
        %y{k} = affine.load %b[%q{k}, %j] : memref<128x2xi8>
        %p{k} = arith.muli %x{k}, %y{k} : i8
        %s{k + 1} = arith.addi %s{k}, %p{k} : i8"""
        for k in range(8)
    )
    text = f"""func.func @f(%a: memref<128x207xi8> N, %b: memref<128x2xi8> N, %c: memref<207x2xi8> N) {{
      %zero = arith.constant 0 : i8
      affine.for %i = 0 to 207 {{ affine.for %j = 0 to 2 {{
        %r = affine.for %k = 0 to 128 step 8 iter_args(%s0 = %zero) -> (i8) {{
          {steps}
          affine.yield %s8 : i8 }}
        affine.store %r, %c[%i, %j] : memref<207x2xi8> }} }}
      return }}"""
    assert chosen(text.replace(" N", " {llvm.noalias}"), "znver4").vf == 16


def test_groups_that_no_instruction_stores_are_put_together() -> None:
    """LLVM: 73 for eight bytes and 1082 for sixteen times as many; stored one by one they would be 1200."""
    steps = " ".join(
        f"%q{k} = affine.apply affine_map<(d0) -> (d0 + {k})>(%i) %x{k}_0 = affine.load %a[%q{k}] : memref<4096xi8> "
        + " ".join(f"%x{k}_{n + 1} = arith.muli %x{k}_{n}, %x{k}_0 : i8" for n in range(6))
        + f" affine.store %x{k}_6, %b[%q{k}] : memref<4096xi8>"
        for k in range(8)
    )
    text = f"""func.func @f(%a: memref<4096xi8> {{llvm.noalias}}, %b: memref<4096xi8> {{llvm.noalias}}) {{
      affine.for %i = 0 to 4096 step 8 {{ {steps} }}
      return }}"""
    assert chosen(text, "apple-m1").vf == 16


def test_few_iterations_have_no_vectors_of_unknown_length() -> None:
    body = "%y0 = arith.mulf %x, %x : f32 " + squares(80)
    text = loop("%i", 5).replace("%y = arith.mulf %x, %x : f32", body)
    assert chosen(text, "neoverse-v1").vf == 1
    assert chosen(text.replace("to 5", "to 7"), "neoverse-v1").vf == 8


def triangle(rows: int, arguments: str) -> str:
    """Sums over each row of a triangle, often."""
    roots = " ".join([f"%s{k + 1} = math.sqrt %s{k} : f32" for k in range(33)])
    return f"""func.func @f({arguments}) {{
      affine.for %j = 0 to 315 {{
        affine.for %i = 0 to {rows} {{
          affine.for %k = 0 to affine_map<(d0) -> (d0)>(%i) {{
            %s0 = affine.load %a[%k] : memref<315xf32>
            %y = affine.load %b[%j, %i] : memref<315x64xf32>
            {roots}
            %z = arith.addf %y, %s33 : f32
            affine.store %z, %b[%j, %i] : memref<315x64xf32> }} }} }}
      return }}"""


@pytest.mark.parametrize("name", ["znver4", "apple-m1", "cortex-a55", "neoverse-v1"])
def test_a_loop_of_few_iterations_at_most_is_unrolled_to_the_most_that_it_can_have(name: str) -> None:
    code = chosen(triangle(7, "%a: memref<315xf32>, %b: memref<315x64xf32>"), name)
    assert (code.vf, code.unroll, code.full) == (1, 6, True)
    assert not chosen(triangle(12, "%a: memref<315xf32>, %b: memref<315x64xf32>"), name).full


def test_rows_of_a_triangle_that_is_unrolled_have_known_lengths() -> None:
    text = """func.func @f(%a: memref<4x8xf32> {llvm.noalias}) {
      affine.for %h = 0 to 2 {
        affine.for %i = 0 to 2 {
          affine.for %k = 0 to affine_map<(d0, d1) -> (d0 + d1 * 2)>(%i, %h) {
            %x = affine.load %a[%i + %h * 2, %k] : memref<4x8xf32>
            %y = arith.mulf %x, %x : f32
            affine.store %y, %a[%i + %h * 2, %k] : memref<4x8xf32> } } }
      return }"""
    assert not FEATURIZER.parse({"mlir": text}).loops[0].children


def test_bytes_are_not_moved_one_by_one_under_masks() -> None:
    body = "%y0 = arith.mulf %x, %x : f32 " + squares(60)
    text = loop("%i * 37", 13).replace("%y = arith.mulf %x, %x : f32", body)
    short = text.replace("mulf", "muli").replace("addf", "addi").replace("f32", "i16")
    assert chosen(text, "znver4").vf == 16
    assert chosen(short, "znver4").vf == 1, "there are no gathers of 16 bits"


def test_maxima_of_halves_go_lane_by_lane_on_x86() -> None:
    """LLVM: one for a scalar, and 4 for each lane but 3."""
    kind = "memref<512xf16>"
    args = ", ".join(f"%{name}: {kind} {{llvm.noalias}}" for name in "abcdo")
    reads = " ".join(f"%{name}x = affine.load %{name}[%i] : {kind}" for name in "abcd")
    text = f"""func.func @f({args}) {{ affine.for %i = 0 to 512 {{ {reads}
      %m = arith.maximumf %ax, %bx : f16
      %n = arith.maximumf %m, %cx : f16
      %p = arith.maximumf %n, %dx : f16
      affine.store %p, %o[%i] : {kind} }}
      return }}"""
    assert chosen(text, "znver4").vf == 1
    assert chosen(text.replace("f16", "f32"), "znver4").vf == 16


def test_groups_of_accesses_are_read_in_the_widest_registers() -> None:
    """LLVM: 12 for four lanes of seven, 35 for eight, which vectors of 256 bits would double."""
    reads = " ".join(f"%x{k} = affine.load %a[%i, {k}] : memref<999x7xf32>" for k in range(7))
    sums = " ".join(f"%s{k} = arith.mulf %{'x0' if k == 1 else f's{k - 1}'}, %x{k} : f32" for k in range(1, 7))
    text = f"""func.func @f(%a: memref<999x7xf32> {{llvm.noalias}}, %b: memref<999xf32> {{llvm.noalias}}) {{
      affine.for %i = 0 to 999 {{ {reads} {sums}
        affine.store %s6, %b[%i] : memref<999xf32> }}
      return }}"""
    assert chosen(text, "skylake-avx512").vf == 4


def box(copies: int, rows: tuple[int, ...] = (-1, 0, 1), attribute: str = "{llvm.noalias}") -> str:
    """Sums of three neighbours in each of these rows, so many columns of which the source has written out."""
    steps = []
    for n in range(copies):
        places = [(row, n + column) for row in rows for column in (-1, 0, 1)]
        steps += [
            f"%x{n}_{at} = affine.load %a[%i + {row}, %j + {column}] : memref<24x130xf32>"
            for at, (row, column) in enumerate(places)
        ]
        steps.append(f"%s{n}_1 = arith.addf %x{n}_0, %x{n}_1 : f32")
        steps += [f"%s{n}_{at} = arith.addf %s{n}_{at - 1}, %x{n}_{at} : f32" for at in range(2, len(places))]
        steps.append(f"affine.store %s{n}_{len(places) - 1}, %b[%i, %j + {n}] : memref<24x130xf32>")
    body = "\n".join(steps)
    return f"""func.func @f(%a: memref<24x130xf32> {attribute}, %b: memref<24x130xf32> {attribute}) {{
      affine.for %i = 1 to 23 {{ affine.for %j = 1 to 129 step {copies} {{
        {body} }} }}
      return }}"""


def test_what_gvn_carries_past_a_store_is_in_the_way_of_vectors() -> None:
    """Of two copies, the second loads what the first one needs next, but not in the row that is written, nor where the
    store may overwrite it."""
    texts = box(1), box(2), box(4), box(2, rows=(0,)), box(2, attribute="")
    assert [chosen(text, "znver4").vf for text in texts] == [16, 1, 1, 16, 16]
