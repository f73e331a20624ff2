"""What straight-line code is packed into vectors, as opt-22 -O3 made it of the same programs (`-pass-remarks=slp`)."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.codegen import LoopCode, generate
from featurizers.mlir.slp import pack

FEATURIZER = MlirFeaturizer()

CHOSEN = """func.func @f(%a: memref<8xf32> {llvm.noalias}, %b: memref<8xf32> {llvm.noalias}) {
  %c = arith.constant 3.0 : f32
  affine.for %i = 0 to 8 {
    %x = affine.load %a[%i] : memref<8xf32>
    %p = arith.cmpf olt, %x, %c : f32
    %y = scf.if %p -> (f32) {
      %1 = arith.divf %c, %x : f32
      scf.yield %1 : f32
    } else {
      %2 = arith.mulf %x, %x : f32
      %3 = arith.addf %2, %c : f32
      %4 = arith.mulf %3, %x : f32
      %5 = arith.addf %4, %c : f32
      %6 = arith.mulf %5, %x : f32
      scf.yield %6 : f32
    }
    affine.store %y, %b[%i] : memref<8xf32>
  }
  return }"""

SUMS = """func.func @f(%a: memref<56xf64> {llvm.noalias}, %b: memref<56x16xf64> {llvm.noalias},
                     %c: memref<16xf64> {llvm.noalias}) {
  affine.for %i = 0 to 56 {
    affine.for %j = 0 to 16 {
      %0 = affine.load %a[%i] : memref<56xf64>
      %1 = affine.load %b[%i, %j] : memref<56x16xf64>
      %2 = arith.mulf %0, %1 : f64
      %3 = affine.load %c[%j] : memref<16xf64>
      %4 = arith.addf %3, %2 : f64
      affine.store %4, %c[%j] : memref<16xf64>
    }
  }
  return }"""

LONG = """func.func @f(%a: memref<4xi64> {llvm.noalias}, %b: memref<4xi64> {llvm.noalias}) {
  affine.for %i = 0 to 4 {
    %x = affine.load %a[%i] : memref<4xi64>
    %y = affine.load %b[%i] : memref<4xi64>
    %z = arith.muli %x, %y : i64
    affine.store %z, %b[%i] : memref<4xi64>
  }
  return }"""


STAGES = """func.func @f(%a: memref<32xf32> {llvm.noalias}, %b: memref<32xf32> {llvm.noalias},
                       %c: memref<32xf32> {llvm.noalias}, %d: memref<32xf32> {llvm.noalias}) {
  affine.for %i = 0 to 32 {
    %0 = affine.load %a[%i] : memref<32xf32>
    %1 = affine.load %b[%i] : memref<32xf32>
    %2 = arith.mulf %0, %1 : f32
    affine.store %2, %c[%i] : memref<32xf32>
  }
  affine.for %i = 0 to 32 {
    %0 = affine.load %c[%i] : memref<32xf32>
    %1 = affine.load %a[%i] : memref<32xf32>
    %2 = arith.addf %0, %1 : f32
    affine.store %2, %d[%i] : memref<32xf32>
  }
  return }"""


def codes(text: str, name: str) -> list[LoopCode]:
    return generate(FEATURIZER.parse({"mlir": text}).loops[0], cpu(name))


@pytest.mark.parametrize("name", ["znver4", "apple-m1"])
def test_copies_with_branches_between_them_are_not_packed(name: str) -> None:
    assert codes(CHOSEN, name)[0].packed.share == 0


@pytest.mark.parametrize("name", ["neoverse-v1", "apple-m1"])
def test_accumulators_are_packed_with_the_stores_behind_their_loop(name: str) -> None:
    outside, inside = codes(SUMS, name)
    assert inside.packed.lanes == 2
    assert outside.packed.lanes == 2


def test_products_of_64_bits_are_packed_where_there_is_an_instruction() -> None:
    assert codes(LONG, "znver4")[0].packed.lanes == 4
    assert codes(LONG, "apple-m1")[0].packed.share == 0


def once(*steps: str) -> str:
    """Four neighbours, each computed by its own operation on what is read at its place."""
    code = "".join(
        f"""%x{k} = affine.load %a[{k}] : memref<4xi32>
  %y{k} = arith.muli %x{k}, %c : i32
  %z{k} = arith.{step} %y{k}, %x{k} : i32
  affine.store %z{k}, %b[{k}] : memref<4xi32>\n"""
        for k, step in enumerate(steps)
    )
    return f"""func.func @f(%a: memref<4xi32> {{llvm.noalias}}, %b: memref<4xi32> {{llvm.noalias}}, %c: i32) {{
  {code}
  return }}"""


MIXED = once("addi", "shli", "xori", "divui")
IN_TURNS = once("addi", "subi", "addi", "subi")


def test_what_is_computed_by_other_operations_is_not_packed() -> None:
    assert codes(MIXED, "znver4")[0].packed.share == 0
    assert codes(IN_TURNS, "apple-m1")[0].packed.lanes == 4


SUM = """func.func @f(%a: memref<16xi32>, %b: memref<1xi32>) {
  %s = arith.constant 0 : i32
  %r = affine.for %i = 0 to 16 iter_args(%p = %s) -> (i32) {
    %x = affine.load %a[%i] : memref<16xi32>
    %y = arith.muli %x, %x : i32
    %n = arith.addi %p, %y : i32
    affine.yield %n : i32
  }
  affine.store %r, %b[0] : memref<1xi32>
  return }"""

LOOKED_UP = """func.func @f(%t: memref<256xi8> {llvm.noalias}, %a: memref<8xi8> {llvm.noalias},
                          %b: memref<8xi8> {llvm.noalias}) {
  affine.for %i = 0 to 8 {
    %x = affine.load %a[%i] : memref<8xi8>
    %k = arith.index_castui %x : i8 to index
    %y = memref.load %t[%k] : memref<256xi8>
    affine.store %y, %b[%i] : memref<8xi8>
  }
  return }"""


@pytest.mark.parametrize("name", ["znver4", "cortex-a55"])
def test_sums_of_what_comes_before_all_stores_need_no_checks(name: str) -> None:
    assert codes(SUM, name)[0].packed.reduced


@pytest.mark.parametrize("name", ["znver4", "cortex-a55"])
def test_what_is_looked_up_is_stored_one_by_one(name: str) -> None:
    assert codes(LOOKED_UP, name)[0].packed.share == 0


def largest(copies: int) -> str:
    """The largest of 768 numbers, so many in each iteration."""
    lines = []
    for k in range(copies):
        lines.append(f"%i{k} = affine.apply affine_map<(d) -> (d + {k})>(%i)")
        lines.append(f"%x{k} = affine.load %a[%i{k}] : memref<768xi32>")
        lines.append(f"%s{k} = arith.maxsi {f'%s{k - 1}' if k else '%s'}, %x{k} : i32")
    return f"""func.func @f(%a: memref<768xi32>, %z: i32) -> i32 {{
      %r = affine.for %i = 0 to 768 step {copies} iter_args(%s = %z) -> (i32) {{
        {" ".join(lines)}
        affine.yield %s{copies - 1} : i32 }}
      return %r : i32 }}"""


@pytest.mark.parametrize(("name", "cycles"), [("neoverse-v1", 2.17), ("apple-m1", 3.20), ("cortex-a55", 10.3)])
def test_terms_that_the_source_writes_out_are_added_across_lanes(name: str, cycles: float) -> None:
    """Cycles of an iteration of the source: opt-22's `VectorizedHorizontalReduction` through llvm-mca-22."""
    code = codes(largest(8), name)[-1]
    assert code.packed.reduced
    assert code.cycles / 96 == pytest.approx(cycles, rel=0.25)


def test_in_order_a_loop_that_slp_has_packed_is_unrolled() -> None:
    assert codes(largest(8), "cortex-a55")[-1].unroll == 16


def test_a_sum_whose_steps_are_stored_is_not_reduced_at_once() -> None:
    text = """func.func @f(%a: memref<16x5xi16>, %b: memref<5x16xi16>, %c: memref<5xi16>) {
      affine.for %i = 0 to 5 { affine.for %j = 0 to 16 {
        affine.for %k = affine_map<(d) -> (d)>(%i) to affine_map<(d) -> (d + 1)>(%i) {
          %x = affine.load %a[%j, %k] : memref<16x5xi16>
          %y = affine.load %b[%k, %j] : memref<5x16xi16>
          %z = arith.muli %x, %y : i16
          %s = affine.load %c[%k] : memref<5xi16>
          %t = arith.addi %s, %z : i16
          affine.store %t, %c[%k] : memref<5xi16> } } }
      return }"""
    assert codes(text, "apple-m1")[-1].packed.share == 0


def test_copies_of_a_chain_side_by_side_are_packed() -> None:
    text = """func.func @f(%a: memref<8xf64> {llvm.noalias}, %b: memref<8xf64> {llvm.noalias}) {
      %c = arith.constant 0.5 : f64
      affine.for %i = 0 to 8 {
        %x = affine.load %a[%i] : memref<8xf64>
        %r = affine.for %j = 0 to 3 iter_args(%t = %x) -> (f64) {
          %0 = arith.divf %x, %t : f64
          %1 = arith.addf %t, %0 : f64
          %2 = arith.mulf %1, %c : f64
          affine.yield %2 : f64 }
        affine.store %r, %b[%i] : memref<8xf64> }
      return }"""
    assert codes(text, "neoverse-v1")[0].packed.share == 1


def scaled(bits: int) -> str:
    kind = f"memref<8xf{bits}>"
    return f"""func.func @f(%a: {kind} {{llvm.noalias}}, %b: {kind} {{llvm.noalias}}, %s: f{bits}) {{
      affine.for %i = 0 to 8 {{
        %x = affine.load %a[%i] : {kind}
        %y = arith.mulf %x, %s : f{bits}
        affine.store %y, %b[%i] : {kind} }}
      return }}"""


def test_risc_v_has_no_vectors_of_halves_without_their_arithmetic() -> None:
    assert [codes(scaled(bits), "sifive-p670")[0].packed.share for bits in (16, 32)] == [0.0, 1.0]


def side_by_side(count: int, kind: str) -> str:
    """So many neighbours that are computed alike."""
    add, times = ("arith.addi", "arith.muli") if kind.startswith("i") else ("arith.addf", "arith.mulf")
    lines = "".join(
        f"""  %x{k} = affine.load %a[{k}] : memref<8x{kind}>
  %y{k} = affine.load %b[{k}] : memref<8x{kind}>
  %s{k} = {add} %x{k}, %y{k} : {kind}
  %p{k} = {times} %s{k}, %y{k} : {kind}
  affine.store %p{k}, %c[{k}] : memref<8x{kind}>
"""
        for k in range(count)
    )
    buffers = ", ".join(f"%{name}: memref<8x{kind}> {{llvm.noalias}}" for name in "abc")
    return f"func.func @f({buffers}) {{\n{lines}  return }}"


@pytest.mark.parametrize(
    ("kind", "name", "least"),
    [("i16", "apple-m1", 4), ("i16", "znver4", 2), ("i8", "znver4", 4), ("i8", "sifive-p670", 2)],
)
def test_vectors_that_are_stored_have_as_many_lanes_as_a_store_can_take(kind: str, name: str, least: int) -> None:
    """opt-22: "Stores SLP vectorized" of 4 and of 8 on all; of 2 as here."""
    for count in (2, 4):
        root = FEATURIZER.parse({"mlir": side_by_side(count, kind)}).loops_on(cpu(name).isa)[0]
        assert bool(pack(root, cpu(name)).share) == (count >= least)


def jammed_sums(copies: int) -> str:
    """Sums of four columns beside each other, so many rows of which are an iteration of the source."""
    lines, last = [], [f"%s{k}" for k in range(4)]
    for row in range(copies):
        for k in range(4):
            lines.append(f"%x{row}{k} = affine.load %a[%i + {row}, {k}] : memref<8x4xi32>")
            lines.append(f"%t{row}{k} = arith.addi {last[k]}, %x{row}{k} : i32")
            last[k] = f"%t{row}{k}"
    begun = "\n".join(f"%b{k} = affine.load %c[{k}] : memref<4xi32>" for k in range(4))
    stored = "\n".join(f"affine.store %r#{k}, %c[{k}] : memref<4xi32>" for k in range(4))
    given = ", ".join(f"%s{k} = %b{k}" for k in range(4))
    body = "\n".join(lines)
    return f"""func.func @f(%a: memref<8x4xi32>, %c: memref<4xi32>) {{
      {begun}
      %r:4 = affine.for %i = 0 to 8 step {copies} iter_args({given}) -> (i32, i32, i32, i32) {{
        {body}
        affine.yield {", ".join(last)} : i32, i32, i32, i32 }}
      {stored}
      return }}"""


@pytest.mark.parametrize("copies", [1, 2, 4])
def test_rows_of_sums_that_the_source_unrolled_are_vectors_of_the_sums_still(copies: int) -> None:
    root = FEATURIZER.parse({"mlir": jammed_sums(copies)}).loops_on("aarch64")[0]
    assert pack(root, cpu("neoverse-v1")).ratio < 0.4


@pytest.mark.parametrize(
    ("bits", "name", "instructions"), [(16, "skylake-avx512", 15), (16, "znver4", 15), (8, "znver4", 12)]
)
def test_lanes_of_a_sum_are_taken_together_by_halves(bits: int, name: str, instructions: int) -> None:
    """Of so many numbers, their squares: bytes are halved once and added by ``vpsadbw``."""
    text = SUM.replace("16xi32", f"32xi{bits}").replace("i32", f"i{bits}").replace("0 to 16", "0 to 32")
    assert sum(code.instructions for code in codes(text, name)) == pytest.approx(instructions, rel=0.2)


def test_terms_fill_several_registers_that_are_added_before_their_lanes_are() -> None:
    """Sixteen words are four registers of NEON, and one is reduced."""
    assert codes(SUM, "cortex-a55")[0].packed.lanes == 16


@pytest.mark.parametrize(("name", "instructions"), [("znver4", 12), ("neoverse-v1", 42)])
def test_stages_that_follow_each_other_lane_by_lane_are_packed(name: str, instructions: int) -> None:
    """Of 128 where nothing is; instructions are those of the tools."""
    (code,) = codes(STAGES, name)
    assert code.packed.share == 1
    assert code.instructions == pytest.approx(instructions, rel=0.35)


GATHERED = """func.func @f(%a: memref<32xi32> {llvm.noalias}, %t: memref<300xf32> {llvm.noalias},
                          %b: memref<32xf32> {llvm.noalias}) {
  affine.for %i = 0 to 32 {
    %0 = affine.load %a[%i] : memref<32xi32>
    %1 = arith.index_cast %0 : i32 to index
    %2 = memref.load %t[%1] : memref<300xf32>
    %3 = arith.addf %2, %2 : f32
    affine.store %3, %b[%i] : memref<32xf32>
  }
  return }"""


def test_what_is_looked_up_is_gathered_lane_by_lane_in_time_alone() -> None:
    """By the tools 14 instructions and 3 cycles of Zen 4, 26 and 20 of Skylake, whose gathers take half a cycle a
    lane."""
    (zen,), (skylake,) = (codes(GATHERED, name) for name in ("znver4", "skylake-avx512"))
    assert zen.instructions < 15
    assert zen.packed.lanes == 16
    assert skylake.instructions < 27
    assert 15 < skylake.cycles < 20
