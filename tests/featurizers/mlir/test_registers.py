"""Registers, and calls of the mathematical library: what opt-22 -O3 and llc-22 -O3 made of loops (remarks, code)."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.codegen import LoopCode, generate
from featurizers.mlir.columns import COLUMNS, row

FEATURIZER = MlirFeaturizer()

CARRIED = """func.func @f(%a: memref<720xf32>, %b: f32) {
  affine.for %i = 1 to 720 {
    %x = affine.load %a[%i - 1] : memref<720xf32>
    %y = math.exp %x : f32
    %z = arith.mulf %y, %b : f32
    affine.store %z, %a[%i] : memref<720xf32> }
  return }"""

ROWS = """func.func @f(%a: memref<64x16xf32> {llvm.noalias}, %b: memref<64x16xf32> {llvm.noalias}) {
  affine.for %i = 0 to 64 { affine.for %j = 0 to 16 {
    %x = affine.load %a[%i, %j] : memref<64x16xf32>
    %y = math.exp %x : f32
    affine.store %y, %b[%i, %j] : memref<64x16xf32> } }
  return }"""


def last(text: str, name: str) -> LoopCode:
    """Of the innermost loop that is left."""
    return generate(FEATURIZER.parse({"mlir": text}).loops_on(cpu(name).isa)[0], cpu(name))[-1]


@pytest.mark.parametrize(
    ("name", "copies"),
    [("znver4", 8), ("skylake-avx512", 8), ("sifive-p670", 8), ("cortex-a55", 4), ("neoverse-v1", 2), ("apple-m1", 1)],
)
def test_an_intrinsic_keeps_no_loop_from_being_unrolled_in_part(name: str, copies: int) -> None:
    assert last(CARRIED, name).unroll == copies


@pytest.mark.parametrize(
    ("name", "copies"),
    [("znver4", 1), ("skylake-avx512", 1), ("sifive-p670", 1), ("cortex-a55", 2), ("neoverse-v1", 1), ("apple-m1", 1)],
)
def test_an_index_that_two_buffers_share_is_a_sum_of_its_own(name: str, copies: int) -> None:
    assert last(ROWS, name).unroll == copies


GATED = """func.func @f(%a: memref<117xf32>, %b: memref<117xf32>, %c: memref<117xf32>) {
  %one = arith.constant 1.0 : f32
  affine.for %i = 0 to 117 {
    %x = affine.load %a[%i] : memref<117xf32>
    %y = affine.load %b[%i] : memref<117xf32>
    %n = arith.negf %x : f32
    %e = math.exp %n : f32
    %d = arith.addf %e, %one : f32
    %q = arith.divf %one, %d : f32
    %m = arith.maximumf %q, %y : f32
    affine.store %m, %c[%i] : memref<117xf32> }
  return }"""


@pytest.mark.parametrize(("name", "stores"), [("apple-m1", 5), ("sifive-p670", 0)])
def test_a_vector_waits_on_the_stack_for_the_calls_of_its_lanes(name: str, stores: int) -> None:
    """Its own four lanes, what is there of the result, and the other operand; scalars wait in saved registers."""
    assert last(GATED, name).driven == stores


def test_what_is_loaded_before_an_intrinsic_is_an_operand_after_it() -> None:
    short = GATED.replace("117", "3").replace("arith.maximumf %q, %y", "arith.subf %q, %y")
    assert last(short, "skylake-avx512").driven == 0
    assert last(short.replace("math.exp", "math.erf"), "skylake-avx512").driven == 3


def test_a_function_of_the_library_is_no_intrinsic_and_keeps_loops_as_they_are() -> None:
    code = last(GATED.replace("math.exp", "math.erf"), "znver4")
    assert code.vf == code.unroll == 1


def test_strided_accesses_of_risc_v_have_an_index_each_and_all_of_these_are_spilled() -> None:
    text = """func.func @f(%i: memref<38x16xi64> {llvm.noalias}, %a: memref<38x16xf32> {llvm.noalias},
        %b: memref<2036xf32> {llvm.noalias}, %c: memref<38xf32> {llvm.noalias}) {
      %zero = arith.constant 0.0 : f32
      affine.for %r = 0 to 38 {
        %s = affine.for %k = 0 to 16 iter_args(%t = %zero) -> (f32) {
          %n = affine.load %i[%r, %k] : memref<38x16xi64>
          %p = arith.index_cast %n : i64 to index
          %x = memref.load %b[%p] : memref<2036xf32>
          %y = affine.load %a[%r, %k] : memref<38x16xf32>
          %m = arith.mulf %x, %y : f32
          %u = arith.addf %t, %m : f32
          affine.yield %u : f32 }
        affine.store %s, %c[%r] : memref<38xf32> }
      return }"""
    code = last(text, "sifive-p670")
    assert code.spills == 60, "61 as llc counts them"
    assert abs(code.instructions - 367) < 75


def test_what_stays_where_it_is_moves_out_behind_checks_and_waits_in_vectors() -> None:
    """32 broadcasts, and three values in flight, of 32 registers."""
    text = """func.func @f(%a: memref<32x4xf32>, %b: memref<32x136xf32>, %c: memref<4x136xf32>) {
      %zero = arith.constant 0.0 : f32
      affine.for %i = 0 to 4 { affine.for %j = 0 to 136 {
        %s = affine.for %k = 0 to 32 iter_args(%t = %zero) -> (f32) {
          %x = affine.load %a[%k, %i] : memref<32x4xf32>
          %y = affine.load %b[%k, %j] : memref<32x136xf32>
          %m = arith.mulf %x, %y : f32
          %u = arith.addf %t, %m : f32
          affine.yield %u : f32 }
        %r = arith.maximumf %s, %zero : f32
        affine.store %r, %c[%i, %j] : memref<4x136xf32> } }
      return }"""
    assert last(text, "znver4").spills == 3


def test_what_is_written_before_it_is_read_is_no_accumulator() -> None:
    text = """func.func @f(%a: memref<32x16xf32>, %b: memref<32x16xf32>, %c: memref<32x16xf32>) {
      %t = memref.alloc() : memref<1x1xf32>
      %one = arith.constant 1.0 : f32
      affine.for %i = 0 to 32 { affine.for %j = 0 to 16 {
        %x = affine.load %a[%i, %j] : memref<32x16xf32>
        %y = affine.load %b[%i, %j] : memref<32x16xf32>
        %s = arith.addf %x, %y : f32
        affine.store %s, %t[0, 0] : memref<1x1xf32>
        %r = affine.load %t[0, 0] : memref<1x1xf32>
        %n = arith.negf %r : f32
        %e = math.exp %n : f32
        %p = arith.addf %e, %one : f32
        %q = arith.divf %one, %p : f32
        affine.store %q, %c[%i, %j] : memref<32x16xf32> } }
      return }"""
    code = last(text, "skylake-avx512")
    assert code.vf == 8
    assert not code.loop.chains


def test_maxima_of_halves_are_large_to_full_unrolling_where_they_go_lane_by_lane() -> None:
    steps = "".join(
        f"""%m{k} = arith.mulf %x{k}, %c : f16 %a{k} = arith.addf %m{k}, %c : f16
          %p{k} = arith.maximumf %a{k}, %zero : f16 %x{k + 1} = arith.minimumf %p{k}, %one : f16\n"""
        for k in range(2)
    )
    text = f"""func.func @f(%a: memref<84xf16> {{llvm.noalias}}, %b: memref<84xf16> {{llvm.noalias}}) {{
      %c = arith.constant 0.2 : f16 %zero = arith.constant 0.0 : f16 %one = arith.constant 1.0 : f16
      affine.for %i = 0 to 84 {{
        %x0 = affine.load %a[%i] : memref<84xf16>
        {steps} affine.store %x2, %b[%i] : memref<84xf16> }}
      return }}"""
    code = last(text, "skylake-avx512")
    assert (code.vf, code.full) == (16, False)


@pytest.mark.parametrize(("name", "iterations"), [("neoverse-v1", 12), ("cortex-a55", 12)])
def test_a_vector_call_is_small_to_full_unrolling_and_its_spills_are_of_every_copy(name: str, iterations: int) -> None:
    text = """func.func @f(%a: memref<48xf32> {llvm.noalias}, %b: memref<48xf32> {llvm.noalias},
                           %c: memref<48xf32> {llvm.noalias}) {
      affine.for %i = 0 to 48 {
        %x = affine.load %a[%i] : memref<48xf32>
        %w = affine.load %c[%i] : memref<48xf32>
        %y = math.tanh %x : f32
        %z = arith.addf %y, %x : f32
        %u = arith.subf %z, %w : f32
        %v = arith.mulf %u, %z : f32
        affine.store %v, %b[%i] : memref<48xf32> }
      return }"""
    code = last(text, name)
    assert code.vf == 4
    assert (code.full, code.unroll) == (True, iterations)
    assert code.driven >= 4 * iterations


def softmax(length: int) -> str:
    """Calls whose results a buffer of the function's own would keep: they are added up, and divided by the sum."""
    return f"""func.func @f(%a: memref<{length}xf32>, %b: memref<{length}xf32>) {{
      %zero = arith.constant 0.0 : f32
      %e = memref.alloc() : memref<{length}xf32>
      affine.for %i = 0 to {length} {{
        %x = affine.load %a[%i] : memref<{length}xf32>
        %y = math.exp %x : f32
        affine.store %y, %e[%i] : memref<{length}xf32> }}
      %s = affine.for %i = 0 to {length} iter_args(%t = %zero) -> (f32) {{
        %x = affine.load %e[%i] : memref<{length}xf32>
        %u = arith.addf %t, %x : f32
        affine.yield %u : f32 }}
      affine.for %i = 0 to {length} {{
        %x = affine.load %e[%i] : memref<{length}xf32>
        %q = arith.divf %x, %s : f32
        affine.store %q, %b[%i] : memref<{length}xf32> }}
      return }}"""


@pytest.mark.parametrize(
    ("name", "registers", "counted"), [("apple-m1", 8, 9), ("sifive-p670", 12, 5), ("znver4", 0, 17)]
)
def test_results_of_calls_wait_for_the_last_of_them(name: str, registers: int, counted: int) -> None:
    """Each once, whatever reads it again, beyond the registers that a call leaves alone; llc joins some of them."""
    roots = FEATURIZER.parse({"mlir": softmax(24)}).loops_on(cpu(name).isa)
    driven = sum(code.driven for root in roots for code in generate(root, cpu(name)))
    assert counted <= driven == 24 - registers


REMAINDER = """func.func @f(%a: memref<64xf64> {llvm.noalias}, %b: memref<64xf64> {llvm.noalias}) {
  %six = arith.constant 6.0 : f64
  affine.for %i = 0 to 64 {
    %x = affine.load %a[%i] : memref<64xf64>
    %y = arith.remf %x, %six : f64
    %z = arith.mulf %y, %x : f64
    affine.store %z, %b[%i] : memref<64xf64> }
  return }"""


def test_a_remainder_of_floats_is_a_call_for_which_vectors_wait_on_the_stack() -> None:
    """`fmod`, and fourteen `ld1`, `st1` and moves of the two lanes around it."""
    assert last(REMAINDER, "cortex-a55").driven > 0
    assert last(REMAINDER.replace("arith.remf", "arith.divf"), "cortex-a55").driven == 0


HALVES = """func.func @f(%a: f16, %b: f16, %c: f16, %d: f16, %e: f16, %g: f16, %h: f16, %i: f16) -> (f16, f16, f16) {
  %0 = math.fma %g, %b, %d : f16
  %1 = math.sqrt %c : f16
  %2 = arith.addf %g, %d : f16
  %3 = arith.mulf %h, %2 : f16
  %4 = arith.divf %i, %0 : f16
  %5 = arith.minimumf %3, %1 : f16
  return %3, %4, %5 : f16, f16, f16 }"""


def test_x86_calls_a_function_to_round_a_fused_product_of_halves() -> None:
    """`__truncdfhf2`, around which five arguments are stored; AArch64 has the instruction, and singles need no call."""
    assert last(HALVES, "znver4").driven == 5
    assert last(HALVES, "apple-m1").driven == 0
    assert last(HALVES.replace("f16", "f32"), "znver4").driven == 0


TAPS = """func.func @f(%x: memref<1600xf32> {llvm.noalias}, %c: memref<TAPSxf32> {llvm.noalias},
             %y: memref<1522xf32> {llvm.noalias}) {
  %z = arith.constant 64.0 : f32
  affine.for %i = 0 to 1522 {
    %s = affine.for %k = 0 to TAPS iter_args(%a = %z) -> (f32) {
      %p = affine.load %x[%i + %k] : memref<1600xf32>
      %q = affine.load %c[%k] : memref<TAPSxf32>
      %m = arith.mulf %p, %q : f32
      %r = arith.addf %a, %m : f32
      affine.yield %r : f32 }
    affine.store %s, %y[%i] : memref<1522xf32> }
  return }"""


@pytest.mark.parametrize(
    ("name", "taps", "spills"),
    [("sifive-p670", 24, 22), ("sifive-p670", 36, 46), ("znver4", 32, 3), ("znver4", 36, 7)],
)
def test_spills_of_vectors_are_reported_twice_on_risc_v(name: str, taps: int, spills: int) -> None:
    """Coefficients wait in vectors of two registers each; once the scalars have registers as well, llc reports all."""
    columns = row(FEATURIZER.parse({"mlir": TAPS.replace("TAPS", str(taps))}), cpu(name))
    assert columns[[column.name for column in COLUMNS].index("est_spills")] == spills


def test_groups_of_registers_are_as_wide_as_what_is_computed() -> None:
    """Loads of 16 bits, sums of 32: sixteen lanes take four registers, and eight coefficients fill the file."""
    text = TAPS.replace("TAPS", "8").replace("xf32", "xi16").replace("-> (f32)", "-> (i32)")
    text = text.replace("64.0 : f32", "64 : i32").replace("yield %r : f32", "yield %r : i32")
    text = text.replace("%m = arith.mulf %p, %q : f32", WIDER).replace("addf %a, %m : f32", "addi %a, %m : i32")
    text = text.replace("affine.store %s", NARROWER + "affine.store %o")
    code = last(text, "sifive-p670")
    assert code.vf == 16
    assert code.vectors_beyond > 0, "3, which llc reports twice"


WIDER = """%u = arith.extsi %p : i16 to i32
      %v = arith.extsi %q : i16 to i32
      %m = arith.muli %u, %v : i32"""

NARROWER = """%n = arith.constant 7 : i32
    %h = arith.shrsi %s, %n : i32
    %o = arith.trunci %h : i32 to i16
    """


def written_out(copies: int) -> str:
    """A stencil of five points whose loop the source has unrolled."""
    body = ""
    for k in range(copies):
        body += f"%i{k} = affine.apply affine_map<(d0) -> (d0 + {k})>(%i)\n"
        for j in range(5):
            body += f"%x{k}{j} = affine.load %a[%i{k} + {j - 2}] : memref<4096xi16>\n"
            body += f"%m{k}{j} = arith.muli %x{k}{j}, %w{j} : i16\n"
            if j:
                before = f"s{k}{j - 1}" if j > 1 else f"m{k}0"
                body += f"%s{k}{j} = arith.addi %{before}, %m{k}{j} : i16\n"
        body += f"affine.store %s{k}4, %c[%i{k}] : memref<4096xi16>\n"
    weights = "".join([f"%w{j} = arith.constant {weight} : i16\n" for j, weight in enumerate((5, 4, 4, 3, 4))])
    return f"""func.func @f(%a: memref<4096xi16>, %c: memref<4096xi16>) {{
      {weights} affine.for %i = 2 to 4000 step {copies} {{ {body} }} return }}"""


def test_copies_that_the_source_has_written_out_have_indices_of_their_own_on_risc_v() -> None:
    """Both buffers' of each copy; llc spills 44 times. Whole groups of eight are one access."""
    assert last(written_out(16), "sifive-p670").spills >= 44
    assert last(written_out(8), "sifive-p670").spills == 0


def products(terms: int) -> str:
    """Four products, whose terms are all there before the first is used."""
    body = "".join([f"%c{k} = arith.constant {k + 3}.0 : f32\n" for k in range(2 * terms)])
    for lane in range(4):
        body += f"%x{lane} = affine.load %a[{lane}] : memref<4xf32>\n"
        for k in range(terms):
            body += f"%m{lane}_{k} = arith.mulf %x{lane}, %c{2 * k} : f32\n"
            body += f"%p{lane}_{k} = arith.addf %m{lane}_{k}, %c{2 * k + 1} : f32\n"
    for lane in range(4):
        before = f"p{lane}_0"
        for k in range(1, terms):
            body += f"%q{lane}_{k} = arith.divf %p{lane}_{terms - k}, %{before} : f32\n"
            before = f"q{lane}_{k}"
        body += f"affine.store %{before}, %b[{lane}] : memref<4xf32>\n"
    ends = "%a: memref<4xf32> {llvm.noalias}, %b: memref<4xf32> {llvm.noalias}"
    return f"func.func @f({ends}) {{ {body} return }}"


@pytest.mark.parametrize("name", ["apple-m1", "znver4"])
def test_what_slp_packs_lives_in_vectors(name: str) -> None:
    """62 floats in as many registers as four go into: llc spills none."""
    code = last(products(12), name)
    assert code.packed.lanes == 4
    assert code.loop.live_float > cpu(name).vector_registers
    assert code.spills == 0
