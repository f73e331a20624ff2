"""Loops of vectors whose length is not known, beside the code of llc-22 for Sifive P670 and Neoverse V1."""

from __future__ import annotations

import pytest

from featurizers.mlir import cpu
from featurizers.mlir.codegen import generate
from featurizers.mlir.tails import predicated
from tests.featurizers.mlir.generated import FEATURIZER, codes

LONG_BODY = """func.func @f(%a: memref<40x83xf32> A, %b: memref<40x83xf32> A) {
  affine.for %i = 1 to 39 { affine.for %j = LOW to 82 {
    %x = affine.load %a[%i - 1, %j] : memref<40x83xf32>
    %y = affine.load %a[%i, %j - 1] : memref<40x83xf32>
    %z = affine.load %a[%i, %j + 1] : memref<40x83xf32>
    %w = affine.load %a[%i + 1, %j] : memref<40x83xf32>
    %s = arith.addf %x, %y : f32
    %t = arith.mulf %z, %w : f32
    %u = arith.mulf %s, %t : f32
    %v = arith.addf %u, %x : f32
    %q = arith.addf %v, %y : f32
    affine.store %q, %b[%i, %j] : memref<40x83xf32> } }
  return }"""


@pytest.mark.parametrize(("name", "low"), [("sifive-p670", "1"), ("sifive-p670", "#map(%i)"), ("neoverse-v1", "1")])
def test_buffers_that_overlap_have_the_plain_loop_though_no_iteration_is_left_over(name: str, low: str) -> None:
    text = "#map = affine_map<(d) -> (d)>\n" + LONG_BODY.replace("LOW", low)
    checked = codes(text.replace(" A", ""), name)[-1]
    apart = codes(text.replace(" A", " {llvm.noalias}"), name)[-1]
    assert checked.vf == apart.vf > 1
    assert not apart.remainder
    assert checked.instructions - apart.instructions > 20


@pytest.mark.parametrize("name", ["sifive-p670", "neoverse-v1"])
def test_loops_of_at_most_five_iterations_have_no_vectors(name: str) -> None:
    steps = "%p0 = arith.mulf %t, %s : f32\n" + "\n".join(
        [f"%p{k} = arith.divf %p{k - 1}, %{'xyzw'[k % 4]} : f32" for k in range(1, 70)]
    )
    text = "#map = affine_map<(d) -> (d)>\n" + LONG_BODY.replace("LOW to 82", "1 to #map(%i)")
    text = text.replace(" A", " {llvm.noalias}").replace("%u = arith.mulf %s, %t", f"{steps} %u = arith.mulf %s, %p69")
    short, longer = (codes(text.replace("1 to 39", f"1 to {end}"), name)[-1] for end in (7, 8))
    assert not short.loop.exact
    assert (short.vf, longer.vf > 1) == (1, True)


SCALAR_PRODUCTS = """func.func @f(%a: memref<512xf32> {llvm.noalias}, %b: memref<4x512xf32> {llvm.noalias}, %z: f32)
    -> (f32, f32) {
  %r:2 = affine.for %i = 0 to 500 iter_args(%s = %z, %t = %z) -> (f32, f32) {
    %x = affine.load %a[%i] : memref<512xf32>
    %y = affine.load %b[0, %i] : memref<4x512xf32>
    %w = affine.load %b[1, %i] : memref<4x512xf32>
    %p = arith.mulf %x, %y : f32
    %q = arith.mulf %x, %w : f32
    %u = arith.addf %s, %p : f32
    %v = arith.addf %t, %q : f32
    affine.yield %u, %v : f32, f32 }
  return %r#0, %r#1 : f32, f32 }"""


@pytest.mark.parametrize(("name", "interleave"), [("neoverse-v1", 2), ("apple-m1", 4), ("sifive-p670", 1)])
def test_sums_in_order_are_interleaved_like_others(name: str, interleave: int) -> None:
    (code,) = codes(SCALAR_PRODUCTS, name)
    assert code.vf > 1
    assert code.interleave == interleave


def test_one_unit_adds_up_all_sums_in_order_of_neoverse() -> None:
    (two,) = codes(SCALAR_PRODUCTS, "neoverse-v1")
    (one,) = codes(SCALAR_PRODUCTS.replace("arith.addf %t, %q", "arith.addf %q, %q"), "neoverse-v1")
    assert two.cycles > 1.7 * one.cycles


def rows_of(count: int) -> str:
    """Each row of so many elements times two."""
    body = "\n".join([
        f"%x{k} = affine.load %a[%i, {k}] : memref<256x{count}xf32>\n"
        f"%y{k} = arith.addf %x{k}, %x{k} : f32\n"
        f"affine.store %y{k}, %b[%i, {k}] : memref<256x{count}xf32>"
        for k in range(count)
    ])  # fmt: skip
    kind = f"memref<256x{count}xf32> {{llvm.noalias}}"
    return f"func.func @f(%a: {kind}, %b: {kind}) {{ affine.for %i = 0 to 256 {{ {body} }} return }}"


@pytest.mark.parametrize(("count", "lanes"), [(4, 8), (5, 4), (8, 4)])
def test_groups_of_risc_v_are_in_eight_registers(count: int, lanes: int) -> None:
    assert codes(rows_of(count), "sifive-p670")[-1].vf == lanes


SUMS = """func.func @f(%a: memref<4x64xi64> {llvm.noalias}, %b: memref<25x197xi64> {llvm.noalias})
    -> (i64, i64, i64, i64) {
  %z = arith.constant 0 : i64
  %r:4 = affine.for %k = 0 to 25 iter_args(%s = %z, %t = %z, %u = %z, %v = %z) -> (i64, i64, i64, i64) {
    %y = affine.load %b[%k, 3] : memref<25x197xi64>
    %x0 = affine.load %a[0, %k] : memref<4x64xi64>
    %p0 = arith.muli %x0, %y : i64
    %s0 = arith.addi %s, %p0 : i64
    %x1 = affine.load %a[1, %k] : memref<4x64xi64>
    %p1 = arith.muli %x1, %y : i64
    %s1 = arith.addi %t, %p1 : i64
    %x2 = affine.load %a[2, %k] : memref<4x64xi64>
    %p2 = arith.muli %x2, %y : i64
    %s2 = arith.addi %u, %p2 : i64
    %x3 = affine.load %a[3, %k] : memref<4x64xi64>
    %p3 = arith.muli %x3, %y : i64
    %s3 = arith.addi %v, %p3 : i64
    affine.yield %s0, %s1, %s2, %s3 : i64, i64, i64, i64 }
  return %r#0, %r#1, %r#2, %r#3 : i64, i64, i64, i64 }"""


def test_sums_under_a_length_cost_a_choice_each() -> None:
    """25 iterations are 13 vectors of two or 7 of four, which cost nearly as much."""
    assert codes(SUMS, "sifive-p670")[0].vf == 2


def columns_of(count: int) -> str:
    """A product of matrices whose inner loop adds to so many columns."""
    kinds = f"%a: memref<64x9xi32> {{llvm.noalias}}, %b: memref<64x{count}xi32> {{llvm.noalias}}"
    return f"""func.func @f({kinds}, %c: memref<9x{count}xi32> {{llvm.noalias}}) {{
      affine.for %i = 0 to 9 {{ affine.for %k = 0 to 64 {{ affine.for %j = 0 to {count} {{
        %x = affine.load %a[%k, %i] : memref<64x9xi32>
        %y = affine.load %b[%k, %j] : memref<64x{count}xi32>
        %z = affine.load %c[%i, %j] : memref<9x{count}xi32>
        %p = arith.muli %x, %y : i32
        %s = arith.addi %z, %p : i32
        affine.store %s, %c[%i, %j] : memref<9x{count}xi32> }} }} }}
      return }}"""


def test_sums_that_wait_in_more_registers_than_there_are_stay_scalar_on_risc_v() -> None:
    few, many = codes(columns_of(6), "sifive-p670")[-1], codes(columns_of(32), "sifive-p670")[-1]
    assert len(many.loop.chains) == 32
    assert few.vf > 1
    assert many.vf == 1


BYTES = """func.func @f(%a: memref<192x32xi8> {llvm.noalias}, %b: memref<192xi8> {llvm.noalias}) {
  affine.for %i = 0 to 192 {
    %x = affine.load %a[%i, 5] : memref<192x32xi8>
    %y = affine.load %b[%i] : memref<192xi8>
    %p = arith.muli %x, %y : i8
    affine.store %p, %b[%i] : memref<192xi8> }
  return }"""


def test_vectors_of_addresses_take_no_more_than_a_group_of_registers() -> None:
    assert codes(BYTES, "sifive-p670")[0].vf == 16
    assert codes(BYTES.replace("%a[%i, 5]", "%a[2, 5]"), "sifive-p670")[0].vf == 32


ROWS = """func.func @f(%a: memref<26x60xi16> {llvm.noalias}, %b: memref<96x60xi16> {llvm.noalias},
    %c: memref<26x96xi16> {llvm.noalias}) {
  %z = arith.constant 0 : i16
  affine.for %i = 0 to 26 { affine.for %j = 0 to 96 {
    %s = affine.for %k = 0 to 60 iter_args(%t = %z) -> (i16) {
      %x = affine.load %a[%i, %k] : memref<26x60xi16>
      %y = affine.load %b[%j, %k] : memref<96x60xi16>
      %p = arith.muli %x, %y : i16
      %n = arith.addi %t, %p : i16
      affine.yield %n : i16 }
    affine.store %s, %c[%i, %j] : memref<26x96xi16> } }
  return }"""

TAP = """%xK = affine.load %a[%i + K] : memref<1542xi8>
    %yK = affine.load %w[K] : memref<6xi8>
    %uK = arith.extsi %xK : i8 to i32
    %vK = arith.extsi %yK : i8 to i32
    %pK = arith.muli %uK, %vK : i32
    %sK = arith.addi BEFORE, %pK : i32
    """
TAPS = "".join([TAP.replace("K", str(k)).replace("BEFORE", f"%s{k - 1}" if k else "%z") for k in range(6)])
FILTER = f"""func.func @f(%a: memref<1542xi8>, %w: memref<6xi8>, %b: memref<1536xi8>) {{
  %z = arith.constant 7 : i32
  affine.for %o = 0 to 1536 step 64 {{ affine.for %i = #from(%o) to #to(%o) {{
    {TAPS}%r = arith.shrsi %s5, %z : i32
    %t = arith.trunci %r : i32 to i8
    affine.store %t, %b[%i] : memref<1536xi8> }} }}
  return }}"""

CONVERTED = """func.func @f(%a: memref<64xi8> {llvm.noalias}, %b: memref<64xf32> {llvm.noalias}, %s: f32) {
  affine.for %i = 0 to 64 {
    %0 = affine.load %a[%i] : memref<64xi8>
    %1 = arith.sitofp %0 : i8 to f32
    %2 = arith.mulf %1, %s : f32
    affine.store %2, %b[%i] : memref<64xf32> }
  return }"""


@pytest.mark.parametrize(("text", "vf", "interleave"), [(ROWS, 8, 2), (FILTER, 16, 1), (CONVERTED, 8, 2)])
def test_vectors_of_unknown_length_may_hold_fewer_lanes_than_fit(text: str, vf: int, interleave: int) -> None:
    maps = "#from = affine_map<(d) -> (d)>\n#to = affine_map<(d) -> (d + 64)>\n"
    found = codes(maps + text, "neoverse-v1")[-1]
    assert (found.vf, found.interleave, found.full) == (vf, interleave, False)


DISTANCES = """func.func @f(%a: memref<8x8xi16> {llvm.noalias}, %b: memref<20x20xi16> {llvm.noalias},
    %c: memref<12x12xi32> {llvm.noalias}) {
  %z = arith.constant 0 : i32
  affine.for %i = 0 to 12 { affine.for %j = 0 to 12 {
    %s = affine.for %k = 0 to 8 iter_args(%t = %z) -> (i32) {
      %r = affine.for %l = 0 to 8 iter_args(%u = %t) -> (i32) {
        %0 = affine.load %a[%k, %l] : memref<8x8xi16>
        %1 = arith.extsi %0 : i16 to i32
        %2 = affine.load %b[%k + %i, %l + %j] : memref<20x20xi16>
        %3 = arith.extsi %2 : i16 to i32
        %4 = arith.subi %1, %3 : i32
        %5 = math.absi %4 : i32
        %6 = arith.addi %u, %5 : i32
        affine.yield %6 : i32 }
      affine.yield %r : i32 }
    affine.store %s, %c[%i, %j] : memref<12x12xi32> } }
  return }"""


def test_few_iterations_whose_shortest_vectors_leave_no_rest_would_run_under_masks_and_are_not_worth_it() -> None:
    found = codes(DISTANCES, "neoverse-v1")[-1]
    assert (found.loop.trip, found.vf) == (8, 1)


def called(trip: int, kind: str, steps: int) -> str:
    """Rows of a function of the mathematical library, and so many operations on its result."""
    more = "\n".join([f"%o{k + 1} = arith.{'mulf' if k % 2 else 'addf'} %o{k}, %s : {kind}" for k in range(steps)])
    return f"""func.func @f(%a: memref<9x{trip}x{kind}> {{llvm.noalias}}, %b: memref<9x{trip}x{kind}> {{llvm.noalias}},
        %s: {kind}) {{
      affine.for %i = 0 to 9 {{ affine.for %j = 0 to {trip} {{
        %x = affine.load %a[%i, %j] : memref<9x{trip}x{kind}>
        %o0 = math.exp %x : {kind}
        {more}
        affine.store %o{steps}, %b[%i, %j] : memref<9x{trip}x{kind}> }} }}
      return }}"""


@pytest.mark.parametrize(
    ("trip", "kind", "steps", "vf", "masks"),
    [(200, "f32", 3, 4, False), (200, "f32", 6, 1, False), (200, "f32", 8, 4, True), (200, "f16", 14, 8, True),
     (200, "f64", 14, 2, True), (12, "f32", 40, 4, True), (24, "f32", 14, 4, True)],
)  # fmt: skip
def test_calls_under_masks_are_of_fixed_length_and_dear(trip: int, kind: str, steps: int, vf: int, masks: bool) -> None:
    """15 instructions and more have no rest; what masks cost, few operations do not earn."""
    found = codes(called(trip, kind, steps), "neoverse-v1")[-1]
    assert (found.vf, found.unroll) == (vf, 1)
    if vf > 1:
        assert (found.executed == codes(called(trip * 2, kind, steps), "neoverse-v1")[-1].executed) == masks


def test_no_vectors_of_unknown_length_without_one_iteration() -> None:
    """A vector of bytes would be longer than the loop, which is as dear as without it: opt-22 finds none beneficial."""
    lines = []
    for k in range(4):
        lines.append(f"%a{k} = affine.load %a[%i, %k * 4 + {k}] : memref<10x64xi8>")
        lines.append(f"%b{k} = affine.load %b[%k, %j, {k}] : memref<16x69x4xi8>")
        lines.append(f"%x{k} = arith.extui %a{k} : i8 to i32 %y{k} = arith.extui %b{k} : i8 to i32")
        lines.append(f"%p{k} = arith.muli %x{k}, %y{k} : i32")
        lines.append(f"%s{k} = arith.addi %{f's{k - 1}' if k else 't'}, %p{k} : i32")
    text = f"""func.func @f(%a: memref<10x64xi8> {{llvm.noalias}}, %b: memref<16x69x4xi8> {{llvm.noalias}},
        %c: memref<10x69xi32> {{llvm.noalias}}, %z: i32) {{
      affine.for %i = 0 to 10 {{ affine.for %j = 0 to 69 {{
        %r = affine.for %k = 0 to 16 iter_args(%t = %z) -> (i32) {{ {" ".join(lines)} affine.yield %s3 : i32 }}
        affine.store %r, %c[%i, %j] : memref<10x69xi32> }} }}
      return }}"""
    code = generate(FEATURIZER.parse({"mlir": text}).loops_on("aarch64")[0], cpu("neoverse-v1"))[-1]
    assert code.vf == 1
    assert code.full


WOVEN_STORES = """func.func @f(%a: memref<9x1600xf64> {llvm.noalias}, %b: memref<9x3300xf64> {llvm.noalias}) {
  affine.for %i = 0 to 8 { affine.for %j = 0 to 1501 {
    %x = affine.load %a[%i, %j] : memref<9x1600xf64>
    %y = affine.load %a[%i + 1, %j] : memref<9x1600xf64>
    %s = arith.addf %x, %y : f64
    %t = arith.mulf %s, %s : f64
    %u = arith.addf %t, %x : f64
    %v = arith.mulf %u, %t : f64
    %w = arith.mulf %v, %u : f64
    affine.store %w, %b[%i, %j * 2] : memref<9x3300xf64>
    affine.store %u, %b[%i, %j * 2 + 1] : memref<9x3300xf64> } }
  return }"""


@pytest.mark.parametrize(("place", "vf"), [("%j * 2 + 1", 4), ("%j * 2 + 5", 2)])
def test_strided_stores_are_under_no_predicate(place: str, vf: int) -> None:
    """opt-22: ``vscale x 2`` where nothing is left between them, else 2; no ``llvm.get.active.lane.mask``."""
    code = codes(WOVEN_STORES.replace("%j * 2 + 1", place), "neoverse-v1")[-1]
    assert not predicated(code.loop, cpu("neoverse-v1"))
    assert code.vf == vf
