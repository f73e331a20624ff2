"""What floating-point units make of vector loops, in cycles as llvm-mca-22 counted them on what opt-22 -O3 made."""

from __future__ import annotations

import pytest

from featurizers.mlir import cpu
from featurizers.mlir.codegen import generate
from featurizers.mlir.legal import work
from tests.featurizers.mlir.generated import FEATURIZER, estimated

POSITIVE = """func.func @f(%a: memref<4096xf32> {llvm.noalias}, %b: memref<4096xf32> {llvm.noalias}) {
  %zero = arith.constant 0.0 : f32
  affine.for %i = 0 to 4096 {
    %x = affine.load %a[%i] : memref<4096xf32>
    %y = arith.maximumf %x, %zero : f32
    affine.store %y, %b[%i] : memref<4096xf32> }
  return }"""

TWO_SUMS = """func.func @f(%a: memref<1024xf64> {llvm.noalias}, %b: memref<1024xf64> {llvm.noalias},
                         %c: memref<2xf64> {llvm.noalias}) {
  %zero = arith.constant 0.0 : f64
  %r:2 = affine.for %i = 0 to 1024 iter_args(%s = %zero, %t = %zero) -> (f64, f64) {
    %x = affine.load %a[%i] : memref<1024xf64>
    %y = affine.load %b[%i] : memref<1024xf64>
    %u = arith.addf %s, %x : f64
    %v = arith.addf %t, %y : f64
    affine.yield %u, %v : f64, f64 }
  affine.store %r#0, %c[0] : memref<2xf64>
  affine.store %r#1, %c[1] : memref<2xf64>
  return }"""

QUOTIENTS = """func.func @f(%a: memref<1055xf32> {llvm.noalias}, %b: memref<1055xf32> {llvm.noalias}) {
  affine.for %i = 0 to 1055 {
    %x = affine.load %a[%i] : memref<1055xf32>
    %y = arith.divf %x, %x : f32
    affine.store %y, %b[%i] : memref<1055xf32> }
  return }"""


@pytest.mark.parametrize(
    ("text", "name", "cycles"),
    [
        (POSITIVE, "znver4", 531),  # a maximum and a comparison by the units of products
        (TWO_SUMS, "sifive-p670", 6181),  # one unit adds up in order, one sum after the other
        (QUOTIENTS, "skylake-avx512", 680),  # what is left goes through a narrower loop first
        (QUOTIENTS, "znver4", 419),
    ],
)
def test_cycles_of_the_busiest_unit(text: str, name: str, cycles: float) -> None:
    code = generate(FEATURIZER.parse({"mlir": text}).loops_on(cpu(name).isa)[0], cpu(name))[-1]
    assert code.cycles == pytest.approx(cycles, rel=0.04)


def vectors(element: str, lanes: int, op: str) -> str:
    moved = f"memref<1024x{element}>, vector<{lanes}x{element}>"
    zero = "0.0" if element[0] == "f" else "0"
    return f"""func.func @f(%a: memref<1024x{element}> {{llvm.noalias}}, %b: memref<1024x{element}> {{llvm.noalias}},
                         %v: vector<{lanes}x{element}>) {{
      %zero = arith.constant {zero} : {element}
      affine.for %i = 0 to 1024 step {lanes} {{
        %x = vector.transfer_read %a[%i], %zero {{in_bounds = [true]}} : {moved}
        %y = {op} : vector<{lanes}x{element}>{"" if "fma" in op else f", vector<{lanes}x{element}>"}
        vector.transfer_write %y, %b[%i] {{in_bounds = [true]}} : vector<{lanes}x{element}>, memref<1024x{element}> }}
      return }}"""


def test_one_unit_permutes_on_skylake() -> None:
    text = vectors("i16", 8, "vector.shuffle %x, %x [5, 3, 1, 7, 0, 6, 2, 4]")
    code = generate(FEATURIZER.parse({"mlir": text}).loops[0], cpu("skylake-avx512"))[-1]
    assert code.cycles == pytest.approx(139, rel=0.1)


def test_half_precision_that_is_taken_apart_is_large_and_slow() -> None:
    text = vectors("f16", 16, "vector.fma %v, %x, %x")
    code = generate(FEATURIZER.parse({"mlir": text}).loops_on("riscv")[0], cpu("sifive-p670"))[-1]
    assert code.unroll == 2  # one of a larger body is not unrolled at all
    assert code.cycles == pytest.approx(3249, rel=0.15)


CHOICES = """func.func @f(%a: memref<4096xf32> {llvm.noalias}, %b: memref<4096xf32> {llvm.noalias}) {
  %one = arith.constant 1.0 : f32
  %two = arith.constant 2.0 : f32
  affine.for %i = 0 to 4096 {
    %x = affine.load %a[%i] : memref<4096xf32>
    %p = arith.mulf %x, %x : f32
    %q = arith.addf %x, %two : f32
    %r = arith.cmpf olt, %x, %one : f32
    %s = arith.select %r, %p, %q : f32
    %t = arith.cmpf ogt, %q, %p : f32
    %u = arith.select %t, %s, %x : f32
    affine.store %u, %b[%i] : memref<4096xf32> }
  return }"""


@pytest.mark.parametrize(("name", "cycles"), [("neoverse-v1", 1581), ("skylake-avx512", 1108), ("znver4", 1066)])
def test_comparisons_and_choices_share_the_units_of_sums(name: str, cycles: float) -> None:
    code = generate(FEATURIZER.parse({"mlir": CHOICES}).loops_on(cpu(name).isa)[0], cpu(name))[-1]
    assert code.cycles == pytest.approx(cycles, rel=0.08)


ROOTS = """func.func @f(%a: memref<64x64xf32> {llvm.noalias}, %b: f32) -> f32 {
  %r = affine.for %i = 0 to 64 iter_args(%s = %b) -> f32 {
    %x = affine.load %a[%i, 0] : memref<64x64xf32>
    %y = math.sqrt %x : f32
    %z = arith.mulf %s, %y : f32
    affine.yield %z : f32 }
  return %r : f32 }"""


@pytest.mark.parametrize(("name", "cycles"), [("sifive-p670", 1092), ("cortex-a55", 1859), ("znver4", 326)])
def test_roots_of_scalars_take_their_own_time(name: str, cycles: float) -> None:
    code = generate(FEATURIZER.parse({"mlir": ROOTS}).loops_on(cpu(name).isa)[0], cpu(name))[-1]
    assert code.cycles == pytest.approx(cycles, rel=0.03)


def kernel(rows: int) -> str:
    """So many rows of 16 sums that wait in registers."""
    kind = f"vector<{rows}x16xf32>"
    return f"""func.func @f(%a: memref<90x{rows}xf32> {{llvm.noalias}}, %b: memref<90x16xf32> {{llvm.noalias}},
                            %o: memref<{rows}x16xf32> {{llvm.noalias}}) {{
      %c = arith.constant 0 : index %p = arith.constant 0.0 : f32
      %z = arith.constant dense<0.0> : {kind}
      %s = affine.for %i = 0 to 90 iter_args(%t = %z) -> ({kind}) {{
        %x = vector.transfer_read %a[%i, %c], %p {{in_bounds = [true]}} : memref<90x{rows}xf32>, vector<{rows}xf32>
        %y = vector.transfer_read %b[%i, %c], %p {{in_bounds = [true]}} : memref<90x16xf32>, vector<16xf32>
        %u = vector.outerproduct %x, %y, %t {{kind = #vector.kind<add>}} : vector<{rows}xf32>, vector<16xf32>
        affine.yield %u : {kind} }}
      vector.transfer_write %s, %o[%c, %c] {{in_bounds = [true, true]}} : {kind}, memref<{rows}x16xf32>
      return }}"""


def cycles_of_kernel(rows: int, name: str) -> float:
    root = FEATURIZER.parse({"mlir": kernel(rows)}).loops_on(cpu(name).isa)[0]
    return generate(root, cpu(name))[1].port_cycles


def test_vectors_that_do_not_fit_into_registers_are_moved_in_every_iteration() -> None:
    assert cycles_of_kernel(14, "neoverse-v1") > 2.5 * cycles_of_kernel(7, "neoverse-v1")


def test_a_whole_register_takes_both_units_of_an_in_order_core_but_for_products_that_are_added() -> None:
    def passes(operation: str, lanes: int) -> float:
        text = f"""func.func @f(%a: vector<{lanes}xf32>, %b: vector<{lanes}xf32>) -> vector<{lanes}xf32> {{
          %r = {operation} : vector<{lanes}xf32>
          return %r : vector<{lanes}xf32> }}"""
        return work(FEATURIZER.parse({"mlir": text}).loops_on("aarch64")[0], cpu("cortex-a55")).passes

    assert [passes("arith.addf %a, %b", lanes) for lanes in (2, 4)] == [1, 2]
    assert passes("vector.fma %a, %b, %b", 4) == 1


def test_divisions_go_on_beside_calls() -> None:
    """Three quotients and a call: 18 cycles of the one divider of Sifive P670."""
    text = """func.func @f(%a: memref<1024xf32> {llvm.noalias}, %b: memref<1024xf32> {llvm.noalias}, %s: f32) {
      affine.for %i = 0 to 1024 {
        %x = affine.load %a[%i] : memref<1024xf32>
        %e = math.exp %x : f32
        %p = arith.divf %s, %x : f32
        %q = arith.divf %e, %p : f32
        %r = arith.divf %q, %x : f32
        affine.store %r, %b[%i] : memref<1024xf32> }
      return }"""
    program = FEATURIZER.parse({"mlir": text})
    cycles = generate(program.loops_on("riscv")[0], cpu("sifive-p670"))[-1].cycles
    assert cycles == pytest.approx(18480.75, rel=0.05)


def side_by_side(members: int, bits: int) -> str:
    """So many neighbours in each iteration, which all go the same way."""
    body = "".join(
        f"""%i{k} = affine.apply affine_map<(d) -> (d + {k})>(%i)
            %x{k} = affine.load %a[%i{k}] : memref<512xf{bits}>
            %y{k} = arith.mulf %x{k}, %x{k} : f{bits}
            %z{k} = arith.addf %y{k}, %c : f{bits}
            affine.store %z{k}, %b[%i{k}] : memref<512xf{bits}>\n"""
        for k in range(members)
    )
    return f"""func.func @f(%a: memref<512xf{bits}> {{llvm.noalias}}, %b: memref<512xf{bits}> {{llvm.noalias}},
                         %c: f{bits}) {{
      affine.for %i = 0 to 512 step {members} {{
        {body} }}
      return }}"""


@pytest.mark.parametrize(
    ("name", "members", "bits", "cycles"),
    [("znver4", 4, 32, 34.5), ("znver4", 8, 32, 34.8), ("apple-m1", 4, 32, 132), ("apple-m1", 8, 32, 132),
     ("apple-m1", 4, 64, 260)],
)  # fmt: skip
def test_neighbours_that_the_source_unrolled_fill_vectors(name: str, members: int, bits: int, cycles: float) -> None:
    code = generate(FEATURIZER.parse({"mlir": side_by_side(members, bits)}).loops_on(cpu(name).isa)[0], cpu(name))[-1]
    assert code.cycles == pytest.approx(cycles, rel=0.12)


def quotients(length: int, bits: int, more: int) -> str:
    """With so many sums beside each division."""
    sums = "".join(f"%s{k + 1} = arith.addf %s{k}, %x : f{bits}\n" for k in range(more))
    return f"""func.func @f(%a: memref<{length}xf{bits}> {{llvm.noalias}},
                         %b: memref<{length}xf{bits}> {{llvm.noalias}},
                         %c: memref<{length}xf{bits}> {{llvm.noalias}}) {{
      affine.for %i = 0 to {length} {{
        %x = affine.load %a[%i] : memref<{length}xf{bits}>
        %y = affine.load %b[%i] : memref<{length}xf{bits}>
        %s0 = arith.divf %x, %y : f{bits}
        {sums}
        affine.store %s{more}, %c[%i] : memref<{length}xf{bits}> }}
      return }}"""


@pytest.mark.parametrize(
    ("bits", "more", "cycles"), [(32, 0, 3630), (64, 0, 7276), (32, 8, 4247), (32, 12, 5271), (64, 12, 10585)]
)
def test_one_of_two_units_of_sve_divides(bits: int, more: int, cycles: float) -> None:
    code = generate(FEATURIZER.parse({"mlir": quotients(4096, bits, more)}).loops_on("aarch64")[0], cpu("neoverse-v1"))
    assert code[-1].cycles == pytest.approx(cycles, rel=0.12)


@pytest.mark.parametrize(("bits", "cycles"), [(32, 25716), (64, 76000)])
def test_divisions_of_groups_of_registers(bits: int, cycles: float) -> None:
    code = generate(FEATURIZER.parse({"mlir": quotients(4096, bits, 0)}).loops_on("riscv")[0], cpu("sifive-p670"))
    assert code[-1].cycles == pytest.approx(cycles, rel=0.1)


@pytest.mark.parametrize(("factor", "labelled"), [("2.0", 664.9), ("3.0", 402.0)])
def test_a_product_with_two_is_a_sum_to_units_that_only_add(factor: str, labelled: float) -> None:
    """`DAGCombiner::visitFMUL`; labels of znver4, whose units for sums and for products are apart."""
    loads = "".join(
        f"%{k} = affine.load %a[%i + {k}] : memref<1026xf64> %p{k} = arith.mulf %{k}, %c : f64 " for k in range(3)
    )
    text = f"""func.func @f(%a: memref<1026xf64>, %b: memref<1026xf64>) {{ %c = arith.constant {factor} : f64
    affine.for %i = 0 to 1024 {{ {loads} %s = arith.addf %p0, %p1 : f64 %t = arith.addf %s, %p2 : f64
    affine.store %t, %b[%i] : memref<1026xf64> }} return }}"""
    loop = FEATURIZER.parse({"mlir": text}).loops_on("x86")[0]
    assert generate(loop, cpu("znver4"))[-1].cycles == pytest.approx(labelled, rel=0.1)


@pytest.mark.parametrize("vectors", [False, True])
def test_whole_numbers_are_divided_slowly_on_riscv(vectors: bool) -> None:
    """Cycles of 1024 quotients of 32 bits on P670, by the vectoriser and in vectors of the source."""
    kind = "vector<8xi32>" if vectors else "i32"
    load, store = ("affine.vector_load", "affine.vector_store") if vectors else ("affine.load", "affine.store")
    end = ", vector<8xi32>" if vectors else ""
    given = ", ".join(f"%{name}: memref<1024xi32> {{llvm.noalias}}" for name in "abc")
    text = f"""func.func @f({given}) {{
      affine.for %i = 0 to 1024 step {8 if vectors else 1} {{
        %x = {load} %a[%i] : memref<1024xi32>{end}
        %y = {load} %b[%i] : memref<1024xi32>{end}
        %q = arith.divui %x, %y : {kind}
        {store} %q, %c[%i] : memref<1024xi32>{end} }}
      return }}"""
    assert estimated(text, "sifive-p670", "est_cycles")[0] == pytest.approx(CYCLES_DIVIDED[vectors], rel=0.15)


CYCLES_DIVIDED = {False: 10783.7, True: 10766.0}


SPILLED = """func.func @f(%a: memref<4x16xi16>, %b: memref<4x64xi16>, %c: memref<16x64xi16>) {
  affine.for %i = 0 to 64 { affine.for %k = 0 to 4 { affine.for %j = 0 to 16 {
    %x = affine.load %a[%k, %j] : memref<4x16xi16>
    %y = affine.load %b[%k, %i] : memref<4x64xi16>
    %p = arith.muli %x, %y : i16
    %z = affine.load %c[%j, %i] : memref<16x64xi16>
    %s = arith.addi %z, %p : i16
    affine.store %s, %c[%j, %i] : memref<16x64xi16> } } }
  return }"""


@pytest.mark.parametrize(("name", "labelled"), [("znver4", 9233), ("skylake-avx512", 7940)])
def test_what_waits_on_the_stack_is_stored_and_loaded(name: str, labelled: float) -> None:
    code = generate(FEATURIZER.parse({"mlir": SPILLED}).loops_on("x86")[0], cpu(name))
    assert sum(each.cycles for each in code) == pytest.approx(labelled, rel=0.1)


def of_words(kind: str, steps: str) -> str:
    return f"""func.func @f(%a: memref<4096xi32> {{llvm.noalias}}, %b: memref<4096x{kind}> {{llvm.noalias}},
                         %c: memref<4096xi32> {{llvm.noalias}}) {{
      affine.for %i = 0 to 4096 {{
        %x = affine.load %a[%i] : memref<4096xi32> %y = affine.load %b[%i] : memref<4096x{kind}>
        {steps} affine.store %t, %c[%i] : memref<4096xi32> }}
      return }}"""


MULTIPLIED = """%p = arith.muli %x, %y : i32 %q = arith.muli %p, %x : i32 %r = arith.addi %q, %y : i32
  %s = arith.xori %r, %x : i32 %t = arith.addi %s, %p : i32"""
CONVERTED = """%p = arith.sitofp %x : i32 to f32 %q = arith.mulf %p, %y : f32 %r = arith.addf %q, %y : f32
  %t = arith.fptosi %r : f32 to i32"""


@pytest.mark.parametrize(("kind", "steps", "labelled"), [("i32", MULTIPLIED, 1405), ("f32", CONVERTED, 2132)])
def test_one_of_two_units_of_sve_multiplies_and_converts(kind: str, steps: str, labelled: float) -> None:
    code = generate(FEATURIZER.parse({"mlir": of_words(kind, steps)}).loops_on("aarch64")[0], cpu("neoverse-v1"))
    assert code[-1].cycles == pytest.approx(labelled, rel=0.1)
