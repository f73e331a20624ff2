"""What becomes of loops on each CPU, each as opt-22 -O3 and llc-22 -O3 made it of the same program (remarks, code)."""

from __future__ import annotations

import pytest

from featurizers.mlir import cpu
from featurizers.mlir.codegen import generate
from tests.featurizers.mlir.generated import FEATURIZER, codes


def recurrence(steps: int, around: bool) -> str:
    """Each element from the one before, by so many operations."""
    lines = [f"%x{k + 1} = arith.{'xori' if k % 2 else 'muli'} %x{k}, %c : i32" for k in range(steps)]
    body = f"""affine.for %i = 1 to 720721 {{
      %x0 = affine.load %a[%i - 1] : memref<720721xi32>
      {" ".join(lines)}
      affine.store %x{steps}, %a[%i] : memref<720721xi32> }}"""
    body = f"affine.for %j = 0 to 1000 {{ {body} }}" if around else body
    return f"func.func @f(%a: memref<720721xi32>, %c: i32) {{ {body} return }}"


@pytest.mark.parametrize(
    ("name", "steps", "around", "copies"),
    [("neoverse-v1", 2, False, 3), ("neoverse-v1", 4, True, 5), ("znver4", 4, False, 15),
     ("skylake-avx512", 6, False, 5), ("apple-m1", 2, True, 1), ("cortex-a55", 9, True, 26)],
)  # fmt: skip
def test_copies_of_a_body_fill_the_buffer_of_micro_operations(name: str, steps: int, around: bool, copies: int) -> None:
    assert codes(recurrence(steps, around), name)[-1].unroll == copies


def test_lengths_that_are_not_known_are_unrolled_on_neoverse_v1_as_well() -> None:
    text = """func.func @f(%a: memref<64x64xi32>) {
      affine.for %i = 0 to 64 { affine.for %j = 1 to affine_map<(d) -> (d)>(%i) {
        %x = affine.load %a[%i, %j - 1] : memref<64x64xi32>
        %y = arith.muli %x, %x : i32
        affine.store %y, %a[%i, %j] : memref<64x64xi32> } }
      return }"""
    assert codes(text, "neoverse-v1")[-1].unroll == 8


HISTOGRAM = """func.func @f(%i: memref<384xi64>, %a: memref<64xi16>, %b: memref<384xi16>) {
  affine.for %k = 0 to 384 {
    %n = affine.load %i[%k] : memref<384xi64>
    %p = arith.index_cast %n : i64 to index
    %x = memref.load %a[%p] : memref<64xi16>
    %y = affine.load %b[%k] : memref<384xi16>
    %z = arith.addi %x, %y : i16
    memref.store %z, %a[%p] : memref<64xi16> }
  return }"""


def test_an_index_of_elements_is_no_operation_beside_its_load() -> None:
    (code,) = codes(HISTOGRAM, "cortex-a55")
    assert code.unroll == 24
    rows = HISTOGRAM.replace("memref<64xi16>", "memref<64x7xi16>").replace("%a[%p]", "%a[%p, %k]")
    assert codes(rows, "cortex-a55")[0].loop.size == code.loop.size + 4, "a product and a sum for each of two"


def test_in_order_a_store_that_may_overlap_keeps_copies_apart() -> None:
    text = """func.func @f(%a: memref<1382xi64> ATTRIBUTE, %b: memref<691xi64> ATTRIBUTE) {
      affine.for %i = 0 to 688 {
        %x = affine.load %a[%i * 2] : memref<1382xi64>
        %y = arith.muli %x, %x : i64
        affine.store %y, %b[%i] : memref<691xi64> }
      return }"""
    (waits,), (flows,) = (codes(text.replace("ATTRIBUTE", a), "cortex-a55") for a in ("", "{llvm.noalias}"))
    assert waits.unroll > 1
    assert waits.cycles > 6 * 688 > 2 * flows.cycles


SUMS = """func.func @f(%a: memref<1024xf32> {llvm.noalias}, %b: memref<1024xf32> {llvm.noalias}, %z: f32) -> f32 {
  %r = affine.for %i = 0 to 512 iter_args(%s = %z) -> (f32) {
    %x = affine.load %a[%i] : memref<1024xf32>
    %y = affine.load %b[%i] : memref<1024xf32>
    %p = arith.mulf %x, %y : f32
    %q = arith.mulf %p, %y : f32
    %t0 = arith.addf %s, %q : f32
    MORE affine.yield %t : f32 }
  return %r : f32 }"""
SUM = SUMS.replace("MORE", "").replace("%t0", "%t")
TWO_TERMS = SUMS.replace("MORE", "%t = arith.addf %t0, %p : f32")
STORED = SUM.replace("affine.yield", "affine.store %t, %b[%i] : memref<1024xf32> affine.yield")


@pytest.mark.parametrize("name", ["neoverse-v1", "sifive-p670", "apple-m1"])
def test_a_sum_is_made_in_order_where_it_has_one_term_and_nobody_else_reads_it(name: str) -> None:
    assert codes(SUM, name)[-1].vf > 1
    assert codes(TWO_TERMS, name)[-1].vf == 1
    assert codes(STORED, name)[-1].vf == 1


def test_whole_numbers_that_are_stored_on_the_way_are_no_reduction() -> None:
    text = SUM.replace("f32", "i32").replace("mulf", "muli").replace("addf", "addi")
    assert codes(text, "znver4")[-1].vf > 1
    assert codes(STORED.replace("f32", "i32").replace("mulf", "muli").replace("addf", "addi"), "znver4")[-1].vf == 1


def product(kind: str, columns: int) -> str:
    """Rows by columns, added up in order of the rows."""
    return f"""func.func @f(%a: memref<64x55x{kind}> {{llvm.noalias}}, %b: memref<55x{columns}x{kind}> {{llvm.noalias}},
          %c: memref<64x{columns}x{kind}> {{llvm.noalias}}) {{
      %z = arith.constant 0.0 : {kind}
      affine.for %i = 0 to 64 {{ affine.for %j = 0 to {columns} {{
        %r = affine.for %k = 0 to 55 iter_args(%s = %z) -> ({kind}) {{
          %x = affine.load %a[%i, %k] : memref<64x55x{kind}>
          %y = affine.load %b[%k, %j] : memref<55x{columns}x{kind}>
          %p = arith.mulf %x, %y : {kind}
          %t = arith.addf %s, %p : {kind}
          affine.yield %t : {kind} }}
        affine.store %r, %c[%i, %j] : memref<64x{columns}x{kind}> }} }}
      return }}"""


@pytest.mark.parametrize(("columns", "vf"), [(8, 2), (40, 1)])
def test_aarch64_takes_lanes_one_by_one_within_64_bytes(columns: int, vf: int) -> None:
    assert codes(product("f64", columns), "apple-m1")[-1].vf == vf


def rows_of_pixels(rows: int) -> str:
    return f"""func.func @f(%a: memref<24x{rows}x4xi16> {{llvm.noalias}},
          %b: memref<24x4x{rows}xi16> {{llvm.noalias}}) {{
      %c3 = arith.constant 3 : i16
      affine.for %i = 0 to 24 {{ affine.for %j = 0 to {rows} {{ affine.for %k = 0 to 4 {{
        %x = affine.load %a[%i, %j, -%k + 3] : memref<24x{rows}x4xi16>
        %y = arith.muli %x, %c3 : i16
        affine.store %y, %b[%i, %k, %j] : memref<24x4x{rows}xi16> }} }} }}
      return }}"""


def test_risc_v_chooses_the_group_of_registers_by_what_the_length_leaves() -> None:
    around, inner = codes(rows_of_pixels(17), "sifive-p670")
    assert inner.vf == 8, "three times eight lanes are cheaper than twice sixteen"
    assert around.unroll == 1, "there are vectors inside"


def chain_of(steps: int, index: str = "%i") -> str:
    """An element-wise function of so many operations."""
    terms = " ".join(
        f"%y{k + 1} = arith.{'addf' if k % 2 else 'mulf'} %y{k}, %{'s' if k % 3 else 'x'} : f32" for k in range(steps)
    )
    return f"""func.func @f(%a: memref<3000xf32> {{llvm.noalias}}, %b: memref<1000xf32> {{llvm.noalias}}, %s: f32) {{
      affine.for %i = 0 to 999 {{
        %x = affine.load %a[{index}] : memref<3000xf32>
        %y0 = arith.mulf %x, %x : f32
        {terms}
        affine.store %y{steps}, %b[%i] : memref<1000xf32> }}
      return }}"""


def test_neoverse_v1_predicates_long_bodies_instead_of_leaving_a_rest() -> None:
    short, long = (codes(chain_of(steps), "neoverse-v1")[-1] for steps in (5, 6))
    assert (short.vf, short.interleave, short.remainder) == (8, 2, True)
    assert (long.vf, long.interleave, long.remainder) == (8, 1, False)
    assert codes(chain_of(6, "%i * 3"), "neoverse-v1")[-1].remainder, "there are groups to read, for NEON"


def test_the_pointer_that_a_store_moves_on_waits_for_what_is_stored() -> None:
    text = """func.func @f(%a: memref<255x37xf32>, %b: memref<255x37xf32>) {
      affine.for %j = 0 to 37 { affine.for %i = 1 to 255 {
        %x = affine.load %b[%i - 1, %j] : memref<255x37xf32>
        %y = affine.load %a[%i, %j] : memref<255x37xf32>
        %z = arith.maximumf %x, %y : f32
        affine.store %z, %b[%i, %j] : memref<255x37xf32> } }
      return }"""
    assert codes(text, "apple-m1")[-1].chain_cycles == pytest.approx(8.6, abs=1.5)


def test_steps_of_one_value_are_not_packed() -> None:
    steps = " ".join(
        f"""%i{k} = affine.apply affine_map<(d) -> (d + {k})>(%i)
        %x{k} = affine.load %a[%i{k}] : memref<3072xi16>
        %s{k + 1} = arith.muli %s{k}, %x{k} : i16
        affine.store %s{k + 1}, %b[%i{k}] : memref<3072xi16>"""
        for k in range(8)
    )
    text = f"""func.func @f(%a: memref<3072xi16> {{llvm.noalias}}, %b: memref<3072xi16> {{llvm.noalias}},
          %z: i16) -> i16 {{
      %r = affine.for %i = 0 to 3072 step 8 iter_args(%s0 = %z) -> (i16) {{ {steps} affine.yield %s8 : i16 }}
      return %r : i16 }}"""
    for name in ("sifive-p670", "znver4"):
        assert codes(text, name)[-1].packed.share == 0


def test_x86_folds_loads_into_operations_on_whole_numbers() -> None:
    text = """func.func @f(%a: memref<500xi32> {llvm.noalias}, %b: memref<500xi32> {llvm.noalias},
          %c: memref<501xi32>) {
      affine.for %i = 0 to 499 {
        %x = affine.load %a[%i] : memref<500xi32>
        %w = affine.load %b[%i] : memref<500xi32>
        %y = affine.load %c[%i] : memref<501xi32>
        %z = arith.muli %x, %y : i32
        %v = arith.addi %z, %w : i32
        affine.store %v, %c[%i + 1] : memref<501xi32> }
      return }"""
    wide, narrow = (codes(t, "znver4")[-1] for t in (text, text.replace("i32", "i16")))
    assert wide.instructions / wide.unroll < narrow.instructions / narrow.unroll - 0.5


def test_what_the_iteration_before_has_stored_waits_in_a_register() -> None:
    text = """func.func @f(%a: memref<1000xf32>, %b: memref<1000xf32>) {
      affine.for %i = 1 to 1000 {
        %x = affine.load %a[%i - 1] : memref<1000xf32>
        %y = affine.load %b[%i] : memref<1000xf32>
        %p = arith.mulf %x, %y : f32
        %q = arith.addf %p, %y : f32
        affine.store %q, %a[%i] : memref<1000xf32> }
      return }"""
    code = codes(text, "znver4")[-1]
    assert code.chain_cycles == 6, "a product and a sum, one after the other"
    assert codes(text.replace("%i - 1", "%i"), "znver4")[-1].chain_cycles == 0


def test_zen_4_adds_beside_products() -> None:
    code = codes(chain_of(8), "znver4")[-1]  # five products and four sums of 512 bits, two passes each
    assert (code.vf, code.port_cycles) == (16, 5)
    assert codes(chain_of(8), "skylake-avx512")[-1].port_cycles > 4


def test_products_of_bytes_are_of_one_register_on_x86() -> None:
    text = """func.func @f(%a: memref<64xi8>, %b: memref<64xi8>) {
      affine.for %i = 0 to 20 {
        %x = affine.load %a[%i * 3] : memref<64xi8>
        %y = arith.muli %x, %x : i8
        affine.store %y, %b[%i] : memref<64xi8> }
      return }"""
    cycles = sum(code.cycles for code in generate(FEATURIZER.parse({"mlir": text}).loops[0], cpu("znver4")))
    assert cycles == pytest.approx(60, rel=0.15)


def rows(body: str, inner: int) -> str:
    return f"""func.func @f(%a: memref<150x{inner}xf32> {{llvm.noalias}},
          %b: memref<150x{inner}xf32> {{llvm.noalias}}) {{
      affine.for %i = 0 to 150 {{ affine.for %j = 0 to {inner} {{
        %x = affine.load %a[%i, %j] : memref<150x{inner}xf32>
        {body}
        affine.store %y, %b[%i, %j] : memref<150x{inner}xf32> }} }}
      return }}"""


def test_risc_v_unrolls_around_vectors_of_neighbours() -> None:
    terms = " ".join(f"%x{k + 1} = arith.mulf %x{k}, %x : f32" for k in range(5))
    around, inner = codes(
        rows(f"%x0 = arith.mulf %x, %x : f32 {terms} %y = arith.addf %x5, %x : f32", 96), "sifive-p670"
    )
    assert (inner.vf, around.unroll) == (8, 6)


def test_what_takes_groups_apart_counts_for_unrolling() -> None:
    text = """func.func @f(%a: memref<384xi32> {llvm.noalias}, %z: i32) -> i32 {
      %r = affine.for %i = 0 to 384 step 2 iter_args(%s = %z) -> (i32) {
        %x = affine.load %a[%i] : memref<384xi32>
        %t = arith.minsi %s, %x : i32
        %y = affine.load %a[%i + 1] : memref<384xi32>
        %u = arith.minsi %t, %y : i32
        affine.yield %u : i32 }
      return %r : i32 }"""
    code = codes(text, "apple-m1")[-1]
    assert (code.vf, code.interleave, code.full) == (4, 4, False)


def scan(element: str) -> str:
    return f"""func.func @f(%a: memref<12x24x75x{element}>, %b: memref<12x24x75x{element}>) {{
      affine.for %i = 0 to 12 {{ affine.for %j = 0 to 24 {{ affine.for %k = 1 to 75 {{
        %x = affine.load %b[%i, %j, %k - 1] : memref<12x24x75x{element}>
        %y = affine.load %a[%i, %j, %k] : memref<12x24x75x{element}>
        %z = arith.mulf %x, %y : {element}
        affine.store %z, %b[%i, %j, %k] : memref<12x24x75x{element}> }} }} }}
      return }}"""


def test_an_index_of_two_buffers_is_a_sum_and_a_pointer_each() -> None:
    sizes = {name: codes(scan("f32"), name)[-1].loop.size for name in ("sifive-p670", "apple-m1")}
    assert sizes == {"sifive-p670": 11, "apple-m1": 8}
    around, _ = codes(scan("f32"), "sifive-p670")
    assert (around.loop.trip, around.loop.factor) == (24, 12), (
        "24 copies of the innermost loop are too many, 12 are not"
    )
    assert codes(scan("f32"), "apple-m1")[0].loop.trip == 12


def test_loops_of_one_iteration_leave_branches() -> None:
    text = """func.func @f(%a: memref<12x92xf64> A, %b: memref<92xf64> A, %c: memref<12xf64> A, %d: memref<12xf64> A,
          %e: memref<92xf64> A) {
      affine.for %i = 0 to 12 { affine.for %j = 0 to 92 {
        affine.for %k = affine_map<(d) -> (d)>(%i) to affine_map<(d) -> (d + 1)>(%i) {
          affine.for %l = affine_map<(d) -> (d)>(%j) to affine_map<(d) -> (d + 1)>(%j) {
            %0 = affine.load %a[%k, %l] : memref<12x92xf64>
            %1 = affine.load %b[%l] : memref<92xf64>
            %2 = affine.load %c[%k] : memref<12xf64>
            %3 = arith.mulf %2, %0 : f64
            %4 = arith.addf %1, %3 : f64
            affine.store %4, %b[%l] : memref<92xf64>
            %5 = affine.load %d[%k] : memref<12xf64>
            %6 = affine.load %e[%l] : memref<92xf64>
            %7 = arith.mulf %0, %6 : f64
            %8 = arith.addf %5, %7 : f64
            affine.store %8, %d[%k] : memref<12xf64> } } } }
      return }"""
    assert len(codes(text.replace(" A", " {llvm.noalias}"), "neoverse-v1")) == 2, "twelve copies would be of 303"


@pytest.mark.parametrize(
    ("name", "cycles"), [("neoverse-v1", 13.3), ("apple-m1", 20), ("sifive-p670", 20), ("znver4", 20)]
)
def test_loads_and_stores_share_ports_but_on_x86(name: str, cycles: float) -> None:
    text = """func.func @f(%a: memref<20x6xi64>, %b: memref<6x20xi64>) {
      affine.for %i = 0 to 20 {
        %x = affine.load %a[%i, 0] : memref<20x6xi64>
        affine.store %x, %b[0, %i] : memref<6x20xi64> }
      return }"""
    found = generate(FEATURIZER.parse({"mlir": text}).loops_on(cpu(name).isa)[0], cpu(name))
    assert sum(code.cycles for code in found) == pytest.approx(cycles, rel=0.05)
    if cpu(name).isa == "aarch64":
        assert found[0].instructions >= 40, "no pairs, as the buffers may overlap"


def test_vectors_of_sve_leave_a_rest() -> None:
    code = codes(chain_of(2).replace("999", "960"), "neoverse-v1")[-1]
    assert (code.vf, code.interleave, code.remainder) == (8, 2, True)


def test_x86_folds_all_loads_of_a_sum() -> None:
    text = """func.func @f(%a: memref<24xf64> {llvm.noalias}, %s: f64) -> f64 {
      %r = affine.for %i = 0 to 24 iter_args(%t = %s) -> (f64) {
        %x = affine.load %a[%i] : memref<24xf64>
        %u = arith.addf %t, %x : f64
        affine.yield %u : f64 }
      return %r : f64 }"""
    found = generate(FEATURIZER.parse({"mlir": text}).loops[0], cpu("skylake-avx512"))
    assert sum(code.instructions for code in found) < 30


def test_in_order_an_index_is_waited_for_before_its_element() -> None:
    (code,) = codes(HISTOGRAM, "cortex-a55")
    assert code.cycles == pytest.approx(3477, rel=0.25), "a load, a load by it, a sum and a store, one after the other"


def test_lengths_that_are_not_known_take_tests_before_the_loop_and_its_copies() -> None:
    text = """func.func @f(%a: memref<28x28xf64>) {
      affine.for %i = 0 to 28 {
        affine.for %j = 0 to affine_map<(d) -> (d)>(%i) {
          affine.for %k = 0 to affine_map<(d) -> (d)>(%j) {
            %3 = affine.load %a[%i, %k] : memref<28x28xf64>
            %4 = affine.load %a[%j, %k] : memref<28x28xf64>
            %5 = arith.mulf %3, %4 : f64
            %6 = affine.load %a[%i, %j] : memref<28x28xf64>
            %7 = arith.subf %6, %5 : f64
            affine.store %7, %a[%i, %j] : memref<28x28xf64> }
          %0 = affine.load %a[%i, %j] : memref<28x28xf64>
          %1 = affine.load %a[%j, %j] : memref<28x28xf64>
          %2 = arith.divf %0, %1 : f64
          affine.store %2, %a[%i, %j] : memref<28x28xf64> } }
      return }"""
    found = codes(text, "skylake-avx512")
    assert found[-1].unroll == 4
    assert sum(code.instructions for code in found) > 50, "80 with the registers that are saved"


def test_groups_take_a_permutation_per_pair_of_registers_on_x86() -> None:
    code = codes(chain_of(1, "%i * 2"), "skylake-avx512")[-1]
    assert code.cycles == pytest.approx(214, rel=0.4), "of four vectors, which share the loop's control"


@pytest.mark.parametrize(("around", "copies"), [(False, 4), (True, 2)])
def test_scalar_reductions_are_interleaved_on_aarch64(around: bool, copies: int) -> None:
    inner = """%r = affine.for %i = 0 to 127 iter_args(%s = %z) -> (i64) {
        %x = affine.load %a[%i * 91 + INDEX] : memref<11648xi64>
        %t = arith.muli %s, %x : i64
        affine.yield %t : i64 }
      affine.store %r, %b[INDEX] : memref<91xi64>"""
    body = f"affine.for %j = 0 to 91 {{ {inner.replace('INDEX', '%j')} }}" if around else inner.replace("INDEX", "0")
    text = f"""func.func @f(%a: memref<11648xi64> {{llvm.noalias}}, %b: memref<91xi64> {{llvm.noalias}}, %z: i64) {{
      {body} return }}"""
    code = codes(text, "apple-m1")[-1]
    assert (code.vf, code.interleave) == (1, copies)
