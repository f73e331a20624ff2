"""Whole-number operations that are one instruction together, as LLVM 22 leaves them (looked up in the assembly of the
same loops)."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.body import body_of
from featurizers.mlir.codegen import LoopCode, generate
from featurizers.mlir.fused import (
    ADDED,
    COMPLEMENT,
    DISTANCE,
    EXCLUSIVE,
    OF_NUMBERS,
    SHIFTED,
    THREE,
    TURNED,
    TURNED_LONG,
    UPPER,
    beyond,
    light,
)
from featurizers.mlir.fused import CHOSEN as CHOICES
from featurizers.mlir.loop import Loop
from featurizers.mlir.ports import vector_ports
from featurizers.mlir.vectorise import plan
from featurizers.mlir.widths import operands

FEATURIZER = MlirFeaturizer()


def loop(body: str, kind: str = "i64", length: int = 2000) -> Loop:
    """A loop that computes %r of %x and %y."""
    text = f"""func.func @f(%a: memref<{length}x{kind}> {{llvm.noalias}}, %b: memref<{length}x{kind}> {{llvm.noalias}},
                        %c: memref<{length}x{kind}> {{llvm.noalias}}) {{
      %four = arith.constant 4 : {kind}
      %rest = arith.constant 60 : {kind}
      %ones = arith.constant -1 : {kind}
      %mask = arith.constant 15 : {kind}
      affine.for %i = 0 to {length} {{
        %x = affine.load %a[%i] : memref<{length}x{kind}>
        %y = affine.load %b[%i] : memref<{length}x{kind}>
        {body.replace("KIND", kind)}
        affine.store %r, %c[%i] : memref<{length}x{kind}>
      }}
      return }}"""
    return FEATURIZER.parse({"mlir": text}).loops[0].children[0]


CHOSEN = """%p = arith.xori %x, %y : KIND
            %q = arith.andi %p, %mask : KIND
            %r = arith.xori %q, %x : KIND"""
MASKED = """%n = arith.xori %y, %ones : KIND
            %r = arith.andi %x, %n : KIND"""
ROTATED = """%p = arith.shli %x, %four : KIND
             %q = arith.shrui %x, %rest : KIND
             %s = arith.ori %p, %q : KIND
             %r = arith.addi %s, %y : KIND"""
SHIFTED_BITS = """%p = arith.shrui %x, %four : KIND
                  %r = arith.xori %p, %y : KIND"""
AVERAGE = """%p = arith.shrui %x, %four : KIND
             %r = arith.addi %p, %y : KIND"""
SWAPPED = """%p = arith.andi %x, %mask : KIND
             %q = arith.shli %p, %four : KIND
             %s = arith.shrui %x, %four : KIND
             %t = arith.andi %s, %mask : KIND
             %r = arith.ori %q, %t : KIND"""


def test_logic_on_three_values_is_one_instruction_of_avx_512() -> None:
    found = loop(CHOSEN)
    assert found.fused[THREE] == 2, "vpternlogq, with the mask in a register"
    assert beyond(found, cpu("skylake-avx512"), vector=True) == -2
    assert beyond(found, cpu("skylake-avx512"), vector=False) == 0, "of vectors alone"
    assert beyond(found, cpu("neoverse-v1"), vector=True, near=False) == 0


def test_a_step_that_is_used_twice_is_a_step_of_its_own() -> None:
    twice = CHOSEN.replace("%q, %x", "%q, %p")
    assert loop(twice).fused.get(THREE, 0) == 1


def test_a_mask_goes_behind_a_shift() -> None:
    assert loop(SWAPPED).fused[THREE] == 1, "the shifted values and two masks are four, of which one step takes three"


def test_complements_are_part_of_logic() -> None:
    found = loop(MASKED)
    assert found.fused[COMPLEMENT] == 1
    for name in ("cortex-a55", "neoverse-v1", "sifive-p670", "skylake-avx512"):
        assert beyond(found, cpu(name), vector=False) == -1, f"bic, andn on {name}"
    assert beyond(loop(MASKED, "i16"), cpu("skylake-avx512"), vector=False) == 0, "andn is of words"
    assert beyond(loop(MASKED, "i16"), cpu("skylake-avx512"), vector=True) == -1


@pytest.mark.parametrize(("name", "more"), [("cortex-a55", 1), ("neoverse-v1", 2), ("apple-m1", 0), ("znver4", 0)])
def test_vectors_of_aarch64_turn_around_by_shifts(name: str, more: int) -> None:
    found = loop(ROTATED)
    assert found.fused[TURNED] == found.fused[TURNED_LONG] == 1
    assert beyond(found, cpu(name), vector=True, near=name != "neoverse-v1") == more
    assert beyond(found, cpu(name), vector=False) == 0


def test_shifted_operands_are_of_scalars() -> None:
    found = loop(SHIFTED_BITS)
    assert found.fused[SHIFTED] == 1
    assert beyond(found, cpu("apple-m1"), vector=False) == -1
    assert beyond(found, cpu("apple-m1"), vector=True) == 0


def test_neon_adds_what_it_shifts() -> None:
    found = loop(AVERAGE)
    assert found.fused[ADDED] == 1
    assert beyond(found, cpu("apple-m1"), vector=True) == -1, "usra"
    assert beyond(found, cpu("neoverse-v1"), vector=True, near=False) == 0


def test_three_values_are_added_without_carry_at_once_on_apple_m1() -> None:
    found = loop("%p = arith.xori %x, %four : KIND %r = arith.xori %p, %y : KIND")
    assert found.fused[EXCLUSIVE] == 1
    assert beyond(found, cpu("apple-m1"), vector=True) == -1, "eor3"
    assert beyond(found, cpu("cortex-a55"), vector=True) == 0


def test_shifts_of_vectors_take_one_unit_of_cortex_a55() -> None:
    assert light(loop(SHIFTED_BITS), cpu("cortex-a55")) == 0.5
    assert light(loop(SHIFTED_BITS), cpu("apple-m1")) == 0


def code(name: str, body: str) -> LoopCode:
    return generate(loop(body), cpu(name))[0]


def test_the_unroller_sees_each_operation() -> None:
    """What the back end fuses is apart in LLVM's code: the same loops are unrolled."""
    apart = MASKED.replace("%ones", "%mask")
    assert code("cortex-a55", MASKED).unroll == code("cortex-a55", apart).unroll


SUM = "%r = arith.addi %x, %y : KIND"


@pytest.mark.parametrize("kind", ["i8", "i16", "i32", "i64"])
def test_a_load_is_an_operand_of_one_vector_operation(kind: str) -> None:
    """``vmovdqu``, ``vpaddd`` with the other in memory, ``vmovdqu`` back; scalars of bytes are loaded first."""
    body = loop(SUM, kind)
    found = plan(body, cpu("skylake-avx512"), *body_of(body, cpu("skylake-avx512")))
    assert found.work == 3.0
    assert operands(body, found.vf, cpu("skylake-avx512")) == 1.0


def test_loads_that_are_used_twice_are_instructions() -> None:
    found = loop("%p = arith.shrui %x, %four : KIND %q = arith.xori %p, %x : KIND %r = arith.addi %q, %y : KIND")
    assert operands(found, 4, cpu("skylake-avx512")) == 1.0, "%y alone"


def test_vectors_of_a_loop_share_its_control() -> None:
    short, long = loop(SUM, length=64), loop(SUM)
    core = cpu("apple-m1")
    one = plan(long, core, *body_of(long, core))
    uops = body_of(long, core)[1]
    alone, together = (vector_ports(long, core, one, uops, copies) for copies in (1, 8))
    assert together < alone
    assert vector_ports(short, core, one, uops, 0) <= together, "unrolled completely, there is none"


def test_a_pair_of_vectors_is_one_load_of_apple_m1() -> None:
    """llvm-mca-22 runs four ``ldp q`` in 2 cycles, and four ``stp q`` in 4: a vector sum takes one."""
    body, core = loop(SUM), cpu("apple-m1")
    found = plan(body, core, *body_of(body, core))
    assert vector_ports(body, core, found, body_of(body, core)[1], 0) == 1.0


def test_the_larger_less_the_smaller_is_a_distance_of_aarch64() -> None:
    found = loop("%p = arith.maxui %x, %y : KIND %q = arith.minui %x, %y : KIND %r = arith.subi %p, %q : KIND", "i32")
    assert found.fused == {DISTANCE: 1.0}
    assert beyond(found, cpu("apple-m1"), vector=True) == -2, "uabd"
    assert beyond(found, cpu("znver4"), vector=True) == 0


def test_bits_of_two_values_by_a_mask_are_one_instruction_of_neon() -> None:
    for body in (CHOSEN_BITS, CHOSEN):
        found = loop(body)
        assert found.fused[CHOICES] == 1
        assert beyond(found, cpu("cortex-a55"), vector=True) == -2, "bit, bsl"
        assert beyond(found, cpu("neoverse-v1"), vector=True, near=False) == 0
    assert CHOICES not in loop(CHOSEN_BITS.replace("%y, %other", "%y, %four")).fused, "masks that are no complements"


CHOSEN_BITS = """%other = arith.constant -16 : KIND
                 %p = arith.andi %x, %mask : KIND
                 %q = arith.andi %y, %other : KIND
                 %r = arith.ori %p, %q : KIND"""
UPPER_HALF = """%p = arith.EXT %x : i32 to i64
                %q = arith.EXT %y : i32 to i64
                %s = arith.muli %p, %q : i64
                %wide = arith.constant 32 : i64
                %t = arith.SHR %s, %wide : i64
                %r = arith.trunci %t : i64 to i32"""


@pytest.mark.parametrize(("extend", "shift"), [("extui", "shrui"), ("extsi", "shrui"), ("extsi", "shrsi")])
def test_upper_halves_of_products_are_operations(extend: str, shift: str) -> None:
    text = UPPER_HALF.replace("EXT", extend).replace("SHR", shift)
    found = loop(text, "i32")
    assert found.fused == {UPPER: 1.0}
    assert sum(found.counts) == 4.0, "two loads, a product, a store"
    for name, more in (("skylake-avx512", 4), ("apple-m1", 2), ("sifive-p670", 0)):
        assert beyond(found, cpu(name), vector=True) == more, "vpmuludq of lanes; umull, umull2, uzp2; vmulh"
    assert UPPER not in loop(text.replace("constant 32", "constant 31"), "i32").fused


def turned(kind: str, by: int) -> Loop:
    rest = int(kind[1:]) - by
    return loop(
        f"""%n = arith.constant {by} : KIND
            %m = arith.constant {rest} : KIND
            %p = arith.shli %x, %n : KIND
            %q = arith.shrui %x, %m : KIND
            %s = arith.ori %p, %q : KIND
            %r = arith.addi %s, %y : KIND""",
        kind,
    )


@pytest.mark.parametrize(("kind", "more"), [("i8", 2), ("i16", 2), ("i32", 0), ("i64", 0)])
def test_less_than_words_turn_around_by_shifts_on_skylake(kind: str, more: int) -> None:
    """``vpsllw``, ``vpsrlw``, ``vpternlogd``; ``vprold``."""
    found = turned(kind, 3)
    assert beyond(found, cpu("skylake-avx512"), vector=True) == more
    assert beyond(found, cpu("znver4"), vector=True) == 0


def test_rotations_are_of_operands_in_memory() -> None:
    assert operands(turned("i32", 3), 8, cpu("skylake-avx512")) == 2.0, "%x, and %y for the sum"


def test_logic_with_two_numbers_is_written_over_its_value() -> None:
    found = loop("%p = arith.andi %x, %mask : KIND %q = arith.xori %p, %four : KIND %r = arith.muli %q, %q : KIND")
    assert found.fused[OF_NUMBERS] == 1
    assert operands(found, 4, cpu("skylake-avx512")) == 0.0


def test_shifts_of_bytes_need_a_mask_unless_logic_follows() -> None:
    alone = loop("%p = arith.shrui %x, %four : KIND %r = arith.addi %p, %y : KIND", "i8")
    assert beyond(alone, cpu("znver4"), vector=True) == 1, "vpsrlw, vpand"
    assert beyond(loop(SHIFTED_BITS, "i8"), cpu("znver4"), vector=True) == 0, "vpternlogd"
