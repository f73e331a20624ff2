"""What iterations wait for, as llvm-mca-22 has it of the code that LLVM 22 makes of the same program."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.codegen import generate
from tests.featurizers.mlir.samples import NEWTON

FEATURIZER = MlirFeaturizer()


def cycles(text: str, name: str) -> float:
    """Of the innermost loop that is left."""
    return generate(FEATURIZER.parse({"mlir": text}).loops_on(cpu(name).isa)[0], cpu(name))[-1].cycles


def halves(operation: str, two: bool) -> str:
    second = "affine.load %b[%i, %j] : memref<64x16xf16>" if two else "arith.negf %x : f16"
    return f"""func.func @f(%a: memref<64x16xf16>, %b: memref<64x16xf16>) {{
      %c = arith.constant 3.0 : f16
      affine.for %i = 0 to 64 {{ affine.for %j = 0 to 5 {{
        %x = affine.load %a[%i, -%j + 15] : memref<64x16xf16>
        %y = {second}
        %z = {operation} : f16
        affine.store %z, %b[%i, %j] : memref<64x16xf16> }} }}
      return }}"""


@pytest.mark.parametrize(
    ("name", "operation", "two", "labelled"),
    [("znver4", "arith.addf %x, %y", True, 5773), ("znver4", "arith.mulf %x, %x", False, 4493),
     ("skylake-avx512", "arith.addf %x, %y", True, 5468), ("skylake-avx512", "arith.mulf %x, %x", False, 5133)],
)  # fmt: skip
def test_halves_are_put_into_the_register_of_the_last_result(
    name: str, operation: str, two: bool, labelled: float
) -> None:
    assert cycles(halves(operation, two), name) == pytest.approx(labelled, rel=0.01)


def test_a_constant_in_that_register_lets_results_overlap() -> None:
    assert cycles(halves("arith.mulf %x, %c", False), "znver4") < 1000  # labelled: 668


PRODUCT = """func.func @f(%a: memref<111x3xf32> {llvm.noalias}, %b: memref<1xf32> {llvm.noalias}) {
  affine.for %i = 0 to 111 { affine.for %j = 0 to 3 {
    %x = affine.load %b[0] : memref<1xf32>
    %y = affine.load %a[%i, %j] : memref<111x3xf32>
    %z = arith.mulf %x, %y : f32
    affine.store %z, %b[0] : memref<1xf32> } }
  return }"""

SUM = """func.func @f(%a: memref<120x4xf32> {llvm.noalias}, %s: f32) -> f32 {
  %r = affine.for %i = 0 to 120 iter_args(%t = %s) -> (f32) {
    %x = affine.load %a[%i, 0] : memref<120x4xf32>
    %y = arith.addf %t, %x : f32
    %u = affine.for %j = 1 to 4 iter_args(%v = %y) -> (f32) {
      %z = affine.load %a[%i, %j] : memref<120x4xf32>
      %w = arith.addf %v, %z : f32
      affine.yield %w : f32 }
    affine.yield %u : f32 }
  return %r : f32 }"""


@pytest.mark.parametrize(
    ("name", "text", "labelled"),
    [("skylake-avx512", PRODUCT, 1340), ("sifive-p670", PRODUCT, 1010), ("apple-m1", SUM, 1927), ("znver4", SUM, 1448)],
)  # fmt: skip
def test_a_value_that_an_unrolled_loop_carries_on_takes_all_its_steps(name: str, text: str, labelled: float) -> None:
    assert cycles(text, name) == pytest.approx(labelled, rel=0.05)


def least(operation: str) -> str:
    """Of eight neighbours in each iteration."""
    body = "".join(
        f"""%i{k} = affine.apply affine_map<(d) -> (d + {k})>(%i)
            %x{k} = affine.load %a[%i{k}] : memref<384xi32>
            %y{k} = arith.{operation} %{f"y{k - 1}" if k else "t"}, %x{k} : i32\n"""
        for k in range(8)
    )
    return f"""func.func @f(%a: memref<384xi32>, %s: i32) -> i32 {{
      %r = affine.for %i = 0 to 384 step 8 iter_args(%t = %s) -> (i32) {{
        {body}
        affine.yield %y7 : i32 }}
      return %r : i32 }}"""


def test_terms_that_are_reduced_at_once_leave_one_step() -> None:
    assert cycles(least("minsi"), "apple-m1") == pytest.approx(155, rel=0.35)


def test_aarch64_multiplies_no_lanes_with_each_other() -> None:
    assert cycles(least("muli"), "apple-m1") == pytest.approx(1538, rel=0.1)


def test_code_that_slp_packs_is_unrolled_on_cortex_a55_as_well() -> None:
    text = least("minsi")
    code = generate(FEATURIZER.parse({"mlir": text}).loops_on("aarch64")[0], cpu("cortex-a55"))[-1]
    assert code.packed.reduced
    assert code.unroll > 1
    assert code.instructions == pytest.approx(104, rel=0.1)


TILED = """func.func @f(%a: memref<27xf64> {llvm.noalias}, %b: memref<27x86xf64> {llvm.noalias},
                        %c: memref<86xf64> {llvm.noalias}) {
  %zero = arith.constant 0.0 : f64
  affine.for %i = 0 to 86 {
    affine.for %j = affine_map<(d) -> (d)>(%i) to affine_map<(d) -> (d + 1)>(%i) {
      %r = affine.for %k = 0 to 27 iter_args(%t = %zero) -> (f64) {
        %x = affine.load %a[%k] : memref<27xf64>
        %y = affine.load %b[%k, %j] : memref<27x86xf64>
        %z = arith.mulf %x, %y : f64
        %u = arith.addf %t, %z : f64
        affine.yield %u : f64 }
      affine.store %r, %c[%j] : memref<86xf64> } }
  return }"""


def test_a_chain_that_tiles_of_one_are_around_is_still_one() -> None:
    assert cycles(TILED, "apple-m1") == pytest.approx(2164, rel=0.25)
    assert cycles(TILED, "neoverse-v1") == pytest.approx(660, rel=0.15)


def test_only_executions_that_are_no_whole_vectors_end_with_one_under_a_mask() -> None:
    text = """func.func @f(%a: memref<20x500xi32> {llvm.noalias}, %b: memref<20x500xi32> {llvm.noalias}) {
      affine.for %t = 0 to 500 step 8 {
        affine.for %i = 0 to 20 {
          affine.for %j = affine_map<(d) -> (d)>(%t) to min affine_map<(d) -> (d + 8, 500)>(%t) {
            %x = affine.load %a[%i, %j] : memref<20x500xi32>
            %y = affine.load %b[%i, %j] : memref<20x500xi32>
            %z = arith.xori %x, %y : i32
            %w = arith.muli %z, %x : i32
            %v = arith.ori %w, %y : i32
            %u = arith.addi %v, %z : i32
            %s = arith.muli %u, %w : i32
            affine.store %s, %b[%i, %j] : memref<20x500xi32> } } }
      return }"""
    assert cycles(text, "neoverse-v1") == pytest.approx(6086, rel=0.18)


PACKED = """func.func @f(%a: memref<64x8xf32> {llvm.noalias}, %b: memref<64x8xf32> {llvm.noalias}, %s: f32) {
  affine.for %i = 0 to 64 { affine.for %j = 0 to 8 {
    %x = affine.load %a[%i, %j] : memref<64x8xf32>
    %y = arith.mulf %x, %s : f32
    %z = arith.addf %y, %s : f32
    %w = arith.mulf %z, %x : f32
    %v = arith.addf %w, %x : f32
    affine.store %v, %b[%i, %j] : memref<64x8xf32> } }
  return }"""


def test_packed_lanes_take_a_unit_twice_in_order() -> None:
    assert cycles(PACKED, "cortex-a55") == pytest.approx(848, rel=0.15)


GROUPED = """func.func @f(%a: memref<16xf64> {llvm.noalias}, %b: memref<16xf64> {llvm.noalias}, %s: f64) {
  affine.for %i = 0 to 16 {
    %x = affine.load %a[%i] : memref<16xf64>
    %y = arith.mulf %x, %s : f64
    %z = arith.addf %y, %x : f64
    %w = arith.mulf %z, %y : f64
    affine.store %w, %b[%i] : memref<16xf64> }
  return }"""


def test_each_register_of_a_packed_group_takes_a_cycle_on_risc_v() -> None:
    assert cycles(GROUPED, "sifive-p670") == pytest.approx(13, rel=0.2)


CALLED = """func.func @f(%a: memref<8xf32> {llvm.noalias}, %b: memref<8xf32> {llvm.noalias}) {
  affine.for %i = 0 to 8 {
    %x = affine.load %a[%i] : memref<8xf32>
    %y = math.exp %x : f32
    affine.store %y, %b[%i] : memref<8xf32> }
  return }"""


def test_packed_lanes_are_called_for_one_by_one() -> None:
    assert cycles(CALLED, "cortex-a55") == pytest.approx(830, rel=0.05)


def in_turn(kind: str) -> str:
    """Two sums, the first of which is stored before the second is begun."""
    sums = [
        f"""%r{k} = affine.for %i = 0 to 48 iter_args(%m = %z) -> f32 {{
      %x = affine.load %a[%i + {k}] : memref<146xf32>
      %y = arith.mulf %x, %m : f32
      %w = arith.addf %x, %y : f32
      affine.yield %w : f32 }}
    affine.store %r{k}, %o[{k // 10}] : memref<8xf32>"""
        for k in (0, 50)
    ]
    return f"""func.func @f(%a: memref<146xf32> {kind}, %o: memref<8xf32> {kind}) {{
      %z = arith.constant 0.0 : f32
      {" ".join(sums)}
      return }}"""


def test_chains_wait_in_turn_where_a_store_between_them_may_be_read() -> None:
    assert cycles(in_turn("{llvm.noalias}"), "cortex-a55") == pytest.approx(413, rel=0.15)
    assert cycles(in_turn(""), "cortex-a55") == pytest.approx(808, rel=0.1)


RUNNING = """func.func @f(%a: memref<300xf64> {llvm.noalias}, %s: f64) -> f64 {
  %r = affine.for %i = 0 to 300 iter_args(%t = %s) -> (f64) {
    %x = affine.load %a[%i] : memref<300xf64>
    %y = arith.mulf %t, %x : f64
    %z = arith.addf %y, %x : f64
    affine.yield %z : f64 }
  return %r : f64 }"""


def test_m1_divides_vectors_as_fast_as_it_multiplies() -> None:
    assert cycles(NEWTON, "apple-m1") == pytest.approx(164, rel=0.3)


def test_double_precision_takes_m1_a_cycle_more() -> None:
    assert cycles(RUNNING, "apple-m1") == pytest.approx(300 * 10, rel=0.05)
    assert cycles(RUNNING.replace("f64", "f32"), "apple-m1") == pytest.approx(300 * 8, rel=0.05)


ONE_BY_ONE = """func.func @f(%a: memref<16x16xf32>, %o: memref<16xf32>) {
  affine.for %i = 0 to 16 {
    %x = affine.load %a[%i, 0] : memref<16x16xf32>
    %y = affine.load %a[%i, 3] : memref<16x16xf32>
    %z = affine.load %a[%i, 7] : memref<16x16xf32>
    %v = affine.load %a[%i, 12] : memref<16x16xf32>
    %p = arith.mulf %x, %y : f32
    %q = arith.mulf %z, %v : f32
    %r = arith.addf %p, %q : f32
    %s = arith.mulf %r, %x : f32
    affine.store %s, %o[%i] : memref<16xf32> }
  return }"""


def test_the_end_of_a_chain_before_a_store_that_may_be_read_is_not_filled() -> None:
    assert cycles(ONE_BY_ONE, "cortex-a55") == pytest.approx(289, rel=0.12)


def test_parts_that_hand_on_what_they_store_are_one_chain() -> None:
    steps = "\n".join(
        f"""%p{k} = affine.load %b[%i + {k}] : memref<329xf64>
            %x{k} = affine.load %a[%i + {k + 1}] : memref<329xf64>
            %y{k} = arith.maximumf %p{k}, %x{k} : f64
            affine.store %y{k}, %b[%i + {k + 1}] : memref<329xf64>"""
        for k in range(16)
    )
    text = f"""func.func @f(%a: memref<329xf64>, %b: memref<329xf64>) {{
      affine.for %i = 0 to 320 step 16 {{
        {steps} }}
      return }}"""
    found = generate(FEATURIZER.parse({"mlir": text}).loops_on("aarch64")[0], cpu("cortex-a55"))
    assert sum(code.cycles for code in found) == pytest.approx(2341, rel=0.1)


def column_scan(rows: int, copies: int = 1) -> str:
    """Each column adds up its elements from above; so many steps are written out in one iteration."""
    step = """%b{0} = affine.load %b[%i + {0} - 1, %j] : memref<91x24xf64>
        %a{0} = affine.load %a[%i + {0}, %j] : memref<91x24xf64>
        %m{0} = arith.mulf %b{0}, %c : f64
        %s{0} = arith.addf %m{0}, %a{0} : f64
        affine.store %s{0}, %b[%i + {0}, %j] : memref<91x24xf64>"""
    body = "\n".join(step.format(k) for k in range(copies))
    return f"""func.func @f(%a: memref<91x24xf64> {{llvm.noalias}}, %b: memref<91x24xf64> {{llvm.noalias}}, %c: f64) {{
      affine.for %j = 0 to 24 {{ affine.for %i = 1 to {rows} step {copies} {{ {body} }} }}
      return }}"""


def test_what_an_iteration_stores_for_the_next_one_in_another_row_goes_on_in_one_block() -> None:
    assert cycles(column_scan(24), "apple-m1") == pytest.approx(1293, rel=0.05)


STEPS = """func.func @f(%a: memref<16x4xi32>, %b: memref<16x4xi32>) {{
  %two = arith.constant 2 : i32
  %three = arith.constant 3 : i32
  affine.for %j = 0 to 4 {{ affine.for %i = 2 to 16 {{ {}
    %0 = affine.load %a[%{x} - 1, %{y}] : memref<16x4xi32>
    %1 = affine.load %a[%{x} - 2, %{y}] : memref<16x4xi32>
    %2 = affine.load %b[%{x}, %{y}] : memref<16x4xi32>
    %3 = arith.muli %0, %three : i32
    %4 = arith.muli %1, %two : i32
    %5 = arith.subi %3, %4 : i32
    %6 = arith.addi %5, %2 : i32
    affine.store %6, %a[%{x}, %{y}] : memref<16x4xi32> {} }} }}
  return }}"""
OF_ONE = """affine.for %y = affine_map<(d) -> (d)>(%j) to affine_map<(d) -> (d + 1)>(%j) {
  affine.for %x = affine_map<(d) -> (d)>(%i) to affine_map<(d) -> (d + 1)>(%i) {"""


def test_so_it_does_where_tiles_of_one_are_inside() -> None:
    """llvm-mca-22: 153.7 cycles with these tiles as without."""
    for text in (STEPS.format("", "", x="i", y="j"), STEPS.format(OF_ONE, "} }", x="x", y="y")):
        assert cycles(text, "znver4") == pytest.approx(153.7, rel=0.15)


def test_copies_that_a_way_out_divides_are_no_one_block() -> None:
    whole, divided = (cycles(column_scan(rows, 4), "znver4") / (rows // 4) for rows in (89, 93))
    assert divided < 0.8 * whole


def chosen(second: str) -> str:
    """Two choices in each iteration by what the one before has chosen."""
    return f"""func.func @f(%a: memref<640xi64> {{llvm.noalias}}, %s: i64, %e: i64) -> i64 {{
      %zero = arith.constant 0 : i64
      %r = affine.for %i = 0 to 640 iter_args(%t = %s) -> (i64) {{
        %x = affine.load %a[%i] : memref<640xi64>
        %c = arith.cmpi slt, %x, %t : i64
        %y = arith.select %c, %x, %e : i64
        %d = arith.cmpi eq, %y, %t : i64
        %u = arith.xori %y, %x : i64
        %z = arith.select %d, {second}, %u : i64
        affine.yield %z : i64 }}
      return %r : i64 }}"""


def test_choices_are_branches_on_risc_v() -> None:
    branch, mask = (cycles(chosen(second), "sifive-p670") / 640 for second in ("%s", "%y"))
    assert branch == pytest.approx(mask + 1.5, rel=0.01)  # with or without one operation is no branch
    assert cycles(chosen("%s"), "znver4") == cycles(chosen("%y"), "znver4")


MERGE = """func.func @f(%a: memref<65xi32> {llvm.noalias}, %b: memref<65xi32> {llvm.noalias},
                             %o: memref<128xi32> {llvm.noalias}) {
  %z = arith.constant 0 : index
  %one = arith.constant 1 : index
  %end = arith.constant 64 : index
  %r:2 = affine.for %i = 0 to 128 iter_args(%p = %z, %q = %z) -> (index, index) {
    %k = arith.minui %p, %end : index
    %x = memref.load %a[%k] : memref<65xi32>
    %l = arith.minui %q, %end : index
    %y = memref.load %b[%l] : memref<65xi32>
    %c = arith.cmpi sle, %x, %y : i32
    %v = arith.select %c, %x, %y : i32
    %p1 = arith.addi %p, %one : index
    %q1 = arith.addi %q, %one : index
    %s = arith.select %c, %p1, %p : index
    %t = arith.select %c, %q, %q1 : index
    affine.store %v, %o[%i] : memref<128xi32>
    affine.yield %s, %t : index, index }
  return }"""


def test_an_index_that_goes_on_under_a_condition_is_no_branch() -> None:
    assert cycles(MERGE, "znver4") > 8 * 128  # each load waits for the comparison before it


def pairs(points: int) -> str:
    """Sums of so many neighbours, two of them in each iteration."""
    lines = []
    for k in range(2):
        last = ""
        for p in range(points):
            lines.append(f"%x{k}{p} = affine.load %a[%i + {k + p}] : memref<1032xf32>")
            lines.append(f"%p{k}{p} = arith.mulf %x{k}{p}, %f : f32")
            if p:
                lines.append(f"%s{k}{p} = arith.addf {last}, %p{k}{p} : f32")
            last = f"%s{k}{p}" if p else f"%p{k}{p}"
        lines.append(f"affine.store {last}, %b[%i + {k}] : memref<1024xf32>")
    body = "\n".join(lines)
    return f"""func.func @f(%a: memref<1032xf32> {{llvm.noalias}}, %b: memref<1024xf32> {{llvm.noalias}}, %f: f32) {{
      affine.for %i = 0 to 1024 step 2 {{
        {body} }}
      return }}"""


def test_a_group_of_neighbours_is_loaded_by_a_pointer_that_its_load_moves_on() -> None:
    """``ld2 {v0.4s, v1.4s}, [x0], #32``, which llvm-mca has the next one wait for on M1 (7 cycles)."""
    assert cycles(pairs(4), "apple-m1") == pytest.approx(940, rel=0.1)


def summed(terms: int) -> str:
    """Of each of 64 rows, in order."""
    return f"""func.func @f(%a: memref<64x{terms}xf32> {{llvm.noalias}}, %b: memref<64xf32> {{llvm.noalias}}) {{
      %z = arith.constant 0.0 : f32
      affine.for %i = 0 to 64 {{
        %s = affine.for %j = 0 to {terms} iter_args(%t = %z) -> (f32) {{
          %x = affine.load %a[%i, %j] : memref<64x{terms}xf32>
          %u = arith.addf %t, %x : f32
          affine.yield %u : f32 }}
        affine.store %s, %b[%i] : memref<64xf32> }}
      return }}"""


@pytest.mark.parametrize(
    ("name", "terms", "labelled"),
    [("neoverse-v1", 24, 615), ("neoverse-v1", 40, 1501), ("skylake-avx512", 24, 794), ("skylake-avx512", 40, 1344)],
)  # fmt: skip
def test_as_many_chains_are_under_way_as_the_window_of_a_core_holds(name: str, terms: int, labelled: float) -> None:
    assert cycles(summed(terms), name) == pytest.approx(labelled, rel=0.1)


def column(width: int, noalias: str = "") -> str:
    return f"""func.func @f(%a: memref<8x64x{width}xf32> {noalias}, %b: memref<64x7xf32> {noalias}, %c: f32) {{
      affine.for %k = 0 to 8 {{ affine.for %i = 0 to 64 {{
        %x = affine.load %a[%k, %i, 0] : memref<8x64x{width}xf32>
        %v = affine.load %b[%i, 1] : memref<64x7xf32>
        %y = arith.mulf %x, %c : f32
        %w = arith.addf %y, %v : f32
        affine.store %w, %a[%k, %i, 0] : memref<8x64x{width}xf32> }} }}
      return }}"""


@pytest.mark.parametrize(("width", "labelled"), [(37, 6703), (108, 956)])
def test_a_store_moves_on_a_pointer_as_far_as_nine_bits_say(width: int, labelled: float) -> None:
    assert cycles(column(width), "apple-m1") == pytest.approx(labelled, rel=0.2)


def test_copies_of_a_body_share_a_pointer() -> None:
    assert cycles(column(37, "{llvm.noalias}"), "apple-m1") == pytest.approx(830, rel=0.1)


def products(terms: int) -> str:
    """Sums of whole numbers that are in memory from the first, by rows."""
    return f"""func.func @f(%a: memref<64x{terms}xi64> {{llvm.noalias}}, %b: memref<64x{terms}xi64> {{llvm.noalias}},
                          %c: memref<64xi64> {{llvm.noalias}}) {{
      affine.for %i = 0 to 64 {{ affine.for %j = 0 to {terms} {{
        %x = affine.load %a[%i, %j] : memref<64x{terms}xi64>
        %y = affine.load %b[%i, %j] : memref<64x{terms}xi64>
        %p = arith.muli %x, %y : i64
        %t = affine.load %c[%i] : memref<64xi64>
        %u = arith.addi %t, %p : i64
        affine.store %u, %c[%i] : memref<64xi64> }} }}
      return }}"""


def from_zero(terms: int) -> str:
    """The same, from zero."""
    return f"""func.func @f(%a: memref<64x{terms}xi64> {{llvm.noalias}}, %b: memref<64x{terms}xi64> {{llvm.noalias}},
                          %c: memref<64xi64> {{llvm.noalias}}) {{
      %z = arith.constant 0 : i64
      affine.for %i = 0 to 64 {{
        %s = affine.for %j = 0 to {terms} iter_args(%t = %z) -> (i64) {{
          %x = affine.load %a[%i, %j] : memref<64x{terms}xi64>
          %y = affine.load %b[%i, %j] : memref<64x{terms}xi64>
          %p = arith.muli %x, %y : i64
          %u = arith.addi %t, %p : i64
          affine.yield %u : i64 }}
        affine.store %s, %c[%i] : memref<64xi64> }}
      return }}"""


@pytest.mark.parametrize(("terms", "labelled"), [(24, 2929), (40, 6744)])
def test_each_product_of_m1_waits_for_its_addend(terms: int, labelled: float) -> None:
    assert cycles(products(terms), "apple-m1") == pytest.approx(labelled, rel=0.2)


@pytest.mark.parametrize(("terms", "labelled"), [(9, 611), (24, 1571), (40, 2648)])
def test_but_not_for_a_product_without_one(terms: int, labelled: float) -> None:
    assert cycles(from_zero(terms), "apple-m1") == pytest.approx(labelled, rel=0.05)


@pytest.mark.parametrize(("bits", "labelled"), [(16, 1580.6), (32, 3152.6)])
def test_sums_of_products_wait_for_the_product_on_riscv(bits: int, labelled: float) -> None:
    """``vmacc`` hands on no addend: a sum waits for all of it (labels of sifive-p670)."""
    text = f"""func.func @f(%a: memref<4096xi{bits}>, %b: memref<4096xi{bits}>) -> i{bits} {{
      %zero = arith.constant 0 : i{bits}
      %r = affine.for %i = 0 to 4096 iter_args(%s = %zero) -> (i{bits}) {{
        %x = affine.load %a[%i] : memref<4096xi{bits}> %y = affine.load %b[%i] : memref<4096xi{bits}>
        %p = arith.muli %x, %y : i{bits} %t = arith.addi %s, %p : i{bits} affine.yield %t : i{bits} }}
      return %r : i{bits} }}"""
    assert cycles(text, "sifive-p670") == pytest.approx(labelled, rel=0.1)
