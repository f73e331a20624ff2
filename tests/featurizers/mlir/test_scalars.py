"""Straight-line scalar code and calls, as LLVM 22 leaves them (looked up in the assembly of like programs)."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu, opclass
from featurizers.mlir.bits import literals
from featurizers.mlir.codegen import LoopCode, generate
from featurizers.mlir.columns import COLUMNS
from featurizers.mlir.loop import Loop
from featurizers.mlir.opclass import CLASS
from featurizers.mlir.registers import across, saves, waiting

FEATURIZER = MlirFeaturizer()


def root(text: str) -> Loop:
    return FEATURIZER.parse({"mlir": text}).loops[0]


def body(text: str, name: str = "znver4") -> LoopCode:
    return generate(root(text), cpu(name))[0]


def binary(name: str, constant: str = "15", kind: str = "i32") -> Loop:
    return root(f"""func.func @f(%x: {kind}) -> {kind} {{
      %c = arith.constant {constant} : {kind}
      %y = arith.{name} %x, %c : {kind}
      return %y : {kind} }}""")


def test_a_division_by_a_constant_is_a_product_and_shifts() -> None:
    counts = binary("divui").counts
    assert counts[CLASS["idiv"]] == 0
    assert counts[CLASS["imul"]] == 1
    assert counts[CLASS["logic"]] == 1
    assert binary("divui", "16").counts[CLASS["imul"]] == 0, "a shift"
    assert binary("divsi").counts[CLASS["logic"]] > 1, "towards zero"
    text = "func.func @f(%x: i32, %y: i32) -> i32 { %z = arith.divui %x, %y : i32 return %z : i32 }"
    assert root(text).counts[CLASS["idiv"]] == 1


@pytest.mark.parametrize(("constant", "products"), [("8", 0), ("9", 0), ("7", 1), ("11", 1)])
def test_a_product_with_a_constant_near_a_power_of_two_is_none(constant: str, products: int) -> None:
    assert binary("muli", constant).counts[CLASS["imul"]] == products


def test_a_value_without_itself_is_nothing() -> None:
    text = "func.func @f(%x: i32, %y: i32) -> i32 { %z = arith.xori %x, OTHER : i32 return %z : i32 }"
    assert root(text.replace("OTHER", "%y")).counts[CLASS["logic"]] == 1
    assert root(text.replace("OTHER", "%x")).counts[CLASS["logic"]] == 0


def test_a_product_that_is_added_is_one_instruction_on_aarch64() -> None:
    text = """func.func @f(%x: i32, %y: i32) -> i32 {
      %z = arith.muli %x, %y : i32
      %s = arith.addi %z, %y : i32
      return %s : i32 }"""
    assert body(text, "znver4").instructions - body(text, "apple-m1").instructions == 1


def test_constants_of_floating_point_are_operands_on_x86_alone() -> None:
    floats = frozenset({(32, 0.5), (32, 0.1)})
    assert [literals(isa, floats) for isa in ("x86", "aarch64", "riscv")] == [0, 3, 4]


def test_results_that_are_computed_alike_are_packed() -> None:
    one = """%a{k} = arith.mulf %x{k}, %x{k} : f32
      %b{k} = arith.addf %a{k}, %x{k} : f32
      %c{k} = arith.mulf %b{k}, %x{k} : f32
      %d{k} = arith.addf %c{k}, %x{k} : f32
      %e{k} = arith.{op} %d{k}, %x{k} : f32\n"""

    def text(last: str) -> str:
        code = "".join(one.replace("{k}", str(k)).replace("{op}", last if k > 1 else "mulf") for k in range(4))
        arguments = ", ".join(f"%x{k}: f32" for k in range(4))
        return f"func.func @f({arguments}) -> (f32, f32, f32, f32) {{ {code} return %e0, %e1, %e2, %e3 : f32, f32, f32, f32 }}"  # noqa: E501

    assert body(text("mulf"), "apple-m1").packed.lanes == 4
    assert body(text("divf"), "apple-m1").packed.lanes == 2


@pytest.mark.parametrize(
    ("name", "results", "packed", "instructions"),
    [("skylake-avx512", 4, True, 23), ("neoverse-v1", 4, False, 56), ("skylake-avx512", 5, False, 74)],
)
def test_results_are_packed_that_fill_one_register_at_most(
    name: str, results: int, packed: bool, instructions: int
) -> None:
    """Of six steps of Horner's scheme on 64 bits each; instructions are those of the tools."""
    code = "".join(f"%c{step} = arith.constant {step}.5 : f64\n" for step in range(7))
    for k in range(results):
        for step in range(1, 7):
            code += f"%m{k}_{step} = arith.mulf {f'%r{k}_{step - 1}' if step > 1 else '%c0'}, %x{k} : f64\n"
            code += f"%r{k}_{step} = arith.addf %m{k}_{step}, %c{step} : f64\n"
    arguments, types = ", ".join(f"%x{k}: f64" for k in range(results)), ", ".join(["f64"] * results)
    last = ", ".join(f"%r{k}_6" for k in range(results))
    found = body(f"func.func @f({arguments}) -> ({types}) {{ {code} return {last} : {types} }}", name)
    assert (found.packed.share > 0) == packed
    assert found.instructions == pytest.approx(instructions, rel=0.2)


def test_stores_under_a_condition_stay_and_branches_cut_chains() -> None:
    text = """func.func @f(%a: memref<4xi32>, %b: i1, %x: i32, %y: i32) {
      %c0 = arith.constant 0 : index
      memref.store %x, %a[%c0] : memref<4xi32>
      IF memref.store %y, %a[%c0] : memref<4xi32> END
      return }"""
    assert root(text.replace("IF", "scf.if %b {").replace("END", "}")).counts[opclass.STORE] == 2
    assert root(text.replace("IF", "").replace("END", "")).counts[opclass.STORE] == 1


def test_functions_that_make_calls_save_registers() -> None:
    text = """func.func @f(%a: memref<400xf32>, %b: memref<400xf32>) {
      affine.for %i = 0 to 400 { %x = affine.load %a[%i] : memref<400xf32>
        %y = math.NAME %x : f32 affine.store %y, %b[%i] : memref<400xf32> }
      return }"""
    called, plain = root(text.replace("NAME", "exp")), root(text.replace("NAME", "absf"))
    assert saves(waiting(plain), 3.0, "x86") == 0
    assert saves(waiting(called), 3.0, "x86") == 10, "two buffers, an index and its end, the stack; in and out"
    assert saves(waiting(called), 3.0, "aarch64") == 5, "two at once"


def test_functions_with_many_addresses_save_registers() -> None:
    """x86 has nine that may be written over, and pushes and pops one at a time; six are all that can be saved."""
    found = waiting(root("func.func @f(%a: memref<4xf32>) { affine.for %i = 0 to 4 { } return }"))
    assert [saves(found, held, "x86") for held in (8.0, 12.0, 30.0)] == [0.0, 4.0, 12.0]
    assert [saves(found, held, "aarch64") for held in (8.0, 12.0, 30.0)] == [0.0, 0.0, 10.0]


def test_copies_are_one_move_of_memory_or_a_call_with_descriptors() -> None:
    text = """func.func @f(%a: memref<4x6xf32>, %b: memref<8x12xf32>) {
      %s = memref.subview %b[0, 0] [4, 6] [1, 1] : memref<8x12xf32> to memref<4x6xf32, strided<[12, 1]>>
      memref.copy %a, %s : memref<4x6xf32> to memref<4x6xf32, strided<[12, 1]>>
      return }"""
    apart = root(text).counts
    assert apart[opclass.CALL] == 1
    assert apart[opclass.STORE] == 16, "two descriptors of eight words"
    plain = root("""func.func @f(%a: memref<4x6xf32>, %b: memref<4x6xf32>) {
      memref.copy %a, %b : memref<4x6xf32> to memref<4x6xf32>
      return }""").counts
    assert plain[opclass.CALL] == 0
    assert plain[opclass.STORE] == 1.5, "96 bytes, by 64"


def test_a_reduction_of_a_tensor_combines_by_what_its_region_says() -> None:
    text = """func.func @f(%x: tensor<4x100xf32>, %i: tensor<f32>) -> tensor<4xf32> {
      %y = stablehlo.reduce(%x init: %i) applies stablehlo.maximum across dimensions = [1]
        : (tensor<4x100xf32>, tensor<f32>) -> tensor<4xf32>
      return %y : tensor<4xf32> }"""
    inner = root(text).walk()[-1]
    assert inner.counts[CLASS["fmaximum"]] > 0
    assert inner.counts[CLASS["fadd"]] == inner.counts[opclass.CALL] == 0


def test_a_root_turned_over_is_a_root_and_a_division() -> None:
    counts = root("func.func @f(%x: f32) -> f32 { %y = math.rsqrt %x : f32 return %y : f32 }").counts
    assert counts[CLASS["fsqrt"]] == counts[CLASS["fdiv"]] == 1


def test_accumulators_of_unrolled_loops_wait_for_every_step() -> None:
    text = """func.func @f(%a: memref<200x8x3xf32> {llvm.noalias}, %c: memref<1xf32> {llvm.noalias}) {
      affine.for %i = 0 to 200 { affine.for %j = 0 to 8 { affine.for %k = 0 to 3 {
        %x = affine.load %a[%i, %j, %k] : memref<200x8x3xf32>
        %s = affine.load %c[0] : memref<1xf32>
        %y = arith.addf %s, %x : f32
        affine.store %y, %c[0] : memref<1xf32> } } }
      return }"""
    codes = generate(root(text), cpu("skylake-avx512"))
    per_iteration = sum(code.cycles for code in codes) / 200
    assert per_iteration >= 24 * 4, "24 additions, one after the other"


def test_pointers_that_wait_for_calls_are_more_than_a_call_leaves_alone() -> None:
    made = "".join(f"%t{k} = memref.alloc() : memref<400xf32>\n" for k in range(9))
    loops = "".join(
        f"""affine.for %i = 0 to 400 {{ %x = affine.load {"%a" if k == 0 else f"%t{k - 1}"}[%i] : memref<400xf32>
          %y = math.absf %x : f32 affine.store %y, {"%b" if k == 9 else f"%t{k}"}[%i] : memref<400xf32> }}\n"""
        for k in range(10)
    )
    text = f"func.func @f(%a: memref<400xf32>, %b: memref<400xf32>) {{ {made} {loops} return }}"
    program = FEATURIZER.parse({"mlir": text})
    found = waiting(program.loops[0])
    over = across(found, cpu("znver4"), program.allocations)
    assert over == 11 + 9 + 2 * found.calling - 6
    assert across(found, cpu("sifive-p670"), program.allocations) == over - 6
    spills = [column.name for column in COLUMNS].index("est_spills")
    assert 3 <= FEATURIZER.features([program], profile="znver4").vectors[0][spills] <= 5, "5 as llc counts them"
    assert FEATURIZER.features([program], profile="apple-m1").vectors[0][spills] < 0.5, "none"


def test_a_loop_that_ends_by_what_it_computes_is_not_unrolled() -> None:
    text = """func.func @f(%x: i64, %y: i64) -> i64 {
      %r = scf.while (%s = %x) : (i64) -> i64 {
        %c = arith.cmpi ult, %s, %y : i64
        scf.condition(%c) %s : i64
      } do {
      ^bb0(%s: i64):
        %t = arith.muli %s, %s : i64
        %u = arith.addi %t, %x : i64
        scf.yield %u : i64 }
      return %r : i64 }"""
    assert generate(root(text), cpu("znver4"))[-1].unroll == 1
