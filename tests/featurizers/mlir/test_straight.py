"""Functions of scalars in one block, as LLVM 22 compiles them and llvm-mca runs them (looked up for these programs)."""

from __future__ import annotations

import random

import numpy as np
import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.columns import COLUMNS
from featurizers.mlir.cores import returning
from featurizers.mlir.cpus import cpus
from featurizers.mlir.selection import select
from featurizers.mlir.steady import steady
from featurizers.mlir.straight import Straight

FEATURIZER = MlirFeaturizer()
_NAMES = [column.name for column in COLUMNS]


def estimated(body: str, name: str) -> tuple[float, float]:
    """Instructions and cycles of a function on words x, y and z, or on floats a, b."""
    text = f"func.func @f({_ARGUMENTS}) -> {body.partition(':')[0]} {{ {body.partition(':')[2]} }}"
    row = FEATURIZER.features([FEATURIZER.parse({"mlir": text})], profile=name).vectors[0]
    return float(row[_NAMES.index("est_instructions")]), float(row[_NAMES.index("est_cycles")])


_ARGUMENTS = "%x: i32, %y: i32, %z: i32, %a: f32, %b: f32"


def read(body: str) -> Straight:
    text = f"func.func @f({_ARGUMENTS}) -> i32 {{ {body} }}"
    found = FEATURIZER.parse({"mlir": text}).functions[0].body.straight
    assert found is not None
    return found


ADD = "i32: %r = arith.addi %x, %y : i32 return %r : i32"
OTHER = "i32: %r = arith.addi %y, %z : i32 return %r : i32"


def test_a_result_in_an_arguments_register_is_waited_for() -> None:
    for name in ("neoverse-v1", "sifive-p670"):
        assert estimated(ADD, name)[1] == pytest.approx(1.03, abs=0.03)
        assert estimated(OTHER, name)[1] == pytest.approx(0.53, abs=0.03), "nothing is written over"
    assert estimated(ADD, "cortex-a55")[1] == pytest.approx(2.02, abs=0.03)
    assert estimated(ADD, "apple-m1")[1] == pytest.approx(2.03, abs=0.05), "two cycles for two registers"


def test_a_function_takes_at_least_its_return() -> None:
    nothing = "i32: return %x : i32"
    assert estimated(nothing, "skylake-avx512") == (2.0, pytest.approx(1.1, abs=0.02))
    for name, least in (("skylake-avx512", 1.09), ("znver4", 0.57), ("neoverse-v1", 0.53), ("cortex-a55", 1.01)):
        assert returning(cpu(name)) == pytest.approx(least, abs=0.011)
    assert estimated(nothing, "neoverse-v1") == (1.0, pytest.approx(0.53, abs=0.02))


def test_two_address_code_writes_over_arguments() -> None:
    body = """(i32, i32): %r = arith.subi %x, %y : i32 %s = arith.xori %r, %z : i32
              return %r, %s : i32, i32"""
    assert estimated(body, "skylake-avx512")[0] == 4.0
    chosen = "i32: %r = arith.maxsi %x, %y : i32 return %r : i32"
    assert estimated(chosen, "skylake-avx512") == (4.0, pytest.approx(1.15, abs=0.1))
    assert estimated(chosen, "cortex-a55") == (3.0, pytest.approx(5.02, abs=0.05)), "flags are waited for"
    assert estimated(chosen, "sifive-p670")[0] == 4.0, "signs of words are not known"


def test_shifts_and_products_are_part_of_sums() -> None:
    shift = "i32: %c = arith.constant 3 : i32 %s = arith.shli %y, %c : i32 %r = arith.xori %x, %s : i32 return %r : i32"
    assert estimated(shift, "neoverse-v1")[0] == 2.0
    assert estimated(shift, "skylake-avx512")[0] == 3.0
    product = "i32: %s = arith.muli %y, %z : i32 %r = arith.addi %x, %s : i32 return %r : i32"
    assert estimated(product, "neoverse-v1")[0] == 2.0
    assert estimated(product, "sifive-p670")[0] == 3.0


def test_rotations_and_counts() -> None:
    turned = """i32: %c = arith.constant 5 : i32 %d = arith.constant 27 : i32 %s = arith.shli %x, %c : i32
                %t = arith.shrui %x, %d : i32 %r = arith.ori %s, %t : i32 return %r : i32"""
    assert estimated(turned, "neoverse-v1")[0] == 2.0
    assert estimated("i32: %r = math.ctpop %x : i32 return %r : i32", "znver4")[0] == 2.0


def test_constants_are_put_into_registers() -> None:
    large = "i32: %c = arith.constant 123456 : i32 return %c : i32"
    assert [estimated(large, name)[0] for name in ("znver4", "neoverse-v1", "sifive-p670")] == [2.0, 3.0, 3.0]
    assert estimated("i32: %c = arith.constant 7 : i32 return %c : i32", "sifive-p670")[0] == 2.0


def test_what_is_known_of_bits_leaves_operations_out() -> None:
    kept = read("%c = arith.constant 1 : i32 %s = arith.shrui %x, %c : i32 %r = math.absi %s : i32 return %r : i32")
    assert [kept.values[value].op for value in kept.used] == ["argument", "constant", "lshr"]
    least = read("""%c = arith.constant 1 : i32 %d = arith.constant 0 : i32 %s = arith.shrui %x, %c : i32
                    %t = arith.cmpi slt, %s, %d : i32 %r = arith.select %t, %y, %s : i32 return %r : i32""")
    assert least.values[least.results[0]].op == "lshr"


def test_values_on_what_they_were_made_of() -> None:
    for body, result in (
        ("%s = arith.minsi %x, %y : i32 %r = arith.maxsi %s, %x : i32", "argument"),
        ("%s = arith.xori %x, %y : i32 %r = arith.xori %s, %x : i32", "argument"),
        ("%s = arith.addi %x, %y : i32 %r = arith.subi %s, %y : i32", "argument"),
        ("%s = arith.subi %x, %x : i32 %r = arith.muli %s, %y : i32", "constant"),
        ("%s = arith.cmpi slt, %x, %y : i32 %r = arith.select %s, %x, %y : i32", "smin"),
    ):
        found = read(f"{body} return %r : i32")
        assert found.values[found.results[0]].op == result, body


def test_more_results_than_registers_are_stored() -> None:
    three = "(i32, i32, i32): return %y, %z, %x : i32, i32, i32"
    assert estimated(three, "sifive-p670")[0] == 4.0
    floats = "(f32, f32, f32): %s = arith.addf %a, %b : f32 return %a, %b, %s : f32, f32, f32"
    assert estimated(floats, "znver4")[0] == 4.0, "the third on the stack of x87"


def test_only_scalars_in_one_block_on_known_cores() -> None:
    loaded = """func.func @f(%m: memref<4xi32>) -> i32 {
      %c = arith.constant 0 : index %r = memref.load %m[%c] : memref<4xi32> return %r : i32 }"""
    assert FEATURIZER.parse({"mlir": loaded}).functions[0].body.straight is None
    assert select(read("return %x : i32"), cpu("gfx942")) is None


def test_in_order_instructions_are_mixed() -> None:
    """Two independent chains take no longer than one (``MachineScheduler``)."""
    one = read("%s = arith.muli %x, %x : i32 %t = arith.muli %s, %x : i32 %r = arith.muli %t, %x : i32 return %r : i32")
    two = read("""%s = arith.muli %x, %x : i32 %t = arith.muli %s, %x : i32 %u = arith.muli %t, %x : i32
                  %v = arith.muli %y, %y : i32 %w = arith.muli %v, %y : i32 %q = arith.muli %w, %y : i32
                  %r = arith.xori %u, %q : i32 return %r : i32""")
    target = cpu("cortex-a55")
    codes = [select(each, target) for each in (one, two)]
    assert None not in codes
    first, second = (steady(code, target)[1] for code in codes if code is not None)
    assert second < 1.6 * first


def test_what_nothing_needs_leaves_the_return() -> None:
    text = "func.func @f(%x: f32, %y: f32) { %z = arith.divf %x, %y : f32 return }"
    row = FEATURIZER.features([FEATURIZER.parse({"mlir": text})], profile="neoverse-v1").vectors[0]
    assert row[_NAMES.index("est_instructions")] == 1.0
    assert row[_NAMES.index("est_cycles")] == pytest.approx(0.53, abs=0.01)


def test_operands_in_memory_are_read_ahead() -> None:
    """``vaddss (mem), %xmm0, %xmm0; vmulss %xmm1, %xmm0, %xmm0`` repeats in ten cycles, the same twice from memory in
    six (llvm-mca-22, Zen 4): the sum begins seven cycles ahead, but not before the product has."""
    mixed = """f32: %c = arith.constant 3.0 : f32 %s = arith.addf %a, %c : f32 %r = arith.mulf %s, %b : f32
               return %r : f32"""
    memory = """f32: %c = arith.constant 3.0 : f32 %d = arith.constant 5.0 : f32 %s = arith.addf %a, %c : f32
                %r = arith.mulf %s, %d : f32 return %r : f32"""
    assert estimated(mixed, "znver4")[1] == pytest.approx(10.06, abs=0.1)
    assert estimated(memory, "znver4")[1] == pytest.approx(6.1, abs=0.1)


def test_zeros_are_no_work_and_divisions_are_done_out_of_turn() -> None:
    zeros = "(i32, i32, i32): %c = arith.constant 0 : i32 return %c, %c, %c : i32, i32, i32"
    assert estimated(zeros, "neoverse-v1") == (4.0, pytest.approx(0.53, abs=0.03))
    halved = "f32: %c = arith.constant 6.0 : f32 %r = arith.divf %b, %c : f32 return %r : f32"
    assert estimated(halved, "cortex-a55")[1] < 13.5


def test_limits_at_zero_are_made_of_the_sign() -> None:
    least = "i32: %c = arith.constant 0 : i32 %r = arith.maxsi %x, %c : i32 return %r : i32"
    assert estimated(least, "skylake-avx512")[0] == 4.0
    assert estimated(least, "neoverse-v1")[0] == 2.0


def test_small_branches_are_choices() -> None:
    body = """i32: %c = arith.cmpi slt, %x, %y : i32
              %r = scf.if %c -> (i32) { %s = arith.addi %x, %z : i32 scf.yield %s : i32 }
                   else { %s = arith.OTHER %y, %z : i32 scf.yield %s : i32 }
              return %r : i32"""
    assert estimated(body.replace("OTHER", "xori"), "neoverse-v1")[0] == 5.0
    divided = f"func.func @f({_ARGUMENTS}) -> i32 {{ {body.partition(':')[2].replace('OTHER', 'divsi')} }}"
    assert FEATURIZER.parse({"mlir": divided}).functions[0].body.straight is None


def test_riscv_stores_zeros_side_by_side_at_once() -> None:
    zeros = "(i32, i32, i32): %c = arith.constant 0 : i32 return %c, %c, %c : i32, i32, i32"
    assert estimated(zeros, "sifive-p670")[0] == 3.0


def test_maxima_of_floats_are_not_absorbed_and_zero_is_looked_at() -> None:
    body = """f32: %s = arith.minimumf %a, %b : f32 %r = arith.maximumf %s, %a : f32 return %r : f32"""
    assert estimated(body, "neoverse-v1")[0] == 3.0
    least = "f32: %c = arith.constant 0.0 : f32 %r = arith.maximumf %a, %c : f32 return %r : f32"
    assert estimated(least, "znver4")[0] in (5.0, 6.0)  # zero, maximum, comparison, choice, return


def test_a_narrow_remainder_by_seven() -> None:
    """Its multiplier has one bit too many, and seven times the quotient is a shift (11 instructions on AArch64)."""
    text = """func.func @f(%x: i16, %y: i16) -> i16 {
      %c = arith.constant 7 : i16 %r = arith.remui %y, %c : i16 return %r : i16 }"""
    row = FEATURIZER.features([FEATURIZER.parse({"mlir": text})], profile="apple-m1").vectors[0]
    assert row[_NAMES.index("est_instructions")] == 11.0


def test_of_two_arguments_on_the_stack_one_is_loaded_and_one_an_operand() -> None:
    # llc-22 for znver4: movl 16(%rsp), %eax; xorl 8(%rsp), %eax; retq
    arguments = ", ".join(f"%x{at}: i32" for at in range(9))
    text = f"func.func @f({arguments}) -> i32 {{ %r = arith.xori %x8, %x7 : i32 return %r : i32 }}"
    row = FEATURIZER.features([FEATURIZER.parse({"mlir": text})], profile="znver4").vectors[0]
    assert row[_NAMES.index("est_instructions")] == 3.0


@pytest.mark.parametrize("seed", range(4))
def test_functions_of_any_few_operations_have_an_estimate_on_every_cpu(seed: int) -> None:
    """Up to fourteen arguments, of which some are on the stack and some are used by nobody or twice."""
    draw = random.Random(seed)
    programs = [FEATURIZER.parse({"mlir": _drawn(draw)}) for _ in range(50)]
    for name in sorted(cpus()):
        vectors = FEATURIZER.features(programs, profile=name).vectors
        assert np.isfinite(vectors).all()
        assert (vectors[:, _NAMES.index("est_instructions")] >= 1).all()


def _drawn(draw: random.Random) -> str:
    kinds = [draw.choice(("i8", "i32", "i64", "f32", "f64")) for _ in range(draw.randint(1, 14))]
    if draw.random() < 0.5:
        kinds = [kinds[0]] * len(kinds)
    values = [(f"%a{place}", kind) for place, kind in enumerate(kinds)]
    lines = []
    for step in range(draw.randint(0, 8)):
        kind = draw.choice(values)[1]
        one, other = (draw.choice([value for value, own in values if own == kind]) for _ in range(2))
        whole = ("addi", "subi", "muli", "andi", "xori", "shli", "shrui", "minsi", "divui", "remsi")
        name = draw.choice(whole if kind.startswith("i") else ("addf", "mulf", "divf", "maximumf", "minnumf"))
        lines.append(f"  %v{step} = arith.{name} {one}, {other} : {kind}")
        values.append((f"%v{step}", kind))
    result, kind = draw.choice(values)
    signature = ", ".join(f"%a{place}: {own}" for place, own in enumerate(kinds))
    return "\n".join([f"func.func @f({signature}) -> {kind} {{", *lines, f"  return {result} : {kind}", "}"])
