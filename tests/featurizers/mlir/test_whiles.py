"""Loops that end by what they compute, as LLVM 22 and llvm-mca-22 have them."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.codegen import LoopCode, generate

FEATURIZER = MlirFeaturizer()


def codes(text: str, name: str) -> list[LoopCode]:
    """Of a function and its loops."""
    return generate(FEATURIZER.parse({"mlir": text}).loops_on(cpu(name).isa)[0], cpu(name))


def cycles(text: str, name: str) -> float:
    """Of all."""
    return sum(code.cycles for code in codes(text, name))


def escape(most: int) -> str:
    """The condition computes squares that the body needs as well."""
    return f"""func.func @f(%a: memref<4xf32> {{llvm.noalias}}, %o: memref<4xi32> {{llvm.noalias}}) {{
      %z = arith.constant 0.0 : f32
      %four = arith.constant 4.0 : f32
      %zero = arith.constant 0 : i32
      %one = arith.constant 1 : i32
      %most = arith.constant {most} : i32
      affine.for %i = 0 to 4 {{
        %c = affine.load %a[%i] : memref<4xf32>
        %r:3 = scf.while (%x = %z, %y = %z, %n = %zero) : (f32, f32, i32) -> (f32, f32, i32) {{
          %xx = arith.mulf %x, %x : f32
          %yy = arith.mulf %y, %y : f32
          %d = arith.addf %xx, %yy : f32
          %in = arith.cmpf olt, %d, %four : f32
          %left = arith.cmpi slt, %n, %most : i32
          %on = arith.andi %in, %left : i1
          scf.condition(%on) %x, %y, %n : f32, f32, i32
        }} do {{
        ^bb0(%x: f32, %y: f32, %n: i32):
          %xx = arith.mulf %x, %x : f32
          %yy = arith.mulf %y, %y : f32
          %e = arith.subf %xx, %yy : f32
          %p = arith.mulf %x, %y : f32
          %q = arith.addf %p, %p : f32
          %u = arith.addf %e, %c : f32
          %v = arith.addf %q, %c : f32
          %m = arith.addi %n, %one : i32
          scf.yield %u, %v, %m : f32, f32, i32
        }}
        affine.store %r#2, %o[%i] : memref<4xi32>
      }}
      return }}"""


def steps(first: str, body: str) -> str:
    return f"""func.func @f(%s: i32, %e: i32) -> i32 {{
      %zero = arith.constant 0 : i32
      %ten = arith.constant 10 : i32
      %r = scf.while (%x = {first}) : (i32) -> i32 {{
        %on = arith.cmpi slt, %x, {"%ten" if first == "%zero" else "%e"} : i32
        scf.condition(%on) %x : i32
      }} do {{
      ^bb0(%x: i32):
        {body}
        scf.yield %y : i32
      }}
      return %r : i32 }}"""


TWO = "%t = arith.muli %x, %x : i32\n%y = arith.addi %t, %e : i32"
ONE = "%y = arith.addi %x, %e : i32"


def test_the_condition_of_the_next_iteration_waits_for_the_body() -> None:
    assert cycles(escape(46), "cortex-a55") == pytest.approx(3389, rel=0.1)


def test_what_the_condition_has_computed_is_not_computed_again() -> None:
    inner = codes(escape(46), "znver4")[-1]
    assert inner.loop.counts[1] == 3.0  # products


def test_a_counter_among_the_conditions_bounds_the_length() -> None:
    assert cycles(escape(16), "znver4") < 0.6 * cycles(escape(46), "znver4")


def test_a_loop_that_is_bounded_by_few_iterations_leaves_by_any_of_its_copies() -> None:
    full = codes(escape(6), "sifive-p670")[-1]
    assert full.full
    assert full.unroll == 6
    assert full.cycles < cycles(escape(46), "sifive-p670") / 10


def test_a_counter_alone_is_a_length_that_is_known() -> None:
    loop = codes(steps("%zero", "%one = arith.constant 1 : i32\n%y = arith.addi %x, %one : i32"), "znver4")
    assert len(loop) == 1  # unrolled completely


def test_a_body_that_may_not_run_at_all_runs_half_of_the_time() -> None:
    turned, single = (codes(steps("%s", body), "apple-m1")[-1] for body in (TWO, ONE))
    assert turned.loop.entries == 0.5
    assert single.loop.entries == 1.0  # one sum is made before the condition is known


def test_risc_v_unrolls_small_loops_by_force() -> None:
    loop = codes(steps("%s", ONE), "sifive-p670")[-1]
    assert loop.unroll == 8
    assert not loop.full
    assert loop.cycles > 6 * 32
    assert codes(steps("%s", ONE), "znver4")[-1].unroll == 1


def mixed(steps: int) -> str:
    """A loop without a counter, whose body is so many sums and differences of bits."""
    body = "\n".join(
        f"    %x{i + 1} = arith.{'xori' if i % 2 else 'addi'} %x{i}, %{'b' if i % 2 else 'c'} : i64"
        for i in range(steps)
    )
    return f"""func.func @f(%a: i64, %b: i64, %c: i64) -> i64 {{
      %z = arith.constant 0 : i64
      %w = scf.while (%v = %a) : (i64) -> i64 {{
        %e = arith.cmpi ne, %v, %z : i64
        scf.condition(%e) %v : i64
      }} do {{
      ^bb0(%x0: i64):
        {body}
        scf.yield %x{steps} : i64
      }}
      return %w : i64
    }}"""


def test_a_loop_without_a_counter_is_smaller_by_its_step() -> None:
    """`opt-22` makes 8 copies of bodies of 9 sums, and none of those of 10."""
    assert codes(mixed(9), "sifive-p670")[-1].unroll == 8
    assert codes(mixed(10), "sifive-p670")[-1].unroll == 1


@pytest.mark.parametrize(("steps", "made"), [(3, 35), (9, 83)])
def test_copies_made_by_force_leave_no_iterations_over(steps: int, made: int) -> None:
    """A way out of each is one instruction (numbers of `llc-22`)."""
    found = sum(code.instructions for code in codes(mixed(steps), "sifive-p670"))
    assert found == pytest.approx(made, rel=0.15)


SEARCH = """func.func @f(%a: memref<768xi32>, %key: i32) -> index {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %n = arith.constant 768 : index
      %r:2 = scf.while (%low = %zero, %high = %n) : (index, index) -> (index, index) {
        %c = arith.cmpi ult, %low, %high : index
        scf.condition(%c) %low, %high : index, index
      } do {
      ^bb0(%low: index, %high: index):
        %sum = arith.addi %low, %high : index
        %middle = arith.shrui %sum, %one : index
        %x = memref.load %a[%middle] : memref<768xi32>
        %less = arith.cmpi slt, %x, %key : i32
        %next = arith.addi %middle, %one : index
        %new_low = arith.select %less, %next, %low : index
        %new_high = arith.select %less, %high, %middle : index
        scf.yield %new_low, %new_high : index, index
      }
      return %r#0 : index
    }"""


def test_choices_in_copies_made_by_force_are_rare_blocks_of_their_own() -> None:
    """1172 cycles by `llvm-mca-22`, block by block."""
    assert cycles(SEARCH, "sifive-p670") == pytest.approx(1172, rel=0.1)


@pytest.mark.parametrize("name", ["cortex-a55", "apple-m1"])
def test_a_loop_that_is_known_to_run_begins_with_its_numbers_and_no_more(name: str) -> None:
    """12 instructions by `llc-22`, of which two are the first bounds."""
    assert sum(code.instructions for code in codes(SEARCH, name)) == pytest.approx(12, rel=0.15)
